"""States in 8 bits and bfloat16, parameters with low bits, and gradients of a wider dtype."""

import copy
import pickle

import numpy as np
import pytest
import reference_storage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optimizer_cases import BACKENDS, CASES, drawn, same, same_all
from reference_half import mix64, nearest, widen

import mdbopt
from mdbopt import _core

SHAPES = [(3, 500), (1,), (700,), (256,)]
STORED = ["8bit", "bfloat16"]
ADAM = {"lr": 0.01, "beta1": 0.8, "beta2": 0.9}


def holds(case, state_dtype="8bit"):
    """Whether the optimizer of a case keeps anything that the format may hold."""
    try:
        case.make(state_dtype=state_dtype)._formats()
    except ValueError:  # of which test_optimizers_that_store_nothing_say_so has the words
        return False
    return True


HOLDING = {name: case for name, case in CASES.items() if holds(case)}


@pytest.fixture(params=HOLDING)
def case(request):
    return HOLDING[request.param]


def gradients(seed, dtype=np.float32, shapes=SHAPES):
    return drawn(seed, shapes, dtype)


def stepped(optimizer, steps=3, params=None, state=None, first=0):
    params = gradients(1) if params is None else params
    state = optimizer.init(params) if state is None else state
    for step in range(first, first + steps):
        optimizer.step(params, gradients(2 + step), state)
    return params, state


def test_most_optimizers_have_something_to_store():
    without = {"SGD", "NormalizedGD", "SignDescent", "AdaGradNorm", "Rprop"}
    without |= {"ScheduleFreeSGD", "DiagonalHypergradient", "DoG", "DoWG"}
    assert {case.label for name, case in CASES.items() if name not in HOLDING} <= without | {
        "RMSProp"  # centred
    }


@pytest.mark.parametrize("rounding", ["stochastic", "nearest"])
@pytest.mark.parametrize("state_dtype", STORED)
def test_a_step_is_that_of_float32_between_opening_and_closing(case, state_dtype, rounding):
    seed = 7
    optimizer = case.make(state_dtype=state_dtype, state_rounding=rounding, seed=seed)
    formats = optimizer._formats()
    params, state = stepped(optimizer)
    plain = case.make(seed=seed)
    opened = {
        name: (
            state[name]
            if name not in state._places or state._places[name][0] not in formats
            else _leaf(state, name, formats)
        )
        for name in state
    }
    other = [p.copy() for p in params]
    plain_state = plain.restore(other, opened)
    optimizer.step(params, gradients(9), state)
    plain.step(other, gradients(9), plain_state)
    assert same_all(params, other)
    streams = ["x", "g", *plain_state._arrays]
    key = mix64(np.uint64(seed) ^ mix64(np.uint64(state.t)))
    for name, kind in formats.items():
        chunk = 0
        for stored, values in zip(getattr(state, name), getattr(plain_state, name), strict=True):
            random = None
            if rounding == "stochastic":
                random = reference_storage.drawn(key, chunk, values.size, streams.index(name))
            assert np.array_equal(stored, reference_storage.stored(values, kind, random)), name
            chunk += -(-values.size // reference_storage.CHUNK)
    for name in set(plain_state._arrays) - set(formats):
        assert same_all(getattr(state, name), getattr(plain_state, name))


def _leaf(state, name, formats):
    array, keys = state._places[name]
    return reference_storage.numbers(state[name], formats[array], state._shapes[keys])


@pytest.mark.parametrize("state_dtype", STORED)
def test_the_same_bits_on_all_backends_and_threads(case, state_dtype):
    expected = stepped(case.make(state_dtype=state_dtype))
    for backend in BACKENDS:
        for threads in (1, 2, 5):
            options = {"backend": backend, "threads": threads, "state_dtype": state_dtype}
            params, state = stepped(case.make(**options))
            assert same_all(params, expected[0])
            for name in state._arrays:
                assert same_all(getattr(state, name), getattr(expected[1], name))


MOST = reference_storage.MOST["signed"]
FINITE = st.floats(-MOST, MOST, width=32)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float32, st.integers(1, 600), elements=FINITE))
def test_codes_are_near_and_stand_for_themselves(x):
    for kind, values in (("signed", x), ("unsigned", np.abs(x))):
        stored = _core.encoded(kind, values)
        assert np.array_equal(stored, reference_storage.encode(values, kind))
        again = _core.decoded(kind, stored, values.size)
        assert same(again, reference_storage.decode(stored, kind, values.shape))
        assert np.array_equal(_core.encoded(kind, again), stored)
        unit = np.repeat(stored[:, :4].copy().view(np.float32).ravel(), 256)[: values.size]
        wide = values.astype(np.float64)
        error, least = np.abs(again - wide), unit.astype(np.float64) / 8
        kept = (kind == "unsigned") & (wide > 0.0) & (again == least)
        assert np.all(
            (error <= (np.abs(wide) + unit) / 16 * (1 + 1e-6)) | (kept & (error <= least))
        )
        assert np.all((again == 0.0) | (np.sign(again) == np.sign(values)))
        if kind == "unsigned":
            assert np.all((again > 0.0) == (values > 0.0))


