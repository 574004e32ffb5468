"""What follows a step: x bounded, shrunk and averaged, whatever the rule."""

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optimizer_cases import (
    BACKENDS,
    CASES,
    CLASSES,
    assert_same_state,
    drawn,
    nothing_written,
    same,
    same_all,
)
from reference_half import nearest, widen

import mdbopt
from mdbopt import _core

SHAPES = [(3, 500), (1,), (1024,), (33,)]
OPTIONS = {
    "max_update": {"max_update": 0.5},
    "l1": {"l1": 0.3},
    "average": {"average": 0.9},
    "all": {"max_update": 0.5, "l1": 0.3, "average": 0.9},
}
REFUSED = {"OSGM", "ScheduleFreeSGD", "ScheduleFreeAdamW"}
FINISHED = {name: case for name, case in CASES.items() if case.label not in REFUSED}


@pytest.fixture(params=FINISHED)
def case(request):
    return FINISHED[request.param]


@pytest.fixture(params=OPTIONS)
def options(request, case):
    chosen = OPTIONS[request.param]
    if case.label == "FTRL":  # whose l1 is another
        chosen = {name: value for name, value in chosen.items() if name != "l1"}
    return chosen


def finished(before, x, average, lr, options):
    """Finish a step in float64, rounded once; return x and its average."""
    dtype = x.dtype
    lr = np.float64(dtype.type(lr))
    before, x = before.astype(np.float64), x.astype(np.float64)
    if "max_update" in options:
        reach = lr * options["max_update"]
        x = np.clip(x, before - reach, before + reach)
    if "l1" in options:
        x = np.sign(x) * np.maximum(np.abs(x) - lr * options["l1"], 0.0)
    x = x.astype(dtype)
    if "average" in options:
        beta = options["average"]
        mixed = beta * average.astype(np.float64) + (1.0 - beta) * x.astype(np.float64)
        average = mixed.astype(dtype)
    return x, average


def without_average(state):
    beside = re.compile(r"average(\W|d|$)")
    return {name: value for name, value in state.items() if not beside.match(name)}


def equal(a, b):
    """Whether arrays have the same numbers, zeros of either sign among them."""
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


# --- the formulas --------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_optimizer_is_finished_as_by_numpy(case, options, dtype):
    optimizer, plain = case.make(**options), case.make()
    params = drawn(1, SHAPES, dtype)
    state = optimizer.init(params)
    for step in range(4):
        gradients = drawn(2 + step, SHAPES, dtype)
        others = copy.deepcopy(params)
        twin = plain.restore(others, without_average(state))
        averages = copy.deepcopy(state.average) if "average" in options else params
        plain.step(others, gradients, twin)
        expected = [
            finished(x, other, average, case.make().lr, options)
            for x, other, average in zip(params, others, averages, strict=True)
        ]
        optimizer.step(params, gradients, state)
        for k, (x, average) in enumerate(expected):
            assert equal(params[k], x)
            if "average" in options:
                assert equal(state.average[k], average)
        assert_same_state(without_average(state), dict(twin))
    assert state.t == 4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_rounded_once(case, options, dtype):
    optimizer, plain = case.make(**options), case.make()
    bits = [nearest(x, dtype) for x in drawn(1, SHAPES, np.float32)]
    state = optimizer.init(bits, dtype=dtype)
    for step in range(2):
        gradients = [nearest(g, dtype) for g in drawn(2 + step, SHAPES, np.float32)]
        starts = [widen(x, dtype) for x in bits]
        wide = copy.deepcopy(starts)
        twin = plain.restore(wide, without_average(state))
        averages = copy.deepcopy(state.average) if "average" in options else starts
        plain.step(wide, [widen(g, dtype) for g in gradients], twin)
        optimizer.step(bits, gradients, state)
        for k, (before, other) in enumerate(zip(starts, wide, strict=True)):
            x, average = finished(before, other, averages[k], optimizer.lr, options)
            assert equal(widen(bits[k], dtype), widen(nearest(x, dtype), dtype))
            if "average" in options:
                assert state.average[k].dtype == np.float32
                assert equal(state.average[k], average)


