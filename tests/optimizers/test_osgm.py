"""OSGM: steps back when told that the objective did not decrease, and the algorithm in NumPy."""

import math

import numpy as np
import pytest
from optimizer_cases import Hook, drawn, nothing_written, same

import mdbopt

CURVATURES = np.array([1.0, 3.0, 10.0, 30.0, 100.0])
START = np.array([1.0, -2.0, 0.5, 1.5, -1.0])


def quadratic(x):
    return 0.5 * float(CURVATURES @ x**2), CURVATURES * x


def by_numpy(x, lr, hyper_lr, eps, iterations):
    """Yield each point, and whether it was kept, as the papers have it."""
    p, total = np.ones(x.size), np.zeros(x.size)
    kept = (x, np.zeros(x.size), math.inf)
    for _ in range(iterations):
        f, g = quadratic(x)
        norm2 = kept[1] @ kept[1]
        h = g * kept[1] / norm2 if norm2 > 0 else np.zeros(x.size)
        total = total + h * h
        p = np.maximum(p + hyper_lr * h / (np.sqrt(total) + eps), 0.0)
        moved = f < kept[2]
        if moved:
            kept = (x, g, f)
        x = kept[0] - lr * p * kept[1]
        yield x, moved


@pytest.mark.parametrize(
    ("lr", "hyper_lr", "drops"),
    [(0.005, 0.5, False), (0.02, 0.5, False), (0.1, 1.0, True), (0.05, 0.1, True)],
)
def test_equals_the_algorithm_in_numpy(lr, hyper_lr, drops):
    x = START.copy()
    optimizer = mdbopt.OSGM(lr, hyper_lr=hyper_lr)
    state = optimizer.init(x)
    steps = list(by_numpy(START, lr, hyper_lr, 1e-12, 30))
    for wanted, moved in steps:
        f, g = quadratic(x)
        before = state.value
        assert optimizer.step(x, g, state, value=f)
        assert (state.value == f) == moved
        assert state.value <= before
        np.testing.assert_allclose(x, wanted, rtol=1e-8, atol=1e-12)
    assert all(moved for _, moved in steps) is not drops


def advance(state, optimizer, x, *values):
    for value in values:
        optimizer.step(x, quadratic(x)[1], state, value=value)


def test_a_null_step_goes_back_to_the_point_that_was_kept():
    x = START.copy()
    optimizer = mdbopt.OSGM(0.01)
    state = optimizer.init(x)
    assert state.value == math.inf
    advance(state, optimizer, x, 9.0)
    assert same(state.x_prev, START)
    assert state.value == 9.0
    p = state.p.copy()
    for value in (9.0, 10.0, math.inf, math.nan):
        advance(state, optimizer, x, value)
        assert same(state.x_prev, START)
        assert same(state.g_prev, CURVATURES * START)
        assert state.value == 9.0
        assert same(x, START - 0.01 * (state.p * state.g_prev))
    assert not same(state.p, p)  # failures teach
    assert state.t == 5
    here = x.copy()
    advance(state, optimizer, x, 8.0)
    assert same(state.x_prev, here)
    assert state.value == 8.0


def test_a_dropped_point_may_have_any_gradient():
    """Overflow beyond the last good point does not reach what is kept."""
    x = START.copy()
    optimizer = mdbopt.OSGM(0.01)
    state = optimizer.init(x)
    advance(state, optimizer, x, 9.0)
    optimizer.step(x, np.full(5, 1e200), state, value=math.inf)
    assert same(state.x_prev, START)
    assert np.all(np.isfinite(x))
    assert state.norm2 == pytest.approx(float(np.sum((CURVATURES * START) ** 2)))


def test_without_a_value_every_point_is_kept():
    x = START.copy()
    optimizer = mdbopt.OSGM(0.001)
    state = optimizer.init(x)
    for step in (
        lambda: optimizer.step(x, quadratic(x)[1], state),
        lambda: optimizer.plan(x, quadratic(x)[1], state).step(),
    ):
        advance(state, optimizer, x, 1e-9, 5.0, 6.0)
        assert state.value == 1e-9
        for _ in range(2):
            here = x.copy()
            step()
            assert same(state.x_prev, here)
        assert state.value == 1e-9
        state._extra["value"] = math.inf


def test_a_plan_takes_values():
    x, y = START.copy(), START.copy()
    optimizer = mdbopt.OSGM(0.05)
    state, other = optimizer.init(x), optimizer.init(y)
    g = np.zeros(5)
    plan = optimizer.plan(x, g, state)
    for _ in range(20):
        f, g[...] = quadratic(x)
        plan.step(value=f)
        advance(other, optimizer, y, quadratic(y)[0])
    assert same(x, y)
    assert state.value == other.value


@pytest.mark.parametrize("kind", [float, np.float32, np.array, lambda v: np.array([v])])
def test_values_in_any_form(kind):
    x = START.copy()
    optimizer = mdbopt.OSGM(0.01)
    state = optimizer.init(x)
    advance(state, optimizer, x, kind(4.0), kind(5.0))
    assert state.value == 4.0
    assert same(state.x_prev, START)


@pytest.mark.parametrize("value", ["1", 1j, np.ones(2), object()])
def test_values_that_are_refused(value):
    x, g = drawn(1, [(5,)] * 2)
    optimizer = mdbopt.OSGM()
    state = optimizer.init(x)
    with (
        nothing_written(state, x),
        pytest.raises(TypeError, match=r"^OSGM: value: expected a real"),
    ):
        optimizer.step(x, g, state, value=value)


def test_refused_and_skipped_steps_leave_the_value():
    x, g = drawn(2, [(5,)] * 2)
    optimizer = mdbopt.OSGM()
    state = optimizer.init(x)
    optimizer.step(x, g, state, value=3.0)
    with nothing_written(state, x):
        with pytest.raises(ValueError, match="OSGM: grads has shape"):
            optimizer.step(x, g[:4], state, value=1.0)
        assert not optimizer.step(x, g, state, value=1.0, found_inf=True)
    assert state.value == 3.0


def test_a_refused_step_from_within_does_not_change_the_one_under_way():
    """Whether the point is kept is the first step's to say."""
    x, y = START.copy(), START.copy()
    optimizer = mdbopt.OSGM(0.01)
    state, other = optimizer.init(x), optimizer.init(y)
    advance(state, optimizer, x, 4.0)
    advance(other, optimizer, y, 4.0)
    g = quadratic(x)[1]

    def step_again():
        with pytest.raises(ValueError, match="another thread is stepping it"):
            optimizer.step(x, g, state, value=1.0)

    optimizer.step(x, Hook(g, step_again), state, value=5.0)
    optimizer.step(y, g, other, value=5.0)
    assert same(state.x_prev, START)
    assert same(x, y)
    assert state.value == 4.0


def test_the_value_is_saved():
    x = START.copy()
    optimizer = mdbopt.OSGM(0.01)
    state = optimizer.init(x)
    advance(state, optimizer, x, 4.0)
    y = x.copy()
    twin = optimizer.restore(y, dict(state))
    assert twin.value == state["value"] == 4.0
    for value in (5.0, 3.0, 3.5):
        advance(state, optimizer, x, value)
        advance(twin, optimizer, y, value)
    assert same(x, y)


def test_changed_hyperparameters_keep_the_value():
    x = START.copy()
    state = mdbopt.OSGM(0.01).init(x)
    advance(state, mdbopt.OSGM(0.01), x, 4.0)
    advance(state, mdbopt.OSGM(0.02), x, 5.0)
    assert same(state.x_prev, START)
    assert same(x, START - 0.02 * (state.p * state.g_prev))
