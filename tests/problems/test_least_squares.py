"""Least squares: its solution, its start, R2, and a real table."""

import numpy as np
import pytest

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")


def solution(X, y, l2):
    X = np.column_stack([X, np.ones(len(X))])
    return np.linalg.solve(X.T @ X / len(y) + l2 * np.eye(X.shape[1]), X.T @ y / len(y))


def test_diabetes():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    fun = problems.least_squares(X, y, 1 / len(y), penalize_intercept=True)
    best = solution(X, y, 1 / len(y))
    f, g = fun(best)
    assert np.abs(g).max() < 1e-8
    assert f < fun(fun.x0)[0]
    assert 0.4 < fun.r2(best) < 0.6
    assert fun.r2(fun.x0) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(fun.predict(best, X[:3]), X[:3] @ best[:-1] + best[-1])
    ones = np.column_stack([X, np.ones(len(X))])
    hessian = ones.T @ ones / len(y) + np.eye(fun.d) / len(y)
    assert fun.smoothness == pytest.approx(np.linalg.norm(hessian, 2), rel=1e-9)
    assert fun.smoothness >= np.linalg.norm(hessian, 2)


def test_start_is_the_mean():
    fun = problems.least_squares(np.zeros((4, 2), np.float32), [1, 2, 3, 6])
    np.testing.assert_array_equal(fun.x0, np.array([0, 0, 3], np.float32))
    assert fun.x0.dtype == np.float32
    assert fun(fun.x0)[0] == (4 + 1 + 0 + 9) / 8


def test_r2_of_a_constant_target():
    fun = problems.least_squares([[1.0], [2.0]], [5.0, 5.0])
    assert fun.r2([0.0, 5.0]) == 1.0
    assert fun.r2([1.0, 5.0]) == 0.0


def test_float32_sums_in_float64():
    # in float32 a sum of squares stands still at 2^24
    n = 1 << 20
    fun = problems.least_squares(np.ones((n, 1), np.float32), np.zeros(n), intercept=False)
    w = np.full(1, 100.1, np.float32)
    assert fun(w)[0] == pytest.approx(float(w[0]) ** 2 / 2, rel=1e-12)
