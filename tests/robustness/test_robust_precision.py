"""Differences of f drown in rounding, steps fall below one ulp.

Tests are named after what the published code of arXiv 2306.02527 does; they assert what must happen
instead.
"""

import subprocess
import sys

import numpy as np
import pytest
from recorded import (
    CONVERGED,
    LIMIT,
    METHODS,
    PRECISION,
    classification,
    logistic,
    quadratic,
    solve,
)

STARTS = ("auto", 1e10)


@pytest.mark.parametrize("offset", [1.0, 1e4, 1e8])
@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_cancellation_near_optimum(method, initial_scale, offset):
    fun = quadratic([1.0, 3.0, 10.0], centre=0.5, offset=offset)
    result, _ = solve(fun, np.zeros(3), method, gtol=1e-8, maxfun=5000, initial_scale=initial_scale)
    assert result.status in (CONVERGED, PRECISION)
    assert result.fun - offset <= 1e-14 * offset


@pytest.mark.parametrize("method", METHODS)
def test_cancellation_enters_pdb(method):
    code = f"""
import numpy as np, mdbopt
from recorded import quadratic
fun = quadratic([1.0, 3.0, 10.0], centre=0.5, offset=1e8)
result = mdbopt.minimize(fun, np.zeros(3), jac=True, method={method!r}, options=dict(maxfun=5000))
raise SystemExit(0 if result.status in (0, 2) else 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_float32_logreg_simplex_stops_at_x0(method, initial_scale):
    features, labels = classification(dtype=np.float32)
    result, _ = solve(
        logistic(features, labels),
        np.zeros(5, np.float32),
        method,
        gtol=1e-4,
        maxfun=2000,
        initial_scale=initial_scale,
    )
    assert result.status == CONVERGED


@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize("method", METHODS)
def test_float32_logreg_ellipsoid_pdb(method, scale):
    features, labels = classification(scale=scale, dtype=np.float32)
    result, objective = solve(
        logistic(features, labels), np.zeros(5, np.float32), method, gtol=0.0, maxfun=5000
    )
    assert result.status in (CONVERGED, PRECISION)
    assert np.abs(result.jac).max() <= 1e-3 * np.abs(objective.fun(objective.points[0])[1]).max()


@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_float32_logreg_box_badly_scaled(method, initial_scale):
    features, labels = classification(scale=1e6, dtype=np.float32)
    fun = logistic(features, labels)
    x0 = np.zeros(5, np.float32)
    gtol = 1e-4 * float(np.abs(fun(x0)[1]).max())
    result, _ = solve(fun, x0, method, gtol=gtol, maxfun=2000, initial_scale=initial_scale)
    assert result.status == CONVERGED


@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_float64_logreg_P_hits_zero_or_nan(method, initial_scale):
    features, labels = classification(scale=1e6)
    fun = logistic(features, labels)
    x0 = np.zeros(5)
    gtol = 1e-8 * float(np.abs(fun(x0)[1]).max())
    result, _ = solve(fun, x0, method, gtol=gtol, maxfun=5000, initial_scale=initial_scale)
    assert result.status == CONVERGED


@pytest.mark.parametrize("method", METHODS)
def test_float64_logistic_with_scales_from_1e_minus_6_to_1e6(method):
    features, labels = classification()
    features = features * np.logspace(-6, 6, 5)
    fun = logistic(features, labels)
    result, objective = solve(fun, np.zeros(5), method, gtol=0.0, maxfun=3000)
    assert result.fun < objective.values[0]


@pytest.mark.parametrize("initial_scale", STARTS)
@pytest.mark.parametrize("method", METHODS)
def test_float32_quadratic_stalls(method, initial_scale):
    fun = quadratic([1.0, 10.0, 100.0], centre=0.5, offset=1.0)
    result, _ = solve(
        fun, np.zeros(3, np.float32), method, gtol=1e-4, maxfun=5000, initial_scale=initial_scale
    )
    assert result.status in (CONVERGED, PRECISION)
    assert result.fun - 1.0 <= 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kink", [0.0, 0.7])
@pytest.mark.parametrize("method", METHODS)
def test_nonsmooth_l1_P_underflow(method, kink, dtype):
    def fun(x):
        distance = x - dtype(kink)
        return float(np.abs(distance).sum()), np.sign(distance)

    result, _ = solve(fun, np.array([0.3, -1.7, 2.2], dtype), method)
    assert (result.status == CONVERGED) == (np.abs(result.jac).max() == 0)
    assert (result.step_sizes > np.finfo(np.float64).tiny).all()
    if result.status == LIMIT:
        # One step size for all crawls from kink to kink; its steps can still be told from rounding.
        assert (method, kink) == ("backtracking", 0.7)
        assert result.step_sizes.max() > np.spacing(np.abs(result.x).max())
    else:
        assert result.status in (CONVERGED, PRECISION)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_noisy_objective(method, seed, dtype):
    noise, rng = 1e-6, np.random.default_rng(seed)
    exact = quadratic([1.0, 3.0, 10.0], centre=0.5)

    def noisy(x):
        f, g = exact(x)
        return f + noise * rng.uniform(-1, 1), g

    result, _ = solve(noisy, np.zeros(3, dtype), method)
    assert result.status in (CONVERGED, PRECISION)
    assert exact(result.x)[0] <= 10 * noise


@pytest.mark.parametrize(("dtype", "centre"), [(np.float64, 1e8), (np.float32, 1e4)])
@pytest.mark.parametrize("method", METHODS)
def test_far_origin_stagnation(method, dtype, centre):
    fun = quadratic([1.0, 2.0, 3.0], centre=centre)
    x0 = np.array([centre + 1, centre - 3, centre + 17], dtype)
    result, _ = solve(fun, x0, method, gtol=0.0, maxfun=5000)
    assert result.status in (CONVERGED, PRECISION)
    assert (np.abs(result.x - dtype(centre)) <= 4 * np.spacing(dtype(centre))).all()
