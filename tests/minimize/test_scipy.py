"""`scipy_method`: a drop-in for ``scipy.optimize.minimize``."""

import numpy as np
import pytest
import scipy
import scipy.optimize
from recorded import ALL_METHODS, STOPPED, quadratic

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])
SCIPY = tuple(int(part) for part in scipy.__version__.split(".")[:2])


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
def test_without_a_gradient_differences_stand_for_it(jac):
    # SciPy hands all of them to a callable method as None.
    result = through_scipy(value, jac=jac)
    expected = mdbopt.minimize(value, X0)
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.success
    assert result.message == expected.message
    assert result.nfev == expected.nfev == 4 * result.njev


def test_differences_count_evaluations_as_scipy_does():
    calls = []

    def counted(x):
        calls.append(1)
        return value(x)

    for method in (mdbopt.scipy_method(), "BFGS", "L-BFGS-B"):
        calls.clear()
        result = scipy.optimize.minimize(counted, X0, method=method)
        assert result.nfev == len(calls) == 4 * result.njev


@pytest.mark.parametrize(
    "constraints",
    [
        {"type": "eq", "fun": lambda x: x[0] - 0.3},
        [{"type": "ineq", "fun": lambda x: x[0]}],
        scipy.optimize.LinearConstraint(np.ones((1, 3)), 0, 1),
        scipy.optimize.NonlinearConstraint(lambda x: x[0], 0, 1),
    ],
)
def test_constraints_are_refused(constraints):
    with pytest.raises(ValueError, match=r"constraints: .*SLSQP"):
        through_scipy(constraints=constraints)
    assert scipy.optimize.minimize(value, X0, method="SLSQP", constraints=constraints).success


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


@pytest.mark.parametrize(
    ("limit", "words"),
    [("maxiter", "Maximum number of iterations has been exceeded"),
     ("maxfun", "Maximum number of function evaluations has been exceeded")],
)  # fmt: skip
def test_with_disp_a_run_that_fails_warns_in_the_words_of_scipy(limit, words, capfd):
    with pytest.warns(scipy.optimize.OptimizeWarning, match=words) as caught:
        result = through_scipy(options={"disp": True, limit: 2})
    assert [str(warning.message) for warning in caught] == [result.message]
    assert caught[0].filename == __file__
    assert f"evaluations {result.nfev}" in capfd.readouterr().out
    through_scipy(options={"disp": False, limit: 2})


@pytest.mark.parametrize("limit", [3.5, 3.0000001, np.float64(4.0), 4])
def test_limits_may_be_any_numbers(limit):
    assert through_scipy(options={"maxiter": limit}).nit == 4
    assert through_scipy(options={"maxfun": limit}).nfev == 4


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


@pytest.mark.parametrize("limit", [-1, -0.5, -1e300])
def test_limits_below_the_least_are_the_least(limit):
    for method in (mdbopt.scipy_method(), "BFGS"):
        result = scipy.optimize.minimize(
            BOWL, X0, jac=True, method=method, options={"maxiter": limit}
        )
        assert (result.nit, result.status, result.success) == (0, 1, False)
    assert through_scipy(options={"maxfun": limit}).nfev == 1


@pytest.mark.parametrize("limit", ["many", True, np.nan])
def test_limits_that_are_no_numbers_are_refused(limit):
    with pytest.raises((TypeError, ValueError), match="maxiter"):
        through_scipy(options={"maxiter": limit})


@pytest.mark.parametrize("jac", [True, gradient])
def test_options_of_differences_may_stand_beside_a_gradient(jac):
    known = {"eps": 1e-8, "finite_diff_rel_step": None}
    newer = {"workers": map}  # which SciPy's own methods know from 1.16 on
    of_scipy = known | (newer if SCIPY >= (1, 16) else {})
    fun = BOWL if jac is True else value
    for method, options in ((mdbopt.scipy_method(), known | newer), ("BFGS", of_scipy)):
        result = scipy.optimize.minimize(fun, X0, jac=jac, method=method, options=options)
        assert result.nfev == result.njev


@pytest.mark.parametrize(
    ("kind", "words"),
    [("hess", r"Hessian information \(hess\)"),
     ("hessp", r"Hessian-vector product information \(hessp\)")],
)  # fmt: skip
def test_second_derivatives_are_not_used(kind, words):
    def never(*args):
        raise AssertionError("a second derivative was asked for")

    # The words of SciPy's own methods, as BFGS says them.
    with pytest.warns(RuntimeWarning, match=f"Method guarded does not use {words}.") as caught:
        result = through_scipy(**{kind: never})
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=f"Method BFGS does not use {words}."):
        scipy.optimize.minimize(BOWL, X0, jac=True, method="BFGS", **{kind: never})
    np.testing.assert_array_equal(result.x, through_scipy().x)