def test_all_codes_stand_for_themselves():
    for kind in ("signed", "unsigned"):
        stored = np.zeros((1, 260), np.uint8)
        stored[0, :4] = np.array([2.0**-3], np.float32).view(np.uint8)
        stored[0, 4:] = np.minimum(np.arange(256), 254)  # the last code is for rounding up
        stored[0, 4 + 127] = 126 if kind == "signed" else 127
        values = _core.decoded(kind, stored, 256)
        assert np.all(np.isfinite(values))
        assert np.array_equal(_core.encoded(kind, values), stored)
        different = np.unique(np.abs(values).astype(np.float64))
        assert np.max(np.diff(different) / (different[:-1] + 2.0**-3)) <= 1 / 8 * (1 + 1e-6)


def test_stochastic_codes_are_right_on_average():
    x, blocks, steps = np.geomspace(1e-3, 1.0, 256).astype(np.float32), 200, 20
    optimizer = mdbopt.Signum(lr=0.0, momentum=0.0, state_dtype="8bit")
    params, g, total = np.zeros(256 * blocks, np.float32), np.tile(x, blocks), np.zeros(256)
    state = optimizer.init(params)
    for _ in range(steps):
        optimizer.step(params, g, state)
        total += state.decoded("m").reshape(blocks, 256).sum(axis=0, dtype=np.float64)
    # Steps of an eighth, and so errors of at most 1/16 in the root mean square of one draw.
    draws = blocks * steps
    assert np.all(np.abs(total / draws / x - 1.0) < 6 / 16 / np.sqrt(draws))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_shows_in_its_block_alone(bad):
    optimizer = mdbopt.AdamW(**ADAM, state_dtype="8bit")
    params, g = np.ones(1024, np.float32), np.full(1024, 0.5, np.float32)
    state = optimizer.init(params)
    optimizer.step(params, g, state)
    g[300] = bad
    with pytest.warns(RuntimeWarning, match=r"AdamW: .* in state\.m, state\.v, whose blocks"):
        optimizer.step(params, g, state)
    for name in ("m", "v"):
        wild = np.isnan(state.decoded(name))
        assert np.all(wild[256:512])
        assert not np.any(wild[:256])
        assert not np.any(wild[512:])
    # The parameters show it where float32 would, and a step later in the block.
    assert np.flatnonzero(~np.isfinite(params)).tolist() == [300]
    with pytest.raises(ValueError, match="saved: 'm': expected finite values"):
        optimizer.restore(params, dict(state))


_REST = "state.v['w'][1], whose blocks of 256 elements around them are NaN now"


def wild_step(**options):
    """Step a tree whose second array meets a NaN in a later chunk, and keep what is said."""
    optimizer = mdbopt.AdamW(**ADAM, state_dtype="8bit", **options)
    sizes = {"w": (3, 9000), "b": (5, 600)}
    params = {name: [np.ones(n, np.float32) for n in each] for name, each in sizes.items()}
    g = copy.deepcopy(params)
    g["w"][0] = None
    state = optimizer.init(params)
    optimizer.step(params, g, state)
    assert state.not_finite() == []
    g["w"][1][7000] = np.nan
    with pytest.warns(RuntimeWarning) as told:
        optimizer.step(params, g, state)
    return params, g, state, [str(each.message) for each in told], told[0].filename