def test_what_bounds_nothing_changes_no_bit():
    """And rounds by the random bits of half precision that is opened, as for wider gradients."""
    for more in ({}, {"rounding": "stochastic", "seed": 3}):
        results = []
        for finish in ({}, {"max_update": 1e30}):
            optimizer = mdbopt.AdamW(0.1, **more, **finish)
            bits = [nearest(x, "bfloat16") for x in drawn(1, SHAPES, np.float32)]
            state = optimizer.init(bits, dtype="bfloat16")
            for step in range(3):
                gradients = [nearest(g, "bfloat16") for g in drawn(2 + step, SHAPES, np.float32)]
                wide = [widen(g, "bfloat16") for g in gradients]
                optimizer.step(bits, gradients if finish else wide, state)
            results.append((bits, dict(state)))
        assert same_all(results[0][0], results[1][0])
        assert_same_state(results[0][1], results[1][1])


def test_stochastic_rounding_comes_last():
    optimizer = mdbopt.SGD(1.0, max_update=1.0 / 1024.0, rounding="stochastic")
    bits = nearest(np.ones(100_000, np.float32), "bfloat16")
    state = optimizer.init(bits, dtype="bfloat16")
    optimizer.step(bits, nearest(np.full(bits.size, -9.0, np.float32), "bfloat16"), state)
    values = widen(bits, "bfloat16")
    assert set(np.unique(values)) == {np.float32(1.0), np.float32(1.0 + 2.0**-7)}
    assert abs(values.mean(dtype=np.float64) - (1.0 + 1.0 / 1024.0)) < 1e-4


def test_nan_goes_on_and_infinite_steps_are_bounded():
    x = np.ones(3)
    optimizer = mdbopt.SGD(0.5, max_update=2.0, l1=0.5, average=0.5)
    state = optimizer.init(x)
    optimizer.step(x, np.array([np.nan, np.inf, -np.inf]), state)
    assert equal(x, np.array([np.nan, 0.0, 1.75]))
    assert equal(state.average, np.array([np.nan, 0.5, 1.375]))


def test_a_step_size_of_zero_moves_nothing_but_the_average():
    x = np.array([1.0, -0.0])
    optimizer = mdbopt.AdamW(0.0, max_update=1.0, l1=0.5, average=0.5)
    state = optimizer.init(np.array([3.0, 0.0]))
    optimizer.step(x, np.ones(2), state)
    assert np.array_equal(x, [1.0, 0.0])
    assert np.array_equal(state.average, [2.0, 0.0])


def test_the_decay_is_bounded_with_the_step_and_shrinking_comes_behind():
    x = np.array([10.0, 0.1])
    optimizer = mdbopt.SGD(0.5, weight_decay=1.0, max_update=1.0, l1=0.25)
    optimizer.step(x, np.zeros(2), optimizer.init(x))
    assert np.array_equal(x, [9.5 - 0.125, 0.0])


# --- step sizes, decays, clipping, copies --------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_coordinate_has_its_own_step_size(dtype):
    x, g = drawn(1, [(2500,), (2500,)], dtype)
    rates = np.abs(drawn(3, [(2500,)], dtype)[0])
    options = OPTIONS["all"]
    optimizer, plain = mdbopt.AdamW(0.1, **options), mdbopt.AdamW(0.1)
    other, before = x.copy(), x.copy()
    plain.step(other, g, plain.init(other), lr=rates)
    state = optimizer.init(x)
    optimizer.step(x, g, state, lr=rates)
    lr = rates.astype(np.float64)
    wide = np.clip(other.astype(np.float64), before - 0.5 * lr, before + 0.5 * lr)
    expected = (np.sign(wide) * np.maximum(np.abs(wide) - 0.3 * lr, 0.0)).astype(dtype)
    mixed = 0.9 * before.astype(np.float64) + (1.0 - 0.9) * expected.astype(np.float64)
    average = mixed.astype(dtype)
    assert equal(x, expected)
    assert equal(state.average, average)


def test_rates_and_decays_of_each_array():
    options = OPTIONS["all"]
    optimizer, alone = mdbopt.AdamW(0.1, **options), mdbopt.AdamW(0.1, **options)
    params, gradients = drawn(1, SHAPES), drawn(2, SHAPES)
    rates, decays = [0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.2, 0.3]
    others = copy.deepcopy(params)
    state = optimizer.init(params)
    optimizer.step(params, gradients, state, lr=rates, weight_decay=decays, grad_scale=2.0)
    for k, x in enumerate(others):
        own = alone.init(x)
        alone.step(x, gradients[k], own, lr=rates[k], weight_decay=decays[k], grad_scale=2.0)
        assert same(x, params[k])
        assert same(own.average, state.average[k])


