"""_data_files – bytes of a file to its arrays: .npy, .npz and LIBSVM text, each error naming it."""

from __future__ import annotations

import bz2
import gzip
import io
import pathlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from ._data_text import svmlight_fault

Array = NDArray[Any]


def uncompressed(file: pathlib.Path) -> bytes:
    """Return the uncompressed bytes of a file."""
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file")
    if file.is_dir():
        raise IsADirectoryError(f"{file}: is a directory, expected a file")
    content = file.read_bytes()
    unpack: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}
    ending = file.suffix.lower()
    if content and ending in unpack:
        try:
            content = unpack[ending](content)
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise ValueError(f"{file}: not a whole {ending} file: {error}") from None
    if not content.strip():
        raise ValueError(f"{file}: the file is empty")
    return content


def read_array(content: bytes, file: pathlib.Path, *, archive: bool = False) -> Any:
    """Return the array of .npy, or the open archive of .npz; pickled objects are refused."""
    try:
        result = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # damaged bytes raise TokenError, SyntaxError, BadZipFile, …
        raise ValueError(f"{file}: not an array file that NumPy can read: {error}") from None
    if isinstance(result, np.ndarray) == archive:
        raise ValueError(f"{file}: the content does not match the ending")
    return result


def read_npz(content: bytes, file: pathlib.Path) -> tuple[Any, Any, Sequence[str] | None]:
    """Return X, y and the feature names or None."""
    archive = read_array(content, file, archive=True)
    found = set(archive.files)
    wanted = {"X", "y"} if "X" in found else {"data", "indices", "indptr", "shape", "y"}
    if not wanted <= found:
        raise ValueError(
            f"{file}: holds {', '.join(sorted(found)) or 'nothing'}; expected X and y, "
            "or data, indices, indptr, shape (a sparse X) and y"
        )
    try:
        members = {key: archive[key] for key in found & (wanted | {"format", "feature_names"})}
    except Exception as error:  # as above, and NotImplementedError, RuntimeError of zipfile
        raise ValueError(f"{file}: a member cannot be read: {error}") from None
    names = None
    if "feature_names" in members:
        names = tuple(str(name) for name in np.ravel(members["feature_names"]))
    X = members["X"] if "X" in members else _sparse_member(members, file)
    return X, members["y"], names


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


def read_svmlight(content: bytes, file: pathlib.Path) -> tuple[Any, Any]:
    """Return X as csr, and y."""
    datasets = sklearn_datasets()
    try:
        X, y = datasets.load_svmlight_file(io.BytesIO(content))
    except (ValueError, OverflowError, MemoryError) as error:
        fault = svmlight_fault(content) or f"malformed LIBSVM text: {error}"
        raise ValueError(f"{file}: {fault}") from None
    if 0 in X.shape or b":" not in content:
        raise ValueError(f"{file}: holds no features, expected lines of label index:value …")
    if not (np.isfinite(y).all() and np.isfinite(X.data).all()):
        raise ValueError(f"{file}: {svmlight_fault(content) or 'holds NaN or infinity'}")
    return sparse.csr_array(X), y


def sklearn_datasets() -> Any:
    """Return scikit-learn's module of data sets, imported when it is needed."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "this table is read by scikit-learn: pip install 'mdbopt[data]'"
        ) from error
    return datasets
