"""The user's objective behind one call: a private point in, a float and a checked gradient out."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning

from mdbopt import _core, kernels
from mdbopt._arrays import (
    Array,
    Library,
    dense,
    device_of,
    dtype_name,
    is_device,
    real_array,
    real_value,
    widened,
)
from mdbopt._minimize.differences import SCHEMES, Differences


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


def start_point(x0: Any, *, least: int = 1) -> Start:
    """Return x0, of ``least`` elements, as a fresh flat float array, and its library."""
    library = Library(x0)
    if is_device(x0):
        return _start_on_device(x0, library)
    start = dense("x0", real_array("x0", x0, widen=False)).ravel()
    if start.size < least:
        raise ValueError("x0: expected at least one element, got none")
    if not np.isfinite(start).all():
        raise ValueError("x0: expected finite numbers, got NaN or inf")
    return Start(np.array(start), start.size, start.dtype, library)


def start_within(start: Start, rows: NDArray[Any] | None, *, stacklevel: int) -> Start:
    """Return the start clipped to the bounds, with a warning where it lies outside."""
    if rows is None or start.device is not None:
        return start
    inside = np.clip(start.point, *rows.T)
    if np.array_equal(inside, start.point):
        return start
    i = int(np.argmax(inside != start.point))
    warnings.warn(
        f"x0: expected a point within the bounds, got {start.point[i]:g} for variable {i}; it is "
        "clipped to them",
        OptimizeWarning,
        stacklevel=stacklevel + 1,
    )
    return replace(start, point=inside)


def _start_on_device(x0: Any, library: Library) -> Start:
    size = math.prod(x0.shape)
    if size == 0:
        raise ValueError("x0: expected at least one element, got none")
    point = _core.copied(_dense(x0), "x0")
    if not math.isfinite(kernels.norm(point).max):
        raise ValueError("x0: expected finite numbers, got NaN or inf")
    return Start(point, size, np.dtype(point.dtype), library, point.device)


def by_differences(jac: Any) -> bool:
    """Tell whether gradients are to be found from values of f, or raise for what ``jac`` is not."""
    if jac is True or callable(jac):
        return False
    if jac is None or jac is False or (isinstance(jac, str) and jac in SCHEMES):
        return True
    raise ValueError(
        "jac: expected True (fun returns f and its gradient), a callable, or for differences None, "
        f"{', '.join(map(repr, SCHEMES))}, got {jac!r}"
    )


def _dense(array: Any) -> Any:
    """Flatten an array on a device, without a copy where its memory has no gaps."""
    if hasattr(array, "detach"):
        array = array.detach().resolve_neg()
    return array.ravel() if hasattr(array, "ravel") else array


class NotScalar(TypeError, ValueError):
    """An f that is no one number: a wrong type to Python, a ValueError to callers of SciPy."""


def _number(f: Any, *, alone: bool = True) -> float:
    """Return f as a float; ``alone`` where it came without a gradient."""
    if type(f) is float:
        return f
    try:
        shape = np.shape(f)
    except ValueError:  # lists of several lengths
        shape = (len(f),)
    if math.prod(shape) == 1:
        return real_value("fun", f)
    pair = alone and isinstance(f, (tuple, list)) and len(f) == 2
    raise NotScalar(
        f"fun: expected a real number, got {type(f).__name__} of shape {shape}. The user-provided "
        "objective function must return a scalar value."
        + (" If it is f and its gradient, pass jac=True." if pair else "")
    )


@dataclass(frozen=True)
class _Value:
    """What differences ask: f at a NumPy point of its own. Other processes can be sent it."""

    fun: Callable[..., Any]
    args: tuple[Any, ...]
    library: Library

    def __call__(self, point: Array) -> Any:
        answer = self.fun(self.library.from_numpy(point), *self.args)
        return answer if np.iscomplexobj(point) else _number(answer)


class Objective:
    """Evaluates f and its gradient together, each on a point of its own.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> (f, g)`` when ``jac`` is True, else ``-> f``.
    jac : True, callable, None, False or str
        ``jac(x, *args) -> g``; None and False mean "2-point", see `Differences`.
    args : tuple
        Further arguments of both.
    start : Start
        Gives the dtype and size of points, and the kind of array that ``fun`` receives.
    options : dict
        Of the differences.
    bounds : array, shape (d, 2), optional
        Within which they stay.
    """

    def __init__(
        self,
        fun: Any,
        jac: Any,
        args: Any,
        start: Start,
        options: Mapping[str, Any],
        bounds: NDArray[Any] | None = None,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"fun: expected a callable, got {type(fun).__name__}")
        self.differences: Differences | None = None
        if by_differences(jac):
            if start.device is not None:
                raise ValueError(
                    "jac: differences need a point on the CPU, x0 lives on a device; expected True "
                    f"(fun returns f and its gradient) or a callable, got {jac!r}"
                )
            self.differences = Differences(
                jac or SCHEMES[0], start.size, start.dtype, options, bounds
            )
        self._fun: Callable[..., Any] = fun
        self._jac: Callable[..., Any] | None = jac if callable(jac) else None
        self._args = args if isinstance(args, tuple) else (args,)
        self._library = start.library
        self._dtype = start.dtype
        self._size = start.size
        self._device = start.device
        self._point = np.empty(start.size if start.device is None else 0, start.dtype)

    @property
    def fun(self) -> Callable[..., Any]:
        """What the user gave."""
        return self._fun

    @property
    def gradient_calls(self) -> int:
        """How often fun is called for a gradient, beside the call for f."""
        return 0 if self.differences is None else self.differences.evaluations

    def __call__(self, x: Any) -> tuple[float, Any]:
        if self.differences is not None:
            answer = self._fun(self._copy(x), *self._args)
            f = _number(answer)
            value = _Value(self._fun, self._args, self._library)
            return f, self.differences(value, np.array(x), f, dtype_name(answer))
        if self._jac is None:
            f, g = self._pair(self._fun(self._copy(x), *self._args))
            return _number(f, alone=False), self._gradient(g)
        for_jac = x if self._device is None else _core.copied(x, "x")
        f = _number(self._fun(self._copy(x), *self._args))
        return f, self._gradient(self._jac(self._copy(for_jac), *self._args))

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
