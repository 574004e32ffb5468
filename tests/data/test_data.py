"""Tables from files: each format read back, and each way to go wrong."""

import bz2
import gzip
import io
import lzma
import sys

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from mdbopt import data, problems

pytestmark = pytest.mark.filterwarnings("error")
X = np.array([[1.0, 0.0, 2.5], [0.0, -3.0, 1e-3], [4.0, 5.0, 0.0]])
Y = np.array([1.0, -1.0, 1.0])
LIBSVM = b"# a comment\n+1 1:1 3:2.5\n-1 2:-3 3:1e-3 # another\n\n1 1:4 2:5\n"


def csv_text(delimiter=",", header="", end="\n"):
    rows = [delimiter.join(map(repr, map(float, row))) for row in np.column_stack([X, Y])]
    return end.join(([header] if header else []) + rows) + end


def npz_bytes(save=np.savez, **members):
    buffer = io.BytesIO()
    save(buffer, **members)
    return buffer.getvalue()


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "name", ["a.svm", "a", "a.txt", "a.t", "a.b.libsvm", "a.gz", "a.svm.bz2", "a.svm.xz"]
)
def test_libsvm(name, write):
    pytest.importorskip("sklearn")
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    table = data.load(write(name, pack.get(name.split(".")[-1], bytes)(LIBSVM)))
    assert table.name == "a" + {"a.b.libsvm": ".b", "a.t": ".t"}.get(name, "")
    np.testing.assert_array_equal(table.X.toarray(), X)
    np.testing.assert_array_equal(table.y, Y)
    assert list(table.feature_names) == ["x0", "x1", "x2"]
    assert table.feature_names[-1] == "x2"
    assert list(table.feature_names[1:]) == ["x1", "x2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", ", ", "   "])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(delimiter, header, end, write):
    names = ["age", "size", "cost", "label"]
    text = csv_text(delimiter, delimiter.join(names) if header else "", end)
    for name, content in (("t.csv", text), ("t.CSV.gz", gzip.compress(text.encode()))):
        pytest.importorskip("pandas")
        table = data.load(write(name, content))
        np.testing.assert_array_equal(table.X, X)
        np.testing.assert_array_equal(table.y, Y)
        assert list(table.feature_names) == (names[:-1] if header else ["x0", "x1", "x2"])
        assert table.name == "t"


def test_csv_quotes_blank_lines_and_byte_order_mark(write):
    table = data.load(write("t.csv", '\ufeff"a, b","c"\n\n"1.5","2"\n 3 , 4e0\n'))
    assert list(table.feature_names) == ["a, b"]
    np.testing.assert_array_equal(table.X, [[1.5], [3]])
    np.testing.assert_array_equal(table.y, [2, 4])


@pytest.mark.parametrize("target", ["size", 1, -3])
def test_target_column(target, write):
    table = data.load(write("t.csv", csv_text(",", "age,size,cost,label")), target=target)
    assert list(table.feature_names) == ["age", "cost", "label"]
    np.testing.assert_array_equal(table.y, X[:, 1])
    np.testing.assert_array_equal(table.X, np.column_stack([X[:, 0], X[:, 2], Y]))


def test_labels_that_are_words(write):
    pytest.importorskip("pandas")
    table = data.load(write("t.csv", "a,kind\n1,yes\n2, no\n3,yes\n"))
    assert table.y.tolist() == ["yes", "no", "yes"]
    assert problems.logistic(table.X, table.y).classes.tolist() == ["no", "yes"]
    table = data.load(write("t.npz", npz_bytes(X=X, y=np.array(["a", "b", "a"]))))
    assert table.y.tolist() == ["a", "b", "a"]
    table = data.load(write("t.csv", "1,True\n2,False\n"))
    assert table.y.tolist() == [True, False]
    assert data.kind(table.y) == "classification"


