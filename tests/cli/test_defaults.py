"""Every default of ``mdbopt fit`` and of `problems` against scikit-learn's answer."""

import json

import numpy as np
import pytest

import mdbopt
from mdbopt import cli, data, problems
from mdbopt.cli import _model, _runs

linear_model = pytest.importorskip("sklearn.linear_model")
pytestmark = pytest.mark.filterwarnings("error")
ROWS = 120


def columns(seed=0):
    return np.random.default_rng(seed).standard_normal((ROWS, 3))


def shifted(X, by):
    return X + np.array([by, -by, 3 * by])


def years(X):
    return np.column_stack([X[:, :2], 1950 + np.arange(ROWS) % 70])


# What people's columns look like, from three standard normal ones.
COLUMNS = {
    "plain": lambda X: X,
    "tiny units": lambda X: X * 1e-6,
    "huge units": lambda X: X * 1e6,
    "mixed units": lambda X: X * [1e-4, 1.0, 1e5],
    "far from 0": lambda X: shifted(X, 1e3),
    "years": years,
    "a constant column": lambda X: np.column_stack([X, np.full(ROWS, 7.0)]),
    "a huge constant column": lambda X: np.column_stack([X, np.full(ROWS, 1e6)]),
    "an empty column": lambda X: np.column_stack([X, np.zeros(ROWS)]),
    "a column twice": lambda X: np.column_stack([X, X[:, 0]]),
    "more columns than rows": lambda X: np.random.default_rng(9).standard_normal((ROWS, 130)),
}


def fit(path, X, y, *options):
    """Return the model that ``mdbopt fit`` saves with its defaults, and what it prints as JSON."""
    np.savez(path / "t.npz", X=X, y=y)
    arguments = ["fit", str(path / "t.npz"), "--save", str(path / "m.npz"), "--json", *options]
    assert cli.main([*map(str, arguments)]) == 0
    return _model.load(path / "m.npz")


def ridge(X, y, alpha=1.0):
    return linear_model.Ridge(alpha=alpha, solver="svd").fit(X, y).predict(X)


def probabilities(X, y, C=1.0):
    # A free intercept makes the origin of a column void, which helps scikit-learn's solver.
    X = X - X.mean(axis=0)
    options = {"C": C, "tol": 1e-10, "max_iter": 1000, "solver": "newton-cholesky"}
    return linear_model.LogisticRegression(**options).fit(X, y).predict_proba(X)


UNITS = [(1.0, 1e4), (1e-9, 0.0), (1e9, -1e12)]
CASES = [(name, *UNITS[0]) for name in COLUMNS]
CASES += [(name, *unit) for name in ("plain", "mixed units", "years") for unit in UNITS[1:]]


@pytest.mark.parametrize(("name", "unit", "offset"), CASES)
def test_squares_are_ridge(tmp_path, capsys, name, unit, offset):
    X = columns()
    noise = 0.1 * np.random.default_rng(1).standard_normal(ROWS)
    y = unit * (X @ [1.0, -2.0, 0.5] + noise) + offset
    X = COLUMNS[name](X)
    model = fit(tmp_path, X, y)
    told = json.loads(capsys.readouterr().out)
    assert told["loss"] == "squares"
    expected = ridge(X, y)
    np.testing.assert_allclose(model.predict(X)[0], expected, rtol=0, atol=1e-4 * unit)
    r2 = 1 - np.sum((expected - y) ** 2) / np.sum((y - y.mean()) ** 2)
    assert told["fits"][0]["score"] == pytest.approx(r2, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "more columns than rows"])
