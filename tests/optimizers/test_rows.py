"""Steps of some rows: only these move, as by themselves, and make up for missed decay."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_case import LR
from optimizer_cases import BACKENDS, CASES, assert_same_state, drawn, same, same_all

import mdbopt
from mdbopt import _core

ROWS, WIDTH = 40, 70


def takes_rows(case):
    rule = case.description
    return (not rule.sums or rule.name == "nadam") and not rule.per_array


BY_ROWS = [name for name, case in CASES.items() if takes_rows(case)]
WHOLE = [name for name, case in CASES.items() if not takes_rows(case)]


def draw_rows(seed, count=9, of=ROWS):
    return np.random.default_rng(seed).permutation(of)[:count]


def gradient(seed, rows, dtype=np.float64, width=WIDTH):
    return drawn(seed, [(len(rows), width)], dtype)[0]


def table(seed=1, dtype=np.float64, rows=ROWS, width=WIDTH):
    return drawn(seed, [(rows, width)], dtype)[0]


def made_up(w, lr, missed):
    """Return the decay w' of 1 − lr·w' = (1 − lr·w)^(missed + 1), squared as the core does."""
    if missed == 0 or w == 0 or lr == 0:
        return w
    power, base, left = 1.0, 1.0 - lr * w, missed + 1
    while left:
        power, base, left = power * base if left % 2 else power, base * base, left // 2
    return (1.0 - power) / lr


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", BY_ROWS)
def test_rows_are_stepped_as_arrays_of_their_own(name, dtype):
    optimizer = CASES[name].make()
    x = table(dtype=dtype)
    expected, state = x.copy(), optimizer.init(x)
    own, last = dict.fromkeys(range(ROWS)), np.zeros(ROWS, int)
    for step in range(3):
        rows = draw_rows(step)
        g = gradient(10 + step, rows, dtype)
        # What a state of the row alone, with the steps of the whole, makes of it.
        for k, row in enumerate(rows):
            alone = expected[row].copy()
            saved = own[row] or dict(optimizer.init(alone))
            saved |= {"t": state.t} | {n: state[n] for n in state._numbers()}
            other = optimizer.restore(alone, saved)
            w, missed = optimizer.weight_decay, state.t - last[row]
            made = (
                made_up(w, optimizer.lr, missed)
                if optimizer.decoupled and optimizer._MAKES_UP
                else w
            )
            optimizer.step(alone, g[k], other, weight_decay=made)
            expected[row], own[row], last[row] = alone, dict(other), state.t + 1
        assert optimizer.step(x, g, state, rows=rows) is True
        assert same(x, expected)
        for each in state._arrays:
            kept = state[each]
            for row, saved in own.items():
                if saved is not None:
                    assert same(kept[row], saved[each])


def test_other_rows_are_not_touched():
    optimizer, x = mdbopt.AdamW(weight_decay=0.1), table()
    state = optimizer.init(x)
    rows = draw_rows(1)
    others = np.setdiff1d(np.arange(ROWS), rows)
    optimizer.step(x, gradient(2, rows), state, rows=rows)
    assert same(x[others], table()[others])
    assert not state.m[others].any()
    assert not state.v[others].any()
    assert state["row_t"][rows].tolist() == [1] * len(rows)
    assert not state["row_t"][others].any()


@pytest.mark.parametrize("make", [mdbopt.AdamW, mdbopt.Lion, mdbopt.SGD, mdbopt.AdaGrad])
def test_missed_decay_is_made_up_for(make):
    w, lr = 0.3, 0.1
    optimizer = make(lr, weight_decay=w)
    x = table()
    state = optimizer.init(x)
    reference, own = x.copy(), make(lr)
    other = own.init(reference)
    last = np.zeros(ROWS, int)
    for step in range(6):
        rows = draw_rows(step)
        g = gradient(20 + step, rows)
        for row in rows:
            missed = step - last[row]
            grads = np.zeros((ROWS, WIDTH))
            grads[row] = g[list(rows).index(row)]
            one = {"x": reference[row].copy()}
            saved = {n: other[n][row] for n in other._arrays}
            alone = own.restore(one["x"], {"optimizer": make.__name__, "t": step, **saved})
            own.step(one["x"], grads[row], alone, weight_decay=made_up(w, lr, missed))
            reference[row], last[row] = one["x"], step + 1
            for n in other._arrays:
                getattr(other, n)[row] = alone[n]
        optimizer.step(x, g, state, rows=rows)
        assert same(x, reference)


def test_adamw_is_the_formula():
    """Lazy Adam in NumPy, by the papers' formulas, in float64."""
    lr, w, beta1, beta2, eps = 0.05, 0.2, 0.9, 0.99, 1e-8
    optimizer = mdbopt.AdamW(lr, weight_decay=w, beta1=beta1, beta2=beta2, eps=eps)
    x = table()
    state = optimizer.init(x)
    y, m, v, last = x.copy(), np.zeros_like(x), np.zeros_like(x), np.zeros(ROWS)
    for t in range(1, 30):
        rows = draw_rows(t, count=5)
        g = gradient(t, rows)
        optimizer.step(x, g, state, rows=rows)
        m[rows] = beta1 * m[rows] + (1 - beta1) * g
        v[rows] = beta2 * v[rows] + (1 - beta2) * g * g
        d = m[rows] / (1 - beta1**t) / (np.sqrt(v[rows] / (1 - beta2**t)) + eps)
        decay = (1 - lr * w) ** (t - last[rows])
        y[rows], last[rows] = decay[:, None] * y[rows] - lr * d, t
    assert np.allclose(x, y, rtol=1e-12, atol=1e-13)


