"""Bounds: infinite ones are none, in every form that SciPy takes; all others are refused."""

import numpy as np
import pytest
import scipy.optimize
from recorded import quadratic

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])
INF = np.inf


def direct(**arguments):
    return mdbopt.minimize(BOWL, X0, jac=True, **arguments)


def through_scipy(**arguments):
    method = mdbopt.scipy_method()
    return scipy.optimize.minimize(BOWL, X0, jac=True, method=method, **arguments)


BOTH = pytest.mark.parametrize("minimize", [direct, through_scipy])


@pytest.mark.parametrize(
    "bounds",
    [
        None,
        [(None, None)] * 3,
        ((None, INF), (-INF, None), (-INF, INF)),
        [[-INF, INF]] * 3,
        np.array([[-INF, INF]] * 3),
        np.array([[None, None]] * 3),
        scipy.optimize.Bounds(),
        scipy.optimize.Bounds(-INF, INF),
        scipy.optimize.Bounds([-INF] * 3, [INF] * 3),
        scipy.optimize.Bounds(-INF, np.full(3, INF)),
        scipy.optimize.Bounds(np.full(3, -INF), INF, keep_feasible=True),
        [],
        (),
    ],
)
@BOTH
def test_infinite_bounds_are_no_bounds(minimize, bounds):
    result, expected = minimize(bounds=bounds), minimize()
    np.testing.assert_array_equal(result.x, expected.x)
    assert (result.nfev, result.message) == (expected.nfev, expected.message)


@BOTH
def test_pairs_may_come_one_by_one(minimize):
    assert minimize(bounds=zip([-INF] * 3, [None] * 3, strict=True)).success


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        ([(0, 1)] * 3, r"\(0, 1\) for variable 0"),
        ([(None, None), (None, None), (None, 5)], r"\(-inf, 5\) for variable 2"),
        ([(None, None), (-1, None), (None, 5)], r"\(-1, inf\) for variable 1"),
        ([(INF, INF)] * 3, r"\(inf, inf\) for variable 0"),
        ([(None, -INF)] * 3, r"\(-inf, -inf\) for variable 0"),
        ([(np.nan, None)] * 3, r"\(nan, inf\) for variable 0"),
        (scipy.optimize.Bounds(0.0, INF), r"\(0, inf\) for variable 0"),
        (scipy.optimize.Bounds([-INF, -INF, -1], [INF, INF, 1]), r"\(-1, 1\) for variable 2"),
        (scipy.optimize.Bounds([-INF, 2, -INF], [INF, 2, INF]), r"\(2, 2\) for variable 1"),
    ],
)
@BOTH
def test_others_are_refused_by_the_variable(minimize, bounds, named):
    with pytest.raises(ValueError, match=rf"^bounds: .*{named}.*method='L-BFGS-B'"):
        minimize(bounds=bounds)


@pytest.mark.parametrize(
    "bounds",
    [[(None, None)] * 2, [(-INF, INF)] * 4, scipy.optimize.Bounds([-INF] * 2, [INF] * 2)],
)
@BOTH
def test_their_number_is_that_of_the_variables(minimize, bounds):
    with pytest.raises(ValueError, match=r"number of bounds is not compatible.*expected 3, got"):
        minimize(bounds=bounds)


@pytest.mark.parametrize("bounds", [5, "abc", [1, 2, 3], [(0, 1, 2)] * 3, [("a", "b")] * 3])
@BOTH
def test_what_is_no_bounds_is_refused(minimize, bounds):
    with pytest.raises(ValueError, match=r"^bounds: expected a scipy\.optimize\.Bounds or one"):
        minimize(bounds=bounds)


def test_nothing_is_evaluated_before():
    def unreachable(x):
        raise AssertionError("the objective was evaluated")

    with pytest.raises(ValueError, match="bounds"):
        mdbopt.minimize(unreachable, X0, jac=True, bounds=[(0, 1)] * 3)