def test_no_penalty_is_linear_regression(tmp_path, capsys, name):
    y = columns() @ [1.0, -2.0, 0.5] + 0.1 * np.random.default_rng(1).standard_normal(ROWS)
    X = COLUMNS[name](columns())
    model = fit(tmp_path, X, y, "--l2", 0)
    # scikit-learn cuts singular values below 1e-6 of the largest, so its columns get one unit
    unit = np.linalg.norm(X, axis=0)
    unit[unit == 0] = 1
    expected = linear_model.LinearRegression().fit(X / unit, y).predict(X / unit)
    np.testing.assert_allclose(model.predict(X)[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rate", [0.5, 0.05])
def test_logistic_is_logistic_regression(tmp_path, capsys, name, rate):
    X = columns()
    z = X @ [1.0, -2.0, 0.5] + np.random.default_rng(2).standard_normal(ROWS)
    y = z > np.quantile(z, 1 - rate)
    X = COLUMNS[name](X)
    model = fit(tmp_path, X, y)
    assert json.loads(capsys.readouterr().out)["loss"] == "logistic"
    found = model.predict(X)[1]
    np.testing.assert_allclose(found, probabilities(X, y), atol=1e-5)
    assert found[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "count"),
    [("plain", 7), ("plain", 3), ("mixed units", 3), ("far from 0", 3), ("a constant column", 3)],
)
def test_softmax_is_multinomial_regression(tmp_path, capsys, name, count):
    X = columns()
    z = X @ [1.0, -2.0, 0.5] + 0.3 * np.random.default_rng(2).standard_normal(ROWS)
    # the last class is rare
    edges = np.quantile(z, [*np.linspace(0, 0.97, count)[1:]])
    y = np.digitize(z, edges)
    X = COLUMNS[name](X)
    model = fit(tmp_path, X, y)
    assert json.loads(capsys.readouterr().out)["loss"] == "softmax"
    found = model.predict(X)[1]
    np.testing.assert_allclose(found, probabilities(X, y), atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), np.bincount(y) / ROWS, atol=1e-6)


def test_26_letters_are_classes_and_converge(tmp_path, capsys):
    rng = np.random.default_rng(4)
    y = np.arange(520) % 26 + 1
    X = rng.standard_normal((26, 4))[y - 1] + 0.7 * rng.standard_normal((520, 4))
    model = fit(tmp_path, X, y)
    told = json.loads(capsys.readouterr().out)
    assert told["loss"] == "softmax"
    assert told["fits"][0]["success"]
    np.testing.assert_allclose(model.predict(X)[1], probabilities(X, y), atol=1e-5)
    letters = np.array([chr(64 + label) for label in y])
    again = fit(tmp_path, X, letters)
    assert json.loads(capsys.readouterr().out)["loss"] == "softmax"
    np.testing.assert_allclose(again.predict(X)[1], model.predict(X)[1], atol=1e-6)
    assert list(again.classes) == sorted(set(letters))


def test_the_issue_s_offset_targets(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 2))
    y = 1000 + X @ [1.0, 2.0] + 0.1 * rng.standard_normal(20)
    fit(tmp_path, X, y)
    assert json.loads(capsys.readouterr().out)["fits"][0]["score"] == pytest.approx(0.993, abs=1e-3)
    fit(tmp_path, X, y, "--penalize-intercept")
    assert json.loads(capsys.readouterr().out)["fits"][0]["score"] < -100


