"""The user's objective behind one call: a private point in, a float and a checked gradient out."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt import _core, kernels
from mdbopt._arrays import (
    Library,
    dense,
    device_of,
    dtype_name,
    is_device,
    real_array,
    real_value,
    widened,
)


@dataclass(frozen=True)
class Start:
    """Where a run begins: a flat copy of x0, NumPy's or on a device."""

    point: Any
    size: int
    dtype: np.dtype[Any]
    library: Library
    device: int | None = None

    def private(self) -> Any:
        """Give the point to an objective, which may write on what it gets."""
        return self.point if self.device is None else _core.copied(self.point, "x0")


def start_point(x0: Any) -> Start:
    """Return x0 as a fresh flat float array, and the library it came from."""
    library = Library(x0)
    if is_device(x0):
        return _start_on_device(x0, library)
    start = dense("x0", real_array("x0", x0, widen=False)).ravel()
    if start.size == 0:
        raise ValueError("x0: expected at least one element, got none")
    if not np.isfinite(start).all():
        raise ValueError("x0: expected finite numbers, got NaN or inf")
    return Start(np.array(start), start.size, start.dtype, library)


def _start_on_device(x0: Any, library: Library) -> Start:
    size = math.prod(x0.shape)
    if size == 0:
        raise ValueError("x0: expected at least one element, got none")
    point = _core.copied(_dense(x0), "x0")
    if not math.isfinite(kernels.norm(point).max):
        raise ValueError("x0: expected finite numbers, got NaN or inf")
    return Start(point, size, np.dtype(point.dtype), library, point.device)


def _dense(array: Any) -> Any:
    """Flatten an array on a device, without a copy where its memory has no gaps."""
    if hasattr(array, "detach"):
        array = array.detach().resolve_neg()
    return array.ravel() if hasattr(array, "ravel") else array


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
    start : Start
        Gives the dtype and size of points, and the kind of array that ``fun`` receives.
    """

    def __init__(self, fun: Any, jac: Any, args: Any, start: Start) -> None:
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
        self._library = start.library
        self._dtype = start.dtype
        self._size = start.size
        self._device = start.device
        self._point = np.empty(start.size if start.device is None else 0, start.dtype)

    def __call__(self, x: Any) -> tuple[float, Any]:
        point = self._copy(x)
        if self._jac is None:
            f, g = self._pair(self._fun(point, *self._args))
        else:
            f, g = self._fun(point, *self._args), self._jac(point, *self._args)
        return real_value("fun", f), self._gradient(g)

    def _copy(self, x: Any) -> Any:
        if self._device is not None:  # a copy already
            return self._library.from_device(x)
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

    def _gradient(self, g: Any) -> Any:
        if g is None:
            raise TypeError("jac: expected an array, got None")
        if self._device is not None:
            return self._gradient_on_device(g)
        if type(g) is not np.ndarray or g.dtype != self._dtype:
            g = real_array("jac", g)
        if g.shape == () and self._size == 1:
            g = g.reshape(1)
        self._check_shape(g.shape)
        g = dense("jac", g, self._dtype)
        self._check_dtype(g.dtype)
        return g

    def _gradient_on_device(self, g: Any) -> Any:
        device = device_of(g)
        if device != self._device:
            where = "" if not hasattr(g, "__dlpack__") else " on the CPU"
            raise TypeError(
                f"jac: expected an array on cuda:{self._device} (as x0), got "
                f"{type(g).__name__}{where if device is None else f' on cuda:{device}'}"
            )
        shape = tuple(g.shape)
        self._check_shape((1,) if shape == () else shape)
        g = widened(g, self._dtype.name)
        self._check_dtype(dtype_name(g))
        return _dense(g)

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != (self._size,):
            raise ValueError(f"jac: expected a gradient of shape ({self._size},), got {shape}")

    def _check_dtype(self, dtype: Any) -> None:
        if dtype != self._dtype:
            raise TypeError(
                f"jac: expected dtype {self._dtype} (as x0), got {dtype}; return it in "
                f"{self._dtype}, or start from x0 in {dtype}"
            )