def test_copies_are_of_x_as_it_is_in_the_end():
    params, gradients = drawn(1, SHAPES, np.float32), drawn(2, SHAPES, np.float32)
    images = [np.zeros(shape, np.uint16) for shape in SHAPES]
    optimizer = mdbopt.AdamW(0.1, **OPTIONS["all"])
    optimizer.step(params, gradients, optimizer.init(params), copy=images)
    for x, image in zip(params, images, strict=True):
        assert same(image, nearest(x, "bfloat16"))
    strided = np.zeros((33, 2), np.uint16)[:, 0]
    params, gradients = drawn(1, [(33,)], np.float32), drawn(2, [(33,)], np.float32)
    optimizer.step(params, gradients, optimizer.init(params), copy=[strided])
    assert same(strided.copy(), nearest(params[0], "bfloat16"))


def test_a_bound_of_the_norm_and_a_skipped_step():
    options = OPTIONS["all"]
    optimizer = mdbopt.SGD(0.1, **options)
    params, gradients = drawn(1, SHAPES), drawn(2, SHAPES)
    others, factor = copy.deepcopy(params), 1.0
    state = optimizer.init(params)
    with nothing_written(state, params):
        assert optimizer.step(params, gradients, state, found_inf=1.0) is False
    norm = optimizer.step(params, gradients, state, max_norm=1.0)
    factor = 1.0 / (norm + 1e-6)
    for x, other, g in zip(params, others, gradients, strict=True):
        expected = finished(other, other - 0.1 * (factor * g), other, 0.1, options)[0]
        assert np.allclose(x, expected, rtol=1e-13, atol=1e-15)


# --- the same bits everywhere --------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_bits_do_not_depend_on_threads_instruction_sets_and_cuts(dtype):
    size = 70_000
    results = []
    x, g = drawn(1, [(size,), (size,)], np.float32)
    for backend, threads in [(name, threads) for name in BACKENDS for threads in (1, 3)]:
        optimizer = mdbopt.AdamW(0.1, backend=backend, threads=threads, **OPTIONS["all"])
        half = dtype == "bfloat16"
        own = nearest(x, dtype) if half else x.astype(dtype)
        gradient = nearest(g, dtype) if half else g.astype(dtype)
        state = optimizer.init(own, dtype=dtype if half else None)
        for _ in range(2):
            optimizer.step(own, gradient, state)
        results.append((own, state.average))
    for each in results[1:]:
        assert same_all(each, results[0])
    if half:
        return
    cut = [x.astype(dtype)[: 30 * 1024], x.astype(dtype)[30 * 1024 :]]
    state = optimizer.init(cut)
    gradients = [gradient[: 30 * 1024], gradient[30 * 1024 :]]
    for _ in range(2):
        optimizer.step(cut, gradients, state)
    assert same(np.concatenate(cut), results[0][0])
    assert same(np.concatenate(state.average), results[0][1])


def test_strides_change_no_bit():
    options = OPTIONS["all"]
    wide = drawn(1, [(60, 90)], np.float32)[0]
    g = drawn(2, [(30, 90)], np.float32)[0]
    x, dense = wide[::2], wide[::2].copy()
    optimizer = mdbopt.AdamW(0.1, **options)
    states = optimizer.init(x), optimizer.init(dense)
    backward = np.asfortranarray(dense)
    states += (optimizer.init(backward),)
    for own, state in zip((x, dense, backward), states, strict=True):
        optimizer.step(own, g, state)
    assert same_all([x.copy(), backward.copy(order="C")], [dense, dense])
    for state in states[1:]:
        assert np.array_equal(state.average, states[0].average)


# --- rows, formats, groups -----------------------------------------------------------------------
def test_rows_are_finished_alone():
    options = OPTIONS["all"]
    x, before = drawn(1, [(50, 40), (50, 40)])[0], drawn(1, [(50, 40)])[0]
    rows = np.array([3, 4, 40])
    g = drawn(2, [(3, 40)])[0]
    optimizer = mdbopt.AdamW(0.1, weight_decay=0.0, **options)
    state = optimizer.init(x)
    optimizer.step(x, g, state, rows=rows)
    own = before[rows].copy()
    alone = optimizer.init(own)
    optimizer.step(own, g, alone)
    assert same(x[rows], own)
    assert same(state.average[rows], alone.average)
    others = np.setdiff1d(np.arange(50), rows)
    assert same(x[others], before[others])
    assert same(state.average[others], before[others])


