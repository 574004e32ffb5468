"""What a target asks for, and labels as class numbers."""

import numpy as np
import pytest

from mdbopt import data

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
        (np.arange(20.0).repeat(2), "softmax"),
        (np.arange(21.0).repeat(2), "regression"),
        ([1, 2, 3], "regression"),
        ([1.5, 2.0, 3.0] * 2, "regression"),
        ([5.0, 5.0], "regression"),
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
        (["a", "b", "c"], ValueError, "3 distinct strings"),
        (["a"], ValueError, "1 distinct strings"),
    ],
)
def test_bad_kind(y, error, words):
    with pytest.raises(error, match=words):
        data.kind(y)


def test_classification_targets():
    y = np.array([1.0, -1.0, 1.0])
    index, classes = data.classification_targets(y, "cars")
    np.testing.assert_array_equal(classes[index], y)
    with pytest.raises(ValueError, match=r"cars: y holds one class, 2.0; expected at least two"):
        data.classification_targets([2.0, 2.0], "cars")
    with pytest.raises(ValueError, match=r"cars: y holds 3 distinct values, 0.5 among them"):
        data.classification_targets([0.5, 1, 2], "cars")
