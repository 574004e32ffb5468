"""mdbopt.sklearn.LogisticRegression beside scikit-learn's, on the same objective."""

import numpy as np
import pytest
import scipy.sparse as sparse

pytest.importorskip("sklearn", minversion="1.8")

import sklearn
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.model_selection import cross_validate

from mdbopt.sklearn import LogisticRegression

TABLES = {"binary": load_breast_cancer, "three classes": load_wine}
UNITS = 10.0 ** np.linspace(-6, 6, 13)


@pytest.fixture(params=TABLES)
def table(request):
    """Rows with columns of unit spread, which scikit-learn's solvers need."""
    X, y = TABLES[request.param](return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.ascontiguousarray(X[::2, :13]), y[::2]


def exact(**parameters):
    return Theirs(solver="newton-cholesky", tol=1e-12, max_iter=1000, **parameters)


def ours(**parameters):
    return LogisticRegression(tol=1e-10, max_iter=1000, **parameters)


def objective(model, X, y, C=1.0):
    losses = -model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return losses.sum() + 0.5 * np.sum(model.coef_.astype(float) ** 2) / C


def agree(mine, theirs, X, rtol=1e-6):
    np.testing.assert_array_equal(mine.classes_, theirs.classes_)
    size = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=rtol, atol=rtol * size)
    shift = theirs.intercept_.mean() if len(theirs.intercept_) > 1 else 0.0
    np.testing.assert_allclose(
        mine.intercept_, theirs.intercept_ - shift, rtol=rtol, atol=rtol * size
    )
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=rtol)
    np.testing.assert_array_equal(mine.predict(X), theirs.predict(X))


PARAMETERS = [
    {},
    {"C": 0.01},
    {"C": 100.0},
    {"fit_intercept": False},
    {"class_weight": "balanced"},
    {"class_weight": {0: 0.5, 1: 3.0}},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_answers_are_scikit_learns(table, parameters):
    X, y = table
    agree(ours(**parameters).fit(X, y), exact(**parameters).fit(X, y), X)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_weights_of_rows(table, parameters):
    X, y = table
    weights = np.random.default_rng(0).random(len(y)) + 0.1
    agree(
        ours(**parameters).fit(X, y, sample_weight=weights),
        exact(**parameters).fit(X, y, sample_weight=weights),
        X,
    )


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_whole_weights_are_repeated_rows(table, class_weight):
    X, y = table
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = ours(class_weight=class_weight).fit(X, y, sample_weight=counts)
    repeated = ours(class_weight=class_weight).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=1e-7)


def test_no_penalty():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:]
    agree(ours(C=np.inf).fit(X, y), exact(C=np.inf).fit(X, y), X, rtol=1e-5)


def test_the_default_tolerance_beats_that_of_lbfgs(table):
    X, y = table
    best = objective(ours().fit(X, y), X, y)
    mine, lbfgs = LogisticRegression().fit(X, y), Theirs().fit(X, y)
    assert best <= objective(mine, X, y) <= objective(lbfgs, X, y)
    assert objective(mine, X, y) <= best * (1 + 1e-8)


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_columns_in_any_units(table, C):
    # With a penalty the objective is another one, but its minimum is as well found.
    X, y = table
    y = np.where(np.arange(len(y)) % 7 == 0, y[::-1], y)  # not separable
    raw = X * UNITS + 100.0 * UNITS
    mine = LogisticRegression(C=C, max_iter=200).fit(raw, y)
    assert mine.n_iter_[0] < 150
    if np.isinf(C):
        alike = ours(C=C).fit(X, y)
        np.testing.assert_allclose(mine.predict_proba(raw), alike.predict_proba(X), atol=1e-4)
    best = objective(ours(C=C).fit(raw, y), raw, y, C)
    assert objective(mine, raw, y, C) <= best * (1 + 1e-7)
    with pytest.warns(ConvergenceWarning):
        lbfgs = Theirs(C=C).fit(raw, y)
    assert objective(mine, raw, y, C) < 0.99 * objective(lbfgs, raw, y, C)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_is_dense(table, form):
    X, y = table
    X = np.where(np.abs(X) < 0.7, 0.0, X)
    weights = np.random.default_rng(2).random(len(y))
    dense, from_sparse = (ours().fit(rows, y, sample_weight=weights) for rows in (X, form(X)))
    np.testing.assert_allclose(from_sparse.coef_, dense.coef_, atol=1e-7)
    np.testing.assert_allclose(
        from_sparse.predict_proba(form(X)), dense.predict_proba(X), atol=1e-8
    )


def test_duplicates_in_csr_add_up():
    X = sparse.csr_matrix(
        (np.ones(6), np.array([0, 0, 1, 1, 0, 1]), np.array([0, 2, 3, 5, 6])), shape=(4, 2)
    )
    y = [0, 1, 0, 1]
    np.testing.assert_allclose(ours().fit(X, y).coef_, ours().fit(X.toarray(), y).coef_, atol=1e-8)
    assert X.nnz == 6


def test_float32_is_kept(table):
    X, y = table
    mine = LogisticRegression().fit(X.astype(np.float32), y)
    assert mine.coef_.dtype == mine.intercept_.dtype == np.float32
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        assert getattr(mine, method)(X.astype(np.float32)).dtype == np.float32
    double = ours().fit(X, y)
    np.testing.assert_allclose(mine.coef_, double.coef_, atol=1e-3)
    assert objective(mine, X, y) <= objective(double, X, y) * (1 + 1e-5)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e6 + 0.1, -1e-6])