def test_a_step_says_which_arrays_are_not_finite():
    for backend in BACKENDS:
        for threads in (1, 2, 5):
            params, g, state, told, filename = wild_step(backend=backend, threads=threads)
            words = "AdamW: the step met NaN, inf or numbers beyond 3e38 in state.m['w'][1], "
            assert told == [words + _REST]
            assert filename == __file__
            assert state.not_finite() == ["m['w'][1]", "v['w'][1]"]
    # Each step says it anew, a plan's too, as long as it is so; what is not stepped is not told.
    with pytest.warns(RuntimeWarning, match=r"in state\.m\['w'\]\[1\], state\.v\['w'\]"):
        state._optimizer.plan(params, g, state).step()
    g["w"][1] = None
    state._optimizer.step(params, g, state)
    state.m["w"][1][:] = 0
    assert state.not_finite() == ["v['w'][1]"]


@pytest.mark.parametrize("keys", [[0, 1], ["a", "b"]])
def test_gradients_that_are_taken_out_during_the_step_leave_their_names_out(keys):
    """Another thread may do so while none is read; a reducer does it in the midst of the step."""
    arrays = np.split(np.ones(600, np.float32), 2)
    params = arrays if keys == [0, 1] else dict(zip(keys, arrays, strict=True))
    g = copy.deepcopy(params)
    g[keys[1]][7] = np.inf

    def reducer(mine):
        g.clear()
        return mine[None]

    optimizer = mdbopt.AdamW(**ADAM, state_dtype="8bit", reducer=reducer)
    state = optimizer.init(params)
    with pytest.warns(RuntimeWarning, match=r"met NaN, inf or .* in state\.m, state\.v, whose"):
        optimizer.step(params, g, state)
    assert len(g) == 0
    assert state.not_finite() == [f"{name}[{keys[1]!r}]" for name in "mv"]


def test_a_warning_that_is_an_error_leaves_the_step_taken():
    optimizer = mdbopt.AdamW(**ADAM, state_dtype="8bit")
    params, g = np.ones(300, np.float32), np.full(300, np.nan, np.float32)
    state = optimizer.init(params)
    with pytest.raises(RuntimeWarning, match="the step met NaN"):
        optimizer.step(params, g, state)
    assert state.t == 1
    assert np.all(np.isnan(params))


@pytest.mark.parametrize("state_dtype", [None, "bfloat16"])
def test_other_formats_show_it_in_the_element(state_dtype):
    optimizer = mdbopt.AdamW(**ADAM, state_dtype=state_dtype)
    params, g = [np.ones(300, np.float32) for _ in range(2)], gradients(2, shapes=[(300,)] * 2)
    g[1][7] = np.inf
    state = optimizer.init(params)
    optimizer.step(params, g, state)
    assert state.not_finite() == ["m[1]", "v[1]"]
    assert np.flatnonzero(~np.isfinite(state.decoded("m")[1])).tolist() == [7]


def test_what_might_be_rounded_to_inf_is_nan():
    for x, wild in ((MOST, False), (MOST * (1 + 1e-6), True)):
        decoded = _core.decoded("signed", _core.encoded("signed", np.array([x], np.float32)), 1)
        assert np.isnan(decoded[0]) == wild
        assert wild or np.isfinite(decoded[0])


def test_zero_stays_zero():
    optimizer = mdbopt.AdamW(**ADAM, state_dtype="8bit")
    params, g = np.ones(600, np.float32), np.ones(600, np.float32)
    g[::3] = 0.0
    state = optimizer.init(params)
    for _ in range(20):
        optimizer.step(params, g, state)
    for name in ("m", "v"):
        assert np.array_equal(state.decoded(name) == 0.0, g == 0.0)


# -- bfloat16 parameters with low bits -------------------------------------------------------------


def halves(seed):
    return [nearest(p, "bfloat16") for p in gradients(seed)]


