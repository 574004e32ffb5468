"""_files – bytes of a file: unpacked, recognised and decoded; NumPy's arrays; LIBSVM text."""

from __future__ import annotations

import bz2
import codecs
import functools
import gzip
import io
import lzma
import pathlib
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

Array = NDArray[Any]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    # A file of a few bytes may ask for any memory; xz -9 makes files that take 65 MiB.
    ".xz": functools.partial(lzma.decompress, memlimit=2**30),
}
# What other programs write: first bytes, and endings.
ARCHIVE, SPREADSHEET, WEB_PAGE = "an archive", "a spreadsheet", "a web page"
FIRST_BYTES = (
    (b"PK\x03\x04", ARCHIVE),
    (b"PK\x05\x06", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"\xd0\xcf\x11\xe0", SPREADSHEET),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "a Feather file"),
    (b"FEA1", "a Feather file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "a database"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x04", "a pickle"),
    (b"\x93NUMPY", "a NumPy array"),
)
FIRST_WORDS = (
    ("<!doctype html", WEB_PAGE),
    ("<html", WEB_PAGE),
    ("<?xml", "an XML file"),
    ("{", "a JSON file"),
    ("[", "a JSON file"),
    ("@relation", "an ARFF file"),
)
ENDINGS = {
    ".zip": ARCHIVE, ".tar": ARCHIVE, ".tgz": ARCHIVE, ".7z": ARCHIVE, ".rar": ARCHIVE,
    ".tbz2": ARCHIVE, ".txz": ARCHIVE, ".zst": "compressed by zstd", ".z": "compressed",
    ".xlsx": SPREADSHEET, ".xls": SPREADSHEET, ".xlsm": SPREADSHEET, ".xlsb": SPREADSHEET,
    ".ods": SPREADSHEET, ".numbers": SPREADSHEET,
    ".parquet": "a Parquet file", ".feather": "a Feather file", ".arrow": "a Feather file",
    ".h5": "an HDF5 file", ".hdf5": "an HDF5 file", ".hdf": "an HDF5 file",
    ".html": WEB_PAGE, ".htm": WEB_PAGE, ".json": "a JSON file", ".jsonl": "a JSON file",
    ".xml": "an XML file", ".arff": "an ARFF file", ".mat": "a MATLAB file",
    ".pkl": "a pickle", ".pickle": "a pickle", ".dta": "a Stata file", ".sav": "an SPSS file",
    ".sas7bdat": "a SAS file", ".rds": "an R object", ".rdata": "an R object",
    ".sqlite": "a database", ".db": "a database", ".pdf": "a PDF document",
}  # fmt: skip
SAVE_AS_CSV = "read it with the program that wrote it, or pandas, and save it as CSV"
ADVICE = {
    ARCHIVE: "unpack it, and take the table that is in it",
    SPREADSHEET: "save the sheet as CSV in the spreadsheet program",
    WEB_PAGE: "download the table itself, which is perhaps behind a link on that page",
    "compressed by gzip": "let its name end in .gz",
    "compressed by bzip2": "let its name end in .bz2",
    "compressed by xz": "let its name end in .xz",
    "a NumPy array": "let its name end in .npy",
    "compressed by zstd": "unpack it, or compress it by gzip, bzip2 or xz",
}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LIBSVM_LINE = re.compile(r"\S+(\s+qid:\d+)?\s+\d+:\S")
SNIFFED_LINES = 20


def uncompressed(file: pathlib.Path) -> bytes:
    """Return the uncompressed bytes of a file."""
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file")
    if file.is_dir():
        raise IsADirectoryError(f"{file}: is a directory, expected a file")
    content = file.read_bytes()
    ending = file.suffix.lower()
    if content and ending in PACKED:
        try:
            content = PACKED[ending](content)
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"{file}: not a whole {ending} file: {error}") from None
    if not content.strip():
        raise ValueError(f"{file}: the file is empty")
    return content


def refuse_foreign(content: bytes, ending: str, file: pathlib.Path) -> None:
    """Raise when the ending, or else the content, is that of another kind of file."""
    kind = ENDINGS.get(ending)
    starts = (kind for start, kind in FIRST_BYTES if content.startswith(start))
    kind = kind or next(starts, None)
    if kind == ARCHIVE and (b"xl/w" in content or b"opendocument.spreadsheet" in content):
        kind = SPREADSHEET
    if content[257:262] == b"ustar":
        kind = ARCHIVE
    start = content[:200].lstrip().lower().decode("latin-1")
    kind = kind or next((kind for words, kind in FIRST_WORDS if start.startswith(words)), None)
    if kind is not None:
        advice = ADVICE.get(kind, SAVE_AS_CSV)
        raise ValueError(f"{file}: is {kind}, expected a table as text or .npz; {advice}")


def decoded(content: bytes, encoding: str | None, file: pathlib.Path) -> str:
    """Return the text of a file, by its byte order mark or as UTF-8 unless told otherwise."""
    marked = (codec for mark, codec in BYTE_ORDER_MARKS if content.startswith(mark))
    codec = encoding or next(marked, "utf-8")
    try:
        text = content.decode(codec)
    except LookupError:
        raise ValueError(
            f"{file}: encoding {encoding!r} is unknown, expected one of Python's such as 'cp1252'"
        ) from None
    except UnicodeError as error:
        advice = "" if encoding else "; encoding='cp1252' reads what Excel writes on Windows"
        raise ValueError(f"{file}: not {codec.upper()} text: {error}{advice}") from None
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise ValueError(f"{file}: binary content, or text of another encoding, such as 'utf-16'")
    return text


