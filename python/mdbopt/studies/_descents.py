"""Runs of first-order optimizers at given rates, and the best of them that stayed stable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import mdbopt
from mdbopt._finite import Array

# By the name in the pictures; Adam without momentum has no first average.
METHODS: dict[str, Callable[[float, float], Any]] = {
    "GD": lambda lr, momentum: mdbopt.SGD(lr=lr, momentum=momentum),
    "normalised GD": lambda lr, momentum: mdbopt.NormalizedGD(lr=lr, momentum=momentum),
    "sign": lambda lr, momentum: mdbopt.SignDescent(lr=lr, momentum=momentum),
    "Adam": lambda lr, momentum: mdbopt.Adam(lr=lr, beta1=momentum),
}


class RescaledSign:
    """Sign descent with steps of lr times the 1-norm of the gradient, which shrink with it."""

    def __init__(self, lr: float, momentum: float) -> None:
        self.lr = lr
        self._sign = mdbopt.SignDescent(momentum=momentum)

    def init(self, w: Array) -> Any:
        return self._sign.init(w)

    def step(self, w: Array, g: Array, state: Any) -> None:
        self._sign.step(w, g, state, lr=self.lr * float(np.abs(g).sum(dtype=np.float64)))


@dataclass(frozen=True)
class Descent:
    """A run: its rate, the loss before each step and after the last, and where it ended."""

    lr: float
    losses: Array
    w: Array


def descend(
    batches: Iterator[Any] | Any, w0: Array, optimizer: Any, steps: int, ceiling: float = np.inf
) -> Descent | None:
    """Run an optimizer, or return None once a loss is above ``ceiling`` or not a number.

    Parameters
    ----------
    batches : callable, or iterator of callables
        fun(w) -> (f, g): the same in each step, or the next one.
    w0 : ndarray
        The start, not written.
    optimizer : mdbopt optimizer, or RescaledSign
        With its rate.
    steps : int
        How many.
    ceiling : float
        Of the loss of each step.

    Returns
    -------
    Descent or None
    """
    each = batches if isinstance(batches, Iterator) else iter(lambda: batches, None)
    w = w0.copy()
    state = optimizer.init(w)
    losses: Array = np.empty(steps + 1)
    for step in range(steps + 1):
        f, g = next(each)(w)
        if not f <= ceiling:
            return None
        losses[step] = f
        if step < steps:
            optimizer.step(w, g, state)
    return Descent(optimizer.lr, losses, w)


def best_stable(
    fun: Any,
    method: str,
    rates: Iterable[float],
    steps: int,
    *,
    momentum: float = 0.0,
    ceiling: float = np.inf,
    measure: Callable[[Array], float] | None = None,
    start: Array | None = None,
) -> Descent:
    """Return the run with the least final loss, or ``measure(w)``, of those that stayed stable.

    Rates are tried from the smallest on, from w = 0 or ``start``, until one is not stable.

    Raises
    ------
    ValueError
        When not even the smallest rate is stable.
    """
    best, least = None, np.inf
    for lr in sorted(rates):
        w0 = np.zeros(fun.d, fun.dtype) if start is None else start
        run = descend(fun, w0, METHODS[method](lr, momentum), steps, ceiling)
        if run is None:
            break
        value = float(run.losses[-1]) if measure is None else measure(run.w)
        if value < least:
            best, least = run, value
    if best is None:
        raise ValueError(f"rates: expected one at which {method} is stable")
    return best


def half_decades(low: float, high: float) -> list[float]:
    """Return 10^low to 10^high, two a decade."""
    return [float(10.0**power) for power in np.arange(low, high + 0.25, 0.5)]
