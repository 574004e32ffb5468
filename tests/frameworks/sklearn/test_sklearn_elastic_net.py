"""Lasso, ElasticNet and LogisticRegression with l1 beside scikit-learn's."""

import numpy as np
import pytest
import scipy.sparse as sparse

pytest.importorskip("sklearn", minversion="1.8")

from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from mdbopt.sklearn import ElasticNet, Lasso, LogisticRegression, Ridge

UNITS = 10.0 ** np.linspace(-6, 6, 10)
EXACT = {"tol": 1e-13, "max_iter": 100_000}
MODELS = [
    (Lasso(0.1), linear_model.Lasso(0.1, **EXACT)),
    (Lasso(5.0), linear_model.Lasso(5.0, **EXACT)),
    (Lasso(0.1, positive=True), linear_model.Lasso(0.1, positive=True, **EXACT)),
    (Lasso(0.3, fit_intercept=False), linear_model.Lasso(0.3, fit_intercept=False, **EXACT)),
    (ElasticNet(0.1), linear_model.ElasticNet(0.1, **EXACT)),
    (ElasticNet(0.5, l1_ratio=0.9), linear_model.ElasticNet(0.5, l1_ratio=0.9, **EXACT)),
]


@pytest.fixture(params=range(len(MODELS)), ids=lambda k: str(MODELS[k][0]))
def pair(request):
    return MODELS[request.param]


@pytest.fixture(params=["one target", "three targets"])
def table(request):
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0) + 1.0
    if request.param == "three targets":
        y = np.column_stack([y, 1e-2 * y**2, np.full(len(y), 3.0)])
    return X, y


def agree(mine, theirs, X, rtol=1e-6):
    assert mine.coef_.shape == theirs.coef_.shape
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    size = np.abs(theirs.coef_).max(axis=-1, keepdims=True)
    assert np.all(np.abs(mine.coef_ - theirs.coef_) <= rtol * size + 1e-10)
    np.testing.assert_array_equal(mine.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-5)


def test_answers_are_scikit_learns(pair, table):
    mine, theirs = pair
    X, y = table
    agree(mine.fit(X, y), theirs.fit(X, y), X)


def test_weights_of_rows(pair, table):
    mine, theirs = pair
    X, y = table
    weights = np.random.default_rng(0).random(len(y))
    agree(mine.fit(X, y, weights), theirs.fit(X, y, weights), X)


def test_sparse_is_dense(pair, table):
    mine, theirs = pair
    X, y = table
    agree(mine.fit(sparse.csr_array(X), y), theirs.fit(X, y), X)


def test_a_penalty_by_units_is_one_of_scaled_columns():
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    # A raw column is penalised in units of its own, so the columns must be alike to compare.
    for units in (1e-6, 1e6):
        mine = Lasso(2.0 * units).fit(X * units, y)
        expected = Lasso(2.0).fit(X, y)
        np.testing.assert_allclose(mine.coef_ * units, expected.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_array_equal(mine.coef_ == 0, expected.coef_ == 0)


def test_the_ends_of_the_elastic_net():
    X, y = load_diabetes(return_X_y=True)
    np.testing.assert_array_equal(
        ElasticNet(0.2, l1_ratio=1.0).fit(X, y).coef_, Lasso(0.2).fit(X, y).coef_
    )
    ridge = Ridge(0.2 * len(y)).fit(X, y)
    np.testing.assert_allclose(ElasticNet(0.2, l1_ratio=0.0).fit(X, y).coef_, ridge.coef_)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("C", [0.1, 1.0])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_logistic_regression_is_no_worse_than_saga_and_keeps_the_conditions(load, ratio, C):
    X, y = load(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    mine = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-9, max_iter=None).fit(X, y)
    theirs = linear_model.LogisticRegression(
        C=C, l1_ratio=ratio, solver="saga", tol=1e-6, max_iter=3_000
    ).fit(X, y)

    def objective(model):
        logarithms = model.predict_log_proba(X)[np.arange(len(y)), y]
        size = np.abs(model.coef_).sum(), (model.coef_**2).sum()
        return -C * logarithms.sum() + ratio * size[0] + 0.5 * (1 - ratio) * size[1]

    assert objective(mine) <= objective(theirs) * (1 + 1e-9)
    pull = mine.predict_proba(X) - np.eye(len(mine.classes_))[y]
    g = C * (pull[:, 1:] if len(mine.classes_) == 2 else pull).T @ X + (1 - ratio) * mine.coef_
    off = np.where(mine.coef_ == 0, np.abs(g) - ratio, np.abs(g + ratio * np.sign(mine.coef_)))
    assert off.max() <= 1e-5
    assert (mine.coef_ == 0).any()
    if len(mine.classes_) > 2:
        np.testing.assert_allclose(mine.intercept_.sum(), 0, atol=1e-9)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
@pytest.mark.parametrize("model", [ElasticNet, LogisticRegression])
def test_what_is_no_share_is_refused(model, share):
    with pytest.raises(ValueError, match=r"^l1_ratio: expected a"):
        model(l1_ratio=share).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("model", [Lasso, ElasticNet])
def test_a_negative_strength_is_refused(model):
    with pytest.raises(ValueError, match=r"^alpha: expected a finite number >= 0"):
        model(-1.0).fit([[0.0], [1.0]], [0.0, 1.0])


def test_no_columns_enter_by_their_units():
    X, y = load_diabetes(return_X_y=True)
    narrow = Lasso(1e-8, tol=1e-8).fit(X * UNITS, y).n_iter_[0]
    assert narrow <= 2 * Lasso(1e-8, tol=1e-8).fit(X, y).n_iter_[0]
