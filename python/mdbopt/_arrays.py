"""Arrays of other libraries: in as NumPy views of their memory, out as arrays of their own kind."""

from __future__ import annotations

import decimal
import importlib
import itertools
import math
import numbers
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _core

Array = NDArray[np.floating[Any]]

# kDLCUDA and kDLCUDAManaged of DLPack.
_CUDA = (2, 13)

# Where libraries define their arrays, when that is not where they make them.
_HOMES = {"jaxlib": "jax.numpy", "jax": "jax.numpy"}


def _home(kind: type) -> str:
    """Name the module that makes arrays of a class, or of the one it was made from."""
    roots = [base.__module__.partition(".")[0] for base in kind.__mro__]
    roots = [_HOMES.get(root, root) for root in roots]
    makers = (root for root in roots if hasattr(sys.modules.get(root), "from_dlpack"))
    return next(makers, roots[0])


def is_array(leaf: Any) -> bool:
    """Tell whether an object is an array of some library, of a single number perhaps."""
    return any(hasattr(type(leaf), name) for name in ("__dlpack__", "__array__", "shape"))


def device_of(array: Any) -> int | None:
    """Tell the CUDA device that an array lives on; None for one elsewhere and for what is none."""
    if isinstance(array, (np.ndarray, np.generic)) or not hasattr(array, "__dlpack_device__"):
        return None
    try:
        kind, index = array.__dlpack_device__()
    except Exception:  # whoever reads the array says why it cannot be
        return None
    return int(index) if kind in _CUDA else None


def is_device(array: Any) -> bool:
    """Tell whether an array lives on a CUDA device."""
    return device_of(array) is not None


class Library:
    """Where an array came from, so that results go back there.

    Parameters
    ----------
    example : array
        An array of the library.
    """

    def __init__(self, example: Any) -> None:
        plain = isinstance(example, (np.ndarray, np.generic)) or not hasattr(example, "__dlpack__")
        self.name: str | None = None if plain else _home(type(example))
        self.device = None if plain else device_of(example)

    @classmethod
    def named(cls, name: str | None) -> Library:
        """Make it by the name of the module that makes the arrays; None is NumPy."""
        library = cls(np.empty(0))
        library.name = name
        return library

    @property
    def is_numpy(self) -> bool:
        """Whether results stay NumPy arrays."""
        return self.name is None

    @property
    def is_device(self) -> bool:
        """Whether the example lives on a CUDA device."""
        return self.device is not None

    def to_numpy(self, array: Any, name: str) -> NDArray[Any]:
        """View the array as NumPy, without a copy where its library allows it."""
        if isinstance(array, np.ndarray):
            return array
        if hasattr(array, "__dlpack__") and not isinstance(array, np.generic):
            return _core.as_numpy(array, name)
        try:
            return np.asarray(array)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{name}: expected an array, got {type(array).__name__}: {error}"
            ) from error

    def from_numpy(self, array: NDArray[Any]) -> Any:
        """Hand a fresh NumPy array to the library; one that takes none gets it as it is."""
        if self.name is None:
            return array
        module = importlib.import_module(self.name)
        return module.from_dlpack(array) if hasattr(module, "from_dlpack") else array

    def from_device(self, array: _core.DeviceArray) -> Any:
        """Hand an array on a device to the library; one that takes none gets it as it is."""
        if self.name is None:
            return array
        module = importlib.import_module(self.name)
        return module.from_dlpack(array) if hasattr(module, "from_dlpack") else array

    def to_host(self, array: Any, name: str) -> NDArray[Any]:
        """View the array as NumPy or, from a device, copy it."""
        return _core.to_host(array, name) if is_device(array) else self.to_numpy(array, name)

    def from_host(self, source: NDArray[Any], like: Any) -> Any:
        """Hand a fresh NumPy array to the library, where another array of it lives."""
        device = device_of(like)
        if device is None:
            return self.from_numpy(source)
        with _current(like):
            stream = _core.current_stream(like, device)
            return self.from_device(_core.to_device(source, device, stream))

    def assign(self, array: Any, source: NDArray[Any]) -> None:
        """Fill an array of the library with a fresh one of NumPy's, of its shape and dtype."""
        with _current(array):
            array[...] = self.from_host(source, array)

    def full_like(self, array: Any, dtype: str, value: float | None) -> Any:
        """Make an array of the library, laid out as another: of one value, or (None) its copy."""
        module = importlib.import_module(self.name or "numpy")
        if hasattr(array, "detach"):
            array = array.detach()
        with _current(array):
            made = module.full_like(
                array, 0.0 if value is None else value, dtype=getattr(module, dtype)
            )
            if value is None:
                made[...] = array
        return made


