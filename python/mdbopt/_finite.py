"""_finite – what comes in is a finite matrix, vector or number, or an error that names it."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

Array = NDArray[Any]
FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def plain(value: Any, where: str, name: str) -> Array:
    """Return an array; objects, as pandas keeps them, are taken as the same list is."""
    array = np.asarray(value)
    if array.dtype.kind not in ("O", "T"):
        return array
    listed = array.tolist()
    result = np.asarray(listed)
    if result.dtype.kind == "U" and array.ndim == 1:
        # a missing value among words would become the word "nan"
        for place, entry in enumerate(listed):
            if not isinstance(entry, str):
                raise TypeError(
                    f"{where}: {name}[{place}] is {entry!r} among strings, expected one kind"
                )
    return result


def native_float(dtype: np.dtype[Any], where: str, name: str) -> np.dtype[Any]:
    """Return float32 for half and single precision, float64 for every other real number."""
    if dtype.kind not in "fiub":
        raise TypeError(f"{where}: {name} has dtype {dtype}, expected real numbers")
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64)


def matrix(value: Any, where: str, name: str) -> Any:
    """Return a finite, non-empty matrix: a contiguous ndarray or a canonical csr_array.

    Nothing is copied when `value` already is such a matrix of float32 or float64.
    """
    if sparse.issparse(value):
        return _sparse_matrix(value, where, name)
    array = plain(value, where, name)
    if array.ndim != 2:
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected 2 dimensions")
    if array.size == 0:
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected at least one element")
    array = array.astype(native_float(array.dtype, where, name), copy=False)
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        # a strided matrix would be copied by every product
        array = np.ascontiguousarray(array)
    if not is_finite(array):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{where}: {name}[{row}, {column}] is {array[row, column]}, expected finite numbers"
        )
    return array


def _sparse_matrix(value: Any, where: str, name: str) -> Any:
    if len(value.shape) != 2:
        raise ValueError(f"{where}: {name} has shape {value.shape}, expected 2 dimensions")
    if 0 in value.shape:
        raise ValueError(f"{where}: {name} has shape {value.shape}, expected at least one element")
    dtype = native_float(value.dtype, where, name)
    csr = sparse.csr_array(value)
    try:
        # compiled products trust the indices: one out of range would read foreign memory
        csr.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{where}: {name} is not a valid csr matrix: {error}") from None
    csr = csr.astype(dtype, copy=False)
    if not csr.has_canonical_format:
        # two entries in one place would be squared apart
        csr = csr.copy()
        csr.sum_duplicates()
    if csr.nnz and not is_finite(csr.data):
        place = int(np.flatnonzero(~np.isfinite(csr.data))[0])
        row = int(np.searchsorted(csr.indptr, place, side="right")) - 1
        raise ValueError(
            f"{where}: {name}[{row}, {csr.indices[place]}] is {csr.data[place]}, "
            "expected finite numbers"
        )
    return csr


def is_finite(array: Array) -> bool:
    """Tell whether all of a non-empty array is finite, without a temporary of its size."""
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def vector(value: Any, length: int, where: str, name: str) -> Array:
    """Return a finite 1-d array of `length` real numbers, float32 or float64."""
    array = one_column(value, length, where, name)
    array = array.astype(native_float(array.dtype, where, name), copy=False)
    if not is_finite(array):
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{where}: {name}[{place}] is {array[place]}, expected finite numbers")
    return array


def one_column(value: Any, length: int, where: str, name: str) -> Array:
    """Return a 1-d array of `length` elements of any kind."""
    array = plain(value, where, name)
    if array.shape != (length,):
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected ({length},)")
    return array


def number(value: Any, where: str, name: str, *, minimum: float = -math.inf) -> float:
    """Return a finite Python float that is not below `minimum`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{where}: {name} is {value!r}, expected a real number")
    result = float(value)
    if not math.isfinite(result) or result < minimum:
        bound = "" if minimum == -math.inf else f" that is at least {minimum:g}"
        raise ValueError(f"{where}: {name} is {result!r}, expected a finite number{bound}")
    return result


def point(value: Any, length: int, where: str, name: str = "w") -> Array:
    """Return `value` as a float32 or float64 array of shape (length,)."""
    array = np.asarray(value)
    if array.dtype not in FLOATS:
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected float64 or float32")
    if array.shape != (length,):
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected ({length},)")
    return array