def test_numpy_files(write):
    table = data.load(write("t.npz", npz_bytes(X=X, y=Y)))
    np.testing.assert_array_equal(table.X, X)
    named = npz_bytes(np.savez_compressed, X=X, y=Y, feature_names=["a", "b", "c"], extra=1)
    assert list(data.load(write("n.npz", named)).feature_names) == ["a", "b", "c"]
    table = data.load(write("t.npy", npy_bytes(np.column_stack([X, Y]))))
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, Y)
    table = data.load(write("t.npy", npy_bytes(np.column_stack([Y, X]))), target=0)
    np.testing.assert_array_equal(table.X, X)
    single = data.load(write("s.npz", npz_bytes(X=X.astype(np.float32), y=Y.astype(int))))
    assert single.X.dtype == np.float32
    assert data.load(write("i.npy", npy_bytes(np.eye(3, dtype=int)))).X.dtype == np.float64


@pytest.mark.parametrize("layout", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_npz(layout, write):
    buffer = io.BytesIO()
    sparse.save_npz(buffer, layout(X))
    with np.load(io.BytesIO(buffer.getvalue())) as archive:
        members = dict(archive)
    table = data.load(write("t.npz", npz_bytes(**members, y=Y)))
    assert table.X.format == "csr"
    np.testing.assert_array_equal(table.X.toarray(), X)
    del members["format"]
    if layout is sparse.csr_matrix:
        np.testing.assert_array_equal(
            data.load(write("u.npz", npz_bytes(**members, y=Y))).X.toarray(), X
        )


def test_without_a_path():
    pytest.importorskip("sklearn")
    table = data.load()
    assert table.name == "breast-cancer"
    assert table.target == "whether a tumour is benign"
    assert table.X.shape == (569, 30)
    assert len(table.feature_names) == 30
    assert data.kind(table.y) == "classification"
    with pytest.raises(ValueError, match="target is for a file"):
        data.load(target=0)


def test_constant_columns_work(write):
    table = data.load(write("t.csv", "1,0,3,1\n1,0,4,0\n1,0,5,1\n"))
    f, g = problems.logistic(table.X, table.y)(np.zeros(4))
    assert np.isfinite(f)
    assert np.isfinite(g).all()


CSR = sparse.csr_array(X)
PARTS = {"data": CSR.data, "indices": CSR.indices, "indptr": CSR.indptr, "shape": CSR.shape}
BAD = [
    ("empty.csv", b"", "the file is empty"),
    ("blank.csv", b" \n\n", "the file is empty"),
    ("empty.svm", b"", "the file is empty"),
    ("empty.csv.gz", gzip.compress(b""), "the file is empty"),
    ("zero.csv.gz", b"", "the file is empty"),
    ("cut.csv.gz", gzip.compress(csv_text().encode())[:-12], "not a whole .gz file"),
    ("cut.svm.bz2", bz2.compress(LIBSVM)[:-5], "not a whole .bz2 file"),
    ("not.svm.gz", LIBSVM, "not a whole .gz file"),
    ("flipped.csv.gz", gzip.compress(b"1,2\n")[:-8] + b"\0" * 8, "not a whole .gz file"),
    (
        "word.csv",
        "1,2.5\n3,four\n",
        r"the target, column 1 \(counted from 0\) holds 'four' \(row 2, line 2\) among",
    ),
    (
        "mixed.csv",
        "1,2\ntwo,4\n3,5\n",
        r"column 0 \(counted from 0\) holds 'two' \(row 2, line 2\)",
    ),
    ("under.csv", "a,b\n2,3\n1_000,1\n", "holds '1_000'"),
    ("hole.csv", "a,b\n\n1,2\n,4\n", "row 2, line 4: column 'a' has a missing value"),
    ("na.csv", "a,b\n1,NA\n", "row 1, line 2: the target, column 'b', has a missing value"),
    ("nan.csv", "1,2,5\n3,nan,6\n", "row 2, line 2: column 1"),
    ("marks.csv", "?,?\n1,2\n", "row 1, line 1: the target"),
    ("inf.csv", "1,2\n-inf,3\n", r"row 2, line 2: column 0 \(counted from 0\) holds -inf"),
    ("big.csv", "a,b\n1e999,3\n", "column 'a' holds inf"),
    ("far.csv", "a,b\n3,1e999\n", "the target, column 'b', holds inf"),
    ("ragged.csv", "1,2,3\n4,5\n", "row 2, line 2: the target"),
    ("wide.csv", "1,2\n4,5,6\n", "row 2, line 2: has 3 cells, others have 2"),
    ("wider.csv", "a,b\n4,5\n" + "1,2\n" * 200 + "4,5,6\n", "Expected 2 fields in line 203, saw 3"),
    ("header.csv", "a,b\n", "holds no rows below its header, a, b"),
    ("long.csv", "a,b,c\n1,2\n", "its header has 3 cells, but its rows have 2"),
    ("one.csv", "1\n2\n", r"has 1 column\(s\), expected at least one feature and the target"),
    ("latin.csv", "ä,b\n1,2\n".encode("latin-1"), "not UTF-8 text"),
    ("binary.csv", b"\0\1\2,3\n4,5\n", "binary content"),
    ("quote.csv", '1,"2\n3,4\n', "cannot be read as a table: EOF inside string"),
    ("label.svm", b"1 1:2\nx 1:3\n", "line 2: 'x 1:3' is not LIBSVM text"),
    ("colon.svm", b"1 1:2\n# c\n1 1=3\n", "line 3: '1 1=3' is not LIBSVM text"),
    ("value.svm", b"1 1:2\n1 1:x\n", "line 2: '1 1:x' is not LIBSVM text"),
    ("negative.svm", b"1 -1:2\n", "line 1: '1 -1:2' is not LIBSVM text"),
    ("order.svm", b"1 1:2\n1 3:1 2:1\n", "line 2: '1 3:1 2:1' is not LIBSVM text"),
    ("nan.svm", b"1 1:2\n1 1:nan\n", "row 2: holds 1:nan, expected finite"),
    ("infinite.svm", b"inf 1:2\n", "row 1: the label is inf"),
    ("labels.svm", b"1\n-1\n", "holds no features"),
    ("comment.svm", b"# nothing\n", "holds no features|LIBSVM"),
    ("prose.txt", b"It was a dark night.\n", "holds no rows below its header, It, was"),
    ("huge.svm", b"1 99999999999999999999:1\n", "LIBSVM|line 1"),
    ("x.npz", npz_bytes(X=X), "holds X; expected X and y"),
    ("none.npz", npz_bytes(), "holds nothing; expected X and y"),
    ("other.npz", npz_bytes(a=X, b=Y), "holds a, b; expected X and y"),
    ("rows.npz", npz_bytes(X=X, y=Y[:2]), r"y has shape \(2,\), expected \(3,\)"),
    ("flat.npz", npz_bytes(X=Y, y=Y), r"X has shape \(3,\), expected 2 dimensions"),
    ("nan.npz", npz_bytes(X=X * np.nan, y=Y), r"X\[0, 0\] is nan"),
    ("inf.npz", npz_bytes(X=X, y=Y * np.inf), r"y\[0\] is inf"),
    ("words.npz", npz_bytes(X=X.astype(str), y=Y), "X has dtype <U"),
    ("complex.npz", npz_bytes(X=X * 1j, y=Y), "X has dtype complex128"),
    ("names.npz", npz_bytes(X=X, y=Y, feature_names=["a"]), "1 feature_names for 3 columns"),
    ("pickle.npz", npz_bytes(X=np.array([[None]]), y=Y), "a member cannot be read: Object"),
    ("cut.npz", npz_bytes(X=X, y=Y)[:-30], "not an array file"),
    ("text.npz", b"1,2,3\n", "not an array file"),
    ("array.npz", npy_bytes(X), "does not match the ending"),
    ("range.npz", npz_bytes(**PARTS | {"indices": CSR.indices + 9}, y=Y), "not a sparse matrix"),
    ("shape.npz", npz_bytes(**PARTS | {"shape": 3.5}, y=Y), "not a sparse matrix"),
    ("format.npz", npz_bytes(**PARTS, format="coo", y=Y), "the sparse format is 'coo'"),
    ("pickle.npy", npy_bytes(np.array([[None, 1]])), "not an array file that NumPy can read"),
    ("cut.npy", npy_bytes(X)[:-9], "not an array file that NumPy can read"),
    ("magic.npy", npy_bytes(X)[:7], "not an array file that NumPy can read"),
    ("flat.npy", npy_bytes(Y), r"has shape \(3,\), expected rows and columns"),
    ("one.npy", npy_bytes(X[:, :1]), r"has 1 column\(s\)"),
    ("none.npy", npy_bytes(X[:0]), r"has shape \(0, 3\)"),
    ("words.npy", npy_bytes(X.astype(str)), "has dtype <U32"),
    ("nan.npy", npy_bytes(np.where(X == 5, np.nan, X)), "is nan, expected finite numbers"),
    ("archive.npy", npz_bytes(X=X, y=Y), "does not match the ending"),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD, ids=[row[0] for row in BAD])
def test_bad_files(name, content, words, write):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    path = write(name, content)
    with pytest.raises(ValueError, match=words) as caught:
        data.load(path)
    assert str(caught.value).startswith(str(path))


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv: no such file"):
        data.load(tmp_path / "nothing.csv")
    with pytest.raises(IsADirectoryError, match="is a directory, expected a file"):
        data.load(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "target", "error", "words"),
    [
        ("t.csv", "weight", ValueError, r"'weight' is not the name of one column \(a, b, c, a\)"),
        ("t.csv", "a", ValueError, "'a' is not the name of one column"),
        ("t.csv", 4, ValueError, "target 4 is out of range for 4 columns"),
        ("t.csv", -5, ValueError, "target -5 is out of range"),
        ("t.csv", "9", ValueError, "target 9 is out of range"),
        ("t.csv", 1.5, TypeError, "target is 1.5, expected a column's name or index"),
        ("t.csv", True, TypeError, "target is True"),
        ("u.csv", "a", ValueError, r"'a' is not the name of one column \(no header\)"),
        ("t.npz", 0, ValueError, "target is for text with columns and .npy; this is .npz"),
        ("t.svm", 0, ValueError, "target is for text with columns and .npy; this is LIBSVM text"),
    ],
)
def test_bad_target(name, target, error, words, write):
    content = {"t.npz": npz_bytes(X=X, y=Y), "t.svm": LIBSVM, "u.csv": csv_text()}
    path = write(name, content.get(name, csv_text(",", "a,b,c,a")))
    with pytest.raises(error, match=words):
        data.load(path, target=target)


