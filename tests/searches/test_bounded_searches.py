"""Ask and tell within bounds: the same bits however it runs, states, what is refused."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from recorded import quadratic
from scipy.optimize import Bounds

import mdbopt
from mdbopt import _core

SIZE = 2500
SEARCHES = {
    "guarded": mdbopt.Guarded,
    "box": mdbopt.Box,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
    "ellipsoid": lambda **options: mdbopt.Ellipsoid(candidate="plain", **options),
}
EVERY = pytest.mark.parametrize("method", SEARCHES)


def wide(dtype=np.float64):
    """Return an objective whose minimiser lies outside of about half of its bounds, and these."""
    k = np.arange(SIZE)
    h, centre = 10.0 ** (k % 7 - 3), np.where(k % 3, 1.0, -0.5)
    lower, upper = np.where(k % 4, -0.25, -np.inf), np.where(k % 5, 0.75, np.inf)

    def fun(x):
        away = x.astype(float) - centre
        return float(0.5 * (h * away) @ away), (h * away).astype(dtype)

    return fun, np.stack([lower, upper], axis=1)


def path(search, fun, x0, evaluations=60):
    state = search.init(x0, *fun(x0))
    points = []
    while len(points) < evaluations and not search.converged(state):
        points.append(search.propose(state))
        search.judge(state, *fun(points[-1]))
    return state, np.array(points)


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_same_bits_for_any_threads_and_instruction_set(method, dtype):
    fun, bounds = wide(dtype)
    x0 = np.zeros(SIZE, dtype)
    expected, points = path(SEARCHES[method](bounds=bounds, threads=1), fun, x0)
    assert (points >= bounds[:, 0]).all()
    assert (points <= bounds[:, 1]).all()
    assert np.abs(expected.active).sum() > SIZE / 10
    backends = [name for name, *_ in _core.backends()]
    for backend, threads in itertools.product(backends, (1, 3)):
        search = SEARCHES[method](bounds=bounds, threads=threads, backend=backend)
        np.testing.assert_array_equal(path(search, fun, x0)[1], points)


@EVERY
def test_infinite_bounds_take_the_path_of_none(method):
    fun, _ = wide()
    assert SEARCHES[method](bounds=np.full((SIZE, 2), [-np.inf, np.inf])).bounds is None
    without = path(SEARCHES[method](), fun, np.zeros(SIZE))
    infinite = path(SEARCHES[method](bounds=Bounds()), fun, np.zeros(SIZE))
    assert without[0] == infinite[0]
    np.testing.assert_array_equal(without[1], infinite[1])
    np.testing.assert_array_equal(without[0].active, np.zeros(SIZE))


@EVERY
@pytest.mark.parametrize("after", [0, 1, 5, 20])
def test_a_restored_state_continues_to_the_same_bits(method, after):
    fun, bounds = wide()
    search = SEARCHES[method](bounds=bounds)
    state, _ = path(search, fun, np.zeros(SIZE), after)
    others = [search.restore(dict(state)), pickle.loads(pickle.dumps(state)), copy.copy(state)]
    for other in others:
        assert other == state
    for _ in range(15):
        trial = search.propose(state)
        told = fun(trial)
        search.judge(state, *told)
        for other in others:
            np.testing.assert_array_equal(search.propose(other), trial)
            search.judge(other, *told)
            assert other == state


@EVERY
def test_a_state_goes_on_within_its_own_bounds_alone(method):
    fun, bounds = wide()
    search = SEARCHES[method](bounds=bounds)
    state, _ = path(search, fun, np.zeros(SIZE), 5)
    for other in (SEARCHES[method](), SEARCHES[method](bounds=bounds * 2)):
        with pytest.raises(ValueError, match=r"'method' is .* expected the mark of"):
            other.restore(dict(state))
    for name in ("x", "trial"):
        outside = dict(state)
        outside[name] = outside[name].copy()
        outside[name][1] = 2.0
        with pytest.raises(ValueError, match=rf"'{name}' is .*expected a point within the bounds"):
            search.restore(outside)


@EVERY
def test_one_pair_stands_for_all(method):
    fun = quadratic([1.0, 4.0, 20.0])
    for bounds in ([(0.5, None)], Bounds(0.5, np.inf), [(0.5, None)] * 3):
        search = SEARCHES[method](bounds=bounds)
        state, _ = path(search, fun, np.ones(3), 200)
        np.testing.assert_array_equal(state.x, [0.5] * 3)
        np.testing.assert_array_equal(state.active, [-1] * 3)


def test_a_start_outside_is_refused():
    search = mdbopt.Guarded(bounds=[(0, 1)])
    with pytest.raises(ValueError, match=r"^x: expected a point within the bounds"):
        search.init(np.full(3, 2.0), 1.0, np.ones(3))


def test_another_number_is_refused():
    search = mdbopt.Guarded(bounds=[(0, 1)] * 2)
    with pytest.raises(ValueError, match=r"^bounds: expected one for each coordinate, 3, or one"):
        search.init(np.full(3, 0.5), 1.0, np.ones(3))


def test_searches_with_bounds_are_values():
    first, second = (mdbopt.Box(bounds=[(0, 1), (None, 2)]) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != mdbopt.Box(bounds=[(0, 1), (None, 3)])
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first
    assert repr(first) == eval(repr(first), {"Box": mdbopt.Box, "inf": np.inf}).__repr__()
    with pytest.raises(ValueError, match="read-only"):
        first.bounds[0, 0] = 3


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_points_that_are_not_finite_are_left(hole):
    fun = quadratic([1.0, 4.0, 20.0], centre=1.0)

    def holed(x):
        f, g = fun(x)
        return (hole, g) if x[0] > 0.9 else (f, g)

    search = mdbopt.Guarded(bounds=[(-1, 0.95)])
    state, points = path(search, holed, np.zeros(3), 300)
    assert (np.abs(points) <= 1).all()
    assert 0.8 < state.x[0] <= 0.9


def test_a_falling_line_ends_at_the_bounds():
    search = mdbopt.Guarded(bounds=[(-1e6, 1e6)])
    state, _ = path(search, lambda x: (float(-x.sum()), -np.ones(4)), np.zeros(4), 300)
    np.testing.assert_array_equal(state.x, [1e6] * 4)
    assert state.gmax == 0
