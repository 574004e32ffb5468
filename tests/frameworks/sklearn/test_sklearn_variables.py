"""Means and spreads of columns, and the variables made of them."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sparse

pytest.importorskip("sklearn", minversion="1.8")

from mdbopt import problems
from mdbopt.sklearn._variables import Columns, Variables

UNITS = np.array([1e-6, 1.0, 1e6])
FORMS = [np.ascontiguousarray, np.asfortranarray, sparse.csr_array]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((50, 3)) + 5.0) * UNITS
    X[rng.random(X.shape) < 0.3] = 0.0
    return X


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_means_and_spreads(rows, form, weighted):
    weights = np.random.default_rng(1).random(50) if weighted else None
    columns = Columns(form(rows), weights, centred=True)
    means = np.average(rows, axis=0, weights=weights)
    np.testing.assert_allclose(columns.means, means, rtol=1e-13)
    variances = np.average((rows - means) ** 2, axis=0, weights=weights)
    np.testing.assert_allclose(columns.spreads, np.sqrt(variances), rtol=1e-12)
    around_zero = Columns(form(rows), weights, centred=False)
    np.testing.assert_array_equal(around_zero.means, 0.0)
    squares = np.average(rows**2, axis=0, weights=weights)
    np.testing.assert_allclose(around_zero.spreads, np.sqrt(squares), rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3, -1e-300])
def test_constant_columns_have_no_spread(form, value):
    assert Columns(form(np.full((1000, 1), value)), None, centred=True).spreads == [0.0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [100.0, 1e-3])
def test_a_narrow_column_far_from_zero_keeps_its_spread(form, width):
    steps = width * np.arange(100_000) / 100_000
    far = 1.7e9 + steps  # seconds since 1970
    for weights in (None, np.random.default_rng(5).random(100_000)):
        columns = Columns(form(far[:, None]), weights, centred=True)
        near = far - 1.7e9
        mean = np.average(near, weights=weights)
        spread = np.sqrt(np.average((near - mean) ** 2, weights=weights))
        np.testing.assert_allclose(columns.spreads, spread, rtol=1e-6)


def test_more_rows_than_one_block_holds():
    X = np.random.default_rng(2).standard_normal((200_000, 2))
    X[:, 1] += 1e3
    columns = Columns(X, None, centred=True)
    np.testing.assert_allclose(columns.means, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(columns.spreads, X.std(axis=0), rtol=1e-12)


@pytest.fixture(params=["logistic", "softmax", "without intercept"])
def variables(request, rows):
    y = np.arange(50) % (3 if request.param == "softmax" else 2)
    make = problems.softmax if request.param == "softmax" else problems.logistic
    intercept = request.param != "without intercept"
    problem = make(rows, y, 0.1, intercept=intercept)
    return problem, Variables(
        problem, Columns(rows, None, centred=intercept), 0.25, problem.d // problem.design.columns
    )


def test_weights_and_variables_are_inverse(variables):
    problem, moved = variables
    u = np.random.default_rng(3).standard_normal(problem.d)
    np.testing.assert_allclose(moved.variables(moved.weights(u)), u, rtol=1e-9, atol=1e-9)


def test_value_and_gradient(variables):
    problem, moved = variables
    u = np.random.default_rng(4).standard_normal(problem.d)
    f, g = moved(u)
    assert f == problem(moved.weights(u))[0]
    numbers = scipy.optimize.approx_fprime(u, lambda v: moved(v)[0], 1e-7)
    np.testing.assert_allclose(g, numbers, atol=1e-5)


def test_the_curvature_is_about_one(variables):
    problem, moved = variables
    start = moved.variables(problem.x0)
    for coordinate in np.eye(problem.d):
        step = 1e-4 * coordinate
        curvature = (moved(start + step)[1] - moved(start - step)[1]) @ coordinate / 2e-4
        assert 0.2 < curvature < 1.6
