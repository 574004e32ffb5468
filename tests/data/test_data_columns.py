"""Columns of words and missing values: indicators, means, and another part of the same table."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt import data

pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("error")
TABLE = "size;fuel;price\n1,5;gas;10\n2,5;oil;20\n4,5;gas;30\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_words_are_encoded_on_request(write):
    path = write("t.csv", TABLE)
    with pytest.raises(ValueError, match=r"column 'fuel' holds 'gas' \(row 1, line 2\)") as caught:
        data.load(path)
    assert "one_hot=True (--one-hot) makes an indicator of each of its 2 words" in str(caught.value)
    table = data.load(path, one_hot=True)
    assert list(table.feature_names) == ["size", "fuel=gas", "fuel=oil"]
    np.testing.assert_array_equal(table.X, [[1.5, 1, 0], [2.5, 0, 1], [4.5, 1, 0]])
    assert table.columns.categories == {"fuel": ("gas", "oil")}


def test_a_word_among_numbers_is_named_by_its_row(write):
    path = write("t.csv", "a,b,y\n1,2,3\n4,5,6\n7,'8,9\n")
    with pytest.raises(ValueError, match=r"column 'b' holds \"'8\" \(row 3, line 4\)"):
        data.load(path)
    path = write("t.csv", 'a,b,y\n1,"2\n",3\n4,x,6\n')
    with pytest.raises(ValueError, match=r"column 'b' holds 'x' \(row 2, line 4\)"):
        data.load(path)


def test_booleans_are_numbers(write):
    table = data.load(write("t.csv", "a,b,y\n1,True,3\n2,False,4\n"))
    np.testing.assert_array_equal(table.X, [[1, 1], [2, 0]])
    table = data.load(
        write("t.csv", "a,b,y\n1,True,3\n2,,4\n3,TRUE,6\n4,False,5\n"), missing="mean"
    )
    np.testing.assert_allclose(table.X[:, 1], [1, 2 / 3, 1, 0])


@pytest.mark.parametrize("cell", ["", "NA", "N/A", "nan", "NaN", "?", ".", "-", "null", "None",
                                  "#N/A", "#DIV/0!", " ? "])  # fmt: skip
def test_missing_values(cell, write):
    path = write("t.csv", f"a,b,y\n1,2,3\n4,{cell},6\n7,6,9\n")
    with pytest.raises(
        ValueError, match=r"row 2, line 3: column 'b' has a missing value; "
    ) as caught:
        data.load(path)
    assert "missing='mean' (--missing mean)" in str(caught.value)
    table = data.load(path, missing="mean")
    np.testing.assert_array_equal(table.X, [[1, 2], [4, 4], [7, 6]])
    np.testing.assert_array_equal(table.columns.means, [4, 4])


def test_missing_values_without_a_header(write):
    path = write("t.csv", "3,1,2\n6,?,5\n9,7,?\n")
    with pytest.raises(ValueError, match=r"row 2, line 2: column 1 \(counted from 0\) has a miss"):
        data.load(path, target=0)
    np.testing.assert_array_equal(
        data.load(path, target=0, missing="mean").X, [[1, 2], [4, 5], [7, 3.5]]
    )


def test_missing_words_take_the_shares_of_the_others(write):
    path = write("t.csv", "a,fuel,y\n1,gas,3\n4,?,6\n7,oil,9\n1,gas,3\n")
    with pytest.raises(ValueError, match=r"row 2, line 3: column 'fuel' has a missing value"):
        data.load(path, one_hot=True)
    table = data.load(path, one_hot=True, missing="mean")
    np.testing.assert_allclose(table.X[1], [4, 2 / 3, 1 / 3])


def test_a_missing_target_is_an_error_always(write):
    path = write("t.csv", "a,y\n1,2\n3,\n5,\n")
    words = r"row 2, line 3: the target, column 'y', has a missing value \(2 in all\); take such"
    for missing in ("error", "mean"):
        with pytest.raises(ValueError, match=words):
            data.load(path, missing=missing)


def test_a_column_without_any_value_has_no_mean(write):
    path = write("t.csv", "a,b,y\n1,,2\n3,NA,4\n")
    with pytest.raises(ValueError, match="column 'b' holds no value at all, and so has no mean"):
        data.load(path, missing="mean")


def test_many_words_make_a_sparse_matrix(write):
    words = [f"w{k:03}" for k in range(200)]
    rows = "".join(f"{word},{k},{k % 2}\n" for k, word in enumerate(words * 2))
    table = data.load(write("t.csv", "word,a,y\n" + rows), one_hot=True)
    assert sparse.issparse(table.X)
    assert table.X.shape == (400, 201)
    np.testing.assert_array_equal(table.X.toarray()[:200, :200], np.eye(200))
    np.testing.assert_array_equal(table.X.toarray()[:, 200], np.arange(400))
    assert len(table.feature_names) == 201


def test_another_part_becomes_the_same_features(write):
    table = data.load(write("t.csv", TABLE), one_hot=True, missing="mean")
    part = write("part.csv", "price,more,fuel,size\n7,x,oil,3.5\n8,x,,\n")
    again = data.load(part, columns=table.columns)
    np.testing.assert_allclose(again.X, [[3.5, 0, 1], [8.5 / 3, 2 / 3, 1 / 3]])
    np.testing.assert_array_equal(again.y, [7, 8])
    assert again.feature_names == table.feature_names
    bare = data.load(write("bare.csv", "fuel,size\ngas,1\n"), columns=table.columns)
    np.testing.assert_array_equal(bare.X, [[1, 1, 0]])
    assert bare.y.size == 0
    # by place where a header is missing
    rows = data.load(write("rows.csv", "1.5;gas\n2.5;oil\n"), columns=table.columns)
    np.testing.assert_array_equal(rows.X, [[1.5, 1, 0], [2.5, 0, 1]])


def test_numbers_that_are_words_in_the_other_part(write):
    table = data.load(write("t.csv", "zip,y\n01234,1\nunknown,2\n99,3\n"), one_hot=True)
    assert table.columns.categories == {"zip": ("01234", "99", "unknown")}
    again = data.load(write("u.csv", "zip,y\n99,1\n01234,2\n"), columns=table.columns)
    np.testing.assert_array_equal(again.X, [[0, 1, 0], [1, 0, 0]])
    bare = data.load(write("t.csv", "5more,1\n2,2\n3,5\n2,2\n"), one_hot=True, header=False)
    part = data.load(write("u.csv", "2,2\n3,5\n"), columns=bare.columns)
    np.testing.assert_array_equal(part.X, [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "size,price\n1,2\n",
            "has no column 'fuel' .it has size, price., expected those of the fit",
        ),
        (
            "size,fuel,price\n1,coal,2\n",
            "row 1, line 2: column 'fuel' holds 'coal', which the table",
        ),
        ("size,fuel,price\nbig,gas,2\n", "column 'size' holds 'big'"),
        ("size,fuel,price\n1,,2\n", "column 'fuel' has a missing value"),
        ("1,gas,3,4\n", "has 4 columns beside the target, expected 2 as in the fit"),
        ("size,fuel,price\n1,gas,\n", "the target, column 'price', has a missing value"),
    ],
)
def test_a_part_that_does_not_fit(text, words, write):
    table = data.load(write("t.csv", TABLE), one_hot=True)
    with pytest.raises(ValueError, match=words):
        data.load(write("part.csv", text), columns=table.columns)


def test_options_that_columns_decide(write):
    path = write("t.csv", TABLE)
    table = data.load(path, one_hot=True)
    for options in ({"one_hot": True}, {"missing": "mean"}):
        with pytest.raises(ValueError, match="is part of columns; give one of them"):
            data.load(path, columns=table.columns, **options)
    with pytest.raises(ValueError, match="columns is for a file"):
        data.load(columns=table.columns)
