"""`minimize`: arguments and options that are refused, each by its name, before any evaluation."""

import numpy as np
import pytest
from recorded import METHODS, quadratic
from scipy.optimize import OptimizeWarning

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])


def minimize(fun=BOWL, x0=X0, jac=True, **arguments):
    return mdbopt.minimize(fun, x0, jac=jac, **arguments)


def unreachable(x):
    raise AssertionError("the objective was evaluated")


@pytest.mark.parametrize("jac", [1, 0, "4-point", "", X0, np.True_, (True,)])
def test_jac_that_is_no_gradient_and_names_no_differences_is_refused(jac):
    with pytest.raises(ValueError, match=r"jac: expected True.* a callable.* '3-point'"):
        minimize(unreachable, jac=jac)


@pytest.mark.parametrize("fun", [None, 3.0, "f", X0])
def test_fun_must_be_callable(fun):
    with pytest.raises(TypeError, match="fun"):
        minimize(fun)


@pytest.mark.parametrize("callback", [3, "f", [print]])
def test_callback_must_be_callable(callback):
    with pytest.raises(TypeError, match="callback"):
        minimize(unreachable, callback=callback)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (name, value, ValueError)
        for name in ("gtol", "ftol")
        for value in (-1.0, -1e-300, np.nan, np.inf)
    ]
    + [(name, value, TypeError) for name in ("gtol", "ftol") for value in ("1", True, [1], 1j)]
    + [("maxiter", -1, ValueError), ("maxfun", 0, ValueError), ("maxfun", -5, ValueError)]
    + [(name, -np.inf, TypeError) for name in ("maxiter", "maxfun")]
    + [
        (name, value, TypeError)
        for name in ("maxiter", "maxfun")
        for value in (1.5, "3", np.float32(2.5), np.nan, True, np.array([3]))
    ],
)
def test_bad_limits_are_refused(name, value, error):
    with pytest.raises(error, match=name):
        minimize(unreachable, options={name: value})


@pytest.mark.parametrize("name", ["maxiter", "maxfun"])
@pytest.mark.parametrize(
    ("value", "nfev"),
    [(5, 5), (5.0, 5), (np.int16(5), 5), (np.float32(5.0), 5), (np.array(5), 5), (2**70, 8)],
)
def test_limits_are_whole_numbers_of_any_type(name, value, nfev):
    result = minimize(options={name: value, "gtol": 0.0}, callback=stopping_after(8))
    assert result.nfev == nfev + (name == "maxiter" and nfev == 5)


def stopping_after(evaluations):
    return lambda intermediate_result: intermediate_result.nfev == evaluations


@pytest.mark.parametrize("name", ["gtol", "ftol", "maxiter", "maxfun"])
def test_none_is_the_default(name):
    plain, none = minimize(), minimize(options={name: None})
    assert (none.nfev, none.fun, none.message) == (plain.nfev, plain.fun, plain.message)


def test_inf_is_no_limit(tmp_path):
    h = np.geomspace(1e-6, 1.0, 3)
    options = {"maxiter": np.inf, "maxfun": np.float64("inf"), "gtol": 1e-15}
    result = minimize(
        quadratic(h), np.ones(3), method="gd", options=options, every=np.inf,
        checkpoint=tmp_path / "run", callback=stopping_after(20_050),
    )  # fmt: skip
    assert result.nfev == 20_050


@pytest.mark.parametrize("value", [0, -1, 1.5, np.nan, "10", True])
def test_every_is_a_limit_too(value):
    with pytest.raises((TypeError, ValueError), match="every"):
        minimize(unreachable, every=value)


@pytest.mark.parametrize("every", [None, 100.0, np.int8(100)])
def test_every_in_other_types(every, tmp_path):
    assert minimize(every=every, checkpoint=tmp_path / "run").success


@pytest.mark.parametrize("refine", [None, 2, 2.0, np.int64(2), np.inf])
def test_refine_in_other_types(refine):
    result = minimize(method="ellipsoid", options={"refine": refine})
    assert result.success


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("gamma", "initial_scale") for value in (0.0, -1.0, np.nan, np.inf)]
    + [("forward", value) for value in (0.9, -1.0, np.nan, np.inf)]
    + [("cut", "deep"), ("initial_scale", "big"), ("backend", "abacus"), ("threads", 0)],
)
@pytest.mark.parametrize("method", METHODS)
def test_bad_search_options_are_refused(method, name, value):
    with pytest.raises(ValueError, match=name):
        minimize(unreachable, method=method, options={name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("gamma", "1"), ("forward", True), ("cut", 1), ("cut", None), ("threads", 1.5),
     ("threads", "2"), ("initial_scale", True), ("initial_scale", [1.0])],
)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_search_options_of_a_wrong_type_are_refused(method, name, value):
    with pytest.raises(TypeError, match=name):
        minimize(unreachable, method=method, options={name: value})


