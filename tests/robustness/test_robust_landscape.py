"""Non-convex, unbounded, one-dimensional, flat and wrong objectives.

Tests are named after what the published code of arXiv 2306.02527 does; they assert what must happen
instead.
"""

import numpy as np
import pytest
from recorded import CONVERGED, LIMIT, METHODS, NOT_FINITE, PRECISION, SETS, quadratic, solve

import mdbopt

SEARCHES = {
    "box": mdbopt.Box,
    "ellipsoid": mdbopt.Ellipsoid,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
}
DTYPES = (np.float64, np.float32)
GTOL = {np.float64: 1e-6, np.float32: 1e-3}


def cauchy(x):
    return float(np.sum(np.log1p(x**2))), 2 * x / (1 + x**2)


def gaussian_well(x):
    f = -np.exp(-(x @ x) / 2)
    return float(f), -f * x


def sine(x):
    return float(np.sum(np.sin(3 * x) + x**2 / 20)), 3 * np.cos(3 * x) + x / 10


def rastrigin(x):
    angle = 2 * np.pi * x
    with np.errstate(invalid="ignore"):
        f = 10 * x.size + np.sum(x**2 - 10 * np.cos(angle))
        return float(f), (2 * x + 20 * np.pi * np.sin(angle)).astype(x.dtype)


def double_well(x):
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(x**4 - 3 * x**2 + x)), 4 * x**3 - 6 * x + 1


def rosenbrock(x):
    with np.errstate(over="ignore", invalid="ignore"):
        rise = x[1:] - x[:-1] ** 2
        g = np.zeros_like(x)
        g[1:] += 200 * rise
        g[:-1] += -400 * rise * x[:-1] - 2 * (1 - x[:-1])
        return float(np.sum(100 * rise**2 + (1 - x[:-1]) ** 2)), g


