"""Files of other programs, each refused in words with advice that works; LIBSVM text."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest

from mdbopt import data

sklearn_datasets = pytest.importorskip("sklearn.datasets")
pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("error")
CSV = b"a,b,y\n1,2,3\n4,5,6\n"


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("t.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    return buffer.getvalue()


EXCEL = zipped("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml")
FOREIGN = {
    "t.zip": (zipped("t.csv"), "is an archive, expected a table .*; unpack it"),
    "t.csv.zip": (zipped("t.csv"), "is an archive"),
    "zip.csv": (zipped("t.csv"), "is an archive"),
    "t.tar": (tarred(), "is an archive"),
    "t.tar.gz": (gzip.compress(tarred()), "is an archive"),
    "t.tgz": (gzip.compress(tarred()), "is an archive"),
    "t.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "is an archive"),
    "t.xlsx": (EXCEL, "is a spreadsheet, .*; save the sheet as CSV"),
    "xlsx.csv": (EXCEL, "is a spreadsheet"),
    "t.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is a spreadsheet"),
    "t.ods": (zipped("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "is a spreadsheet"),
    "t.parquet": (b"PAR1\x15\4PAR1", "is a Parquet file, .*; read it with .* and save it as CSV"),
    "parquet.csv": (b"PAR1\x15\4PAR1", "is a Parquet file"),
    "t.feather": (b"ARROW1\0\0", "is a Feather file"),
    "t.h5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    "t.html": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page"),
    "page.csv": (b"\n <html>\n<body>a,b</body></html>", "is a web page, .*; download the table"),
    "t.json": (b'[{"a": 1}]', "is a JSON file"),
    "json.csv": (b'{"a": [1, 2]}', "is a JSON file"),
    "t.arff": (b"@relation iris\n@data\n1,2\n", "is an ARFF file"),
    "t.pkl": (b"\x80\x04\x95.", "is a pickle"),
    "t.mat": (b"MATLAB 5.0 MAT-file", "is a MATLAB file"),
    "t.dta": (b"<stata_dta>", "is a Stata file"),
    "t.sav": (b"$FL2", "is an SPSS file"),
    "t.rds": (gzip.compress(b"X"), "is an R object"),
    "t.pdf": (b"%PDF-1.4", "is a PDF document"),
    "t.db": (b"SQLite format 3\0", "is a database"),
    "npy.csv": (b"\x93NUMPY\1\0", "is a NumPy array, .*; let its name end in .npy"),
    "t.foo": (CSV, "the ending .foo is unknown, .*; .* let its name end in .csv"),
    "t.csv.bak": (CSV, "the ending .bak is unknown"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_programs(name, tmp_path):
    content, words = FOREIGN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        data.load(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("pack", "ending"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")]
)
def test_the_advice_on_compressed_files_works(pack, ending, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(pack(CSV))
    with pytest.raises(ValueError, match=f"let its name end in {ending}"):
        data.load(path)
    assert data.load(path.rename(tmp_path / f"t.csv{ending}")).X.tolist() == [[1, 2], [4, 5]]


def test_the_advice_on_endings_and_archives_works(tmp_path):
    path = tmp_path / "t.foo"
    path.write_bytes(CSV)
    assert data.load(path.rename(tmp_path / "t.foo.csv")).y.tolist() == [3, 6]
    (tmp_path / "t.zip").write_bytes(zipped("t.csv"))
    with zipfile.ZipFile(tmp_path / "t.zip") as archive:
        assert data.load(archive.extract("t.csv", tmp_path)).y.tolist() == [3, 6]


def write_libsvm(path, X, y, **options):
    sklearn_datasets.dump_svmlight_file(X, y, str(path), **options)
    return path


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((12, 5)).round(3)
    X[rng.random(X.shape) < 0.4] = 0
    X[0] = [1, 2, 3, 4, 5]
    return X, np.arange(12) % 3


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("name", ["t.svm", "t.t", "t", "t.libsvm", "t.scale", "t.txt"])
def test_libsvm_of_scikit_learn(zero_based, name, rows, tmp_path):
    X, y = rows
    path = write_libsvm(tmp_path / name, X, y, zero_based=zero_based, comment="by hand")
    for given in ("auto", zero_based):
        table = data.load(path, zero_based=given)
        np.testing.assert_array_equal(table.X.toarray(), X)
        np.testing.assert_array_equal(table.y, y)
    assert table.columns.zero_based == zero_based


def test_a_part_without_column_0(rows, tmp_path):
    X, y = rows
    train = data.load(write_libsvm(tmp_path / "train.svm", X, y, zero_based=True))
    part = X.copy()
    part[:, 0] = 0
    path = write_libsvm(tmp_path / "part.svm", part, y, zero_based=True)
    # nothing tells it from indices that count from 1, and this is said
    guessed = data.load(path)
    assert guessed.X.shape == (12, 4)
    assert "indices count from 1, as none is 0; zero_based=True" in guessed.note
    for table in (data.load(path, zero_based=True), data.load(path, columns=train.columns)):
        np.testing.assert_array_equal(table.X.toarray(), part)
        assert table.note == ""
    assert data.load(write_libsvm(tmp_path / "train.svm", X, y, zero_based=True)).note == ""


def test_widths(rows, tmp_path):
    X, y = rows
    train = data.load(write_libsvm(tmp_path / "train.svm", X, y, zero_based=False))
    narrow = write_libsvm(tmp_path / "narrow.svm", X[:, :3], y, zero_based=False)
    assert data.load(narrow).X.shape == (12, 3)
    for options in ({"n_features": 5}, {"columns": train.columns}):
        table = data.load(narrow, **options)
        assert len(table.feature_names) == 5
        np.testing.assert_array_equal(table.X.toarray()[:, :3], X[:, :3])
        assert table.X[:, [3, 4]].nnz == 0
    wide = write_libsvm(tmp_path / "wide.svm", np.hstack([X, X]), y, zero_based=False)
    with pytest.raises(ValueError, match="n_features is 5, but the largest index asks for 10 col"):
        data.load(wide, n_features=5)
    np.testing.assert_array_equal(data.load(wide, columns=train.columns).X.toarray(), X)


def test_bases_that_cannot_be(rows, tmp_path):
    X, y = rows
    path = write_libsvm(tmp_path / "t.svm", X, y, zero_based=True)
    with pytest.raises(
        ValueError, match="holds an index 0, but zero_based=False counts them from 1"
    ):
        data.load(path, zero_based=False)


def test_queries_comments_and_byte_order_marks(tmp_path):
    path = tmp_path / "t.svm"
    text = "# a comment\n3 qid:1 1:0.5 3:2 # more\n\n-1 qid:1 2:1e3\n"
    for codec in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(codec))
        table = data.load(path)
        np.testing.assert_array_equal(table.X.toarray(), [[0.5, 0, 2], [0, 1e3, 0]])
        assert table.y.tolist() == [3, -1]


def test_the_wrong_line_is_found(tmp_path):
    lines = [f"1 1:{k} 2:1" for k in range(1, 1000)]
    lines[700] = "1 1:2 2:x"
    path = tmp_path / "t.svm"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="line 701: '1 1:2 2:x' is not LIBSVM text"):
        data.load(path)