@pytest.mark.parametrize("name", CASES)
def test_a_remainder_is_exactly_the_float32_master(name):
    case = CASES[name]
    params = halves(1)
    master = [widen(p, "bfloat16") for p in params]
    optimizer, plain = case.make(master="remainder"), case.make()
    state, expected = optimizer.init(params, dtype="bfloat16"), plain.init(master)
    for step in range(3):
        optimizer.step(params, gradients(2 + step), state)
        plain.step(master, gradients(2 + step), expected)
    assert same_all(state.master(params), master)
    for array in expected._arrays:
        assert same_all(getattr(state, array), getattr(expected, array))
    for high, whole in zip(params, master, strict=True):
        error = np.abs(widen(high, "bfloat16").astype(np.float64) - whole)
        assert np.all(error <= np.abs(nearest_gap(whole)))


def nearest_gap(x):
    """Half the distance between the bfloat16 numbers round x."""
    return 2.0 ** (np.frexp(x.astype(np.float64))[1] - 8) / 2 * (1 + 1e-12) + 1e-40


def test_a_remainder_of_wild_numbers():
    wild = np.array([np.nan, 0.0, -0.0, 3.38e38, -3.38e38, 1e-40], np.float32)
    high = nearest(wild, "bfloat16")
    optimizer = mdbopt.SGD(lr=1.0, master="remainder", flush_subnormals=False)
    state = optimizer.init(high, dtype="bfloat16")
    g = np.array([0.0, 0.0, 0.0, -2e36, 2e36, 0.0], np.float32)
    optimizer.step(high, g, state)
    expected = widen(nearest(wild, "bfloat16"), "bfloat16") - g
    # The nearest bfloat16 number is inf there, and the master is not.
    assert np.isinf(widen(high, "bfloat16")).tolist() == [False] * 3 + [True] * 2 + [False]
    assert np.array_equal(state.master(high), expected, equal_nan=True)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_half_parameters_take_float32_gradients(name, rounding):
    params = [nearest(p, name) for p in gradients(1)]
    others = [p.copy() for p in params]
    optimizer = mdbopt.AdamW(**ADAM, rounding=rounding, seed=3)
    state = optimizer.init(params, dtype=name)
    other = optimizer.init(others, dtype=name)
    for step in range(3):
        narrow = [nearest(g, name) for g in gradients(2 + step)]
        optimizer.step(others, narrow, other)
        optimizer.step(params, [widen(g, name) for g in narrow], state)
    assert same_all(state.m, other.m)
    if rounding == "nearest":
        assert same_all(params, others)
    full = gradients(7)
    before = [p.copy() for p in params]
    optimizer.step(params, full, state)
    assert not same_all(params, before)


# -- layouts, lists, checkpoints -------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}])
def test_parameters_of_any_strides(options):
    optimizer = mdbopt.AdamW(**ADAM, **options)
    dense = drawn(1, [(30, 50)], np.float32)[0]
    other = np.asfortranarray(dense)
    gap = np.zeros((30, 100), np.float32)[:, ::2]
    gap[...] = dense
    states = [optimizer.init(p) for p in (dense, other, gap)]
    for step in range(3):
        g = drawn(2 + step, [(30, 50)], np.float32)[0]
        optimizer.step(dense, g, states[0])
        optimizer.step(other, g, states[1])
        optimizer.step(gap, np.ascontiguousarray(g[::-1])[::-1], states[2])
    if options["state_dtype"] == "8bit":  # else bits are drawn in the order of the walk
        assert same(dense, np.ascontiguousarray(other))
        assert same(dense, gap.copy())
        assert same(states[0].m, states[1].m)
        assert same(states[0].v, states[2].v)
    else:
        assert np.allclose(dense, other, atol=1e-3)
        assert same(dense, gap.copy())


@pytest.mark.parametrize("state_dtype", STORED)
def test_bounds_of_norms_and_scales_are_those_of_float32(state_dtype):
    options = {"max_norm": 0.3, "grad_scale": 4.0}
    optimizer, plain = mdbopt.AdamW(**ADAM, state_dtype=state_dtype), mdbopt.AdamW(**ADAM)
    params, others = gradients(1), gradients(1)
    state, other = optimizer.init(params), plain.init(others)
    for _ in range(2):
        got = optimizer.step(params, gradients(5), state, **options)
        assert got == plain.step(others, gradients(5), other, **options)


