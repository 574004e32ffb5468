"""Softmax regression: layout, start, two classes against the logistic loss, blocks."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt import problems
from mdbopt.problems import _design

pytestmark = pytest.mark.filterwarnings("error")


def test_two_classes_are_logistic(rng):
    X, y = rng.standard_normal((30, 3)), np.arange(30) % 2
    W = rng.standard_normal((4, 2))
    f, g = problems.softmax(X, y)(W.ravel())
    f_logistic, g_logistic = problems.logistic(X, y)(W[:, 1] - W[:, 0])
    assert f == pytest.approx(f_logistic, rel=1e-14)
    np.testing.assert_allclose(g.reshape(4, 2)[:, 1], g_logistic, atol=1e-15)
    np.testing.assert_allclose(g.reshape(4, 2).sum(axis=1), 0, atol=1e-15)


def test_layout_and_start():
    fun = problems.softmax(np.zeros((4, 2)), ["b", "a", "b", "c"])
    assert fun.shape == (3, 3)
    assert list(fun.classes) == ["a", "b", "c"]
    W = fun.x0.reshape(fun.shape)
    np.testing.assert_array_equal(W[:2], 0)
    np.testing.assert_allclose(W[2], np.log([0.25, 0.5, 0.25]))
    W[2] = [0, 0, 1]
    assert list(fun.predict(W.ravel(), [[1.0, 2.0]])) == ["c"]
    assert fun.accuracy(W.ravel()) == 0.25
    rare = problems.softmax(np.zeros((1000, 1)), [0] + [1] * 999, intercept=True)
    np.testing.assert_allclose(rare.x0[2:], np.log([0.01, 0.999]))


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_blocks_change_rounding_only(layout, rng, monkeypatch):
    X, y = rng.standard_normal((101, 3)), rng.permutation(np.arange(101) % 5)
    fun = problems.softmax(layout(X), y, 0.1)
    w = rng.standard_normal(fun.d)
    (f, g), diagonal, accuracy = fun(w), fun.hessian_diagonal(w), fun.accuracy(w)
    monkeypatch.setattr(_design, "BLOCK", 50)
    f_blocks, g_blocks = fun(w)
    assert f_blocks == pytest.approx(f, rel=1e-14)
    np.testing.assert_allclose(g_blocks, g, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(fun.hessian_diagonal(w), diagonal, rtol=1e-13)
    assert fun.accuracy(w) == accuracy == np.mean(fun.predict(w, X) == y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_scores(dtype):
    far = 1e300 if dtype == np.float64 else 1e37
    X = np.array([[far], [-far], [far]], dtype)
    fun = problems.softmax(X, [0, 1, 2], intercept=False)
    w = np.array([1, -1, 0], dtype)
    with np.errstate(all="raise"):
        f, g = fun(w)
    assert f == pytest.approx(far / 3)
    assert np.isfinite(g).all()


def test_smoothness_is_reached():
    # the worst case: two classes at probability 1/2 each
    fun = problems.softmax(np.ones((2, 1)), [0, 1], intercept=False)
    e = np.array([1.0, -1.0]) * 1e-5
    quotient = (fun(e)[1] - fun(-e)[1]) @ e / (2 * e @ e)
    assert fun.smoothness == pytest.approx(0.5)
    assert quotient == pytest.approx(fun.smoothness, rel=1e-8)
