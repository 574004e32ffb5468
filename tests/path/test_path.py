"""`path`: each penalty from the one before, and what is refused."""

import numpy as np
import pytest

import mdbopt
from mdbopt import problems

VALUES = [1e-3, 1.0, 1e-1, 1e-2]


def table(seed=5):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(80, 6)) * np.geomspace(0.01, 100.0, 6)
    z = X @ (1.0 / np.geomspace(0.01, 100.0, 6))
    return X, z + generator.normal(size=80)


def build(kind):
    X, z = table()
    if kind == "least_squares":
        return problems.least_squares(X, z)
    if kind == "softmax":
        return problems.softmax(X, np.digitize(z, [-1.0, 1.0]))
    return getattr(problems, kind)(X, z > 0.0)


@pytest.mark.parametrize("kind", ["least_squares", "logistic", "softmax", "smoothed_svm"])
def test_every_value_is_solved_in_fewer_evaluations_than_alone(kind):
    fun = build(kind)
    runs = mdbopt.path(fun, VALUES, tol=1e-9)
    assert [run.l2 for run in runs] == VALUES
    alone = [mdbopt.minimize(fun.with_l2(l2), fun.x0, jac=True, tol=1e-9) for l2 in VALUES]
    for run, other in zip(runs, alone, strict=True):
        assert run.success
        assert np.abs(fun.with_l2(run.l2)(run.x)[1]).max() <= 1e-9
        assert run.fun == pytest.approx(other.fun, rel=1e-9)
    assert sum(run.nfev for run in runs) < 0.75 * sum(run.nfev for run in alone)


def test_what_is_carried_over_is_worth_more_than_x():
    fun = build("logistic")
    runs = mdbopt.path(fun, VALUES, tol=1e-9)
    x, count = fun.x0, 0
    for l2 in sorted(VALUES, reverse=True):
        run = mdbopt.minimize(fun.with_l2(l2), x, jac=True, tol=1e-9)
        x, count = run.x, count + run.nfev
    assert sum(run.nfev for run in runs) < 0.8 * count


def test_equal_values_share_a_run():
    first, second = mdbopt.path(build("logistic"), [0.1, 0.1])
    assert first is second


@pytest.mark.parametrize("l2", [0.0, [1e-3, 0.1, 1e-2, 0.0, 1e-4]])
def test_a_path_over_l1_has_the_minima_of_runs_alone_in_fewer_evaluations(l2):
    fun, l1 = build("logistic"), [1e-3, 0.3, 1e-2, 0.0, 0.1]
    runs = mdbopt.path(fun, l2, l1=l1, tol=1e-9)
    alone = 0
    for run, one, two in zip(runs, l1, np.broadcast_to(l2, 5), strict=True):
        assert (run.l1, run.l2) == (one, two)
        other = mdbopt.minimize(
            fun.with_l2(two), fun.x0, jac=True, l1=fun.l1_of_weights(one), tol=1e-9
        )
        alone += other.nfev
        assert run.fun == pytest.approx(other.fun, rel=1e-9)
        np.testing.assert_array_equal(run.x == 0, other.x == 0)
    assert (runs[1].x == 0).any()
    assert sum(run.nfev for run in runs) < 0.9 * alone


def test_the_problem_stays_as_it_is():
    fun = build("logistic")
    smoothness = fun.smoothness
    other = fun.with_l2(0.5)
    assert (fun.l2, other.l2) == (0.0, 0.5)
    assert other.smoothness == pytest.approx(smoothness + 0.5)
    assert fun.smoothness == smoothness
    w = np.ones(fun.d)
    penalty = 0.25 * float(w[:-1] @ w[:-1])
    assert other(w)[0] == pytest.approx(fun(w)[0] + penalty)
    np.testing.assert_array_equal(other.l2_of_weights, [0.5] * (fun.d - 1) + [0.0])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"l2": []}, ValueError, "at least one number"),
        ({"l2": 0.1}, ValueError, "l2: expected a sequence"),
        ({"l2": [0.1, -1.0]}, ValueError, r"l2\[1\]"),
        ({"l2": [np.nan]}, ValueError, r"l2\[0\]"),
        ({"l2": [0.1], "l1": 0.1}, ValueError, "l1: expected a sequence of at least one number"),
        ({"l2": [0.1], "l1": [0.1, 1]}, ValueError, "l1: expected as many numbers as of l2, 1, go"),
        ({"l2": 0.1, "l1": [0.1, -1]}, ValueError, r"l1\[1\]: expected a finite number >= 0"),
        ({"l2": -0.1, "l1": [0.1]}, ValueError, r"l2\[0\]: expected a finite number >= 0"),
        ({"l2": ["a"]}, TypeError, "l2"),
    ],
)
def test_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        mdbopt.path(build("logistic"), **arguments)


def test_a_function_without_rows_is_refused():
    with pytest.raises(TypeError, match="problem: expected logistic"):
        mdbopt.path(problems.quadratic([1.0, 2.0]), [0.1])


def test_a_warm_start_over_other_variables_is_refused():
    other = mdbopt.minimize(problems.quadratic([1.0, 2.0]), np.ones(2), jac=True)
    with pytest.raises(ValueError, match=r"warm_start: expected a search over 7 variables .*, got"):
        mdbopt.path(build("logistic"), [0.1], warm_start=other)