def is_svmlight(text: str) -> bool:
    """Tell whether a text is LIBSVM's: label index:value … in one of its first lines."""
    lines = (line.partition("#")[0].strip() for line in text[:100_000].splitlines())
    first = [line for line in lines if line][:SNIFFED_LINES]
    return any(LIBSVM_LINE.match(line) for line in first)


def read_array(content: bytes, file: pathlib.Path, *, archive: bool = False) -> Any:
    """Return the array of .npy, or the open archive of .npz; pickled objects are refused."""
    try:
        result = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # damaged bytes raise TokenError, SyntaxError, BadZipFile, …
        raise ValueError(f"{file}: not an array file that NumPy can read: {error}") from None
    if isinstance(result, np.ndarray) == archive:
        raise ValueError(f"{file}: the content does not match the ending")
    return result


def read_npz(content: bytes, file: pathlib.Path, *, need_target: bool = True) -> Any:
    """Return X, y (or None where it need not be there), and the feature names or None."""
    archive = read_array(content, file, archive=True)
    found = set(archive.files)
    wanted = {"X"} if "X" in found else {"data", "indices", "indptr", "shape"}
    if need_target:
        wanted = wanted | {"y"}
    if not wanted <= found:
        raise ValueError(
            f"{file}: holds {', '.join(sorted(found)) or 'nothing'}; expected X and y, "
            "or data, indices, indptr, shape (a sparse X) and y"
        )
    try:
        members = {key: archive[key] for key in found & (wanted | {"y", "format", "feature_names"})}
    except Exception as error:  # as above, and NotImplementedError, RuntimeError of zipfile
        raise ValueError(f"{file}: a member cannot be read: {error}") from None
    names = None
    if "feature_names" in members:
        names = tuple(str(name) for name in np.ravel(members["feature_names"]))
    X = members["X"] if "X" in members else _sparse_member(members, file)
    return X, members.get("y"), names


def _sparse_member(members: dict[str, Array], file: pathlib.Path) -> Any:
    label = members.get("format", np.array("csr")).tolist()
    label = label.decode() if isinstance(label, bytes) else label
    if label not in ("csr", "csc"):
        raise ValueError(f"{file}: the sparse format is {label!r}, expected csr or csc")
    build = sparse.csr_array if label == "csr" else sparse.csc_array
    try:
        shape = tuple(int(extent) for extent in members["shape"])
        X = build((members["data"], members["indices"], members["indptr"]), shape=shape)
        # before any conversion, which trusts the indices
        X.check_format(full_check=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: not a sparse matrix: {error}") from None
    return X


def read_svmlight(
    content: bytes, file: pathlib.Path, zero_based: bool | str
) -> tuple[Any, Array, bool]:
    """Return X as csr, as wide as the largest index asks for, y, and whether column 0 is index 0.

    "auto" counts from 1, as LIBSVM does, unless there is an index 0.
    """
    try:
        X, y = _svmlight(content)
    except (ValueError, OverflowError, MemoryError) as error:
        lines = content.splitlines(keepends=True)
        place = _first_fault(lines)
        shown = lines[place].decode("latin-1").strip()[:60]
        raise ValueError(
            f"{file}, line {place + 1}: {shown!r} is not LIBSVM text, which is label index:value "
            f"index:value … with growing indices: {error}"
        ) from None
    if X.nnz == 0:
        raise ValueError(f"{file}: holds no features, expected lines of label index:value …")
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"{file}, row {row + 1}: the label is {y[row]}, expected a finite number")
    if not np.isfinite(X.data).all():
        place = int(np.flatnonzero(~np.isfinite(X.data))[0])
        row = int(np.searchsorted(X.indptr, place, side="right"))
        entry = f"{X.indices[place]}:{X.data[place]}"
        raise ValueError(f"{file}, row {row}: holds {entry}, expected finite numbers")
    starts_at_zero = bool(X.indices.min() == 0)
    if zero_based is False and starts_at_zero:
        raise ValueError(f"{file}: holds an index 0, but zero_based=False counts them from 1")
    zero = starts_at_zero if zero_based == "auto" else bool(zero_based)
    if not zero:
        parts = (X.data, X.indices - 1, X.indptr)
        X = sparse.csr_array(parts, shape=(X.shape[0], X.shape[1] - 1))
    return sparse.csr_array(X), y, zero


def _svmlight(content: bytes) -> tuple[Any, Array]:
    # zero_based: as they are; which they are is the caller's decision
    X, y = sklearn_datasets().load_svmlight_file(io.BytesIO(content), zero_based=True)
    return X, y


def _first_fault(lines: Sequence[bytes]) -> int:
    """Return the place of the first line that scikit-learn's reader refuses, by bisection."""
    good, bad = 0, len(lines)  # that many lines are read, and are not
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            _svmlight(b"".join(lines[good:middle]))
            good = middle
        except (ValueError, OverflowError, MemoryError):
            bad = middle
    return good


def sklearn_datasets() -> Any:
    """Return scikit-learn's module of data sets, imported when it is needed."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "this table is read by scikit-learn: pip install 'mdbopt[data]'"
        ) from error
    return datasets


def pandas() -> Any:
    """Return pandas, imported when it is needed."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("this table is read by pandas: pip install 'mdbopt[data]'") from error
    return pandas
