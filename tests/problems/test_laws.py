"""Laws that hold for every data set: convexity, the smoothness constants, finite extremes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")
CASES = settings(max_examples=40, deadline=None, derandomize=True)
LOSSES = st.sampled_from(["logistic", "least_squares", "smoothed_svm", "softmax"])


@st.composite
def problem(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, features = draw(st.integers(3, 12)), draw(st.integers(1, 5))
    scales = 10.0 ** draw(
        st.lists(st.integers(-3, 3), min_size=features, max_size=features).map(np.array)
    )
    X = rng.standard_normal((n, features)) * scales
    name = draw(LOSSES)
    classes = 3 if name == "softmax" else 2
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    options = {"smoothing": draw(st.sampled_from([0.1, 1.0]))} if name == "smoothed_svm" else {}
    l2 = draw(st.sampled_from([0.0, 1e-3, 1.0]))
    options |= {"intercept": draw(st.booleans()), "penalize_intercept": draw(st.booleans())}
    fun = getattr(problems, name)(X, y, l2, **options)
    reach = 10.0 ** draw(st.integers(-3, 2))
    return fun, reach * rng.standard_normal(fun.d), reach * rng.standard_normal(fun.d)


@CASES
@given(problem())
def test_convex_and_smooth(case):
    fun, w, v = case
    (f_w, g_w), (f_v, g_v) = fun(w), fun(v)
    s = v - w
    rounding = 1e-12 * (1 + abs(f_w) + abs(f_v) + np.abs(g_w) @ np.abs(s))
    divergence = f_v - f_w - g_w @ s
    assert divergence >= -rounding
    assert divergence <= fun.smoothness / 2 * (s @ s) + rounding
    curvature = (g_v - g_w) @ s
    assert curvature <= fun.smoothness * (s @ s) * (1 + 1e-12) + rounding


@CASES
@given(problem(), st.data())
def test_smooth_along_each_coordinate(case, data):
    fun, w, v = case
    j = data.draw(st.integers(0, fun.d - 1))
    step = v[j]
    moved = w.copy()
    moved[j] += step
    change = abs(fun(moved)[1][j] - fun(w)[1][j])
    bound = fun.coordinate_smoothness[j] * abs(step)
    assert change <= bound * (1 + 1e-9) + 1e-12 * (1 + abs(fun(w)[1][j]) + abs(fun(moved)[1][j]))


@CASES
@given(problem())
def test_the_hessian_stays_below_the_bounds(case):
    fun, w, _ = case
    diagonal = fun.hessian_diagonal(w)
    assert np.all(diagonal >= 0)
    assert np.all(diagonal <= fun.coordinate_smoothness * (1 + 1e-12))
    assert fun.coordinate_smoothness.max() <= fun.smoothness * (1 + 1e-12)


@CASES
@given(
    st.sampled_from(["logistic", "smoothed_svm", "softmax"]),
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=6),
    st.floats(1e-300, 1.0),
)
def test_extreme_margins_are_finite(name, column, weight):
    X = np.array(column)[:, None]
    fun = getattr(problems, name)(X, np.arange(len(X)) % 2, intercept=False)
    w = np.full(fun.d, weight)
    if name == "softmax":
        w[1] = -weight
    with np.errstate(all="raise"):
        f, g = fun(w)
    assert np.isfinite(f)
    assert f >= 0
    assert np.isfinite(g).all()
    assert np.isfinite(fun.hessian_diagonal(w)).all() or np.abs(X).max() > 1e150


@CASES
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(-150, 150))
def test_quadratic_bounds(d, seed, power):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((d, d))
    A = (A + A.T) * 2.0**power
    fun = problems.quadratic(A, rng.standard_normal(d))
    s = rng.standard_normal(d)
    assert abs(s @ A @ s) <= fun.smoothness * (s @ s) * (1 + 1e-12)
    assert fun.smoothness == pytest.approx(np.linalg.norm(A, 2), rel=1e-9)
    np.testing.assert_array_equal(fun.coordinate_smoothness, np.abs(np.diag(A)))
