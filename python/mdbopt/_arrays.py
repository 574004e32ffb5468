"""Arrays of other libraries: in as NumPy views of their memory, out as arrays of their own kind."""

from __future__ import annotations

import importlib
import math
import sys
from contextlib import nullcontext
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
            if hasattr(array, "detach"):  # PyTorch exports no tensor that requires a gradient
                array = array.detach()
            try:
                return np.from_dlpack(array)
            except (BufferError, RuntimeError, TypeError) as error:
                raise TypeError(f"{name}: cannot be read through DLPack: {error}") from error
        return np.asarray(array)

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

    def assign(self, array: Any, source: NDArray[Any]) -> None:
        """Fill an array of the library with a fresh one of NumPy's, of its shape and dtype."""
        device = device_of(array)
        if device is None:
            array[...] = self.from_numpy(source)
        else:
            with _current(array):
                stream = _core.current_stream(array, device)
                array[...] = self.from_device(_core.to_device(source, device, stream))

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
    return str(getattr(array, "dtype", "")).rpartition(".")[2]


def real_value(name: str, f: Any) -> float:
    """Return a real number given in any library's form, or raise naming the argument."""
    if type(f) is float:
        return f
    if hasattr(f, "detach"):  # a tensor that requires a gradient warns when it becomes a number
        f = f.detach()
    text = getattr(getattr(f, "dtype", None), "kind", "") in ("S", "U")
    if text or f is None or isinstance(f, (str, bytes, complex, np.complexfloating)):
        raise TypeError(f"{name}: expected a real number, got {type(f).__name__}")
    if np.ndim(f) != 0 or getattr(f, "dtype", None) == np.dtype(object):
        if np.size(f) == 1 and hasattr(f, "item"):
            return real_value(name, f.item())
        raise TypeError(
            f"{name}: expected a real number, got {type(f).__name__} of shape {np.shape(f)}"
        )
    try:
        return float(f)
    except OverflowError:
        return math.inf if f > 0 else -math.inf
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected a real number, got {type(f).__name__}") from error
