"""The objective, its gradient or its square leaves the range, at a trial point or everywhere.

Tests are named after what the published code of arXiv 2306.02527 does; they assert what must happen
instead.
"""

import numpy as np
import pytest
from recorded import CONVERGED, METHODS, NOT_FINITE, PRECISION, quadratic, solve

CURVATURES = [1.0, 2.0, 5.0, 10.0]
STARTS = ("auto", 1e10)  # 1e10 is where the published code starts
DTYPES = (np.float64, np.float32)
GTOL = {np.float64: 1e-6, np.float32: 1e-4}


def exponentials(x):
    """Return Σ exp(x) − 2x: finite near 0, overflows a few hundred away."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(np.exp(x) - 2 * x)), np.exp(x) - 2


def barrier(x):
    """Return Σ x − log x: NaN for x < 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sum(x - np.log(x))), 1 - 1 / x


def bowl_with_a_nan_far_away(x):
    f, g = quadratic(CURVATURES)(x)
    if np.abs(x).max() > 50:
        g[1] = np.nan
    return f, g


def bowl_with_minus_infinity_far_away(x):
    f, g = quadratic(CURVATURES)(x)
    return (-np.inf if np.abs(x).max() > 50 else f), g


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_f_overflow_first_step(method, initial_scale, dtype):
    x0 = np.linspace(-2, 2, 5).astype(dtype)
    result, _ = solve(
        exponentials, x0, method, gtol=GTOL[dtype], maxfun=200, initial_scale=initial_scale
    )
    assert result.status == CONVERGED
    np.testing.assert_allclose(result.x, np.log(2), atol=GTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_log_domain_nan(method, initial_scale, dtype):
    x0 = np.array([0.1, 0.5, 2.0, 3.0], dtype)
    result, _ = solve(
        barrier, x0, method, gtol=GTOL[dtype], maxfun=1000, initial_scale=initial_scale
    )
    assert result.status == CONVERGED
    np.testing.assert_allclose(result.x, 1, atol=2 * GTOL[dtype])


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e100), (np.float32, 1e30)])
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_huge_objective_scale_1e100(method, initial_scale, dtype, scale):
    fun = quadratic(CURVATURES, scale=scale)
    gtol = (1e-8 if dtype is np.float64 else 1e-4) * scale * 10
    result, _ = solve(
        fun, np.ones(4, dtype), method, gtol=gtol, maxfun=2000, initial_scale=initial_scale
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e160), (np.float32, 1e25)])
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_gradient_square_overflows_1e160(method, initial_scale, dtype, scale):
    fun = quadratic(CURVATURES, scale=scale)
    gtol = (1e-8 if dtype is np.float64 else 1e-4) * scale * 10
    result, _ = solve(
        fun, np.ones(4, dtype), method, gtol=gtol, maxfun=2000, initial_scale=initial_scale
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_minus_inf_accepted(method, initial_scale):
    result, _ = solve(
        bowl_with_minus_infinity_far_away,
        np.ones(4),
        method,
        gtol=1e-6,
        maxfun=2000,
        initial_scale=initial_scale,
    )
    assert result.status == CONVERGED
    assert np.isfinite(result.fun)


@pytest.mark.parametrize("method", METHODS)
def test_an_objective_that_decreases_to_minus_inf_is_reported(method):
    def downhill(x):
        with np.errstate(over="ignore"):
            return -float(np.sum(np.exp(x))), -np.exp(x)

    result, _ = solve(downhill, np.zeros(3), method)
    assert result.status == NOT_FINITE
    assert not result.success
    assert np.isfinite(result.fun)
    assert "unbounded" in result.message


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_nan_gradient_component(method, initial_scale, dtype):
    result, _ = solve(
        bowl_with_a_nan_far_away,
        np.ones(4, dtype),
        method,
        gtol=GTOL[dtype],
        maxfun=2000,
        initial_scale=initial_scale,
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize(
    ("f", "g"), [(1.0, [1.0, np.nan]), (1.0, [np.inf, 1.0]), (np.nan, [1.0, 1.0]),
                 (np.inf, [1.0, 1.0]), (-np.inf, [0.0, 0.0])]
)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_nan_gradient_component_at_x0(method, f, g):
    result, objective = solve(lambda x: (f, np.array(g)), np.ones(2), method)
    assert result.status == NOT_FINITE
    assert not result.success
    assert objective.count == 1
    np.testing.assert_array_equal(result.x, 1)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e-200), (np.float32, 1e-30)])
@pytest.mark.parametrize("method", METHODS)
def test_gradient_norm_underflow_reports_converged(method, dtype, scale):
    fun = quadratic(CURVATURES, scale=scale)
    result, objective = solve(fun, np.ones(4, dtype), method, gtol=0.0, maxfun=3000)
    assert result.status in (CONVERGED, PRECISION)
    assert (result.status == CONVERGED) == (np.abs(result.jac).max() == 0)
    assert result.fun <= 1e-6 * objective.values[0]


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float64, s) for s in (1e-150, 1e-20, 1e20, 1e150)]
    + [(np.float32, s) for s in (1e-30, 1e-10, 1e10, 1e30)],
)
@pytest.mark.parametrize("method", METHODS)
def test_tiny_scale_many_steps(method, dtype, scale):
    tolerance = 1e-8 if dtype is np.float64 else 1e-4

    def evaluations(scale):
        fun = quadratic(CURVATURES, scale=scale)
        result, _ = solve(fun, np.ones(4, dtype), method, gtol=tolerance * scale, maxfun=5000)
        assert result.status == CONVERGED
        return result.nfev

    assert evaluations(scale) <= 2 * evaluations(1.0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_linear_objective_is_unbounded(dtype):
    slope = np.array([1.0, -2.0, 0.5], dtype)

    def linear(x):
        return float(slope.astype(float) @ x.astype(float)), slope.copy()

    result, _ = solve(linear, np.ones(3, dtype), "guarded")
    assert result.status == NOT_FINITE
    assert not result.success
    assert np.isfinite(result.x).all()