def test_a_step_of_all_rows_is_one_of_the_whole():
    for name in BY_ROWS:
        optimizer = CASES[name].make()
        x, y = table(), table()
        state, other = optimizer.init(x), optimizer.init(y)
        for step in range(3):
            g = table(2 + step)
            optimizer.step(x, g, state, rows=range(ROWS))
            optimizer.step(y, g, other)
        assert same(x, y)


def test_a_step_of_the_whole_makes_up_for_all_rows():
    lr, w = 0.1, 0.5
    optimizer = mdbopt.SGD(lr, weight_decay=w)
    x = np.ones((4, 3))
    state = optimizer.init(x)
    for _ in range(3):
        optimizer.step(x, np.zeros((1, 3)), state, rows=[2])
    assert np.allclose(x[:, 0], [1, 1, (1 - lr * w) ** 3, 1])
    optimizer.step(x, np.zeros((4, 3)), state)
    assert np.allclose(x, (1 - lr * w) ** 4)
    assert state["row_t"].tolist() == [4] * 4
    plan = optimizer.plan(x, np.zeros((4, 3)), state)
    plan.step()
    assert np.allclose(x, (1 - lr * w) ** 5)
    assert state["row_t"].tolist() == [5] * 4


def test_l2_decay_and_ftrl_are_not_made_up_for():
    for optimizer in (mdbopt.SGD(0.1, weight_decay=0.5, decoupled=False), mdbopt.FTRL(0.1)):
        x, y = np.ones((4, 3)), np.ones((1, 3))
        state, other = optimizer.init(x), optimizer.init(y)
        for _ in range(3):
            optimizer.step(x, np.zeros((1, 3)), state, rows=[0])
        x[2] = y[0] = 1.0
        optimizer.step(x, np.ones((1, 3)), state, rows=[2])
        optimizer.step(y, np.ones((1, 3)), other)
        assert same(x[2], y[0])