@pytest.mark.parametrize("state_dtype", ["8bit", "bfloat16"])
def test_states_in_formats(state_dtype):
    options = OPTIONS["all"]
    optimizer, plain = (
        mdbopt.AdamW(0.1, state_dtype=state_dtype, **more) for more in (options, {})
    )
    params = drawn(1, SHAPES, np.float32)
    state = optimizer.init(params)
    assert all(leaf.dtype == np.float32 for leaf in state.average)
    for step in range(3):
        others = copy.deepcopy(params)
        twin = plain.restore(others, without_average(state))
        averages = copy.deepcopy(state.average)
        gradients = drawn(2 + step, SHAPES, np.float32)
        plain.step(others, gradients, twin)
        expected = [
            finished(x, other, average, 0.1, options)
            for x, other, average in zip(params, others, averages, strict=True)
        ]
        optimizer.step(params, gradients, state)
        assert all(equal(x, each[0]) for x, each in zip(params, expected, strict=True))
        assert all(equal(a, each[1]) for a, each in zip(state.average, expected, strict=True))
        assert_same_state(without_average(state), dict(twin))


def test_parameters_with_low_bits_are_finished_in_float32():
    options = OPTIONS["all"]
    bits = nearest(drawn(1, [(3000,)], np.float32)[0], "bfloat16")
    wide = widen(bits, "bfloat16")
    optimizer = mdbopt.AdamW(0.1, master="remainder", **options)
    reference = mdbopt.AdamW(0.1, **options)
    state, expected = optimizer.init(bits, dtype="bfloat16"), reference.init(wide)
    for step in range(3):
        g = drawn(2 + step, [(3000,)], np.float32)[0]
        optimizer.step(bits, g, state)
        reference.step(wide, g, expected)
    assert equal(state.master(bits), wide)
    assert same(state.average, expected.average)


def test_groups_are_finished_each_by_its_own_options():
    params = {"w": drawn(1, [(40, 30)])[0], "b": drawn(2, [(30,)])[0]}
    gradients = {"w": drawn(3, [(40, 30)])[0], "b": drawn(4, [(30,)])[0]}
    members = [(mdbopt.Lion(0.1, l1=0.5, average=0.5), "w"), (mdbopt.AdamW(0.1), None)]
    optimizer = mdbopt.groups(members)
    others = copy.deepcopy(params)
    state = optimizer.init(params)
    optimizer.step(params, gradients, state)
    for name, (member, _) in zip(("w", "b"), members, strict=True):
        member.step(others[name], gradients[name], member.init(others[name]))
        assert same(others[name], params[name])
    optimizer.eval(params, state)
    assert same(params["w"], state[0].average["w"])
    assert same(params["b"], others["b"])
    optimizer.train(params, state)
    assert same_all(params, others)


# --- laws ----------------------------------------------------------------------------------------
NUMBERS = arrays(np.float32, 40, elements=st.floats(-100, 100, width=32))


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.floats(1e-3, 10.0), st.floats(0.0, 3.0))
def test_shrinking_changes_no_sign_and_leaves_zeros(x, g, l1, lr):
    """Where the gradient is 0 nothing crosses 0, and 0 stays."""
    g[::2] = 0.0
    before = x.copy()
    optimizer = mdbopt.SGD(lr, l1=l1)
    optimizer.step(x, g, optimizer.init(x))
    assert np.all(before[::2] * x[::2] >= 0.0)
    assert np.all(np.abs(x[::2]) <= np.abs(before[::2]))
    assert not np.any(x[::2][before[::2] == 0.0])


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.floats(0.0, 10.0), st.floats(1e-3, 10.0))
def test_no_element_leaves_its_bound(x, g, lr, most):
    before = x.astype(np.float64)
    optimizer = mdbopt.AdamW(lr, max_update=most, flush_subnormals=False)
    optimizer.step(x, g, optimizer.init(x))
    reach = np.float64(np.float32(lr)) * most
    assert np.all(x >= (before - reach).astype(np.float32))
    assert np.all(x <= (before + reach).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=5), st.floats(0.0, 0.999))