def test_constant_columns_get_no_weight(table, value, form):
    X, y = table
    wide = np.column_stack([X, np.full(len(X), value)])
    mine = ours().fit(form(wide), y)
    np.testing.assert_array_equal(mine.coef_[:, -1], 0.0)
    np.testing.assert_allclose(mine.coef_[:, :-1], ours().fit(X, y).coef_, atol=1e-7)
    np.testing.assert_allclose(
        mine.predict_proba(form(wide)), exact().fit(X, y).predict_proba(X), atol=1e-6
    )


def test_a_constant_column_is_the_intercept_of_a_model_without(table):
    X, y = table
    wide = np.column_stack([X, np.ones(len(X))])
    agree(ours(fit_intercept=False).fit(wide, y), exact(fit_intercept=False).fit(wide, y), wide)


def test_warm_start(table):
    X, y = table
    model = ours(warm_start=True).fit(X, y)
    cold, first = int(model.n_iter_[0]), model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_[0] <= 2 < cold
    np.testing.assert_allclose(model.coef_, first, atol=1e-8)
    # One that has another shape is none.
    np.testing.assert_allclose(
        model.fit(X[:, :3], y).coef_, ours().fit(X[:, :3], y).coef_, atol=1e-6
    )
    model.fit(X, y, sample_weight=np.arange(len(y)) % 3)
    np.testing.assert_allclose(
        model.coef_, ours().fit(X, y, sample_weight=np.arange(len(y)) % 3).coef_, atol=1e-6
    )


def test_a_warm_start_from_other_labels_is_none(table):
    X, y = table
    model = ours(warm_start=True).fit(X, y)
    model.fit(X, np.where(y == 0, 7, y))
    np.testing.assert_array_equal(model.classes_, np.unique(np.where(y == 0, 7, y)))


def test_a_run_that_is_cut_short_warns_and_goes_on_from_there(table):
    X, y = table
    model = LogisticRegression(max_iter=4, warm_start=True)
    losses = []
    for _ in range(3):
        with pytest.warns(ConvergenceWarning, match="Maximum number of iterations") as caught:
            model.fit(X, y)
        assert caught[0].filename == __file__
        assert model.n_iter_ == [4]
        losses.append(objective(model, X, y))
    assert losses[2] < losses[1] < losses[0]


def test_one_class_is_refused_in_scikit_learns_words(table):
    X, y = table
    said = []
    for model in (LogisticRegression(), Theirs()):
        with pytest.raises(ValueError, match="contains only one class") as caught:
            model.fit(X, np.zeros(len(y), int))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_labels_may_be_words(table):
    X, y = table
    words = np.array(["no", "yes", "what"])[y]
    mine = ours().fit(X, words)
    assert set(mine.predict(X)) <= set(words)
    agree(mine, exact().fit(X, words), X)


def test_logarithms_of_tiny_probabilities_are_finite():
    model = LogisticRegression(C=1e6, max_iter=1000).fit(
        [[-1.0], [1.0], [-2.0], [2.0]], [0, 1, 0, 1]
    )
    assert np.isfinite(model.predict_log_proba([[-1e4], [1e4]])).all()
    three = LogisticRegression(C=1e6, max_iter=1000).fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    assert np.isfinite(three.predict_log_proba([[-1e4], [1e4]])).all()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"C": 0.0}, r"C: expected a finite number > 0"),
        ({"C": -1.0}, "C: expected a finite number > 0"),
        ({"C": "1"}, "C: expected"),
        ({"tol": -1.0}, "tol: expected a finite number >= 0"),
        ({"max_iter": -1}, "max_iter: expected a whole number >= 0"),
        ({"max_iter": 2.5}, "max_iter: expected a whole number"),
        ({"class_weight": "even"}, "class_weight"),
    ],
)
def test_bad_parameters_are_named(table, parameters, words):
    model = LogisticRegression(**parameters)
    with pytest.raises((TypeError, ValueError), match=words):
        model.fit(*table)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("weights", [-1.0, 0.0])
def test_bad_weights_are_named(table, weights):
    X, y = table
    with pytest.raises(ValueError, match=r"(?i)sample.weight"):
        LogisticRegression().fit(X, y, sample_weight=np.full(len(y), weights))


def test_numbers_whose_squares_overflow_are_refused():
    with pytest.raises(ValueError, match="X: column 1 holds numbers whose squares overflow"):
        LogisticRegression().fit([[1.0, 1e200], [2.0, -1e200]], [0, 1])


def test_weights_are_routed(table):
    X, y = table
    weights = np.random.default_rng(3).random(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = ours().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        routed = cross_validate(
            model, X, y, cv=2, params={"sample_weight": weights}, return_estimator=True
        )
    halves = cross_validate(ours(), X, y, cv=2, return_indices=True)["indices"]["train"]
    for fitted, rows in zip(routed["estimator"], halves, strict=True):
        expected = ours().fit(X[rows], y[rows], sample_weight=weights[rows])
        np.testing.assert_array_equal(fitted.coef_, expected.coef_)
