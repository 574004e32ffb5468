"""The formats that a state's arrays are stored in, and their arrays.

``"bfloat16"`` is an array of that dtype, in NumPy its bits as uint16. ``"signed"`` and
``"unsigned"`` are codes of 8 bits: uint8 of shape ``(blocks, 260)``, blocks of 256 elements in
row-major order, each of a float32 unit and 256 codes. ``"remainder"`` is for parameters of bfloat16
whose low bits are an array ``low`` of uint16.
"""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _core
from mdbopt._arrays import Library, dtype_name

# What sums or averages squares, or scales a step, and so is never negative.
NOT_NEGATIVE = frozenset(
    (
        "d",
        "d_max",
        "eta",
        "farthest",
        "norm2",
        "p",
        "squared_steps",
        "sum_of_squares",
        "u",
        "v",
        "v_max",
        "weight_sum",
    )
)
# What no format may take digits from: step sizes, sums with a sign, and what is subtracted from
# what is like it.
EXACT = frozenset(("eta", "g_prev", "p", "pull"))
STATE_DTYPES = ("bfloat16", "8bit")
BLOCK, _BLOCK_BYTES = 256, 260


def is_codes(format_: str | None) -> bool:
    """Tell whether a format is one of 8 bits."""
    return format_ in ("signed", "unsigned")


# What float32 and each of its formats hold.
MOST_AT_FIRST = 1e38


def check_start(label: str, value: float | None, place: str, dtype: str) -> None:
    """Raise for what an array of a state cannot start with; None is a copy of the parameter.

    Parameters
    ----------
    label : str
        What the error begins with: of numbers that arrays start with only an option may be more.
    value : float or None
        What all elements are at first.
    place, dtype : str
        The parameter and its dtype.

    Raises
    ------
    ValueError
        When the value is beyond float32's, and parameters are not float64.
    """
    if value is not None and value > MOST_AT_FIRST and dtype != "float64":
        raise ValueError(
            f"{label}: expected a number <= {MOST_AT_FIRST:g} for {place} of dtype {dtype}, "
            f"got {value}"
        )


def stored_like(leaf: Any, format_: str, value: float) -> Any:
    """Make an array of a format for a parameter, in its library, of one value."""
    size = math.prod(leaf.shape)
    if is_codes(format_):
        stored = np.zeros((-(-size // BLOCK), _BLOCK_BYTES), np.uint8)
        if value != 0.0:
            stored = _core.encoded(format_, np.full(size, value, np.float32))
        return Library(leaf).from_host(stored, leaf)
    if format_ == "bfloat16" and Library(leaf).name == "torch":
        return Library(leaf).full_like(leaf, "bfloat16", value)
    bits = 0 if value == 0.0 else _core.encoded("bfloat16", np.full(1, value, np.float32))[0]
    return Library(leaf).from_host(np.full(tuple(leaf.shape), bits, np.uint16), leaf)


def low_like(leaf: Any) -> Any:
    """Make the low bits of parameters that are what they stand for."""
    return Library(leaf).from_host(np.zeros(tuple(leaf.shape), np.uint16), leaf)


def decoded(where: str, stored: Any, shape: tuple[int, ...], format_: str) -> NDArray[np.float32]:
    """Give the float32 numbers that an array of a format stands for."""
    array = Library(stored).to_host(stored, where)
    if dtype_name(array) == "float32":  # bfloat16 that its library has widened
        return array.reshape(shape)
    size = math.prod(shape)
    return _core.decoded(format_, np.ascontiguousarray(array), size).reshape(shape)


def magnitudes(where: str, stored: Any, format_: str | None) -> NDArray[Any]:
    """Give the units of an array of codes, which say what is not finite, or all its numbers."""
    if is_codes(format_):
        blocks = Library(stored).to_host(stored, where)
        return np.ascontiguousarray(blocks[:, :4]).view(np.float32)
    if format_ is None:
        return Library(stored).to_host(stored, where)
    return decoded(where, stored, tuple(stored.shape), format_)


def shape_of(shape: tuple[int, ...], format_: str | None) -> tuple[int, ...]:
    """Give the shape of the array that stores one of a shape."""
    if not is_codes(format_):
        return shape
    return -(-math.prod(shape) // BLOCK), _BLOCK_BYTES


def joined(param: Any, low: Any) -> NDArray[np.float32]:
    """Give the float32 numbers of bfloat16 parameters and their low bits."""
    high = Library(param).to_host(param, "params")
    if high.dtype == np.uint16:
        high = (high.astype(np.uint32) << 16).view(np.float32)
    differences = Library(low).to_host(low, "low").view(np.int16).astype(np.int32)
    bits = np.array(high, np.float32).view(np.int32)
    return (bits + differences).view(np.float32)


def assign(leaf: Any, values: NDArray[np.float32], format_: str | None) -> None:
    """Fill an array of a format with what is nearest to float32 numbers."""
    if format_ is None or dtype_name(leaf) == "bfloat16":  # its library rounds to nearest, too
        values = np.array(values, dtype_name(leaf) if format_ is None else np.float32)
        leaf[...] = Library(leaf).from_host(values, leaf)
    else:
        Library(leaf).assign(leaf, encoded(values, format_))


def converted(name: str, stored: Any, given: str | None, kind: str | None, param: Any) -> Any:
    """Return a tensor of a parameter's state in another format, or one that has it as it is."""
    shape = tuple(param.shape)
    if tuple(stored.shape) != shape_of(shape, given):
        raise ValueError(
            f"{name}: has shape {tuple(stored.shape)}, expected {shape_of(shape, given)}"
        )
    if given == kind:
        return stored
    numbers = Library(stored).to_host(stored, name)
    values = np.array(numbers, np.float32) if given is None else decoded(name, stored, shape, given)
    made = (
        stored_like(param.detach(), kind, 0.0) if kind else Library(param).from_host(values, param)
    )
    if kind is not None:
        assign(made, values, kind)
    return made


def check_formats(where: str, dtype: str, master: bool) -> None:
    """Raise where the parameters of a state in formats are none that can have one."""
    if master and dtype != "bfloat16":
        raise TypeError(f"{where}: has dtype {dtype}, expected bfloat16 for master='remainder'")
    if dtype == "float64":
        raise TypeError(
            f"{where}: has dtype float64, expected float32, bfloat16 or float16 for a state in a "
            "format"
        )


def encoded(values: NDArray[np.float32], format_: str) -> NDArray[Any]:
    """Give the array of a format that is nearest to float32 numbers."""
    stored = _core.encoded(format_, np.ascontiguousarray(values))
    return stored if is_codes(format_) else stored.reshape(values.shape)


def warn_not_finite(optimizer: str, arrays: list[str]) -> None:
    """Warn whoever calls the package that a step left NaN in blocks of some arrays."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mdbopt."):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"{optimizer}: the step met NaN, inf or numbers beyond 3e38 in {', '.join(arrays)}, whose "
        "blocks of 256 elements around them are NaN now",
        RuntimeWarning,
        stacklevel=level,
    )


def format_of(array: Any, name: str) -> str | None:
    """Tell the format of a saved array by its dtype; None for one of plain floats."""
    dtype = dtype_name(array)
    if dtype == "uint8":
        return "unsigned" if name in NOT_NEGATIVE else "signed"
    return "bfloat16" if dtype in ("uint16", "bfloat16") else None
