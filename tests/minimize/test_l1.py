"""`minimize` with an l1 penalty: its minimisers, bounds, differences, files, what is refused."""

import numpy as np
import pytest
import scipy.optimize
from recorded import quadratic
from test_bounds import table

import mdbopt
from mdbopt._minimize.methods import bounded_methods

BOWL = quadratic([1.0, 4.0, 20.0], centre=[0.3, -0.3, 1.0])
X0 = np.array([1.0, -2.0, 3.0])
L1 = 0.4
SOFT = np.array([0.0, -0.2, 0.98])


def penalised(fun=BOWL, x0=X0, **arguments):
    return mdbopt.minimize(fun, x0, jac=True, **{"l1": L1, **arguments})


def subgradient(fun, x, l1, lower=-np.inf, upper=np.inf):
    """Return the largest of the subgradient of least norm of fun + Σ l1 |x| within bounds."""
    g = fun(x)[1]
    right, left = g + np.where(x < 0, -l1, l1), g + np.where(x > 0, l1, -l1)
    falls = np.where((right < 0) & (x < upper), -right, 0)
    return np.maximum(falls, np.where((left > 0) & (x > lower), left, 0)).max()


def test_the_minimiser_is_that_of_the_penalised_function():
    result = penalised()
    assert (result.status, result.success) == (0, True)
    np.testing.assert_allclose(result.x, SOFT, atol=1e-9)
    assert result.x[0] == 0
    np.testing.assert_allclose(result.fun, BOWL(result.x)[0] + L1 * np.abs(result.x).sum())
    np.testing.assert_array_equal(result.jac, BOWL(result.x)[1])
    assert "max|subgradient|" in result.message
    assert "active" not in result


def test_the_trace_is_of_the_penalised_function():
    seen = []

    def watched(x):
        f, g = BOWL(x)
        seen.append(f + L1 * np.abs(x).sum())
        return f, g

    result = penalised(watched)
    np.testing.assert_allclose(result.trace["f"], seen, rtol=1e-14)
    assert result.trace["f"].min() == result.fun
    assert result.trace["gmax"][-1] == result.state.gmax == subgradient(BOWL, result.x, L1)


@pytest.mark.parametrize("share", [0.3, 0.01, 1e-4])
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(50, 12), (12, 50)])
def test_lasso_and_elastic_net_in_columns_of_their_own_units(share, l2, shape):
    fun, units = table(rows=shape[0], size=shape[1])

    def ridged(w):
        f, g = fun(w)
        return f + 0.5 * l2 * float((w / units) @ (w / units)), g + l2 * w / units**2

    scale = np.abs(fun(np.zeros(units.size))[1] * units).max()
    l1 = share * scale / units
    l1[0] = 0
    result = mdbopt.minimize(ridged, np.zeros(units.size), jac=True, l1=l1, options={"gtol": 0})
    assert subgradient(ridged, result.x, l1) <= 1e-9 * (scale / units).max()
    least = units.size - shape[0] if l2 == 0.0 else 0
    assert (result.x[1:] == 0).sum() >= max(least, share == 0.3)


def test_without_a_penalty_nothing_changes():
    expected = mdbopt.minimize(BOWL, X0, jac=True)
    for l1 in (None, 0, 0.0, np.zeros(3)):
        result = penalised(l1=l1)
        np.testing.assert_array_equal(result.x, expected.x)
        assert (result.nfev, result.fun) == (expected.nfev, expected.fun)


def test_a_penalty_that_is_large_enough_takes_all_to_zero():
    result = penalised(l1=1e3)
    np.testing.assert_array_equal(result.x, np.zeros(3))
    assert result.trace["gmax"][-1] == 0


def test_x0_may_be_the_minimiser():
    result = penalised(x0=np.zeros(3), l1=1e3)
    assert (result.status, result.nfev) == (0, 1)


