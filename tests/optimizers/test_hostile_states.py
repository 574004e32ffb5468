"""Saved states that no run leaves: each is refused by name, or steps on with finite numbers."""

import math

import numpy as np
import pytest
from optimizer_cases import CASES, built, drawn, leaves, same_all
from state_helpers import SIZES, TEMPLATE, begin, copied

import mdbopt

NOT_FINITE = (math.nan, math.inf, -math.inf)
NEVER_NEGATIVE = {"eta", "norm2", "p", "squared_steps", "sum_of_squares", "u", "v", "v_max"}
NEVER_NEGATIVE |= {"weight_sum"}
COUNTERS = (-1, 0.5, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, "3", None, True, 1j, [1, 2])
SHAPES = ((), (1,), (4, 3), (12,), (3, 4, 1), (0, 4))


def refused(case, name, value):
    optimizer, params, state = begin(case)
    before = copied(params)
    with pytest.raises((TypeError, ValueError)) as caught:
        optimizer.restore(params, dict(state) | {name: value})
    assert str(caught.value).startswith(f"{case.label}: saved: {name!r}: ")
    assert same_all(params, before)


def test_what_is_not_finite(case):
    _, _, state = begin(case)
    for name, value in state.items():
        for bad in NOT_FINITE:
            if name == "value" and bad == math.inf:
                continue  # before the first value
            if isinstance(value, np.ndarray) and value.size:
                changed = value.copy()
                changed.flat[value.size // 2] = bad
                refused(case, name, changed)
            elif name != "optimizer" and not isinstance(value, np.ndarray):
                refused(case, name, bad)


def test_what_is_never_negative(case):
    _, _, state = begin(case)
    for name, value in state.items():
        if name.partition("[")[0] not in NEVER_NEGATIVE:
            continue
        if isinstance(value, np.ndarray) and value.size:
            changed = value.copy()
            changed.flat[0] = -1e-30
            refused(case, name, changed)
        elif not isinstance(value, np.ndarray):
            refused(case, name, -1e-30)


@pytest.mark.parametrize("t", COUNTERS, ids=repr)
def test_counters(t):
    for given in (t, np.array(t, object)):
        refused(CASES["AdamW"], "t", given)


@pytest.mark.parametrize("t", [0, 1, 2**31, 2**32 + 1, 2**53 - 1, np.int64(7), 7.0, np.array(7)])
def test_counters_that_are_right(t):
    optimizer, params, state = begin(CASES["AdamW"])
    twin = optimizer.restore(params, dict(state) | {"t": t})
    assert twin.t == int(t)
    assert optimizer.step(params, built(TEMPLATE, drawn(9, SIZES)), twin)
    assert all(np.isfinite(x).all() for x in leaves(params))


def test_the_last_counter_of_all():
    optimizer, params, state = begin(CASES["AdamW"])
    twin = optimizer.restore(params, dict(state) | {"t": 2**53})
    with pytest.raises(ValueError, match=r"^AdamW: t: 9007199254740992 steps are taken"):
        optimizer.step(params, built(TEMPLATE, drawn(9, SIZES)), twin)


def test_what_the_dtype_of_the_parameters_cannot_hold():
    optimizer = mdbopt.AdamW()
    state = optimizer.init(np.ones(2))
    saved = dict(state) | {"v": np.array([1.0, 1e300])}
    with pytest.raises(
        ValueError, match=r"^AdamW: saved: 'v': expected finite values, got NaN or "
    ):
        optimizer.restore(np.ones(2, np.float32), saved)
    assert optimizer.restore(np.ones(2), saved).v[1] == 1e300


WORDS = ("a", b"a", None, [], {}, object(), 1j, np.array("a"), np.array([1j]), np.array(None))
HUGE = (1e308, -1e308, 5e-324, 2**1000, 1e39, -0.0)


def anything(rng, value):
    """Something to stand in for a part of a state."""
    kind = rng.integers(6)
    if kind == 0:
        return WORDS[rng.integers(len(WORDS))]
    if kind == 1:
        return COUNTERS[rng.integers(len(COUNTERS))]
    if kind == 2:
        return rng.standard_normal(SHAPES[rng.integers(len(SHAPES))])
    shape = np.shape(value)
    if kind == 3:
        return np.full(shape, (*HUGE[:3], *NOT_FINITE)[rng.integers(6)])
    if kind == 4:
        return rng.integers(0, 256, (*shape, 8), np.uint8).view(np.float64)[..., 0]
    return HUGE[rng.integers(len(HUGE))]


@pytest.mark.parametrize("name", CASES)
def test_any_state_is_refused_or_goes_on(name):
    """Two thousand in all: no crash, no hang, nothing that is not named."""
    case, rng = CASES[name], np.random.default_rng(sum(map(ord, name)))
    optimizer, params, state = begin(case)
    saved, grads = dict(state), built(TEMPLATE, drawn(9, SIZES))
    taken = 0
    for _ in range(60):
        hostile = dict(saved)
        for key in rng.choice(list(saved), rng.integers(1, 3), replace=False):
            hostile[str(key)] = anything(rng, saved[key])
        others = copied(params)
        said, twin = None, None
        try:
            twin = optimizer.restore(others, hostile)
        except (TypeError, ValueError) as error:
            said = str(error)
        if twin is None:
            assert said.startswith(f"{case.label}: saved: ")
            assert same_all(others, params)
            continue
        taken += 1
        assert all(np.isfinite(a).all() for tree in twin._arrays.values() for a in leaves(tree))
        for _ in range(2):
            assert optimizer.step(others, grads, twin)
        assert twin.t >= 2
    assert taken < 60