def test_the_issue_s_rare_class(tmp_path, capsys):
    X = np.random.default_rng(0).standard_normal((1000, 3))
    y = np.arange(1000) % 1000 < 16
    model = fit(tmp_path, X, y, "--l2", 1)
    assert model.predict(X)[1][:, 1].mean() == pytest.approx(0.016, abs=1e-6)
    np.testing.assert_allclose(model.predict(X)[1], probabilities(X, y, C=1e-3), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_either_precision(tmp_path, capsys, dtype, unit):
    X = columns()
    y = unit * (X @ [1.0, -2.0, 0.5] + 10)
    fit(tmp_path, X, y, "--dtype", dtype)
    assert json.loads(capsys.readouterr().out)["fits"][0]["score"] > 0.999


@pytest.mark.parametrize("loss", ["least_squares", "logistic", "softmax", "smoothed_svm"])
@pytest.mark.parametrize("l2", [1e-2, 1.0])
def test_the_origin_of_columns_does_not_matter(loss, l2):
    X = columns()
    z = X @ [1.0, -2.0, 0.5] + np.random.default_rng(2).standard_normal(ROWS)
    y = z if loss == "least_squares" else np.digitize(z, [1.0, 2.0][: 1 + (loss == "softmax")])
    answers = []
    for rows in (X, X + np.array([3.0, -2.0, 5.0])):
        fun = getattr(problems, loss)(rows, y, l2)
        found = mdbopt.minimize(fun, fun.x0, jac=True, options={"gtol": 1e-9})
        assert found.success
        slopes = found.x[: -1 if loss != "softmax" else -3]
        answers.append((found.fun, slopes))
    assert answers[0][0] == pytest.approx(answers[1][0], rel=1e-9)
    np.testing.assert_allclose(answers[0][1], answers[1][1], atol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 0.05])
def test_a_wide_parabola_is_the_squared_hinge(rate):
    svm = pytest.importorskip("sklearn.svm")
    X = columns() + 2.0
    z = X @ [1.0, -2.0, 0.5] + np.random.default_rng(2).standard_normal(ROWS)
    y = z > np.quantile(z, 1 - rate)
    width = 1e3
    fun = problems.smoothed_svm(X, y, 1 / (ROWS * width), smoothing=width)
    found = mdbopt.minimize(fun, fun.x0, jac=True, options={"gtol": 1e-12})
    # LinearSVC penalises its intercept, the less the larger the column that stands for it
    options = {"C": 0.5, "tol": 1e-10, "max_iter": 10_000, "dual": False, "intercept_scaling": 1e3}
    model = svm.LinearSVC(**options).fit(X, y)
    np.testing.assert_allclose(found.x, [*model.coef_[0], *model.intercept_], rtol=1e-4)


def test_the_gradient_vanishes_where_scikit_learn_ends():
    X = columns()
    y = X @ [1.0, -2.0, 0.5] + 100 + np.random.default_rng(2).standard_normal(ROWS)
    for l2 in (1 / ROWS, 1.0):
        model = linear_model.Ridge(alpha=ROWS * l2, solver="svd").fit(X, y)
        w = np.append(model.coef_, model.intercept_)
        assert np.abs(problems.least_squares(X, y, l2)(w)[1]).max() < 1e-10
        assert np.abs(problems.least_squares(X, y, l2, penalize_intercept=True)(w)[1]).max() > 0.1
        options = {"C": 1 / (ROWS * l2), "tol": 1e-12, "solver": "newton-cholesky"}
        labels = np.digitize(y, [99, 101])
        model = linear_model.LogisticRegression(**options).fit(X, labels == 2)
        w = np.append(model.coef_, model.intercept_)
        assert np.abs(problems.logistic(X, labels == 2, l2)(w)[1]).max() < 1e-8
        model = linear_model.LogisticRegression(**options).fit(X, labels)
        w = np.vstack([model.coef_.T, model.intercept_]).ravel()
        assert np.abs(problems.softmax(X, labels, l2)(w)[1]).max() < 1e-8


def test_the_default_tolerance_keeps_within_that_of_minimize():
    table = data.breast_cancer()
    assert _runs.default_gtol(problems.logistic(table.X, table.y, 1 / 569)) == 1e-8
    X, y = columns(), columns(1)[:, 0]
    for unit in (1.0, 1e3, 1e9):
        assert _runs.default_gtol(problems.least_squares(X, unit * y)) == 1e-8
    assert 0 < _runs.default_gtol(problems.least_squares(X, 1e-9 * y)) < 1e-14
    assert _runs.default_gtol(problems.least_squares(X, np.ones(ROWS))) == 1e-8
