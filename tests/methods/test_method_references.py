"""Each method takes the path of an independent version of its formula."""

import numpy as np
import pytest
import reference_methods as references
from recorded import Recorder, classification, logistic, quadratic

import mdbopt

EVALUATIONS = 101
TOLERANCE = 1e-10

FEATURES, LABELS = classification(count=60)
CURVATURES = np.geomspace(0.1, 30.0, 6)
PROBLEMS = {
    "logistic": (logistic(FEATURES, LABELS, l2=0.01), np.full(FEATURES.shape[1], 0.3)),
    "quadratic": (quadratic(CURVATURES, centre=0.3, offset=1.0), np.linspace(-1.0, 2.0, 6)),
}

CASES = [
    ("nonmonotone", references.nonmonotone, {}),
    ("nonmonotone", references.nonmonotone, {"reference": "zhang-hager"}),
    ("nonmonotone", references.nonmonotone, {"window": 3}),
    ("adgd", references.adgd, {}),
    ("adgd", references.adgd, {"version": "2024"}),
    ("bb", references.bb, {}),
    ("bb", references.bb, {"form": "short"}),
    ("diagonal-bb", references.diagonal_bb, {}),
    ("diagonal-bb", references.diagonal_bb, {"mu": 1e-2}),
    ("hypergradient", references.hypergradient, {}),
    ("hypergradient", references.hypergradient, {"form": "additive"}),
    ("hypergradient", references.hypergradient, {"form": "additive", "hyper_lr": 1e-6}),
    ("hypergradient", references.hypergradient, {"shape": "coordinate"}),
    ("hypergradient", references.hypergradient, {"shape": "coordinate", "form": "additive"}),
    ("rprop", references.rprop, {}),
    ("adagrad", references.adagrad, {}),
    ("adagrad", references.adagrad, {"line_search": False}),
    ("rmsprop", references.rmsprop, {}),
    ("rmsprop", references.rmsprop, {"line_search": False}),
    ("adam", references.adam, {}),
    ("sign", references.sign, {}),
    ("sign", references.sign, {"scale": "l1", "momentum": 0.9}),
    ("sign", references.sign, {"momentum": 0.5, "schedule": "constant"}),
    ("normalized-gd", references.normalized_gd, {}),
    ("normalized-gd", references.normalized_gd, {"momentum": 0.9, "schedule": "constant"}),
    ("osgm", references.osgm, {}),
    ("osgm", references.osgm, {"shape": "scalar"}),
    ("osgm", references.osgm, {"action": "lookahead"}),
    ("osgm", references.osgm, {"shape": "scalar", "action": "lookahead", "hyper_lr": 0.3}),
    ("osgm-best", references.osgm_best, {}),
    ("osgm-best", references.osgm_best, {"momentum": 0.5, "momentum_lr": 1.0, "forward": 1.02}),
    ("diagonal-hessian", references.diagonal_by_differences, {"refresh": 3}),
    ("autogd", references.autogd, {}),
    ("autogd", references.autogd, {"c": 1.5}),
    ("best-of", references.best_of, {}),
]


def named(case):
    method, _, options = case
    return "-".join([method, *map(str, options.values())])


def reference_points(reference, fun, x0, options):
    evaluations = references.Evaluations(fun, EVALUATIONS)
    with np.errstate(all="ignore"), pytest.raises(references.Done):
        reference(evaluations, x0.copy(), **options)
    return np.array(evaluations.points)


def assert_same_points(method, options, fun, x0, wanted):
    recorder = Recorder(fun)
    result = mdbopt.minimize(
        recorder, x0, jac=True, method=method,
        options={"gtol": 0.0, "maxfun": EVALUATIONS, **options},
    )  # fmt: skip
    found = np.array(recorder.points)
    # A run ends where the gradient is 0, or no digit is left to win.
    assert len(found) == EVALUATIONS or (result.status in (0, 2) and len(found) > 20)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted[: len(found)], rtol=0.0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("case", CASES, ids=map(named, CASES))
def test_the_path_is_that_of_the_formula(case, problem):
    method, reference, options = case
    fun, x0 = PROBLEMS[problem]
    wanted = reference_points(reference, fun, x0, options)
    assert_same_points(method, options, fun, x0, wanted)


@pytest.mark.parametrize("options", [{}, {"f_star": 0.0}], ids=str)
def test_polyak_takes_the_path_of_the_formula(options):
    # Its steps amplify rounding, of which sums of two terms have the same in any order.
    fun, x0 = quadratic([1.0, 3.0]), np.array([-1.0, 2.0])
    wanted = reference_points(references.polyak, fun, x0, options)
    assert_same_points("polyak", options, fun, x0, wanted)


@pytest.mark.parametrize("as_option", [True, False])
def test_the_diagonal_of_the_hessian_may_be_given(as_option):
    problem = mdbopt.problems.logistic(FEATURES, LABELS > 0, l2=0.01)
    wanted = reference_points(
        references.diagonal_hessian, problem, problem.x0, {"diagonal": problem.hessian_diagonal}
    )
    options = {"diagonal": problem.hessian_diagonal} if as_option else {}
    fun = (lambda x: problem(x)) if as_option else problem
    if as_option:
        assert_same_points("diagonal-hessian", options, fun, problem.x0, wanted)
        return
    result = mdbopt.minimize(
        problem, problem.x0, jac=True, method="diagonal-hessian",
        options={"gtol": 0.0, "maxfun": 10},
    )  # fmt: skip
    values = [problem(x)[0] for x in wanted[:10]]
    np.testing.assert_allclose(result.trace["f"], values, rtol=1e-12)