def test_trees_mix_rows_and_whole_arrays():
    params = {
        "wte": table(),
        "blocks": [table(2, rows=3), {"bias": drawn(3, [(5,)])[0]}],
        "n": None,
    }
    others = copy.deepcopy(params)
    optimizer = mdbopt.Adam(LR)
    state, one = optimizer.init(params), mdbopt.Adam(LR)
    parts = [others["wte"], others["blocks"][0], others["blocks"][1]["bias"]]
    states = [one.init(part) for part in parts]
    for step in range(3):
        rows = draw_rows(step)
        g = [gradient(7 + step, rows), table(8 + step, rows=3), drawn(9 + step, [(5,)])[0]]
        grads = {"wte": g[0], "blocks": [g[1], {"bias": g[2]}], "n": None}
        optimizer.step(params, grads, state, rows={"wte": rows, "blocks": None, "n": None})
        one.step(parts[0], g[0], states[0], rows=rows)
        one.step(parts[1], g[1], states[1])
        one.step(parts[2], g[2], states[2])
    assert same(params["wte"], parts[0])
    assert same_all(params["blocks"], [parts[1], {"bias": parts[2]}])
    assert [name for name in state if name.startswith("row_t")] == ["row_t['wte']"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bits_of_any_threads_and_backend(backend, threads):
    def result(**options):
        optimizer = mdbopt.AdamW(0.01, weight_decay=0.1, **options)
        x = table(dtype=np.float32, rows=300, width=900)
        state = optimizer.init(x)
        for step in range(3):
            rows = draw_rows(step, 150, 300)
            g = gradient(step, rows, np.float32, 900)
            optimizer.step(x, g, state, rows=rows, max_norm=1.0)
        return x

    assert same(result(), result(backend=backend, threads=threads))


def test_one_launch_moves_the_rows_alone():
    optimizer, x = mdbopt.AdamW(weight_decay=0.1), table(dtype=np.float32)
    state = optimizer.init(x)
    rows = draw_rows(1)
    optimizer.step(x, gradient(2, rows, np.float32), state, rows=rows)
    _core.take_traffic()
    optimizer.step(x, gradient(2, rows, np.float32), state, rows=rows)
    assert _core.take_traffic() == (1, 28 * len(rows) * WIDTH)


@pytest.mark.parametrize("max_norm", [0.1, 1e6])
def test_the_norm_is_of_the_rows_given(max_norm):
    x, y = table(), table()
    optimizer = mdbopt.SGD(0.5)
    rows = draw_rows(1)
    g = gradient(2, rows)
    norm = optimizer.step(x, g, optimizer.init(x), rows=rows, max_norm=max_norm)
    assert norm == pytest.approx(math.sqrt(float((g * g).sum())), rel=1e-14)
    optimizer.step(y, min(1.0, max_norm / (norm + 1e-6)) * g, optimizer.init(y), rows=rows)
    assert np.allclose(x, y, rtol=1e-14)


@pytest.mark.parametrize("options", [{"state_dtype": "bfloat16"}, {"rounding": "stochastic"}, {}])
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_formats_and_halves(options, dtype):
    """Rows in order are one array: the random bits are those of its elements then."""
    x = table().astype(dtype)
    y = x[10:20].copy()
    optimizer = mdbopt.AdamW(0.01, **options)
    state, other = optimizer.init(x), optimizer.init(y)
    for step in range(3):
        g = gradient(step, range(10)).astype(dtype)
        optimizer.step(x, g, state, rows=np.arange(10, 20))
        optimizer.step(y, g, other)
    assert same(x[10:20], y)
    assert same(state.m[10:20], other.m)


def test_a_master_of_low_bits():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = table().astype(ml_dtypes.bfloat16)
    y = x[10:20].copy()
    optimizer = mdbopt.AdamW(1e-4, master="remainder")
    state, other = optimizer.init(x), optimizer.init(y)
    for step in range(3):
        g = gradient(step, range(10), np.float32)
        optimizer.step(x, g, state, rows=np.arange(10, 20))
        optimizer.step(y, g, other)
    assert same(state.master(x)[10:20], other.master(y))


@pytest.mark.parametrize("view", ["reversed", "every other", "columns", "no columns", "vector"])
def test_arrays_of_any_rows(view):
    memory = table(rows=2 * ROWS)
    views = {
        "reversed": memory[::-1][:ROWS],
        "every other": memory[::2],
        "columns": memory[:ROWS, 3:30],
        "no columns": memory[:ROWS, :0],
        "vector": memory[:ROWS, 5],
    }
    x = views[view]
    dense = x.copy()
    optimizer = mdbopt.AdamW(weight_decay=0.1)
    state, other = optimizer.init(x), optimizer.init(dense)
    for step in range(3):
        rows = draw_rows(step)
        g = drawn(step, [(len(rows), *x.shape[1:])])[0]
        optimizer.step(x, g, state, rows=rows)
        optimizer.step(dense, g, other, rows=rows.tolist())
    assert same(np.ascontiguousarray(x), dense)


def test_what_else_a_step_takes():
    """A rate and a decay of each array, an image of the parameters, a scale, decay by lr_max."""
    x, y = table(dtype=np.float32), table(dtype=np.float32)[[4, 9]]
    image, own = np.zeros((ROWS, WIDTH), np.uint16), np.zeros((2, WIDTH), np.uint16)
    optimizer = mdbopt.AdamW(0.1, weight_decay=0.3, decay="independent", maximize=True)
    g = gradient(3, [4, 9], np.float32)
    options = {"lr": [0.05], "weight_decay": [0.2], "grad_scale": 4.0}
    optimizer.step([x], [g], optimizer.init([x]), rows=[[4, 9]], copy=[image], **options)
    optimizer.step([y], [g], optimizer.init([y]), copy=[own], **options)
    assert same(x[[4, 9]], y)
    assert same(image[[4, 9]], own)
    assert np.flatnonzero(image.any(axis=1)).tolist() == [4, 9]
    assert same(np.delete(x, [4, 9], 0), np.delete(table(dtype=np.float32), [4, 9], 0))


def test_made_up_decay_follows_the_decay_of_the_step():
    x = np.ones((3, 2))
    optimizer = mdbopt.SGD(0.5, weight_decay=0.1, decay="independent")
    state = optimizer.init(x)
    for _ in range(2):
        optimizer.step(x, np.zeros((1, 2)), state, rows=[0], lr=0.25)
    optimizer.step(x, np.zeros((1, 2)), state, rows=[1], lr=0.25)
    assert np.allclose(x[:, 0], [0.95**2, 0.95**3, 1.0])


def test_no_rows_are_a_step():
    optimizer, x = mdbopt.AdamW(), table()
    state = optimizer.init(x)
    assert optimizer.step(x, np.empty((0, WIDTH)), state, rows=[]) is True
    assert optimizer.step(x, np.empty((0, WIDTH)), state, rows=np.empty(0, np.int32)) is True
    assert same(x, table())
    assert state.t == 2


@given(
    st.lists(st.lists(st.integers(0, 11), unique=True), max_size=6),
    st.sampled_from(["i1", "u2", "i8", ">i4"]),
)
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(steps, dtype):
    x, y = table(rows=12, width=5), table(rows=12, width=5)
    optimizer = mdbopt.Lion(0.01, weight_decay=0.3)
    state, other = optimizer.init(x), optimizer.init(y)
    for k, rows in enumerate(steps):
        rows = np.array(rows, dtype)
        order = np.argsort(rows)
        g = gradient(k, rows, width=5)
        optimizer.step(x, g, state, rows=rows)
        optimizer.step(y, g[order], other, rows=rows[order])
    assert same(x, y)
    assert_same_state(state, other)


def test_a_skipped_step_counts_nothing():
    optimizer, x = mdbopt.AdamW(), table()
    state = optimizer.init(x)
    assert optimizer.step(x, gradient(1, [3]), state, rows=[3], found_inf=True) is False
    assert state.t == 0
    assert list(state) == ["optimizer", "t", "m", "v"]


@pytest.mark.parametrize("way", ["mapping", "npz", "pickle", "deepcopy"])
def test_states_travel(way):
    optimizer, params = mdbopt.AdamW(0.1, weight_decay=0.1), {"a": table()}
    state = optimizer.init(params)
    for step in range(3):
        rows = draw_rows(step)
        optimizer.step(params, {"a": gradient(step, rows)}, state, rows={"a": rows})
    if way == "npz":
        file = io.BytesIO()
        np.savez(file, **state)
        file.seek(0)
        other = optimizer.restore(params, np.load(file))
    elif way == "mapping":
        other = optimizer.restore(params, dict(state))
    else:
        other = pickle.loads(pickle.dumps(state)) if way == "pickle" else copy.deepcopy(state)
    assert len(other) == len(list(other))
    assert_same_state(state, other)
    others = copy.deepcopy(params)
    for own, each in ((state, params), (other, others)):
        optimizer.step(each, {"a": gradient(7, [1, 9])}, own, rows={"a": [1, 9]})
    assert same(params["a"], others["a"])


@pytest.mark.parametrize(
    ("kind", "rows", "words"),
    [
        (ValueError, [1, 40], r"rows\[1\]: expected a row from 0 to 39, got 40"),
        (ValueError, [-1, 3], r"rows\[0\]: expected a row from 0 to 39, got -1"),
        (ValueError, np.array([2**63 + 1, 0], np.uint64), r"rows\[0\]: .* got 9223372036854775809"),
        (ValueError, [5, 5], r"rows: row 5 is given twice, expected each once, with the sum"),
        (TypeError, [1.0, 2.0], r"rows: has dtype float64, expected whole numbers"),
        (TypeError, [True, False], r"rows: has dtype bool, expected whole numbers"),
        (ValueError, [[1, 2]], r"rows: has shape \(1, 2\), expected one axis"),
        (
            ValueError,
            [1, 2, 3],
            r"grads has shape \(2, 70\), expected \(3, 70\), a row for each of",
        ),
    ],
)
def test_refused_rows(kind, rows, words):
    optimizer, x = mdbopt.AdamW(), table()
    state = optimizer.init(x)
    with pytest.raises(kind, match=f"AdamW: {words}"):
        optimizer.step(x, gradient(1, [0, 0]), state, rows=rows)
    assert same(x, table())
    assert state.t == 0
    assert list(state) == ["optimizer", "t", "m", "v"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"b": [1]}, r"rows: expected None or a dict with the keys \['a'\], got \['b'\]"),
        ([[1]], r"rows: expected None or a dict with the keys \['a'\], got list"),
        ({"a": [[1]]}, r"rows\['a'\]: expected None or 2 items, got 1"),
        ({"a": [None, [7]]}, r"rows\['a'\]\[1\]\[0\]: expected a row from 0 to 2, got 7"),
        ({"a": [[0], None]}, r"rows\['a'\]\[0\]: expected None for an array without axes"),
    ],
)
def test_refused_trees_of_rows(rows, words):
    params = {"a": [np.array(1.0), np.ones((3, 2))]}
    optimizer = mdbopt.SGD()
    with pytest.raises(ValueError, match=words):
        optimizer.step(
            params, {"a": [np.ones(()), np.ones((1, 2))]}, optimizer.init(params), rows=rows
        )