def test_the_average_stays_among_the_points(gradients, beta):
    x = np.zeros(40)
    optimizer = mdbopt.SGD(0.1, average=beta)
    state = optimizer.init(x)
    low, high = x.copy(), x.copy()
    for g in gradients:
        optimizer.step(x, g, state)
        low, high = np.minimum(low, x), np.maximum(high, x)
        slack = 1e-12 * np.maximum(np.abs(low), np.abs(high))
        assert np.all((state.average >= low - slack) & (state.average <= high + slack))


# --- the average in the place of the parameters --------------------------------------------------
def averaging(dtype=None, **options):
    """Return an optimizer, parameters and their state after three steps, and how they are made."""
    given = "bfloat16" if dtype == "bits" else None
    convert = (lambda x: nearest(x, "bfloat16")) if given else (lambda x: x.astype(dtype))
    params = {"w": convert(drawn(1, [(30, 7)], np.float32)[0])}
    optimizer = mdbopt.AdamW(0.1, average=0.7, **options)
    state = optimizer.init(params, dtype=given)
    for step in range(3):
        optimizer.step(params, {"w": convert(drawn(2 + step, [(30, 7)], np.float32)[0])}, state)
    return optimizer, params, state, given


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bits"])
def test_the_average_takes_the_place_of_the_parameters_and_leaves_it(dtype):
    optimizer, params, state, _ = averaging(dtype)
    before, average = copy.deepcopy(params), copy.deepcopy(state.average)
    assert state.averaged == 0.0
    for _ in range(2):
        optimizer.eval(params, state)
        shown = average["w"]
        expected = nearest(shown, "bfloat16") if dtype == "bits" else shown.astype(dtype)
        assert same(params["w"], expected)
        assert same_all([state.parameters, state.average], [before, average])
        assert state.averaged == 1.0
    with nothing_written(state, params):
        for step in (optimizer.step, lambda *trees: optimizer.plan(*trees).step()):
            with pytest.raises(ValueError, match=r"^AdamW: params: expected the point where"):
                step(params, before, state)
    for _ in range(2):
        optimizer.train(params, state)
        assert same_all([params, state.average], [before, average])
        assert state.averaged == 0.0
        assert not hasattr(state, "parameters")
    assert optimizer.step(params, before, state)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bits"])
@pytest.mark.parametrize("shown", [False, True])
def test_saved_and_restored_it_goes_on_to_the_same_bits(dtype, shown, tmp_path):
    optimizer, params, state, given = averaging(dtype)
    if shown:
        optimizer.eval(params, state)
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz") as saved:
        twins = [copy.deepcopy(params) for _ in range(3)]
        restored = optimizer.restore(twins[0], saved, dtype=given)
    others = [restored, copy.deepcopy(state), pickle.loads(pickle.dumps(state))]
    for twin, other in zip(twins, others, strict=True):
        assert_same_state(other, state)
        if shown:
            optimizer.train(twin, other)
    if shown:
        optimizer.train(params, state)
    gradients = {"w": params["w"].copy()}
    optimizer.step(params, gradients, state)
    for twin, other in zip(twins, others, strict=True):
        optimizer.step(twin, gradients, other)
        assert same_all(twin, params)
        assert_same_state(other, state)


