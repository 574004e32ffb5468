"""`minimize`: what a result holds, when a run ends, what is printed."""

import warnings

import numpy as np
import pytest
from recorded import (
    ALL_METHODS,
    CONVERGED,
    LIMIT,
    classification,
    logistic,
    quadratic,
    solve,
)
from scipy.optimize import OptimizeResult

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])
FIELDS = {
    "x", "fun", "jac", "nit", "nfev", "njev", "status", "success", "message", "step_sizes",
    "ncut", "trace", "state",
}  # fmt: skip


def minimize(method="guarded", fun=BOWL, x0=X0, **arguments):
    return mdbopt.minimize(fun, x0, jac=True, method=method, **arguments)


def same_path(first, second):
    np.testing.assert_array_equal(first.x, second.x)
    assert first.fun == second.fun
    for name in ("f", "best", "gmax", "accepted", "ncut"):
        np.testing.assert_array_equal(first.trace[name], second.trace[name])


def test_methods_are_the_ones_tested_here():
    # Those after them are the subject of tests/methods.
    assert tuple(mdbopt.methods())[: len(ALL_METHODS)] == ALL_METHODS


@pytest.mark.parametrize("method", ALL_METHODS)
def test_fields(method):
    result, _ = solve(BOWL, X0, method)
    assert isinstance(result, OptimizeResult)
    assert set(result) == FIELDS
    assert result.status == CONVERGED
    assert type(result.fun) is float
    assert type(result.success) is bool
    assert {type(result[name]) for name in ("nit", "nfev", "njev", "status", "ncut")} == {int}
    assert result.x.shape == result.jac.shape == result.step_sizes.shape == (3,)
    assert np.abs(result.jac).max() <= 1e-8
    np.testing.assert_allclose(result.x, 0.3, atol=1e-8)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_trace_has_one_entry_per_evaluation(method):
    result, objective = solve(BOWL, X0, method)
    trace = result.trace
    assert list(trace) == ["f", "best", "gmax", "accepted", "ncut", "seconds"]
    assert {len(column) for column in trace.values()} == {result.nfev}
    gradients = [np.abs(BOWL(x)[1]).max() for x in objective.points]
    np.testing.assert_array_equal(trace["gmax"], gradients)
    assert trace["accepted"].dtype == bool
    assert trace["accepted"][0]
    assert trace["ncut"][0] == 0
    last = np.flatnonzero(trace["accepted"])[-1]
    np.testing.assert_array_equal(objective.points[last], result.x)
    # A cut is a rejection, and no rejection cuts twice.
    assert (np.diff(trace["ncut"]) <= 1).all()


@pytest.mark.parametrize("method", ALL_METHODS)
def test_callable_gradient_equals_pair(method):
    calls = {"f": 0, "g": 0}

    def f(x):
        calls["f"] += 1
        return BOWL(x)[0]

    def g(x):
        calls["g"] += 1
        return BOWL(x)[1]

    result = mdbopt.minimize(f, X0, jac=g, method=method)
    same_path(result, minimize(method))
    assert calls["f"] == calls["g"] == result.nfev


@pytest.mark.parametrize("args", [(2.0, 0.5), ([2.0, 0.5],), 7.0])
def test_args_reach_both_functions(args):
    seen = []

    def f(x, *got):
        seen.append(got)
        return BOWL(x)[0]

    def g(x, *got):
        seen.append(got)
        return BOWL(x)[1]

    expected = args if isinstance(args, tuple) else (args,)
    mdbopt.minimize(f, X0, args, jac=g)
    assert all(got == expected for got in seen)
    assert seen


def test_a_list_serves_as_pair_and_an_array_of_one_as_value():
    result = minimize(fun=lambda x: [np.array([BOWL(x)[0]]), BOWL(x)[1]])
    same_path(result, minimize())


@pytest.mark.parametrize("method", ALL_METHODS)
def test_gtol_is_absolute_in_units_of_the_gradient(method):
    result = minimize(method, options={"gtol": 0.5})
    assert result.success
    # The first point that satisfies it ends the run.
    accepted = result.trace["gmax"][result.trace["accepted"]]
    assert accepted[-1] <= 0.5
    assert (accepted[:-1] > 0.5).all()