def test_an_objective_that_is_minus_infinity_somewhere_ends_there():
    def downhill(x):
        with np.errstate(over="ignore"):
            return -float(np.sum(np.exp(x))), -np.exp(x)

    result = through_scipy(downhill, np.zeros(3))
    assert (result.status, result.success, result.fun) == (3, False, -np.inf)
    assert result.message.startswith("The problem is unbounded")
    assert downhill(result.x)[0] == -np.inf
    # `minimize` ends at the last point that is a number.
    assert np.isfinite(mdbopt.minimize(downhill, np.zeros(3), jac=True).fun)


def test_one_that_falls_for_ever_ends_at_a_number():
    result = through_scipy(lambda x: (float(-x[0]), -np.ones(1)), np.zeros(1))
    assert result.status == 3
    assert result.message.startswith("The problem is unbounded")
    assert result.fun == -result.x[0]
    assert np.isfinite(result.fun)


def test_minus_infinity_on_the_way_to_a_minimum_is_not_the_end():
    def pit(x):
        return (-np.inf, np.ones(1)) if x[0] < -10.0 else (float(x[0] ** 2), 2 * x)

    result = through_scipy(pit, np.ones(1), method="box", options={"initial_scale": 1e3})
    assert -np.inf in result.trace["f"]
    assert result.success
    assert result.fun < 1e-12


@pytest.mark.parametrize("f", [np.nan, np.inf])
def test_a_start_that_is_not_finite_ends_in_the_words_of_scipy(f):
    result = through_scipy(lambda x: (f, x))
    assert (result.status, result.success, result.nfev) == (3, False, 1)
    assert result.message.startswith("NaN result encountered")


def test_no_descent_ends_in_the_words_of_scipy():
    result = through_scipy(lambda x: (BOWL(x)[0], -BOWL(x)[1]))
    assert (result.status, result.success) == (2, False)
    assert result.message.startswith("Desired error not necessarily achieved due to precision loss")


def test_fun_is_called_once_a_point_though_it_writes():
    calls = []

    def writes(x):
        calls.append(1)
        answer = BOWL(x)
        x[:] = 7.0
        return answer

    result = through_scipy(writes)
    assert result.nfev == len(calls)
    np.testing.assert_array_equal(result.x, through_scipy().x)


@pytest.mark.parametrize("args", [2.0, [1.0, 2.0], np.ones(2)])
def test_args_that_are_no_tuple_are_one_argument(args):
    seen = []

    def fun(x, *given):
        seen.append(given)
        return BOWL(x)

    through_scipy(fun, args=args)
    assert all(len(given) == 1 and given[0] is args for given in seen)


@pytest.mark.parametrize("call", [
    lambda: scipy.optimize.minimize(BOWL, X0, jac=True, method=mdbopt.scipy_method),
    lambda: scipy.optimize.minimize(value, X0, method=mdbopt.scipy_method, tol=1e-3),
    lambda: mdbopt.scipy_method(BOWL),
    lambda: mdbopt.scipy_method("guarded", "box"),
    lambda: mdbopt.scipy_method(method="box"),
])  # fmt: skip
def test_without_parentheses_it_says_so(call):
    with pytest.raises(TypeError, match=r"scipy_method: .*mdbopt\.scipy_method\(\)"):
        call()
    method = mdbopt.scipy_method()
    assert scipy.optimize.minimize(BOWL, X0, jac=True, method=method).success


def rastrigin(x):
    return float(np.sum(x**2 - 10 * np.cos(2 * np.pi * x)) + 10 * x.size)


def rastrigin_gradient(x):
    return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


@pytest.mark.parametrize("jac", [None, rastrigin_gradient])
def test_it_is_the_local_search_of_basinhopping(jac):
    minimizer = {"method": mdbopt.scipy_method(), "jac": jac}
    result = scipy.optimize.basinhopping(
        rastrigin, np.full(2, 1.3), niter=40, minimizer_kwargs=minimizer, rng=1
    )
    np.testing.assert_allclose(result.x, 0.0, atol=1e-6)


def test_basinhopping_takes_the_pair():
    minimizer = {"method": mdbopt.scipy_method(), "jac": True}
    result = scipy.optimize.basinhopping(
        BOWL, X0, niter=3, minimizer_kwargs=minimizer, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(result.x, 0.3, atol=1e-7)


@pytest.mark.parametrize("jac", [None, rastrigin_gradient])
def test_it_is_the_local_search_of_dual_annealing(jac):
    minimizer = {"method": mdbopt.scipy_method(), "jac": jac}
    result = scipy.optimize.dual_annealing(
        rastrigin, [(-5, 5)] * 2, maxiter=30, minimizer_kwargs=minimizer, rng=0
    )
    np.testing.assert_allclose(result.x, 0.0, atol=1e-6)


def test_messages_and_warnings_have_the_words_of_the_installed_scipy():
    def warned(method):
        with pytest.warns(scipy.optimize.OptimizeWarning) as caught:
            scipy.optimize.minimize(
                BOWL, X0, jac=True, method=method, options={"disp": True, "maxiter": 1, "other": 1}
            )
        return [str(warning.message) for warning in caught]

    ours, theirs = warned(mdbopt.scipy_method()), warned("BFGS")
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.startswith(its.rstrip("."))
