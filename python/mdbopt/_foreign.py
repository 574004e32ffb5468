"""What callers bring in other forms than arrays in lists, tuples and dicts: read as these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _core
from mdbopt._arrays import is_array, is_device

# The largest whole number up to which all are numbers of a dtype.
_WHOLE = {"float64": 2**53, "float32": 2**24, "bfloat16": 2**8, "float16": 2**11}


def holds_arrays(given: Any) -> bool:
    """Tell whether it may hold parameters: a container of any kind, or a model."""
    if isinstance(given, (str, bytes)) or is_array(given):
        return False
    return isinstance(given, Iterable) or callable(getattr(given, "parameters", None))


def plain(tree: Any) -> Any:
    """List the generators, views and other iterables of a tree, and turn mappings into dicts.

    A tree that has none is returned as it is.
    """
    if tree is None or isinstance(tree, (str, bytes, set, frozenset)) or is_array(tree):
        return tree
    if isinstance(tree, Mapping) or (hasattr(tree, "keys") and hasattr(tree, "__getitem__")):
        items = {key: plain(tree[key]) for key in list(tree.keys())}
        same = isinstance(tree, dict) and all(item is tree[key] for key, item in items.items())
        return tree if same else items
    if isinstance(tree, Iterable):
        listed = [plain(item) for item in tree]
        kept = isinstance(tree, (list, tuple))
        same = kept and all(a is b for a, b in zip(listed, tree, strict=True))
        return tree if same else listed
    return tree


def exact(given: Any, where: str, dtype: str) -> NDArray[Any] | None:
    """Read numbers of another type as an array of a dtype, where no number changes.

    Integers, also in lists or as Python's objects, and numbers in a foreign byte order. Bit
    patterns stand for bfloat16. What is something else gives None; floating point keeps its dtype.
    """
    if isinstance(given, (bool, np.bool_, str, bytes)) or hasattr(given, "mask"):
        return None
    if is_device(given):
        return None
    try:
        if hasattr(given, "__dlpack__") and not isinstance(given, (np.ndarray, np.generic)):
            array = _core.as_numpy(given, where)
            # Floats were refused for another reason, and PyTorch's negative bit does not show here.
            negative = hasattr(given, "is_neg") and given.is_neg()
            without_memory = array.size > 0 and array.ctypes.data == 0
            if negative or without_memory or array.dtype.kind not in ("i", "u"):
                return None
        elif isinstance(given, (int, float, list, tuple, np.ndarray, np.generic)):
            array = np.asarray(given)
        else:
            return None
        if array.dtype == object:
            array = np.asarray(array.tolist())
    except (BufferError, RuntimeError, TypeError, ValueError):
        return None
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    if array.dtype.kind not in ("i", "u") or array.dtype == np.uint16:
        return None
    most = _WHOLE[dtype]
    if array.size > 0 and not (array.min() >= -most and array.max() <= most):
        raise ValueError(
            f"{where}: has whole numbers beyond {most}, which {dtype} does not hold exactly; pass "
            f"an array of {dtype}"
        )
    if dtype == "bfloat16":
        return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return np.ascontiguousarray(array, dtype).reshape(array.shape)