def test_tol_is_gtol_and_the_option_wins():
    same_path(minimize(tol=1e-3), minimize(options={"gtol": 1e-3}))
    same_path(minimize(tol=1e-3, options={"gtol": 1e-6}), minimize(options={"gtol": 1e-6}))


@pytest.mark.parametrize("method", ALL_METHODS)
def test_ftol(method):
    result = minimize(method, options={"gtol": 0.0, "ftol": 1e-3})
    accepted = result.trace["f"][result.trace["accepted"]]
    falls = -np.diff(accepted)
    assert result.status == CONVERGED
    assert "ftol" in result.message
    bound = 1e-3 * np.maximum(np.abs(accepted[1:]), 1)
    assert falls[-1] <= bound[-1]
    assert (falls[:-1] > bound[:-1]).all()


@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_maxfun(method, limit):
    result, objective = solve(BOWL, X0, method, maxfun=limit)
    assert objective.count == limit
    assert (result.status, result.success) == (LIMIT, False)
    assert "maxfun" in result.message


@pytest.mark.parametrize("limit", [0, 1, 7])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_maxiter(method, limit):
    result, objective = solve(BOWL, X0, method, maxiter=limit)
    assert result.nit == limit
    assert objective.count == limit + 1
    assert result.status == LIMIT
    assert "maxiter" in result.message


def test_whole_floats_serve_as_limits():
    assert minimize(options={"maxfun": 3.0}).nfev == 3


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_limit_only_cuts_the_path_short(method):
    whole = minimize(method)
    part = minimize(method, options={"maxfun": whole.nfev // 2})
    np.testing.assert_array_equal(part.trace["f"], whole.trace["f"][: part.nfev])


@pytest.mark.parametrize("method", ALL_METHODS)
def test_nothing_is_printed(method, capfd):
    minimize(method)
    minimize(method, options={"maxfun": 2, "disp": False})
    mdbopt.minimize(lambda x: (np.nan, x), X0, jac=True, method=method)
    assert capfd.readouterr() == ("", "")


def test_disp_prints_the_outcome_on_standard_output(capfd):
    result = minimize(options={"disp": True})
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith(result.message)
    for number in (result.nit, result.nfev, result.ncut):
        assert f" {number}" in out


def test_progress_writes_lines_to_standard_error(capfd):
    result = minimize(progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert f"guarded: {result.nfev} evaluations" in err
    assert "max|g|" in err


@pytest.mark.parametrize("method", ALL_METHODS)
def test_return_all_keeps_every_current_point(method):
    result = minimize(method, options={"return_all": True})
    assert len(result.allvecs) == result.trace["accepted"].sum()
    np.testing.assert_array_equal(result.allvecs[0], X0)
    np.testing.assert_array_equal(result.allvecs[-1], result.x)
    values = [BOWL(x)[0] for x in result.allvecs]
    np.testing.assert_array_equal(values, result.trace["f"][result.trace["accepted"]])


@pytest.mark.parametrize("method", ALL_METHODS)
def test_runs_repeat_to_the_last_bit(method):
    features, labels = classification()
    fun, x0 = logistic(features, labels), np.zeros(5)
    same_path(minimize(method, fun, x0), minimize(method, fun, x0))


@pytest.mark.parametrize("method", ALL_METHODS)
def test_logistic_regression_converges(method):
    features, labels = classification()
    result, _ = solve(logistic(features, labels, l2=0.01), np.zeros(5), method, gtol=1e-7)
    assert result.status == CONVERGED


@pytest.mark.parametrize("method", ALL_METHODS)
def test_it_warns_of_nothing(method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimize(method)


def test_a_run_can_be_started_inside_an_objective():
    inner = []

    def fun(x):
        inner.append(minimize().nfev)
        return BOWL(x)

    same_path(minimize(fun=fun), minimize())
    assert len(set(inner)) == 1
