"""probe – an objective that is asked near one point, in float64, and counts its evaluations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mdbopt import _checks
from mdbopt._arrays import Array, is_device
from mdbopt._minimize.objective import Objective, by_differences, start_point

# A step that changes a gradient by less than so many times its error says little of its curvature.
TELLING = 10.0
LARGER = 1e4
TRIES = 3


class Probe:
    """Evaluates f and its gradient around x0.

    Attributes
    ----------
    x : ndarray of shape (d,), float64
        x0.
    f, g : float, ndarray of shape (d,)
        There.
    epsilon : float
        Of x0's dtype.
    gradient_epsilon : float
        That of gradients: its root where they are differences of f.
    differences : bool
        Whether gradients are differences of f.
    evaluations : int
        Of f, with its gradient where it has one.
    """

    def __init__(self, fun: Any, x0: Any, jac: Any, args: Any) -> None:
        _checks.function("fun", fun)
        if is_device(x0):
            raise TypeError("x0: expected an array on the CPU, got one on a device")
        start = start_point(x0)
        self.evaluations = 0
        extra = args if isinstance(args, tuple) else (args,)
        if jac is None:
            # a pair is f and its gradient, as `minimize(jac=True)` takes them
            answer = fun(start.library.from_numpy(start.point.copy()), *extra)
            self.evaluations += 1
            jac = isinstance(answer, (tuple, list)) and len(answer) == 2
        self.differences = by_differences(jac)
        self._objective = Objective(fun, jac, extra, start, {})
        self._dtype = start.dtype
        self.epsilon = float(np.finfo(start.dtype).eps)
        self.gradient_epsilon = math.sqrt(self.epsilon) if self.differences else self.epsilon
        self.x = start.point.astype(np.float64)
        self.f, self.g = self.at(self.x)

    @property
    def units(self) -> Array:
        """How far coordinates reach, max(abs(x_i), 1)."""
        units: Array = np.maximum(np.abs(self.x), 1.0)
        return units

    @property
    def finite(self) -> bool:
        """Whether f and g are finite at x0."""
        return math.isfinite(self.f) and bool(np.isfinite(self.g).all())

    def at(self, x: Array) -> tuple[float, Array]:
        """Return f and g at x, rounded to x0's dtype."""
        self.evaluations += 1 + self._objective.gradient_calls
        with np.errstate(all="ignore"):
            f, g = self._objective(x.astype(self._dtype))
        return float(f), np.asarray(g, np.float64)

    def product(self, v: Array) -> Array:
        """Return the Hessian at x0 times v, by a forward difference of gradients.

        The step is sqrt(gradient_epsilon) of `units`, longer where it hardly changes the gradient,
        shorter where that is not finite there.
        """
        error = math.sqrt(self.gradient_epsilon)
        step = error / float(np.max(np.abs(v) / self.units))
        change = np.zeros_like(v)
        for _ in range(TRIES):
            moved = (self.x + step * v).astype(self._dtype).astype(np.float64)
            change = self.at(moved)[1] - self.g
            here = v != 0.0
            if not np.isfinite(change).all():
                change = np.zeros_like(v)
                step /= LARGER
            elif np.abs(change[here]).max() < TELLING * error * np.abs(self.g[here]).max():
                step *= LARGER
            else:
                break
        return change / step
