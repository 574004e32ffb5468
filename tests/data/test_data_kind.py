"""What a target asks for, and labels as class numbers."""

import numpy as np
import pytest

from mdbopt import data
from mdbopt.data import _kind

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1, 1], "classification"),
        ([-1.0, 1.0], "classification"),
        ([0.25, 7.5, 0.25], "classification"),
        (["no", "yes"], "classification"),
        ([True, False], "classification"),
        ([1, 2, 3] * 2, "softmax"),
        (["a", "b", "c"] * 2, "softmax"),
        (np.arange(26).repeat(2), "softmax"),
        (np.arange(1.0, 301).repeat(2), "softmax"),
        (np.array(["b", "a", "c"] * 2, object), "softmax"),
        ([-1, 0, 1] * 2, "regression"),
        ([1, 2, 4] * 2, "regression"),
        ([2, 3, 4] * 2, "regression"),
        ([0, 1, 2, 0, 1], "regression"),
        (np.arange(100), "regression"),
        ([1, 2, 3], "regression"),
        ([1.5, 2.0, 3.0] * 2, "regression"),
    ],
)
def test_kind(y, expected):
    assert data.kind(y) == expected


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        ([], ValueError, r"y has shape \(0,\)"),
        ([[1, 2]], ValueError, r"y has shape \(1, 2\)"),
        ([1.0, np.nan], ValueError, "y is not finite"),
        ([1j, 2], TypeError, "y has dtype complex128"),
        (["a", "b", "c"], ValueError, "3 distinct strings in 3 rows"),
        (["a"], ValueError, "y holds one value in all 1 rows, a"),
        ([5.0, 5.0], ValueError, "y holds one value in all 2 rows, 5: nothing"),
        (np.array(["a", None], object), TypeError, "y has dtype object"),
        (np.array(["a", np.nan], object), TypeError, r"y\[1\] is nan among strings"),
    ],
)
def test_bad_kind(y, error, words):
    with pytest.raises(error, match=words):
        data.kind(y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([-1, 1, 1], "holds two values, -1 and 1: classes"),
        ([1, 2, 3] * 4, "holds all whole numbers from 1 to 3, each at least 4 times: classes"),
        ([0, 1, 2, 2, 1], "holds all whole numbers from 0 to 2, but 0 once only"),
        ([0.5, 1.5, 2.5], "holds 3 numbers that do not count classes"),
        (["a", "b", "c"] * 2, "holds 3 distinct words: classes"),
    ],
)
def test_the_reason_says_what_y_holds(y, words):
    assert _kind.kind_and_reason(y)[1] == words


def test_classification_targets():
    y = np.array([1.0, -1.0, 1.0])
    index, classes = data.classification_targets(y, "cars")
    np.testing.assert_array_equal(classes[index], y)
    with pytest.raises(ValueError, match=r"cars: y holds one class, 2.0; expected at least two"):
        data.classification_targets([2.0, 2.0], "cars")
    with pytest.raises(ValueError, match=r"cars: y holds 3 distinct values, 0.5 among them"):
        data.classification_targets([0.5, 1, 2], "cars")
