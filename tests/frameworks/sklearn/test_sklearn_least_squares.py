"""mdbopt.sklearn.Ridge and LinearRegression beside scikit-learn's, on the same objectives."""

import numpy as np
import pytest
import scipy.sparse as sparse

pytest.importorskip("sklearn", minversion="1.8")

from sklearn import linear_model
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.exceptions import ConvergenceWarning

from mdbopt.sklearn import LinearRegression, Ridge

UNITS = 10.0 ** np.linspace(-6, 6, 10)
MODELS = [
    (Ridge(), linear_model.Ridge()),
    (Ridge(1e-3), linear_model.Ridge(1e-3)),
    (Ridge(0.0), linear_model.LinearRegression()),
    (Ridge(10.0, fit_intercept=False), linear_model.Ridge(10.0, fit_intercept=False)),
    (LinearRegression(), linear_model.LinearRegression()),
    (
        LinearRegression(fit_intercept=False),
        linear_model.LinearRegression(fit_intercept=False),
    ),
]


@pytest.fixture(params=range(len(MODELS)), ids=lambda k: str(MODELS[k][0]))
def pair(request):
    return MODELS[request.param]


@pytest.fixture(params=["one target", "three targets"])
def table(request):
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0) + 1.0
    if request.param == "three targets":
        y = np.column_stack([y, 1e-6 * y**2, np.full(len(y), 3.0)])
    return X, y


def agree(mine, theirs, X, rtol=1e-7):
    assert mine.coef_.shape == theirs.coef_.shape
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    size = np.abs(theirs.coef_).max(axis=-1, keepdims=True)
    assert np.all(np.abs(mine.coef_ - theirs.coef_) <= rtol * size + 1e-10)
    expected = theirs.predict(X)
    spread = np.abs(expected).max(axis=0)
    assert np.all(np.abs(mine.predict(X) - expected) <= rtol * spread)


def test_answers_are_scikit_learns(pair, table):
    mine, theirs = pair
    X, y = table
    agree(mine.fit(X, y), theirs.fit(X, y), X)


def test_weights_of_rows(pair, table):
    mine, theirs = pair
    X, y = table
    weights = np.random.default_rng(0).random(len(y))
    agree(mine.fit(X, y, weights), theirs.fit(X, y, weights), X)


def test_whole_weights_are_repeated_rows(pair, table):
    mine, _ = pair
    X, y = table
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = mine.fit(X, y, counts)
    coefficients, predicted = weighted.coef_, weighted.predict(X)
    repeated = mine.fit(np.repeat(X, counts, 0), np.repeat(y, counts, 0))
    np.testing.assert_allclose(coefficients, repeated.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(predicted, repeated.predict(X), rtol=1e-7)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_is_dense(pair, table, form):
    mine, theirs = pair
    X, y = table
    X = np.where(np.abs(X) < 0.7, 0.0, X)
    agree(mine.fit(form(X), y), theirs.fit(X, y), X)
    np.testing.assert_allclose(mine.predict(form(X)), mine.predict(X), rtol=1e-12)


def test_float32_is_kept(pair, table):
    mine, theirs = pair
    X, y = table
    mine.fit(X.astype(np.float32), y)
    assert mine.coef_.dtype == np.float32
    assert mine.predict(X.astype(np.float32)).dtype == np.float32
    expected = theirs.fit(X, y).predict(X)
    spread = np.abs(expected).max(axis=0)
    assert np.all(np.abs(mine.predict(X) - expected) <= 1e-4 * spread)


def test_columns_in_any_units(table):
    X, y = table
    mine = LinearRegression().fit(X * UNITS, y)
    alike = linear_model.LinearRegression().fit(X, y)
    np.testing.assert_allclose(mine.coef_ * UNITS, alike.coef_, rtol=1e-6, atol=1e-7)
    assert mine.n_iter_.max() < 60
    # scikit-learn's takes columns of 1e-6 beside others of 1e6 for dependent ones.
    theirs = linear_model.LinearRegression().fit(X * UNITS, y)
    assert mine.score(X * UNITS, y) > theirs.score(X * UNITS, y) + 0.05


def test_units_of_the_target_do_not_matter(table):
    X, y = table
    plain = Ridge().fit(X, y)
    for unit in (2.0**-40, 2.0**40):
        scaled = Ridge().fit(X, unit * y)
        np.testing.assert_array_equal(scaled.n_iter_, plain.n_iter_)
        np.testing.assert_allclose(scaled.coef_, unit * plain.coef_, rtol=1e-12)


def test_a_penalty_for_each_target():
    X, y = load_linnerud(return_X_y=True)
    alpha = np.array([0.1, 10.0, 1000.0])
    agree(Ridge(alpha).fit(X, y), linear_model.Ridge(alpha).fit(X, y), X)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e6 + 0.1])
def test_constant_columns_get_no_weight(table, value):
    X, y = table
    wide = np.column_stack([X, np.full(len(X), value)])
    for model in (Ridge(), LinearRegression()):
        coefficients = model.fit(wide, y).coef_
        np.testing.assert_array_equal(coefficients[..., -1], 0.0)
        np.testing.assert_allclose(
            coefficients[..., :-1], model.fit(X, y).coef_, rtol=1e-6, atol=1e-9
        )


def test_dependent_columns_predict_alike(table):
    X, y = table
    wide = np.column_stack([X, X[:, 0] + 2.0 * X[:, 1], X[:, 2]])
    mine = LinearRegression().fit(wide, y)
    expected = linear_model.LinearRegression().fit(X, y).predict(X)
    np.testing.assert_allclose(mine.predict(wide), expected, rtol=1e-7)


def test_a_target_that_is_constant():
    model = LinearRegression().fit([[1.0], [2.0], [3.0]], [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(model.coef_, [0.0])
    assert model.intercept_ == 5.0


def test_coefficients_have_either_sign():
    # scikit-learn's positive=False, in its own words.
    X = np.array([[0.0], [1.0], [2.0]])
    assert LinearRegression().fit(X, [2.0, 1.0, 0.0]).coef_ == pytest.approx([-1.0])


def test_a_run_that_is_cut_short_warns(table):
    X, y = table
    for model in (Ridge(max_iter=3), LinearRegression(max_iter=3)):
        with pytest.warns(ConvergenceWarning, match="max_iter") as caught:
            model.fit(X, y)
        assert caught[0].filename == __file__
        assert model.n_iter_.max() == 3


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Ridge(-1.0), "alpha: expected a finite number >= 0"),
        (Ridge(np.inf), "alpha: expected a finite number"),
        (Ridge([1.0, 2.0]), "alpha: expected a number or one for each of 1 targets"),
        (Ridge([-1.0]), "alpha: expected a finite number >= 0"),
        (Ridge(tol=-1.0), "tol: expected"),
        (LinearRegression(max_iter=-1), "max_iter: expected"),
    ],
)
def test_bad_parameters_are_named(model, words):
    with pytest.raises((TypeError, ValueError), match=words):
        model.fit([[0.0], [1.0]], [0.0, 1.0])
    assert not hasattr(model, "coef_")


def test_x_and_y_are_not_written(pair, table):
    mine, _ = pair
    X, y = (array.copy() for array in table)
    X.flags.writeable = y.flags.writeable = False
    mine.fit(X, y)
    np.testing.assert_array_equal(X, table[0])