def test_without_the_extra(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    files = write("t.svm", LIBSVM), write("t.csv", csv_text())
    for read in (data.breast_cancer, *(lambda file=file: data.load(file) for file in files)):
        with pytest.raises(ImportError, match=r"pip install 'mdbopt\[data\]'"):
            read()


def load_or_refuse(folder, content, ending):
    path = folder / f"fuzz{ending}"
    path.write_bytes(content)
    try:
        table = data.load(path)
    except ValueError as refusal:
        return str(path) in str(refusal)
    if table.y.dtype.kind != "U":
        assert np.isfinite(table.y).all()
    return table.X.shape == (len(table.y), len(table.feature_names))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.sampled_from([".csv", ".npz", ".npy", ".csv.gz", ".svm"]))
def test_any_bytes_are_a_table_or_a_value_error(tmp_path_factory, content, ending):
    pytest.importorskip("sklearn")
    assert load_or_refuse(tmp_path_factory.getbasetemp(), content, ending)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text('0123456789 .,;:-+enaif#"\n\t', max_size=50), st.sampled_from([".csv", ".svm"]))
def test_any_numeric_text_is_a_table_or_a_value_error(tmp_path_factory, content, ending):
    pytest.importorskip("sklearn")
    assert load_or_refuse(tmp_path_factory.getbasetemp(), content.encode(), ending)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from([".npz", ".npy"]))
def test_damaged_arrays_are_a_table_or_a_value_error(tmp_path_factory, draws, ending):
    whole = npz_bytes(X=X, y=Y) if ending == ".npz" else npy_bytes(X)
    content = bytearray(whole)
    content[draws.draw(st.integers(0, len(content) - 1))] = draws.draw(st.integers(0, 255))
    assert load_or_refuse(tmp_path_factory.getbasetemp(), bytes(content), ending)
