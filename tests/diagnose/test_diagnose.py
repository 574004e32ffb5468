"""mdbopt.diagnose: what it measures, what it names, and what it says of bad input."""

import numpy as np
import pytest

import mdbopt
from mdbopt import problems

H = np.array([1.0, 1e6, 3.0])


def quadratic(x):
    return 0.5 * float(H @ x**2), H * x


def test_a_badly_scaled_quadratic():
    found = mdbopt.diagnose(quadratic, np.ones(3))
    assert found.method == "guarded"
    assert found.facts.scale_spread == pytest.approx(1e3, rel=1e-4)
    assert found.facts.condition == pytest.approx(1e6, rel=1e-4)
    assert found.facts.jacobi_condition == pytest.approx(1.0, rel=1e-4)
    assert found.facts.convex
    assert found.facts.smoothness.quadratic
    assert found.facts.gradient.right
    assert "1e+06 to 1" in str(found)


def test_evaluations_are_counted():
    calls = []
    found = mdbopt.diagnose(lambda x: calls.append(0) or quadratic(x), np.ones(3))
    assert found.evaluations == len(calls)


@pytest.mark.parametrize(("d", "place"), [(3, 2), (300, 217)])
def test_a_wrong_coordinate_is_named(d, place):
    scales = np.geomspace(1.0, 1e6, d)

    def wrong(x):
        g = scales * x
        g[place] *= 2.0
        return 0.5 * float(scales @ x**2), g

    found = mdbopt.diagnose(wrong, np.ones(d))
    assert found.method is None
    assert found.facts.gradient.coordinate == place
    assert f"coordinate {place} " in found.reason


@pytest.mark.parametrize(
    ("fun", "x0", "words"),
    [
        (lambda x: (np.nan, x), [1.0, 2.0], "f is nan at x0"),
        (lambda x: (1.0, np.array([1.0, np.nan])), [1.0, 2.0], "coordinate 1 of its gradient"),
        (lambda x: (3.0, 0.0 * x), [1.0, 2.0], "does not change"),
        (quadratic, [0.0, 0.0, 0.0], "x0 is a minimum"),
        (lambda x: (float(x[0] ** 2 - x[1] ** 2), np.array([2.0, -2.0]) * x), [0.0, 0.0], "little"),
    ],
)
def test_no_method_is_named(fun, x0, words):
    found = mdbopt.diagnose(fun, np.array(x0))
    assert found.method is None
    assert words in found.reason


def test_without_a_gradient():
    found = mdbopt.diagnose(lambda x: quadratic(x)[0], np.ones(3))
    assert found.facts.gradient is None
    assert "no gradient was given" in str(found)
    assert found.facts.condition == pytest.approx(1e6, rel=1e-2)


def test_one_variable():
    assert "one variable" in mdbopt.diagnose(lambda x: (float(x @ x), 2 * x), np.ones(1)).reason


def test_a_kink():
    found = mdbopt.diagnose(lambda x: (float(abs(x).sum()), np.sign(x)), np.array([1.0, 0.3]))
    assert not found.facts.smoothness.continuous
    assert "kink" in str(found)


def test_noise():
    draw = np.random.default_rng(0)
    noisy = lambda x: (quadratic(x)[0] * (1 + 1e-5 * draw.standard_normal()), H * x)  # noqa: E731
    assert 2e-6 < mdbopt.diagnose(noisy, np.ones(3)).facts.noise < 5e-5
    assert mdbopt.diagnose(quadratic, np.ones(3)).facts.noise < 1e-14


def test_classes_and_many_variables():
    draw = np.random.default_rng(1)
    X = draw.standard_normal((400, 60)) * np.geomspace(1e-2, 1e2, 60)
    y = (np.arange(400) < 8).astype(float)
    fun = problems.logistic(X, y, l2=1e-2)
    found = mdbopt.diagnose(fun, fun.x0)
    assert found.facts.class_shares == pytest.approx((0.98, 0.02))
    assert "sample_weight" in str(found)
    assert not found.facts.exact_condition


@pytest.mark.parametrize(
    ("fun", "x0", "error"), [(3, [1.0], TypeError), (quadratic, [], ValueError),
                             (quadratic, [np.nan], ValueError)],
)  # fmt: skip
def test_bad_input(fun, x0, error):
    with pytest.raises(error, match=r"fun:|x0:"):
        mdbopt.diagnose(fun, np.array(x0))
