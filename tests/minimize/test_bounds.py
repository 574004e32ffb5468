"""`minimize` within bounds: every form of SciPy's, x0 outside, differences, what is refused."""

import warnings

import numpy as np
import pytest
import scipy.optimize
from recorded import quadratic

import mdbopt
from mdbopt._minimize.methods import bounded_methods

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])
INF = np.inf
Bounds = scipy.optimize.Bounds


def direct(fun=BOWL, x0=X0, **arguments):
    return mdbopt.minimize(fun, x0, jac=True, **arguments)


def through_scipy(fun=BOWL, x0=X0, **arguments):
    method = mdbopt.scipy_method()
    return scipy.optimize.minimize(fun, x0, jac=True, method=method, **arguments)


BOTH = pytest.mark.parametrize("minimize", [direct, through_scipy])


def watched(fun, lower, upper):
    """Return fun, which fails where it is asked outside of the bounds."""

    def inside(x, *args):
        assert ((x >= lower) & (x <= upper)).all()
        return fun(x, *args)

    return inside


def table(dtype=np.float64, seed=0, rows=50, size=12, decades=2.0):
    """Return least squares in columns of different units, and the units of its variables."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, size)) * 10.0 ** rng.uniform(-decades, decades, size)
    units = 1 / np.abs(X).max(axis=0)
    y = X @ (units * rng.normal(size=size))

    def fun(w):
        rest = X @ w.astype(float) - y
        return float(0.5 * rest @ rest / rows), (X.T @ rest / rows).astype(dtype)

    return fun, units


@pytest.mark.parametrize(
    "bounds",
    [
        None,
        [(None, None)] * 3,
        ((None, INF), (-INF, None), (-INF, INF)),
        np.array([[-INF, INF]] * 3),
        np.array([[None, None]] * 3),
        Bounds(),
        Bounds([-INF] * 3, [INF] * 3),
        Bounds(np.full(3, -INF), INF, keep_feasible=True),
        [],
    ],
)
@BOTH
def test_infinite_bounds_are_no_bounds(minimize, bounds):
    result, expected = minimize(bounds=bounds), minimize()
    np.testing.assert_array_equal(result.x, expected.x)
    assert (result.nfev, result.message) == (expected.nfev, expected.message)
    assert "active" not in result


@pytest.mark.parametrize(
    "bounds",
    [
        [(0, 0.2)] * 3,
        ((0, 0.2),) * 3,
        np.array([[0, 0.2]] * 3),
        Bounds(0, 0.2),
        Bounds([0] * 3, [0.2] * 3),
        Bounds(np.zeros(3), 0.2, keep_feasible=True),
    ],
)
@BOTH
def test_every_form_holds(minimize, bounds):
    fun = watched(BOWL, 0, 0.2)
    result = minimize(fun, np.full(3, 0.1), bounds=bounds)
    assert (result.status, result.success) == (0, True)
    np.testing.assert_array_equal(result.x, [0.2] * 3)
    np.testing.assert_array_equal(result.active, [1] * 3)
    assert "projected g" in result.message


@BOTH
def test_pairs_may_come_one_by_one(minimize):
    result = minimize(x0=np.full(3, 0.1), bounds=zip([0] * 3, [0.2] * 3, strict=True))
    np.testing.assert_array_equal(result.active, [1] * 3)


def test_x0_outside_is_clipped_with_a_warning():
    fun = watched(BOWL, 0, 0.5)
    with pytest.warns(scipy.optimize.OptimizeWarning, match=r"^x0: .*got 1 for variable 0") as seen:
        result = direct(fun, bounds=[(0, 0.5)] * 3)
    assert seen[0].filename == __file__
    np.testing.assert_allclose(result.x, 0.3, atol=1e-8)
    np.testing.assert_array_equal(result.active, [0] * 3)
    with pytest.warns(scipy.optimize.OptimizeWarning, match="^x0: "):
        through_scipy(fun, bounds=Bounds(0, 0.5))


def test_equal_bounds_fix_a_variable():
    result = direct(x0=np.array([0.0, -2.0, 3.0]), bounds=[(None, None), (-2, -2), (0.5, None)])
    np.testing.assert_allclose(result.x, [0.3, -2.0, 0.5], atol=1e-8)
    np.testing.assert_array_equal(result.active, [0, -1, -1])


def test_where_all_is_fixed_x0_is_the_result():
    result = direct(bounds=[(x, x) for x in X0])
    assert (result.status, result.nfev) == (0, 1)
    np.testing.assert_array_equal(result.x, X0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", bounded_methods())
def test_every_method_finds_the_minimiser(method, dtype):
    fun, units = table(dtype, decades=0.2)
    lower, upper = -0.2 * units, np.where(np.arange(units.size) % 3, 0.4 * units, INF)
    options = {"candidate": "plain"} if method == "ellipsoid" else {}
    inside = watched(fun, lower, upper)
    x0 = np.zeros(units.size, dtype)
    result = direct(inside, x0, bounds=Bounds(lower, upper), method=method,
                    options={"gtol": 0.0, "maxiter": 2000, **options})  # fmt: skip
    expected = scipy.optimize.lsq_linear(*rows_of(fun, units.size), bounds=(lower, upper))
    f0, least = fun(x0)[0], fun(expected.x)[0]
    assert result.x.dtype == dtype
    assert result.fun <= least + (1e-5 if dtype == np.float64 else 1e-3) * (f0 - least)
    assert (np.asarray(result.trace["gmax"])[1:] >= 0).all()


def rows_of(fun, size):
    """Return A and b with ½‖Ax − b‖² = fun(x) but for a constant."""
    g0 = fun(np.zeros(size))[1].astype(float)
    hessian = np.stack([fun(e)[1] - g0 for e in np.eye(size)]).astype(float)
    factor = np.linalg.cholesky((hessian + hessian.T) / 2).T
    return factor, np.linalg.solve(factor.T, -g0)


@pytest.mark.parametrize("seed", range(8))
def test_guarded_needs_fewer_evaluations_than_lbfgsb_on_raw_columns(seed):
    fun, _ = table(seed=seed, rows=80, size=20)
    bounds = Bounds(np.zeros(20), np.full(20, INF))
    expected = scipy.optimize.lsq_linear(*rows_of(fun, 20), bounds=(bounds.lb, bounds.ub))
    goal = fun(expected.x)[0] + 1e-8 * fun(np.zeros(20))[0]

    def evaluations(minimise):
        seen = []

        def counted(x):
            seen.append(fun(x))
            return seen[-1]

        minimise(counted)
        values = np.array([f for f, _ in seen])
        hit = np.flatnonzero(values <= goal)
        return hit[0] if hit.size else np.inf

    ours = evaluations(lambda f: direct(f, np.zeros(20), bounds=bounds, options={"gtol": 0.0}))
    theirs = evaluations(
        lambda f: scipy.optimize.minimize(
            f, np.zeros(20), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"gtol": 0.0, "ftol": 0.0, "maxfun": 3000},
        )
    )  # fmt: skip
    assert ours < theirs


def test_converged_means_the_projected_gradient():
    result = direct(x0=np.full(3, 0.1), bounds=[(0, 0.2)] * 3)
    assert np.abs(result.jac).max() > 0.01
    assert result.trace["gmax"][-1] == 0
    np.testing.assert_allclose(result.trace["gmax"][0], 0.1)  # the room to the bound is less than g


def test_float32_bounds_are_rounded_inwards():
    fun = quadratic([1.0, 4.0], centre=-1.0)
    x0 = np.array([0.5, 0.5], np.float32)
    result = direct(fun, x0, bounds=[(0.1, 1), (1 / 3, 1)])
    assert (result.x >= np.array([0.1, 1 / 3])).all()
    np.testing.assert_array_equal(result.active, [-1, -1])


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
def test_differences_stay_within(jac):
    lower, upper = np.array([0.0, 0.25, 0.5, 1.0]), np.array([0.2, 0.25, 0.5 + 1e-9, INF])

    def value(x):
        assert ((x.real >= lower) & (x.real <= upper)).all()
        return ((x - 0.9) ** 2).sum() + (x**3).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = mdbopt.minimize(
            value, np.array([0.1, 0.25, 0.5, 1.5]), jac=jac, bounds=Bounds(lower, upper)
        )
    np.testing.assert_allclose(result.x, [0.2, 0.25, 0.5, 1.0], atol=1e-6)
    np.testing.assert_array_equal(result.active[[0, 1, 3]], [1, -1, -1])
    exact = 2 * (result.x - 0.9) + 3 * result.x**2
    tight = {"2-point": 1e-6, "3-point": 1e-8, "cs": 1e-14}[jac]
    np.testing.assert_allclose(result.jac[[0, 3]], exact[[0, 3]], rtol=tight)


def test_a_run_resumes_within_its_bounds(tmp_path):
    fun, units = table()
    path = tmp_path / "run.npz"
    bounds = Bounds(-0.1 * units, 0.3 * units)
    whole = direct(fun, np.zeros(12), bounds=bounds)
    direct(fun, np.zeros(12), bounds=bounds, options={"maxiter": 9}, checkpoint=path)
    resumed = direct(fun, np.zeros(12), bounds=bounds, resume=path)
    np.testing.assert_array_equal(resumed.x, whole.x)
    assert resumed.nfev == whole.nfev
    for others in (None, Bounds(-0.1 * units, 0.4 * units)):
        with pytest.raises(ValueError, match=r"^resume: .* was written by"):
            direct(fun, np.zeros(12), bounds=others, resume=path)


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        ([(1, 0)] * 3, r"\(1, 0\) for variable 0"),
        ([(None, None), (0, -1), (None, 5)], r"\(0, -1\) for variable 1"),
        ([(INF, INF)] * 3, r"\(inf, inf\) for variable 0"),
        ([(None, -INF)] * 3, r"\(-inf, -inf\) for variable 0"),
        ([(np.nan, None)] * 3, r"\(nan, inf\) for variable 0"),
        (Bounds([-INF, 2, -INF], [INF, np.nan, INF]), r"\(2, nan\) for variable 1"),
    ],
)
@BOTH
def test_impossible_bounds_are_refused_by_the_variable(minimize, bounds, named):
    with pytest.raises(ValueError, match=rf"^bounds: expected lower <= upper.*{named}"):
        minimize(unreachable, bounds=bounds)


def unreachable(x):
    raise AssertionError("the objective was evaluated")


@pytest.mark.parametrize("bounds", [[(0, 1)] * 2, [(-INF, INF)] * 4, Bounds([0] * 2, [1] * 2)])
@BOTH
def test_their_number_is_that_of_the_variables(minimize, bounds):
    with pytest.raises(ValueError, match=r"number of bounds is not compatible.*expected 3, got"):
        minimize(unreachable, bounds=bounds)


@pytest.mark.parametrize(
    ("bounds", "came"),
    [
        (3, "got 3$"),
        ((0, 1), "got 0 for variable 0$"),
        ([(0, 1), ("a", 1), (0, 1)], r"got \('a', 1\) for variable 1$"),
        ([(0, 1), (0, 1), (0, 1, 2)], r"got \(0, 1, 2\) for variable 2$"),
        ([*[(0, 1)] * 2, (list(range(99)), 1)], r"got \(\[0, 1, 2, 3, 4, 5, \.\.\.\], 1\) for var"),
    ],
)
def test_of_bounds_of_another_form_the_first_bad_pair_is_shown(bounds, came):
    with pytest.raises(ValueError, match=f"one pair .lower, upper. for each variable, {came}"):
        mdbopt.minimize(lambda x: float(x @ x), np.zeros(3), bounds=bounds)


@pytest.mark.parametrize("bounds", [5, "abc", [1, 2, 3], [(0, 1, 2)] * 3, [("a", "b")] * 3])
@BOTH
def test_what_is_no_bounds_is_refused(minimize, bounds):
    with pytest.raises(ValueError, match=r"^bounds: expected a scipy\.optimize\.Bounds or one"):
        minimize(unreachable, bounds=bounds)


@pytest.mark.parametrize("method", sorted(set(mdbopt.methods()) - set(bounded_methods())))
def test_methods_that_have_none_say_so(method):
    with pytest.raises(ValueError, match=rf"^bounds: expected none with method '{method}'"):
        direct(unreachable, bounds=[(0, 1)] * 3, method=method)


@pytest.mark.parametrize(
    ("options", "method", "named"),
    [
        ({"cut": "hypergradient"}, "box", "cut: expected cocoercive with bounds"),
        ({"proposer": "cg"}, "guarded", "proposer: expected lbfgs with bounds"),
        ({}, "ellipsoid", "candidate: expected plain with bounds"),
    ],
)
def test_options_that_do_not_go_with_them_say_so(options, method, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        direct(unreachable, np.zeros(3), bounds=[(0, 1)] * 3, method=method, options=options)


def test_they_are_no_option():
    with pytest.raises(TypeError, match=r"^bounds: expected an argument of minimize"):
        direct(unreachable, options={"bounds": [(0, 1)] * 3})
