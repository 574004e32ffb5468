"""Arrays of other libraries: in as NumPy views of the same memory, out as arrays of their own kind."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class Library:
    """Where an array came from, so that results go back there.

    Parameters
    ----------
    example : array
        An array of the library.
    """

    def __init__(self, example: Any) -> None:
        root = type(example).__module__.partition(".")[0]
        self.is_numpy = isinstance(example, (np.ndarray, np.generic)) or not hasattr(
            example, "__dlpack__"
        )
        self._module = None if self.is_numpy else sys.modules.get(root)

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
        """Hand a fresh NumPy array to the library."""
        if self.is_numpy:
            return array
        module = self._module
        for place in (module, getattr(module, "numpy", None)):
            if hasattr(place, "from_dlpack"):
                return place.from_dlpack(array)
        return array
