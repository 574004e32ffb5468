"""The smoothed support vector machine: the three pieces of its loss, and how they join."""

import numpy as np
import pytest

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")


def one_row(m, smoothing):
    """Return loss and slope at margin m, of a row with t = 1 (the other row has z = -2, t = -1)."""
    fun = problems.smoothed_svm([[m], [-2.0]], [1, 0], intercept=False, smoothing=smoothing)
    f, g = fun([1.0])
    return 2 * f, 2 * g[0] / m if m else 0.0


@pytest.mark.parametrize("smoothing", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("m", [-10.0, -1.0, -0.5, 0.1, 0.5, 0.8, 0.99, 1.0, 1.5])
def test_pieces(m, smoothing):
    if m >= 1:
        expected = 0, 0
    elif m > 1 - smoothing:
        expected = (1 - m) ** 2 / (2 * smoothing), -(1 - m) / smoothing
    else:
        expected = 1 - m - smoothing / 2, -1
    assert one_row(m, smoothing) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    # between the hinge and the hinge less eps/2
    hinge = max(0.0, 1 - m)
    assert hinge - smoothing / 2 - 1e-12 <= one_row(m, smoothing)[0] <= hinge + 1e-12


@pytest.mark.parametrize("smoothing", [0.25, 1.0])
def test_the_slope_is_continuous(smoothing):
    for kink in (1.0, 1.0 - smoothing):
        if kink:
            below, above = one_row(kink - 1e-9, smoothing), one_row(kink + 1e-9, smoothing)
            assert below == pytest.approx(above, abs=1e-8)


def test_curvature_at_the_kinks():
    fun = problems.smoothed_svm([[1.0], [-1.0]], [1, 0], intercept=False)
    for w, expected in ((1.0, 1.0), (0.5, 1.0), (0.0, 1.0), (1.01, 0.0), (-0.01, 0.0)):
        assert fun.hessian_diagonal([w]) == [expected]


def test_labels_and_accuracy():
    fun = problems.smoothed_svm([[-1.0], [2.0], [3.0]], ["cat", "dog", "dog"])
    w = [1.0, 0.0]
    assert list(fun.predict(w, [[-5.0], [5.0]])) == ["cat", "dog"]
    assert fun.accuracy(w) == 1.0
    np.testing.assert_array_equal(fun.x0, [0, 0])


@pytest.mark.parametrize("smoothing", [0, -1.0, np.nan, np.inf, 1e-310])
def test_bad_smoothing(smoothing):
    with pytest.raises(ValueError, match="smoothed_svm: smoothing is"):
        problems.smoothed_svm([[1.0], [2.0]], [0, 1], smoothing=smoothing)


def test_smoothing_must_fit_float32():
    with pytest.raises(ValueError, match=r"expected at least 1\.17549e-38"):
        problems.smoothed_svm(np.ones((2, 1), np.float32), [0, 1], smoothing=1e-39)


def test_far_margins():
    fun = problems.smoothed_svm([[1e300], [-1e300]], [0, 1], intercept=False, smoothing=0.5)
    with np.errstate(all="raise"):
        f, g = fun([1.0])
    assert f == pytest.approx(1e300)
    np.testing.assert_allclose(g, 1e300)
