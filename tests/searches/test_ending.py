"""Runs end with status 2 soon after the last gain, and on exact problems not before gtol is met.

A gain lowers the best f by more than its rounding, or the best max|g| by a tenth.
"""

import math

import numpy as np
import pytest

import mdbopt
from mdbopt import data, problems

METHODS = ("guarded", "box", "ellipsoid", "simplex", "backtracking")
PRECISION = 2
# evaluations after the last gain
PATIENCE = {"guarded": 100}
PATIENCE_OF_SETS = 300


def least_squares(dtype):
    """Return r @ r and its gradient, computed in dtype, whatever x is."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 20)).astype(dtype)
    b = rng.standard_normal(200).astype(dtype)

    def fun(x):
        r = A @ x.astype(dtype) - b
        return float(r @ r), (2 * A.T @ r).astype(float)

    return fun, np.zeros(20)


def cancer(dtype):
    """Return logistic regression on raw columns, computed in dtype, whatever x is."""
    table = data.breast_cancer()
    model = problems.logistic(table.X.astype(dtype), table.y, l2=1 / len(table.y))

    def fun(x):
        f, g = model(x.astype(dtype))
        return float(f), np.asarray(g, dtype=float)

    return fun, np.zeros(table.X.shape[1] + 1)


def noisy_gradient(fun):
    rng = np.random.default_rng(1)

    def noisy(x):
        f, g = fun(x)
        return f, g + 1e-6 * rng.standard_normal(g.size)

    return noisy


def noisy_value(fun):
    rng = np.random.default_rng(2)

    def noisy(x):
        f, g = fun(x)
        return f * (1 + 1e-6 * rng.standard_normal()), g

    return noisy


def rounded_point(fun):
    def rounded(x):
        return fun(np.array([float(f"{value:.5e}") for value in x]))

    return rounded


def differences(fun):
    def approximate(x):
        f = fun(x)[0]
        steps = 1.5e-8 * np.maximum(1, np.abs(x))
        ahead = [fun(x + step)[0] for step in np.diag(steps)]
        return f, (np.array(ahead) - f) / steps

    return approximate


NOISES = {
    "float32 model": (np.float32, lambda fun: fun),
    "noisy gradient": (np.float64, noisy_gradient),
    "noisy value": (np.float64, noisy_value),
    "rounded point": (np.float64, rounded_point),
    "differences": (np.float64, differences),
}
# of f, relative
ROUNDING = {"float32 model": 3e-7, "noisy value": 4e-6}


def last_gain(trace, rounding):
    f, g = trace["f"], trace["gmax"]
    best_f, best_g, last = f[0], g[0], 0
    for k in range(1, len(f)):
        if f[k] < best_f - rounding * abs(best_f):
            best_f, last = f[k], k
        if g[k] < 0.9 * best_g:
            best_g, last = g[k], k
    return last


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", NOISES)
def test_noise_ends_a_run(noise, method):
    dtype, disturb = NOISES[noise]
    fun, x0 = least_squares(dtype)
    result = mdbopt.minimize(
        disturb(fun), x0, jac=True, method=method, options={"gtol": 0.0, "maxfun": 3000}
    )
    assert result.status == PRECISION
    after = result.nfev - 1 - last_gain(result.trace, ROUNDING.get(noise, 2e-15))
    assert after <= PATIENCE.get(method, PATIENCE_OF_SETS)


@pytest.mark.parametrize("noise", ["float32 model", "noisy gradient", "rounded point"])
def test_noise_ends_a_run_on_raw_columns(noise):
    dtype, disturb = NOISES[noise]
    fun, x0 = cancer(dtype)
    result = mdbopt.minimize(disturb(fun), x0, jac=True, options={"gtol": 0.0, "maxfun": 3000})
    assert result.status == PRECISION
    assert result.nfev - 1 - last_gain(result.trace, ROUNDING.get(noise, 2e-15)) <= 100


def test_noise_does_not_cost_the_answer():
    fun, x0 = least_squares(np.float64)
    exact = mdbopt.minimize(fun, x0, jac=True, options={"gtol": 1e-10})
    for noise in ("noisy gradient", "noisy value", "differences"):
        found = mdbopt.minimize(NOISES[noise][1](fun), x0, jac=True, options={"gtol": 0.0})
        assert fun(found.x)[0] - exact.fun <= 1e-6 * exact.fun


@pytest.mark.parametrize("method", METHODS)
def test_an_exact_run_goes_on_to_its_goal(method):
    """Columns apart by 10."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 5)) * 10 ** rng.uniform(-0.5, 0.5, 5)
    fun = problems.least_squares(X, X @ rng.standard_normal(5) + rng.standard_normal(60))
    start = np.abs(fun(fun.x0)[1]).max()
    result = mdbopt.minimize(
        fun,
        fun.x0,
        jac=True,
        method=method,
        options={"gtol": 1e-9 * start, "maxfun": 100_000, "maxiter": None},
    )
    assert result.status == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_point_that_converges_is_converged_however_long_it_took(method):
    """gtol between the least max|g| and a tenth below it."""
    fun, x0 = least_squares(np.float64)
    stalled = mdbopt.minimize(
        fun, x0, jac=True, method=method, options={"gtol": 0.0, "maxfun": 5000}
    )
    reached = float(np.nanmin(stalled.trace["gmax"]))
    found = mdbopt.minimize(
        fun, x0, jac=True, method=method, options={"gtol": 2 * reached, "maxfun": 5000}
    )
    assert (found.status, found.success) == (0, True)


def test_trials_that_are_not_finite_are_no_reason_to_end():
    """The first step has to shrink 150 times by a tenth."""

    def fun(x):
        if np.abs(x).max() > 1e-150:
            return math.inf, np.full(x.size, math.nan)
        return float(np.sum((x - 1e-151) ** 2) * 1e300), 2e300 * (x - 1e-151)

    result = mdbopt.minimize(fun, np.zeros(2), jac=True, options={"gtol": 1e140})
    assert result.success
