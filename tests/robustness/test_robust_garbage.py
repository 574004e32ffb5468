"""Random answers, finite or not: every run ends, evaluates at finite points, keeps sane sets."""

import numpy as np
import pytest
from recorded import ALL_METHODS, NOT_FINITE, Recorder

import mdbopt

VALUES = np.array(
    [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e154, -1e155, 1e200,
     1e-200, 3.7, -2.2, 1e10, 1e-10]
)  # fmt: skip


def garbage(size, dtype, seed):
    """Return an objective whose answers have nothing to do with x, the first one finite."""
    rng = np.random.default_rng(seed)
    wildness = rng.uniform() ** 2
    count = 0

    def fun(x):
        nonlocal count
        count += 1
        f = rng.standard_normal() * 10 ** rng.uniform(-3, 3) - count * rng.choice([0, 1e-3, 1e300])
        g = rng.standard_normal(size) * 10 ** rng.uniform(-3, 3)
        if count > 1 and rng.uniform() < wildness:
            f = rng.choice(VALUES)
        if count > 1:
            g = np.where(rng.uniform(size=size) < wildness, rng.choice(VALUES, size), g)
        with np.errstate(over="ignore", under="ignore"):
            return float(f), g.astype(dtype)

    return fun


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("method", ALL_METHODS)
def test_garbage(method, seed, dtype):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 5))
    largest = float(np.finfo(dtype).max)
    x0 = rng.standard_normal(size) * 10 ** rng.uniform(-3, 3)
    if seed % 3 == 0:  # so far out that steps overflow x
        x0 = largest * rng.uniform(-1, 1, size)
    objective = Recorder(garbage(size, dtype, seed))
    result = mdbopt.minimize(
        objective, x0.astype(dtype), jac=True, method=method, options={"maxfun": 200}
    )
    assert result.nfev == objective.count
    assert all(np.isfinite(point).all() for point in objective.points)
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.jac).all()
    assert np.isfinite(result.step_sizes).all()
    assert (result.step_sizes > 0).all()
    assert np.isfinite(result.fun)
    assert result.fun <= objective.values[0]
    assert result.fun in objective.values
    assert result.success <= (np.abs(result.jac).max() <= 1e-4)


@pytest.mark.parametrize("answer", [(np.inf, 1.0), (np.nan, 1.0), (0.0, np.nan), (1e308, 1e308)])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_start_from_which_no_step_can_be_made_ends_soon(method, answer):
    f, g = answer
    first = True

    def fun(x):
        nonlocal first
        if first:
            first = False
            return 0.0, np.ones(2)
        return f, np.full(2, g)

    result = mdbopt.minimize(fun, np.ones(2), jac=True, method=method)
    assert result.status == 2
    assert result.nfev < 1000
    np.testing.assert_array_equal(result.x, 1)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_only_minus_infinity_around_x0_is_unbounded(method):
    first = True

    def fun(x):
        nonlocal first
        f, first = (0.0 if first else -np.inf), False
        return f, np.ones(2)

    result = mdbopt.minimize(fun, np.ones(2), jac=True, method=method)
    assert (result.status, result.success, result.fun) == (NOT_FINITE, False, 0.0)
    assert result.nfev < 1000


@pytest.mark.parametrize("method", ALL_METHODS)
def test_underflow_of_the_scaled_objective_is_no_descent(method):
    # Over a gradient of 1e308 these values of f are all 0; they are not for the caller.
    def fun(x):
        return float(1e-308 * (x[0] != 1)), np.array([1e308, 1.0])

    result = mdbopt.minimize(fun, np.ones(2), jac=True, method=method, options={"maxfun": 50})
    assert result.fun == 0.0
