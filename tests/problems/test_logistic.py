"""Logistic regression: its start, its labels, and a real table."""

import numpy as np
import pytest
import scipy.optimize

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), (4.0, 2.5), (False, True), ("no", "yes")])
def test_any_two_labels(labels, rng):
    X = rng.standard_normal((12, 2))
    index = np.arange(12) % 3 == 0
    low, high = sorted(labels)
    y = np.where(index, high, low)
    fun, plain = problems.logistic(X, y), problems.logistic(X, index)
    w = rng.standard_normal(3)
    assert fun(w)[0] == plain(w)[0]
    assert list(fun.classes) == [low, high]
    assert set(fun.predict(w, X)) <= {low, high}
    assert fun.accuracy(w) == np.mean(fun.predict(w, X) == y)


def test_start():
    X = np.zeros((1000, 2))
    y = np.zeros(1000)
    y[:250] = 1
    np.testing.assert_allclose(problems.logistic(X, y).x0, [0, 0, np.log(0.25 / 0.75)])
    y[1:] = 0  # one in a thousand is clipped to one in a hundred
    np.testing.assert_allclose(problems.logistic(X, y).x0, [0, 0, np.log(0.01 / 0.99)])
    np.testing.assert_array_equal(problems.logistic(X, y, intercept=False).x0, [0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_margins(dtype):
    far = 1e300 if dtype == np.float64 else 1e37
    X = np.array([[far], [-far], [0.0]], dtype)
    right = problems.logistic(X, [1, 0, 1], intercept=False)
    wrong = problems.logistic(X, [0, 1, 1], intercept=False)
    w = np.ones(1, dtype)
    with np.errstate(all="raise"):
        assert right(w)[0] == pytest.approx(np.log(2) / 3)
        assert wrong(w)[0] == pytest.approx(2 / 3 * far)
        np.testing.assert_array_equal(right(w)[1], [0])
        np.testing.assert_allclose(wrong(w)[1], [2 / 3 * far], rtol=1e-6)


def test_tiny_losses_keep_their_digits():
    fun = problems.logistic([[1.0], [-1.0]], [1, 0], intercept=False)
    assert fun([40.0])[0] == pytest.approx(np.exp(-40.0), rel=1e-14)
    np.testing.assert_allclose(fun([40.0])[1], -np.exp(-40.0), rtol=1e-14)


def test_breast_cancer():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    fun = problems.logistic(X, y, 1 / len(y))
    found = scipy.optimize.minimize(fun, fun.x0, jac=True, method="L-BFGS-B")
    assert found.success
    assert fun.accuracy(found.x) > 0.98
    # the gradient's Lipschitz constant bounds the decrease of one step of 1/L
    f, g = fun(fun.x0)
    assert fun(fun.x0 - g / fun.smoothness)[0] <= f - g @ g / (2 * fun.smoothness)
