"""`scipy_method`: a drop-in for ``scipy.optimize.minimize``."""

import numpy as np
import pytest
import scipy.optimize
from recorded import ALL_METHODS, STOPPED, quadratic

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])


def value(x, *args):
    return BOWL(x)[0]


def gradient(x, *args):
    return BOWL(x)[1]


def through_scipy(fun=BOWL, x0=X0, jac=True, method="guarded", **arguments):
    return scipy.optimize.minimize(
        fun, x0, jac=jac, method=mdbopt.scipy_method(method), **arguments
    )


@pytest.mark.parametrize("jac", [True, gradient])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_it_is_minimize(method, jac):
    fun = BOWL if jac is True else value
    result = through_scipy(fun, jac=jac, method=method)
    expected = mdbopt.minimize(fun, X0, jac=jac, method=method)
    assert isinstance(result, scipy.optimize.OptimizeResult)
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.success
    for name in ("fun", "nit", "nfev", "njev", "status", "message", "ncut"):
        assert result[name] == expected[name]


def test_the_default_method_is_guarded():
    assert repr(mdbopt.scipy_method()) == repr(mdbopt.scipy_method("guarded"))
    assert mdbopt.scipy_method().name == "guarded"


@pytest.mark.parametrize("name", ["lbfgs", "", None, 3])
def test_unknown_methods_are_refused_at_once(name):
    with pytest.raises((TypeError, ValueError), match="method"):
        mdbopt.scipy_method(name)


@pytest.mark.parametrize("jac", [None, False, "2-point", "3-point", "cs"])
def test_a_gradient_is_needed(jac):
    with pytest.raises(ValueError, match="jac"):
        through_scipy(value, jac=jac)


def test_bounds_are_refused():
    with pytest.raises(ValueError, match="bounds"):
        through_scipy(bounds=[(0, 1)] * 3)


def test_bounds_objects_are_refused():
    with pytest.raises(ValueError, match="bounds"):
        through_scipy(bounds=scipy.optimize.Bounds(np.zeros(3), np.ones(3)))


@pytest.mark.parametrize(
    "constraints",
    [
        {"type": "eq", "fun": lambda x: x[0]},
        [{"type": "ineq", "fun": lambda x: x[0]}],
        scipy.optimize.LinearConstraint(np.ones((1, 3)), 0, 1),
        scipy.optimize.NonlinearConstraint(lambda x: x[0], 0, 1),
    ],
)
def test_constraints_are_refused(constraints):
    with pytest.raises(ValueError, match="constraints"):
        through_scipy(constraints=constraints)


@pytest.mark.parametrize("constraints", [(), [], {}])
def test_no_constraints_in_any_form_pass(constraints):
    assert through_scipy(constraints=constraints, bounds=None).success


@pytest.mark.filterwarnings("error")
def test_tol_reaches_the_method():
    result = through_scipy(tol=1e-2)
    assert 1e-8 < np.abs(result.jac).max() <= 1e-2


def test_options_reach_the_method():
    assert through_scipy(options={"maxfun": 4}).nfev == 4
    assert through_scipy(method="box", options={"maxiter": 3, "forward": 2.0}).nit == 3
    assert "allvecs" in through_scipy(options={"return_all": True})


def test_unknown_options_warn():
    with pytest.warns(scipy.optimize.OptimizeWarning, match="maxcor"):
        through_scipy(options={"maxcor": 5})


def test_disp_prints(capfd):
    result = through_scipy(options={"disp": True})
    assert capfd.readouterr().out.startswith(result.message)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_float32_is_kept(method):
    dtypes = set()

    def fun(x):
        dtypes.add(x.dtype)
        return BOWL(x)

    result = through_scipy(fun, X0.astype(np.float32), method=method)
    assert dtypes == {np.dtype(np.float32)}
    assert result.x.dtype == np.float32


@pytest.mark.parametrize("jac", [True, gradient])
def test_args(jac):
    seen = []

    def fun(x, *args):
        seen.append(args)
        return BOWL(x) if jac is True else value(x)

    through_scipy(fun, jac=jac, args=(2.0, "three"))
    assert set(seen) == {(2.0, "three")}


def test_plain_callback():
    points = []
    result = through_scipy(callback=lambda x: points.append(x))
    assert len(points) == result.nit
    np.testing.assert_array_equal(points[-1], result.x)


def test_rich_callback():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)

    result = through_scipy(callback=callback)
    assert len(seen) == result.nit
    assert seen[-1].fun == result.fun
    np.testing.assert_array_equal(seen[-1].x, result.x)


@pytest.mark.parametrize("rich", [False, True])
def test_stop_iteration_gives_status_99(rich):
    def plain(x):
        raise StopIteration

    def by_name(intermediate_result):
        raise StopIteration

    result = through_scipy(callback=by_name if rich else plain)
    assert (result.status, result.success, result.nit) == (STOPPED, False, 1)


def test_true_gives_status_99():
    assert through_scipy(callback=lambda x: True).status == STOPPED


def test_exceptions_pass():
    raised = FloatingPointError("mine")

    def fun(x):
        raise raised

    with pytest.raises(FloatingPointError) as caught:
        through_scipy(fun)
    assert caught.value is raised


def test_x0_is_not_written_and_lists_serve():
    x0 = X0.copy()
    result = through_scipy(x0=x0)
    np.testing.assert_array_equal(x0, X0)
    np.testing.assert_array_equal(through_scipy(x0=X0.tolist()).x, result.x)


@pytest.mark.parametrize("kind", ["hess", "hessp"])
def test_second_derivatives_are_ignored(kind):
    def never(*args):
        raise AssertionError("a second derivative was asked for")

    np.testing.assert_array_equal(through_scipy(**{kind: never}).x, through_scipy().x)


def test_it_drives_basinhopping():
    minimizer = {"method": mdbopt.scipy_method(), "jac": True}
    result = scipy.optimize.basinhopping(
        BOWL, X0, niter=3, minimizer_kwargs=minimizer, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(result.x, 0.3, atol=1e-7)