@pytest.mark.parametrize("state_dtype", STORED)
def test_copies_and_step_sizes_of_coordinates_are_those_of_float32(state_dtype):
    optimizer, plain = mdbopt.AdamW(**ADAM, state_dtype=state_dtype), mdbopt.AdamW(**ADAM)
    params, others = gradients(1), gradients(1)
    rates = [np.abs(g) for g in gradients(3)]
    copies, expected = ([np.zeros(p.shape, np.uint16) for p in params] for _ in range(2))
    optimizer.step(params, gradients(2), optimizer.init(params), lr=rates, copy=copies)
    plain.step(others, gradients(2), plain.init(others), lr=rates, copy=expected)
    assert same_all(params, others)
    assert same_all(copies, expected)


@pytest.mark.parametrize("state_dtype", STORED)
def test_a_plan_remembers_arrays_in_formats(state_dtype):
    optimizer = mdbopt.AdamW(**ADAM, state_dtype=state_dtype)
    params, others = gradients(1), gradients(1)
    state, other = optimizer.init(params), optimizer.init(others)
    g = gradients(2)
    plan = optimizer.plan(params, g, state)
    for _ in range(3):
        plan.step()
        optimizer.step(others, gradients(2), other)
    assert same_all(params, others)
    assert same_all(state.m, other.m)
    state._arrays["m"][0] = state.m[0].copy()
    plan.step()
    optimizer.step(others, gradients(2), other)
    assert same_all(params, others)
    assert same_all(state.m, other.m)


@pytest.mark.parametrize("saved", [None, *STORED])
@pytest.mark.parametrize("wanted", [None, *STORED])
def test_restore_converts(case, saved, wanted):
    source = case.make(state_dtype=saved)
    params, state = stepped(source)
    target = case.make(state_dtype=wanted)
    restored = target.restore(params, dict(state))
    assert restored.t == state.t
    formats = target._formats()
    for name in state._arrays:
        ours, theirs = restored.decoded(name), state.decoded(name)
        for array, values in zip(ours, theirs, strict=True):
            if name in formats and saved != wanted:
                stored = reference_storage.stored(values, formats[name])
                values = reference_storage.numbers(stored, formats[name], values.shape)
            assert same(array, values)
    target.step(params, gradients(8), restored)


@pytest.mark.parametrize("options", [{"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}])
@pytest.mark.parametrize("way", ["saved", "pickled", "copied"])
def test_a_state_goes_on_to_the_same_bits(options, way):
    optimizer = mdbopt.AdamW(**ADAM, **options)
    params, state = stepped(optimizer)
    others = copy.deepcopy(params)
    again = {
        "saved": lambda: optimizer.restore(others, dict(state)),
        "pickled": lambda: pickle.loads(pickle.dumps(state)),
        "copied": lambda: copy.deepcopy(state),
    }[way]()
    stepped(optimizer, params=params, state=state, first=3)
    stepped(optimizer, params=others, state=again, first=3)
    assert same_all(params, others)
    assert same_all(state.v, again.v)


def test_low_bits_are_saved():
    optimizer = mdbopt.AdamW(**ADAM, master="remainder")
    params = halves(1)
    state = optimizer.init(params, dtype="bfloat16")
    optimizer.step(params, gradients(2), state)
    again = optimizer.restore(params, dict(state), dtype="bfloat16")
    assert same_all(again.master(params), state.master(params))
    # Without them the parameters are what they stand for.
    without = mdbopt.AdamW(**ADAM)
    plain = {name: state[name] for name in without.init(params, dtype="bfloat16")}
    fresh = optimizer.restore(params, plain, dtype="bfloat16")
    assert same_all(fresh.master(params), [widen(p, "bfloat16") for p in params])


def test_the_traffic_is_that_of_what_is_stored():
    n = 4096
    for options, bytes_ in (
        ({}, 28),
        ({"state_dtype": "bfloat16"}, 20),
        ({"state_dtype": "8bit"}, 12 + 4 * 260 / 256),
        ({"state_dtype": "8bit", "master": "remainder"}, 12 + 4 * 260 / 256),
    ):
        params = np.zeros(n, np.float32)
        kind = None
        if "master" in options:
            params, kind = params.astype(np.uint16), "bfloat16"
        optimizer = mdbopt.AdamW(**options)
        state = optimizer.init(params, dtype=kind)
        _core.take_traffic()
        optimizer.step(params, np.ones(n, np.float32), state)
        assert _core.take_traffic() == (1, round(n * bytes_))


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"state_dtype": "int8"}, r"AdamW: state_dtype: expected one of"),
        ({"state_dtype": np.float32}, r"AdamW: state_dtype: expected one of"),
        ({"state_rounding": "up"}, r"AdamW: state_rounding: expected one of"),
        ({"master": "bfloat16"}, r"AdamW: master: expected"),
    ],
)
def test_refused_options(options, match):
    with pytest.raises((ValueError, TypeError), match=match):
        mdbopt.AdamW(**options)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (mdbopt.SGD, {}),
        (mdbopt.Rprop, {}),
        (mdbopt.RMSProp, {"centered": True}),
    ],
)
def test_optimizers_that_store_nothing_say_so(make, options):
    with pytest.raises(ValueError, match=rf"{make.__name__}: state_dtype: expected None"):
        make(state_dtype="8bit", **options).init(np.ones(3, np.float32))