def test_zero_exempts_a_variable():
    np.testing.assert_allclose(penalised(l1=[0, L1, 0]).x, [0.3, -0.2, 1.0], atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", bounded_methods())
def test_every_method_finds_the_minimiser_within_bounds(method, dtype):
    options = {"candidate": "plain"} if method == "ellipsoid" else {}
    x0 = np.array([1.0, 0.0, 0.5], dtype)
    result = penalised(x0=x0, bounds=[(0, None), (0, 1), (0.1, 0.7)], method=method,
                       options={"maxiter": 3000, **options})  # fmt: skip
    assert result.x.dtype == dtype
    np.testing.assert_allclose(result.x, [0, 0, 0.7], rtol=1e-7)
    np.testing.assert_array_equal(result.x[:2], 0)
    np.testing.assert_array_equal(result.active, [-1, -1, 1])
    assert "max|projected subgradient|" in result.message


def test_through_scipy():
    result = scipy.optimize.minimize(
        BOWL, X0, jac=True, method=mdbopt.scipy_method(), options={"l1": L1}
    )
    np.testing.assert_array_equal(result.x, penalised().x)


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
def test_differences_are_those_of_the_smooth_part(jac):
    def fun(x):
        return 0.5 * (np.array([1.0, 4.0, 20.0]) * (x - [0.3, -0.3, 1.0]) ** 2).sum()

    result = mdbopt.minimize(fun, X0, jac=jac, l1=L1)
    np.testing.assert_allclose(result.x, SOFT, atol=1e-6)
    assert result.x[0] == 0


def test_a_resumed_run_continues_to_the_same_bits(tmp_path):
    fun, units = table()
    l1 = 0.05 / units
    whole = mdbopt.minimize(fun, np.zeros(units.size), jac=True, l1=l1)
    file = tmp_path / "run.npz"
    arguments = {"jac": True, "l1": l1, "checkpoint": file}
    mdbopt.minimize(fun, np.zeros(units.size), options={"maxiter": 15}, **arguments)
    rest = mdbopt.minimize(fun, np.zeros(units.size), resume=file, **arguments)
    np.testing.assert_array_equal(rest.x, whole.x)
    np.testing.assert_array_equal(rest.trace["f"], whole.trace["f"])
    with pytest.raises(ValueError, match=r"^resume: .*was written by"):
        mdbopt.minimize(fun, np.zeros(units.size), jac=True, l1=2 * l1, resume=file)


def test_a_step_that_wins_too_little_ends_a_run():
    result = penalised(options={"gtol": 0, "ftol": 1e-3})
    assert result.message.startswith("Converged: the last step lowered f by no more than ftol")


def test_a_warm_start_takes_the_box():
    fun, units = table(seed=3)
    l1 = 0.05 / units
    first = mdbopt.minimize(fun, np.zeros(units.size), jac=True, l1=l1)
    again = mdbopt.minimize(fun, None, jac=True, l1=0.9 * l1, warm_start=first)
    cold = mdbopt.minimize(fun, np.zeros(units.size), jac=True, l1=0.9 * l1)
    np.testing.assert_allclose(again.fun, cold.fun, rtol=1e-12)
    assert again.nfev < cold.nfev


@pytest.mark.parametrize("method", sorted(set(mdbopt.methods()) - set(bounded_methods())))
def test_other_methods_refuse_it(method):
    with pytest.raises(ValueError, match=rf"^l1: expected none with method '{method}', or one of"):
        penalised(method=method)


def test_it_is_no_option():
    with pytest.raises(TypeError, match=r"^l1: expected an argument of minimize, got an option"):
        mdbopt.minimize(BOWL, X0, jac=True, options={"l1": L1})


@pytest.mark.parametrize("l1", [[1.0, 2.0], np.ones(4), np.ones((3, 3))])
def test_another_shape_is_refused(l1):
    with pytest.raises(ValueError, match=r"^l1: expected a number or one for each variable, shape"):
        penalised(l1=l1)
