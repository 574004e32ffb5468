"""The user's objective behind one call: a private point in, a float and a checked gradient out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mdbopt._arrays import Array, Library, real_value


def start_point(x0: Any) -> tuple[Array, Library]:
    """Return x0 as a fresh flat float array, and the library it came from."""
    library = Library(x0)
    try:
        start = np.atleast_1d(library.to_numpy(x0, "x0")).ravel()
    except ValueError as error:
        raise TypeError(f"x0: expected an array of real numbers: {error}") from error
    if start.dtype.kind in "biu":
        start = start.astype(np.float64)
    start = start.astype(start.dtype.newbyteorder("="), copy=False)
    if start.dtype not in (np.float64, np.float32):
        raise TypeError(f"x0: expected real numbers in float64 or float32, got dtype {start.dtype}")
    if start.size == 0:
        raise ValueError("x0: expected at least one element, got none")
    if not np.isfinite(start).all():
        raise ValueError("x0: expected finite numbers, got NaN or inf")
    return np.array(start), library


class Objective:
    """Evaluates f and its gradient together.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> (f, g)`` when ``jac`` is True, else ``-> f``.
    jac : True or callable
        ``jac(x, *args) -> g``.
    args : tuple
        Further arguments of both.
    x0 : array
        Gives the dtype and size of points.
    library : Library
        The kind of array that ``fun`` receives.
    """

    def __init__(self, fun: Any, jac: Any, args: Any, x0: Array, library: Library) -> None:
        if not callable(fun):
            raise TypeError(f"fun: expected a callable, got {type(fun).__name__}")
        if jac is not True and not callable(jac):
            raise ValueError(
                f"jac: expected True (fun returns f and its gradient) or a callable, got {jac!r}; "
                "a gradient is needed"
            )
        self._fun: Callable[..., Any] = fun
        self._jac: Callable[..., Any] | None = None if jac is True else jac
        self._args = args if isinstance(args, tuple) else (args,)
        self._library = library
        self._dtype = x0.dtype
        self._size = x0.size
        self._point = np.empty_like(x0)

    def __call__(self, x: Array) -> tuple[float, Array]:
        point = self._copy(x)
        if self._jac is None:
            f, g = self._pair(self._fun(point, *self._args))
        else:
            f, g = self._fun(point, *self._args), self._jac(point, *self._args)
        return real_value("fun", f), self._gradient(g)

    def _copy(self, x: Array) -> Any:
        # The same memory serves again unless the objective kept it: two references are ours, one is
        # getrefcount's own.
        if not self._library.is_numpy:
            return self._library.from_numpy(x.copy())
        if sys.getrefcount(self._point) > 2:
            self._point = np.empty_like(self._point)
        np.copyto(self._point, x)
        return self._point

    @staticmethod
    def _pair(result: Any) -> tuple[Any, Any]:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                "fun: expected a pair (f, gradient) as jac is True, got "
                f"{type(result).__name__}"
                + (f" of {len(result)}" if isinstance(result, (tuple, list)) else "")
            )
        return result[0], result[1]

    def _gradient(self, g: Any) -> Array:
        if g is None:
            raise TypeError("jac: expected an array, got None")
        array = self._library.to_numpy(g, "jac") if not isinstance(g, np.ndarray) else g
        if array.shape != (self._size,):
            if array.shape == () and self._size == 1:
                array = array.reshape(1)
            else:
                raise ValueError(
                    f"jac: expected a gradient of shape ({self._size},), got {array.shape}"
                )
        if array.dtype != self._dtype:
            raise TypeError(f"jac: expected dtype {self._dtype} (as x0), got {array.dtype}")
        return np.ascontiguousarray(array)