def _current(array: Any) -> Any:
    """Make the array's device the current one where its library makes new arrays on that (CuPy)."""
    context = getattr(array, "device", None)
    return context if _home(type(array)) == "cupy" else nullcontext()


def dtype_name(array: Any) -> str:
    """Name the dtype as NumPy does, also of other libraries; empty for what has none."""
    dtype = getattr(array, "dtype", "")
    return _numpys_name(dtype) if isinstance(dtype, np.dtype) else str(dtype).rpartition(".")[2]


# NumPy puts a name together at each call.
@lru_cache(maxsize=64)
def _numpys_name(dtype: np.dtype[Any]) -> str:
    return str(dtype)


# Floats that a wider dtype holds.
_NARROWER = {"float64": ("float32", "bfloat16", "float16"), "float32": ("bfloat16", "float16")}


def widened(array: Any, dtype: str) -> Any:
    """Convert narrower floats on a device by their own library; leave all others as they are."""
    if dtype_name(array) not in _NARROWER[dtype]:
        return array
    if hasattr(array, "detach"):
        return array.detach().to(getattr(importlib.import_module("torch"), dtype))
    return array.astype(dtype) if hasattr(array, "astype") else array


def real_array(name: str, array: Any, widen: bool = True) -> NDArray[Any]:
    """View real numbers in any library's form as NumPy, of any float or integer dtype and layout.

    An array of objects is taken as the list of them is, one of pandas by its values.

    Parameters
    ----------
    name : str
        The argument, for messages.
    array : array or nested list of numbers
    widen : bool, default True
        Whether bfloat16 through DLPack, which NumPy does not know, becomes float32; else it is
        refused.

    Raises
    ------
    TypeError
        When it is no array, or holds what is no real number, or is masked.
    """
    found: NDArray[Any] = array if type(array) is np.ndarray else _plain(name, array, widen)
    if found.dtype.kind == "O":
        found = _of_objects(name, found)
    if found.dtype.kind in "biuf" or found.dtype.name == "bfloat16":
        return found
    raise TypeError(f"{name}: expected real numbers, got dtype {found.dtype}")


def _plain(name: str, array: Any, widen: bool) -> NDArray[Any]:
    if isinstance(array, np.ma.MaskedArray):
        masked = np.flatnonzero(np.ma.getmaskarray(array))
        if masked.size > 0:
            raise TypeError(
                f"{name}: expected an array without a mask, got {type(array).__name__} with "
                f"element {masked[0]} masked; its filled(value) is one"
            )
        return np.asarray(array.data)
    if hasattr(array, "__dlpack__") and not isinstance(array, (np.ndarray, np.generic)):
        if dtype_name(array).startswith("complex"):  # PyTorch lends no conjugate of them
            raise TypeError(f"{name}: expected real numbers, got dtype {dtype_name(array)}")
        return _core.as_numpy(array, name, widen)
    try:
        made = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_array(name, array, f": {error}") from error
    if made.dtype.kind == "O" and made.ndim == 0:
        raise _no_array(name, array)
    return made


def _no_array(name: str, given: Any, reason: str = "") -> TypeError:
    """Word the error for what is no array; parameters in several arrays are told the way."""
    more = _way_of_several(given) or reason
    return TypeError(f"{name}: expected an array of real numbers, got {type(given).__name__}{more}")


def _way_of_several(given: Any) -> str:
    """Name the way of a container or model whose arrays are to be minimised over; else nothing."""
    leaf = _first_array(given)
    if leaf is None and not isinstance(given, Mapping):
        return ""
    home = _home(type(leaf))
    if home == "torch":
        return "; parameters of PyTorch go to mdbopt.torch.Guarded(list(model.parameters()))"
    if home == "jax.numpy":
        return "; a tree of JAX's arrays goes to mdbopt.jax.guarded().init(tree)"
    return (
        "; several arrays become one by np.concatenate([np.ravel(a) for a in arrays]), which fun "
        "takes apart by np.split"
    )


def _first_array(given: Any, depth: int = 8) -> Any:
    """Give the first array in nested containers, or of a model; None where there is none."""
    if is_array(given):
        return given
    if callable(getattr(given, "parameters", None)):
        given = given.parameters()
    if isinstance(given, Mapping):
        given = given.values()
    if depth == 0 or isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        return None
    found = (_first_array(item, depth - 1) for item in itertools.islice(given, 100))
    return next((leaf for leaf in found if leaf is not None), None)