@pytest.mark.parametrize("name", WHOLE)
def test_rules_of_whole_arrays_are_refused(name):
    optimizer, x = CASES[name].make(), table()
    why = f"the rule '{CASES[name].description.name}' takes sums over whole arrays"
    if name.startswith("ScheduleFree"):
        why = "the average goes on where there is no gradient"
    with pytest.raises(ValueError, match=f"rows: expected None since {why}$"):
        optimizer.step(x, gradient(1, [0]), optimizer.init(x), rows=[0])


def test_what_is_not_of_rows_is_refused():
    x = table(dtype=np.float32)
    optimizer = mdbopt.AdamW(state_dtype="8bit")
    with pytest.raises(ValueError, match="rows: expected None with state_dtype='8bit'"):
        optimizer.step(x, gradient(1, [0], np.float32), optimizer.init(x), rows=[0])
    optimizer = mdbopt.AdamW()
    state = optimizer.init(x)
    with pytest.raises(ValueError, match="lr: expected a number for a step of some rows"):
        optimizer.step(x, gradient(1, [0], np.float32), state, rows=[0], lr=np.ones_like(x))
    fortran = np.asfortranarray(x)
    with pytest.raises(ValueError, match="params has rows that lie in between each other"):
        optimizer.step(fortran, gradient(1, [0], np.float32), optimizer.init(fortran), rows=[0])
    shared = np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match=r"params\[1\] overlaps params\[0\]"):
        optimizer.step(
            [shared[:3], shared[2:]],
            [np.ones((1, 3), np.float32)] * 2,
            optimizer.init([shared[:3], shared[2:]]),
            rows=[[2], [0]],
        )


