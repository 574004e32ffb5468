"""Bad input: one row each, with words that the message must hold."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")
X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
Y = np.array([0, 1, 1])
BROKEN = sparse.csr_array(X)
BROKEN.indices = BROKEN.indices.copy()
BROKEN.indices[3] = 10**6
HOLED = sparse.csr_array(np.where(X == 4, np.nan, X))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": X[0]}, ValueError, r"X has shape \(2,\), expected 2 dimensions"),
        ({"X": X[:0]}, ValueError, r"X has shape \(0, 2\), expected at least one element"),
        ({"X": X[:, :0]}, ValueError, r"X has shape \(3, 0\)"),
        ({"X": sparse.csr_array((0, 2))}, ValueError, r"X has shape \(0, 2\)"),
        ({"X": np.where(X == 4, np.inf, X)}, ValueError, r"X\[1, 1\] is inf"),
        ({"X": HOLED}, ValueError, r"X\[1, 1\] is nan"),
        ({"X": BROKEN}, ValueError, "X is not a valid csr matrix"),
        ({"X": X + 1j}, TypeError, "X has dtype complex128"),
        ({"X": X.astype(str)}, TypeError, "X has dtype <U"),
        ({"X": sparse.csr_array(X + 1j)}, TypeError, "X has dtype complex128"),
        ({"y": Y[:2]}, ValueError, r"y has shape \(2,\), expected \(3,\)"),
        ({"y": Y[:, None]}, ValueError, r"y has shape \(3, 1\), expected \(3,\)"),
        ({"l2": -1.0}, ValueError, r"l2 is -1.0, expected a finite number that is at least 0"),
        ({"l2": np.inf}, ValueError, "l2 is inf"),
        ({"l2": np.nan}, ValueError, "l2 is nan"),
        ({"l2": "1"}, TypeError, "l2 is '1', expected a real number"),
        ({"l2": True}, TypeError, "l2 is True"),
    ],
)
def test_arguments(loss, change, error, words):
    given = {"X": X, "y": Y, "l2": 0.0} | change
    with pytest.raises(error, match=f"{loss}: {words}"):
        getattr(problems, loss)(**given)


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        ([1, 1, 1], ValueError, "y holds one class, 1; expected at least two"),
        ([0.0, np.nan, 1.0], ValueError, r"y\[1\] is nan"),
        ([None, 1, 2], TypeError, "y has dtype object"),
        ([0.5, 1.5, 2.5], ValueError, "y holds 3 distinct values, 0.5 among them"),
    ],
)
@pytest.mark.parametrize("name", ["logistic", "smoothed_svm", "softmax"])
def test_labels(name, y, error, words):
    with pytest.raises(error, match=f"{name}: {words}"):
        getattr(problems, name)(X, y)


def test_pandas_arrays_are_taken_as_lists_are(loss):
    pd = pytest.importorskip("pandas")
    expected = getattr(problems, loss)(X, Y)(np.zeros(getattr(problems, loss)(X, Y).d))
    frames = [pd.DataFrame(X), pd.DataFrame(X).astype(object), pd.DataFrame(X).astype("Float64")]
    series = [
        pd.Series(Y),
        pd.Series(Y, dtype=object),
        pd.Series(Y, dtype="Int64"),
        Y.astype(object),
    ]
    if loss != "least_squares":
        words = np.where(Y == 1, "b", "a")
        series += [
            pd.Series(words),
            pd.Series(words, dtype="category"),
            pd.Series(words, dtype=object),
        ]
        series += [pd.Series(Y, dtype="boolean"), pd.Series(Y, dtype="category")]
        if hasattr(np.dtypes, "StringDType"):
            series += [words.astype(np.dtypes.StringDType())]
    for rows, y in [*((frame, Y) for frame in frames), *((X, y) for y in series)]:
        fun = getattr(problems, loss)(rows, y)
        f, g = fun(np.zeros(fun.d))
        assert f == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(g, expected[1], rtol=1e-14)
    gap = pd.Series([1, None, 0], dtype="Int64")
    # NaN or an object, as pandas has it
    with pytest.raises(
        (TypeError, ValueError), match=rf"{loss}: y(\[1\] is nan| has dtype object)"
    ):
        getattr(problems, loss)(X, gap)
    with pytest.raises(
        (TypeError, ValueError), match=rf"{loss}: X(\[1, 0\] is nan| has dtype object)"
    ):
        getattr(problems, loss)(pd.DataFrame({"a": gap, "b": gap}), Y)


@pytest.mark.parametrize("name", ["logistic", "smoothed_svm"])
def test_more_than_two_classes(name):
    with pytest.raises(ValueError, match=r"y holds 3 classes \(3, 5, 9\), expected two"):
        getattr(problems, name)(X, [5, 3, 9])
    with pytest.raises(ValueError, match=r"y holds 7 classes \(0, 1, 2, 3, 4, …\)"):
        getattr(problems, name)(np.ones((7, 1)), np.arange(7))


def test_targets():
    with pytest.raises(ValueError, match=r"least_squares: y\[2\] is inf"):
        problems.least_squares(X, [0, 1, np.inf])
    with pytest.raises(TypeError, match="least_squares: y has dtype <U1"):
        problems.least_squares(X, ["a", "b", "c"])
    with pytest.raises(ValueError, match="y does not fit into float32"):
        problems.least_squares(X.astype(np.float32), [0, 1, 1e300])


@pytest.mark.parametrize(
    ("w", "error", "words"),
    [
        (np.zeros(99), ValueError, r"w has shape \(99,\), expected \("),
        (np.zeros((3, 1)), ValueError, r"w has shape \(3, 1\)"),
        (0.0, ValueError, r"w has shape \(\)"),
        (np.zeros(3, int), TypeError, "w has dtype int64, expected float64 or float32"),
        (np.zeros(3, complex), TypeError, "w has dtype complex128"),
        (np.zeros(3, np.float16), TypeError, "w has dtype float16"),
        (None, TypeError, "w has dtype object"),
    ],
)
def test_weights(loss, w, error, words):
    fun = getattr(problems, loss)(X, Y)
    with pytest.raises(error, match=f"{loss}: {words}"):
        fun(w)
    with pytest.raises(error, match=f"{loss}: {words}"):
        fun.predict(w, X)
    if w is not None:
        with pytest.raises(error, match=f"{loss}: {words}"):
            fun.hessian_diagonal(w)


def test_predict_wants_the_same_columns(loss):
    fun = getattr(problems, loss)(X, Y)
    with pytest.raises(ValueError, match=f"{loss}: X has 1 columns, expected 2"):
        fun.predict(fun.x0, X[:, :1])
    with pytest.raises(ValueError, match=f"{loss}: X\\[0, 0\\] is nan"):
        fun.predict(fun.x0, X * np.nan)


def test_options_are_keywords(loss):
    with pytest.raises(TypeError):
        getattr(problems, loss)(X, Y, 0.0, False)