NONCONVEX = {
    "cauchy stops at x0": (cauchy, [3.0, -2.0, 5.0]),
    "cauchy in one dimension": (cauchy, [10.0]),
    "gaussian well": (gaussian_well, [1.1, -1.1, 1.1]),
    "sine": (sine, [3.0, -2.0, 5.0, 0.3]),
    "rastrigin": (rastrigin, [4.2, -3.3, 2.4, 1.1]),
    "double well": (double_well, [2.0]),
    "three double wells": (double_well, [2.0, -0.3, 0.1]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NONCONVEX)
@pytest.mark.parametrize("method", METHODS)
def test_nonconvex(method, name, dtype):
    fun, x0 = NONCONVEX[name]
    result, objective = solve(fun, np.array(x0, dtype), method, gtol=GTOL[dtype], maxfun=3000)
    assert result.status == CONVERGED
    assert result.fun < objective.values[0]


@pytest.mark.parametrize("initial_scale", [1e10, 1e-3])
@pytest.mark.parametrize("name", NONCONVEX)
@pytest.mark.parametrize("method", METHODS)
def test_nonconvex_from_any_first_set(method, name, initial_scale):
    fun, x0 = NONCONVEX[name]
    result, _ = solve(
        fun, np.array(x0), method, gtol=1e-6, maxfun=5000, initial_scale=initial_scale
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize("method", METHODS)
def test_gaussian_well_ends_at_its_bottom(method):
    result, _ = solve(gaussian_well, np.array([1.1, -1.1, 1.1]), method, gtol=1e-6, maxfun=1000)
    np.testing.assert_allclose(result.x, 0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_rosenbrock_decreases_monotonously(method):
    result, _ = solve(rosenbrock, np.array([-1.2, 1.0]), method, maxfun=500)
    accepted = result.trace["f"][result.trace["accepted"]]
    assert (np.diff(accepted) <= 0).all()
    assert result.fun < 4.2


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_unbounded_below_not_reported(method, size):
    def cubic(x):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sum(x**2 - x**3 / 3)), 2 * x - x**2

    result, _ = solve(cubic, np.full(size, 3.0), method, maxfun=5000)
    assert result.status in (LIMIT, NOT_FINITE)
    assert not result.success
    accepted = result.trace["f"][result.trace["accepted"]]
    assert (np.diff(accepted) < 0).all()


@pytest.mark.parametrize("initial_scale", ["auto", 0.01, 1e10])
@pytest.mark.parametrize("method", METHODS)
def test_d1_box_never_grows(method, initial_scale):
    result, _ = solve(
        quadratic([1.0]), np.ones(1), method, gtol=1e-8, maxfun=100, initial_scale=initial_scale
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("initial_scale", ["auto", 1e10])
@pytest.mark.parametrize("start", [0.9, 5.0, 300.0])
@pytest.mark.parametrize("method", METHODS)
def test_d1_box_stops_on_logcosh(method, start, initial_scale, dtype):
    def logcosh(x):
        return float(np.sum(np.logaddexp(x, -x))), np.tanh(x)

    x0 = np.array([start], dtype)
    result, _ = solve(
        logcosh, x0, method, gtol=GTOL[dtype], maxfun=300, initial_scale=initial_scale
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_zero_gradient_coordinate_P_overflow(method, dtype):
    x0 = np.array([1.0, 2.0, -3.0], dtype)
    # 1e30 a step over a few hundred steps: what 1.1 a step does in a hundred thousand.
    result, objective = solve(
        quadratic([1.0, 0.0, 7.0]), x0, method, gtol=0.0, maxfun=1000, forward=1e30
    )
    assert {float(point[1]) for point in objective.points} == {2.0}
    assert result.fun <= 1e-12 * objective.values[0]


def walk_with_a_flat_coordinate(method, accepted, **options):
    """Judge trials of an objective of curvature 1 whose slope starts anew at each accepted step.

    The second coordinate never has a slope. Yields the state, and the step sizes before the step,
    after every accepted one.
    """
    rng = np.random.default_rng(0)
    search = SEARCHES[method](**options)
    state = search.init(np.ones(2), 0.0, np.array([1.0, 0.0]))
    slope, count = 1.0, 0
    while count < accepted:
        before = state.step_sizes
        point = search.propose(state)
        step = float(point[0]) - float(state.x[0])
        linear = state.f + slope * step
        if -step / slope <= 1:
            new_slope = float(rng.choice([-1.0, 1.0]))
            moved = search.judge(state, linear, np.array([new_slope, 0.0]))
            assert moved
            slope, count = new_slope, count + 1
            yield state, before
        else:
            told = np.array([slope + step, 0.0])
            assert not search.judge(state, linear + 0.5 * step**2, told)


@pytest.mark.parametrize("forward", [1.1, 1e10])
@pytest.mark.parametrize("method", SETS)
def test_zero_gradient_coordinate_growth_never_ends(method, forward):
    # 4000 steps of 1e10 grow as much as a million of 1.1.
    for state, before in walk_with_a_flat_coordinate(method, 4000, forward=forward):
        assert state.x[1] == 1.0
        assert np.isfinite(state.step_sizes).all()
        if state.accepted > 20:  # by then the scale of the first set is found
            np.testing.assert_allclose(state.step_sizes[0], forward * before[0], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_graddir_zero_gradient(method):
    def fun(x):
        return 0.5 * float(x @ x), x.copy()

    result, objective = solve(fun, np.zeros(3), method)
    assert (result.status, objective.count) == (CONVERGED, 1)
    # One exact Newton step on the way lands where the gradient is 0.
    result, _ = solve(fun, np.ones(3), method, gtol=0.0, maxfun=2000)
    assert result.status in (CONVERGED, PRECISION)


@pytest.mark.parametrize("method", METHODS)
def test_start_at_optimum_extra_evaluation(method):
    result, objective = solve(quadratic([1.0, 5.0], centre=2.0), np.full(2, 2.0), method)
    assert objective.count == 1
    assert (result.nfev, result.nit, result.status) == (1, 0, CONVERGED)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_wrong_gradient_sign(method, dtype):
    exact = quadratic([1.0, 3.0, 10.0], centre=0.5)

    def wrong(x):
        f, g = exact(x)
        return f, -g

    x0 = np.array([1.0, -2.0, 3.0], dtype)
    result, objective = solve(wrong, x0, method)
    assert (result.status, result.success) == (PRECISION, False)
    assert "gradient" in result.message
    assert objective.count <= 200
    np.testing.assert_array_equal(result.x, x0)