def test_refused_parameters():
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"AdamW: params\[0\]: has dtype float64, expected float32"):
        mdbopt.AdamW(state_dtype="8bit").init([x])
    with pytest.raises(TypeError, match=r"AdamW: params: has dtype float32, expected bfloat16 for"):
        mdbopt.AdamW(master="remainder").init(x.astype(np.float32))
    optimizer = mdbopt.AdamW(state_dtype="8bit")
    params = np.ones(300, np.float32)
    state = optimizer.init(params)
    with pytest.raises(TypeError, match=r"AdamW: params has dtype float64, expected float32"):
        optimizer.step(np.ones(300), np.ones(300, np.float32), state)
    with pytest.raises(ValueError, match=r"state\.m has shape \(2, 260\), expected \(1, 260\), bl"):
        optimizer.step(params[:200], np.ones(200, np.float32), state)
    with pytest.raises(TypeError, match=r"grads has dtype float64, expected float32, to which"):
        optimizer.step(params, np.ones(300), state)
    assert np.all(params == 1.0)
    assert state.t == 0


def test_states_of_another_format_are_refused():
    params = np.ones(300, np.float32)
    coded, plain = mdbopt.AdamW(state_dtype="8bit"), mdbopt.AdamW()
    with pytest.raises(ValueError, match="state: stored as floats, expected m signed, v unsigned"):
        coded.step(params, params, plain.init(params))
    with pytest.raises(ValueError, match="stored as m signed, v unsigned, expected floats"):
        plain.step(params, params, coded.init(params))
    saved = dict(coded.init(params))
    with pytest.raises(ValueError, match=r"saved: 'm': has shape \(2, 260\), expected \(1, 260\)"):
        coded.restore(params[:9], saved)
    with pytest.raises(ValueError, match="expected an optimizer with master='remainder'"):
        coded.init(params).master(params)
    low = mdbopt.AdamW(master="remainder").init(np.zeros(3, np.uint16), dtype="bfloat16")
    with pytest.raises(ValueError, match="'low' is not part of this optimizer's state"):
        plain.restore(np.zeros(3, np.uint16), dict(low), dtype="bfloat16")
    wrong = dict(low) | {"low": np.zeros(3, np.float32)}
    with pytest.raises(TypeError, match="saved: 'low': has dtype float32, expected uint16"):
        mdbopt.AdamW(master="remainder").restore(np.zeros(3, np.uint16), wrong, dtype="bfloat16")


def test_what_is_written_must_not_overlap():
    optimizer = mdbopt.AdamW(master="remainder")
    state = optimizer.init(np.zeros(300, np.uint16), dtype="bfloat16")
    with pytest.raises(ValueError, match=r"state\.low overlaps params|params overlaps state\.low"):
        optimizer.step(state.low, np.ones(300, np.float32), state)