@pytest.mark.parametrize(
    ("method", "name", "value", "error"),
    [
        ("guarded", "memory", 0, ValueError),
        ("guarded", "memory", 2.5, TypeError),
        ("guarded", "proposer", "adam", ValueError),
        ("ellipsoid", "candidate", "best", ValueError),
        ("ellipsoid", "candidate", 1, TypeError),
        ("box", "groups", [0, 0], ValueError),
        ("box", "groups", [], TypeError),
        ("box", "groups", [0.0, 1.0, 2.0], TypeError),
        ("box", "groups", "abc", TypeError),
    ],
)
def test_bad_options_of_one_method_are_refused(method, name, value, error):
    with pytest.raises(error, match=name):
        minimize(unreachable, method=method, options={name: value})


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_bad_tol_is_refused(value):
    with pytest.raises(ValueError, match="tol"):
        minimize(unreachable, tol=value)


@pytest.mark.parametrize("value", [0, -1])
def test_bad_every_is_refused(value):
    with pytest.raises(ValueError, match="every"):
        minimize(unreachable, every=value)


@pytest.mark.parametrize("options", [3, "gtol", [("gtol", 1.0)]])
def test_options_must_be_a_mapping(options):
    with pytest.raises(TypeError, match="options"):
        minimize(unreachable, options=options)


def test_unknown_options_warn_once_and_by_name():
    with pytest.warns(OptimizeWarning) as caught:
        minimize(options={"maxcor": 5, "eps": 1e-8})
    assert len(caught) == 1
    assert "maxcor" in str(caught[0].message)
    assert "eps" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("method", "name"),
    [("box", "memory"), ("box", "refine"), ("backtracking", "refine"), ("simplex", "candidate"),
     ("gd", "forward"), ("nesterov", "proposer"), ("ellipsoid", "proposer")],
)  # fmt: skip
def test_an_option_of_another_method_is_unknown(method, name):
    with pytest.warns(OptimizeWarning, match=name):
        minimize(method=method, options={name: 1})


def test_an_unknown_option_that_has_another_name_here_is_told_it():
    with pytest.warns(OptimizeWarning, match="maxcor: .*memory="):
        minimize(options={"maxcor": 20})
    with pytest.warns(OptimizeWarning, match="maxfev: .*maxfun="):
        minimize(options={"maxfev": 9})
    assert minimize(options={"memory": 20, "maxfun": 9}).nfev == 9


@pytest.mark.parametrize(
    ("name", "said"),
    [("maxiter", "; pass it as options={'maxiter': …}"),
     ("memory", "; pass it as options={'memory': …}"),
     ("finite_diff_rel_step", "; pass it as options={'finite_diff_rel_step': …}"),
     ("maxcor", "; the pairs kept are the option memory="),
     ("maxfev", "; evaluations are limited by the option maxfun="),
     ("hess", "; curvature is learnt from gradients"),
     ("constraints", "; there are bounds= only"), ("frobnicate", "")],
)  # fmt: skip
def test_an_unknown_argument_is_told_where_it_goes(name, said):
    with pytest.raises(TypeError) as caught:
        minimize(unreachable, **{name: 3})
    assert str(caught.value) == f"minimize: unknown argument {name!r}{said}"


def test_what_is_no_option_of_the_method_is_not_sent_there():
    with pytest.raises(TypeError, match=r"unknown argument 'memory'$"):
        minimize(unreachable, method="box", memory=3)


@pytest.mark.parametrize("method", mdbopt.methods())
def test_capital_letters_of_a_method_make_no_difference(method, tmp_path):
    expected = minimize(method=method, options={"maxiter": 5}, checkpoint=tmp_path / "run.npz")
    for name in (method.upper(), method.title()):
        result = minimize(method=name, options={"maxiter": 5}, resume=tmp_path / "run.npz")
        np.testing.assert_array_equal(result.x, expected.x)


@pytest.mark.parametrize("method", ["lbfgs", "L-BFGS-B", "", None, 3, minimize])
def test_unknown_methods_are_refused_with_a_list(method):
    with pytest.raises((TypeError, ValueError), match=r"method.*guarded.*box"):
        minimize(unreachable, method=method)
