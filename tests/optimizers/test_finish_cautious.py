"""Steps that are held back behind their update, by optimizers without a rule that does."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optimizer_cases import BACKENDS, CASES, assert_same_state, drawn, same, same_all
from reference_half import nearest, widen

import mdbopt
from mdbopt.optimizers._cautious import Cautious, HeldBack

SHAPES = [(3, 500), (1,), (33,)]
HELD_BACK = {
    name: case
    for name, case in CASES.items()
    if issubclass(case.optimizer, HeldBack) and not issubclass(case.optimizer, Cautious)
}
OPTIONS = {
    "mask": {"cautious": "mask", "decoupled": True},
    "mask, L2": {"cautious": "mask", "decoupled": False},
    "decay": {"cautious_weight_decay": True, "decoupled": True},
    "both": {"cautious": "mask", "cautious_weight_decay": True, "decoupled": True},
}
WEIGHT = 0.4


@pytest.fixture(params=HELD_BACK)
def case(request):
    return HELD_BACK[request.param]


def held_back(before, x, g, lr, options, decay, l2):
    """Hold a step back in float64, rounded once."""
    dtype = x.dtype
    lr = np.float64(dtype.type(lr))
    before, x, g = (array.astype(np.float64) for array in (before, x, g))
    step = x - before
    if "cautious" in options:
        x = np.where(step * (g + l2 * before) >= 0.0, before, x)
    away = (step * before > 0.0) & options.get("cautious_weight_decay", False)
    return np.where(away, x, x - lr * decay * before).astype(dtype)


def equal(a, b):
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def test_these_optimizers_are_held_back_so():
    assert {case.label for case in HELD_BACK.values()} == {
        "NAdam", "Adamax", "AdaBelief", "Yogi", "LaProp", "ADOPT", "AdEMAMix", "Signum",
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OPTIONS)
def test_steps_are_held_back_as_by_numpy(case, name, dtype):
    options, decoupled = OPTIONS[name], OPTIONS[name]["decoupled"]
    optimizer = case.make(**options, weight_decay=WEIGHT)
    plain = case.make(decoupled=decoupled, weight_decay=0.0 if decoupled else WEIGHT)
    decays = (WEIGHT, 0.0) if decoupled else (0.0, WEIGHT)
    params = drawn(1, SHAPES, dtype)
    state = optimizer.init(params)
    masked = 0
    for step in range(4):
        gradients = drawn(2 + step, SHAPES, dtype)
        others = copy.deepcopy(params)
        twin = plain.restore(others, dict(state))
        plain.step(others, gradients, twin)
        expected = [
            held_back(x, other, g, optimizer.lr, options, *decays)
            for x, other, g in zip(params, others, gradients, strict=True)
        ]
        optimizer.step(params, gradients, state)
        assert all(map(equal, params, expected))
        assert_same_state(dict(state), dict(twin))
        masked += sum(np.count_nonzero(x != y) for x, y in zip(params, others, strict=True))
    assert masked > 0


def test_the_rest_of_the_finish_comes_behind():
    options = {"cautious": "mask", "decoupled": True}
    more = {"max_update": 0.5, "l1": 0.3, "average": 0.9}
    optimizer = mdbopt.NAdam(0.1, weight_decay=WEIGHT, **options, **more)
    held = mdbopt.NAdam(0.1, weight_decay=WEIGHT, **options)
    x, first, second = drawn(1, [(3000,), (3000,), (3000,)])
    state = optimizer.init(x)
    optimizer.step(x, first, state)
    before, other, average = x.copy(), x.copy(), state.average.copy()
    numbers = {name: state[name] for name in ("optimizer", "t", "mu_product", "m", "v")}
    held.step(other, second, held.restore(other, numbers))
    optimizer.step(x, second, state)
    bounded = np.clip(other, before - 0.05, before + 0.05)
    expected = np.sign(bounded) * np.maximum(np.abs(bounded) - 0.1 * 0.3, 0.0)
    assert np.allclose(x, expected, rtol=0.0, atol=1e-15)
    assert np.array_equal(state.average, 0.9 * average + (1.0 - 0.9) * x)


def test_decays_rates_and_scales_of_each_array():
    options = {"cautious": "mask", "cautious_weight_decay": True, "decoupled": True}
    optimizer = mdbopt.Adamax(0.1, maximize=True, **options)
    params, gradients = drawn(1, SHAPES), drawn(2, SHAPES)
    others = copy.deepcopy(params)
    rates, decays = [0.1, 0.2, 0.3], [0.0, 0.1, 0.2]
    state = optimizer.init(params)
    twin = mdbopt.Adamax(0.1, **options)
    for _ in range(2):
        optimizer.step(params, gradients, state, lr=rates, weight_decay=decays, grad_scale=4.0)
    for k, x in enumerate(others):
        own = twin.init(x)
        for _ in range(2):
            twin.step(x, -gradients[k] / 4.0, own, lr=rates[k], weight_decay=decays[k])
        assert same(x, params[k])


def test_rows_make_up_for_the_decay_that_they_missed():
    optimizer = mdbopt.Signum(0.1, momentum=0.0, weight_decay=0.5, cautious="mask")
    x = np.full((4, 3), 2.0)
    state = optimizer.init(x)
    for rows in ([0, 1], [0], [0], [0, 1]):
        optimizer.step(x, np.ones((len(rows), 3)), state, rows=np.array(rows))
    often, seldom = 2.0, 2.0
    for _ in range(4):
        often = often - 0.1 - 0.1 * 0.5 * often
    seldom = seldom - 0.1 - 0.05 * seldom
    seldom = seldom * (1.0 - 0.05) ** 3 - 0.1
    assert np.allclose(x[0], often)
    assert np.allclose(x[1], seldom)
    assert np.array_equal(x[2:], np.full((2, 3), 2.0))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_held_back_in_float32(dtype):
    optimizer, wide = (mdbopt.LaProp(0.1, cautious="mask", weight_decay=WEIGHT) for _ in range(2))
    bits = [nearest(x, dtype) for x in drawn(1, SHAPES, np.float32)]
    state = optimizer.init(bits, dtype=dtype)
    for step in range(3):
        gradients = [nearest(g, dtype) for g in drawn(2 + step, SHAPES, np.float32)]
        others = [widen(x, dtype) for x in bits]
        wide.step(others, [widen(g, dtype) for g in gradients], wide.restore(others, dict(state)))
        optimizer.step(bits, gradients, state)
        assert same_all(bits, [nearest(x, dtype) for x in others])


def test_bits_do_not_depend_on_threads_and_instruction_sets():
    x, g = drawn(1, [(70_000,), (70_000,)], np.float32)
    results = []
    for backend, threads in [(name, threads) for name in BACKENDS for threads in (1, 3)]:
        options = {"backend": backend, "threads": threads, "cautious_weight_decay": True}
        optimizer = mdbopt.AdEMAMix(0.1, cautious="mask", weight_decay=WEIGHT, **options)
        own = x.copy()
        state = optimizer.init(own)
        for scale in (1.0, -0.5):
            optimizer.step(own, np.float32(scale) * g, state)
        results.append(own)
    assert all(same(each, results[0]) for each in results[1:])


NUMBERS = arrays(np.float64, 20, elements=st.floats(-100, 100))


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=4))
def test_no_element_moves_along_its_gradient(x, gradients):
    optimizer = mdbopt.Signum(0.1, cautious="mask")
    state = optimizer.init(x)
    for g in gradients:
        before = x.copy()
        optimizer.step(x, g, state)
        assert not np.any((x - before) * g > 0.0)


def test_nan_goes_on():
    x = np.ones(2)
    optimizer = mdbopt.LaProp(0.1, cautious="mask")
    optimizer.step(x, np.array([np.nan, 1.0]), optimizer.init(x))
    assert np.isnan(x[0])
    assert x[1] < 1.0


def test_a_mean_over_an_array_is_refused(case):
    with pytest.raises(ValueError, match=f"^{case.label}: cautious: expected 'mask' or None since"):
        case.make(cautious="scaled")