@pytest.mark.parametrize(
    ("kind", "last", "words"),
    [
        (TypeError, np.zeros(ROWS), "has dtype float64, expected whole numbers"),
        (ValueError, np.zeros(3, int), r"has shape \(3,\), expected \(40,\)"),
        (ValueError, np.full(ROWS, 2), "expected steps from 0 to 1, the state's t"),
    ],
)
def test_refused_saved_rows(kind, last, words):
    optimizer, x = mdbopt.AdamW(), table()
    state = optimizer.init(x)
    optimizer.step(x, gradient(1, [0]), state, rows=[0])
    with pytest.raises(kind, match=f"saved: 'row_t'.*{words}"):
        optimizer.restore(x, dict(state) | {"row_t": last})


def test_groups_take_rows():
    params, others = {"wte": table(), "bias": np.ones(5)}, {"wte": table(), "bias": np.ones(5)}
    optimizer = mdbopt.groups([(mdbopt.Lion(0.1, weight_decay=0.1), "wte"), (mdbopt.SGD(), None)])
    lion, sgd = mdbopt.Lion(0.1, weight_decay=0.1), mdbopt.SGD()
    state = optimizer.init(params)
    wte, bias = lion.init(others["wte"]), sgd.init(others["bias"])
    for step in range(3):
        rows = draw_rows(step)
        g, b = gradient(step, rows), np.ones(5)
        norm = optimizer.step(
            params, {"wte": g, "bias": b}, state, rows={"wte": rows, "bias": None}, max_norm=1.0
        )
        assert norm == pytest.approx(math.sqrt(float((g * g).sum()) + 5.0), rel=1e-13)
        lion.step(others["wte"], g, wte, rows=rows, max_norm=1.0, norm=norm)
        sgd.step(others["bias"], b, bias, max_norm=1.0, norm=norm)
    assert same_all(params, others)