def _of_objects(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Take an array of objects as NumPy takes the list of them, and exact numbers besides."""
    items = array.ravel().tolist()
    for place, item in enumerate(items):
        if not isinstance(item, (numbers.Real, decimal.Decimal, np.bool_)):
            if is_array(item):
                raise _no_array(name, items)
            raise TypeError(
                f"{name}: expected real numbers, got {type(item).__name__} {item!r} as element "
                f"{place}"
            )
    listed = np.asarray(items)
    if listed.dtype.kind == "O":  # fractions, decimals, large integers
        listed = np.array([real_value(f"{name}: element {k}", v) for k, v in enumerate(items)])
    return listed.reshape(array.shape)


def dense(
    name: str, array: NDArray[Any], dtype: Any = None, axes: Sequence[int] | None = None
) -> NDArray[Any]:
    """Make real numbers dense, aligned and of a float dtype in native byte order; never rounds.

    Parameters
    ----------
    name : str
        The argument, for messages.
    array : ndarray of real numbers
        See `real_array`.
    dtype : dtype, optional
        What whole numbers become, and floats that it holds; other floats keep their own. By default
        whole numbers become float64.
    axes : sequence of int, optional
        The order in which axes are walked, the slowest first; by default their own.

    Returns
    -------
    ndarray
        C-contiguous, with the axes in that order; the array itself where it is so already.

    Raises
    ------
    TypeError
        When a whole number has more digits than the dtype; for extended precision; and, where no
        dtype is given, for half precision.
    """
    own = array.dtype.newbyteorder("=")
    whole = own.kind in "biu"
    if whole:
        dtype = np.float64 if dtype is None else dtype
    elif dtype is None or not np.can_cast(own, dtype):
        if own not in (np.float64, np.float32) and (dtype is None or own.itemsize > 8):
            raise TypeError(
                f"{name}: expected real numbers in float64 or float32, got dtype {own}; pass them "
                + ("as float32" if own.itemsize < 4 else "as float64")
            )
        dtype = own
    ordered = array if axes is None else array.transpose(axes)
    made = np.require(ordered, dtype, ["C_CONTIGUOUS", "ALIGNED"])
    if whole:
        _check_digits(name, ordered, made)
    return made


def _check_digits(name: str, whole: NDArray[Any], floats: NDArray[Any]) -> None:
    wide = floats.astype(np.float64)
    doubtful = (wide != whole) | (np.abs(wide) >= 2**53)
    for number, value in zip(whole[doubtful].tolist(), wide[doubtful].tolist(), strict=True):
        if number != value:
            raise TypeError(
                f"{name}: expected whole numbers that {floats.dtype} holds, got {number}; pass "
                "rounded floats"
            )


def real_value(name: str, f: Any, expected: str = "a real number") -> float:
    """Return a real number given in any library's form, finite or not, or raise by its name."""
    if type(f) is float:
        return f
    if hasattr(f, "detach"):  # a tensor that requires a gradient warns when it becomes a number
        f = f.detach()
    kind = getattr(getattr(f, "dtype", None), "kind", "")
    if kind in _NOT_REAL or "complex" in dtype_name(f) or isinstance(f, (str, bytes, complex)):
        raise _not_real(name, f, expected)
    if isinstance(f, np.ma.MaskedArray) and np.ma.getmaskarray(f).any():
        raise _not_real(name, f, expected, ", masked")
    try:
        shape = np.shape(f)
    except ValueError as error:
        raise _not_real(name, f, expected) from error
    if shape != () or kind == "O":
        if math.prod(shape) != 1:
            raise _not_real(name, f, expected, f" of shape {tuple(shape)}")
        one = f.item() if hasattr(f, "item") else np.asarray(f).item()
        return real_value(name, one, expected)
    try:
        return float(f)
    except OverflowError:
        return math.inf if f > 0 else -math.inf
    except (TypeError, ValueError, RuntimeError) as error:
        raise _not_real(name, f, expected) from error


# Kinds of NumPy's dtypes: complex numbers, texts, times and durations.
_NOT_REAL = ("c", "S", "U", "T", "M", "m")


def _not_real(name: str, f: Any, expected: str, more: str = "") -> TypeError:
    return TypeError(f"{name}: expected {expected}, got {type(f).__name__}{more}")