def test_what_is_wrong_with_a_saved_average_is_named():
    optimizer, params, state, _ = averaging("float32")
    optimizer.eval(params, state)
    saved = dict(state)
    for changes, words in (
        ({"averaged": 0.0}, "saved: 'averaged': expected 1 with"),
        ({"parameters['w']": np.zeros((30, 7))}, "saved: \"parameters['w']\": has dtype float64"),
        ({"parameters['w']": np.zeros(3, np.float32)}, "saved: \"parameters['w']\": has shape"),
        ({"average['w']": np.zeros(3, np.float32)}, "saved: \"average['w']\": has shape"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^AdamW: {re.escape(words)}"):
            optimizer.restore(params, saved | changes)
    del saved["parameters['w']"]
    with pytest.raises(ValueError, match=r"^AdamW: saved: 'averaged': expected 1 with"):
        optimizer.restore(params, saved)
    with pytest.raises(ValueError, match=r"^AdamW: saved: \"average\['w'\]\" is missing"):
        optimizer.restore(params, without_average(state))


def test_what_cannot_be_shown_is_refused_and_nothing_written():
    optimizer, params, state, _ = averaging("float32")
    plain = mdbopt.AdamW(0.1)
    wrong = (
        (plain, params, plain.init(params), "eval: expected an optimizer with an average"),
        (optimizer, params, {}, "state: expected a state from init"),
        (optimizer, [params["w"]], state, "params: are built in another way"),
        (optimizer, {"w": np.ones(3, np.float32)}, state, r"params\['w'\]: has shape"),
        (optimizer, {"w": np.ones((30, 7), int)}, state, r"params\['w'\]: has dtype int64"),
    )
    for own, given_params, given_state, words in wrong:
        with nothing_written(state, params), pytest.raises((TypeError, ValueError)) as caught:
            own.eval(given_params, given_state)
        assert re.match(f"AdamW: {words}", str(caught.value))
    frozen = {"w": params["w"].copy()}
    frozen["w"].flags.writeable = False
    with nothing_written(state, params), pytest.raises(ValueError, match="read-only"):
        optimizer.eval(frozen, state)
    gradients = copy.deepcopy(params)
    for own in (plain, optimizer):
        other = mdbopt.AdamW(0.1, average=None if own is optimizer else 0.5)
        own_state = own.init(params)
        with pytest.raises(ValueError, match=r"^AdamW: average: expected (None|0\.7)"):
            other.step(params, gradients, own_state)
    assert mdbopt.AdamW(0.1, average=0.2).step(params, gradients, optimizer.init(params))


# --- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize("label", sorted(REFUSED))
def test_some_optimizers_say_why_nothing_follows_their_steps(label):
    rows = (("max_update", 1.0, None), ("l1", 0.5, 0.0), ("average", 0.5, None))
    for name, value, absent in rows:
        with pytest.raises(ValueError, match=f"^{label}: {name}: expected {absent} since"):
            CLASSES[label].make(**{name: value})


def test_all_of_it_is_off_by_default(one):
    fields = {each.name: each.default for each in dataclasses.fields(one.optimizer)}
    assert (fields["max_update"], fields["l1"], fields["average"]) == (None, 0.0, None)


def test_the_l1_of_ftrl_is_its_own():
    x, g = np.array([0.5, -0.5]), np.array([0.1, 0.2])
    optimizer, twin = mdbopt.FTRL(0.1, l1=0.5), mdbopt.FTRL(0.1, l1=0.5, max_update=1e9)
    other = x.copy()
    optimizer.step(x, g, optimizer.init(x))
    twin.step(other, g, twin.init(other))
    assert same(x, other)


# --- what it moves -------------------------------------------------------------------------------
def moved(dtype, **options):
    optimizer = mdbopt.AdamW(0.1, **options)
    bits = dtype == "bfloat16"
    x = np.full(4096, 0x3F80, np.uint16) if bits else np.ones(4096, dtype)
    state = optimizer.init(x, dtype=dtype if bits else None)
    _core.take_traffic()
    optimizer.step(x, x.copy(), state)
    walks, moved_bytes = _core.take_traffic()
    return walks, moved_bytes / 4096


@pytest.mark.parametrize(("dtype", "more"), [("float64", 16), ("float32", 8), ("bfloat16", 8)])
def test_an_average_is_read_and_written_in_the_same_walk(dtype, more):
    walks, plain = moved(dtype)
    assert moved(dtype, max_update=1.0, l1=0.5) == (walks, plain)
    assert moved(dtype, average=0.9) == (walks, plain + more)


def test_gradient_descent_with_l1_goes_to_the_minimum_with_it():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((30, 8)), random.standard_normal(30)
    found = mdbopt.minimize(
        lambda x: (0.5 * np.sum((a @ x - b) ** 2), a.T @ (a @ x - b)),
        np.zeros(8),
        jac=True,
        l1=5.0,
        tol=1e-10,
    )
    x = np.zeros(8)
    optimizer = mdbopt.SGD(1.0 / np.linalg.norm(a, 2) ** 2, l1=5.0)
    state = optimizer.init(x)
    for _ in range(1000):
        optimizer.step(x, a.T @ (a @ x - b), state)
    assert 0 < np.count_nonzero(x) < 8
    assert np.array_equal(x == 0.0, found.x == 0.0)
    np.testing.assert_allclose(x, found.x, rtol=1e-7, atol=1e-12)
