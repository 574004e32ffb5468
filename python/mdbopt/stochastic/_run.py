"""One run over batches: steps, what they are tried by, and the record of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import kernels
from mdbopt.stochastic._methods import Method, Polyak
from mdbopt.stochastic._metrics import METRICS, BoxMetric, Metric, Trial

Array = NDArray[Any]
SPENT, PRECISION, NOT_FINITE, STOPPED = 0, 2, 3, 99

# Trial points on one batch at most; the batch is left where none of them will do.
_TRIES = 30
# The length of the first step is a guess, which may be off by any factor.
_FIRST_TRIES = 100
# A cut by this factor takes the place of a shorter step.
_DEEP = 2.0
# Lengths of the steps that open a box, over that of x.
_PROBES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


class Run:
    """A run of ``budget`` evaluations of (f, g) on a batch.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(x, batch) -> (f, g)``.
    order : iterator of arrays
        The batches.
    method : Method
        With its options.
    x : array
        The start; it becomes the current point.
    budget : int
        Evaluations.
    share : float
        The part of an epoch that a batch is.
    """

    def __init__(
        self,
        evaluate: Callable[[Array, Array], tuple[float, Array]],
        order: Iterator[Array],
        method: Method,
        x: Array,
        budget: int,
        share: float,
    ) -> None:
        self._evaluate, self._order, self._method = evaluate, order, method
        self.x, self._trial = x, np.empty_like(x)
        self._budget, self.spent = budget, 0
        self._growth = method.growth**share
        self.step = math.inf  # η; not known yet
        self._batches_in_epoch = round(1.0 / share)
        self._lr, self._before, self._velocity = np.empty_like(x), np.array(x), np.zeros_like(x)
        self.metric: Metric | None = None
        self.trace: dict[str, list[Any]] = {"f": [], "step": [], "evaluations": [], "accepted": []}

    def loop(self, stops: Callable[[], bool]) -> int:
        """Go on until the budget is spent, or something else ends the run."""
        idle = 0
        while True:
            batch = next(self._order)
            f, g = self._at(self.x, batch)
            finite = math.isfinite(f) and bool(np.isfinite(g).all())
            if not finite and self.spent == 1:
                self._record(f, False)
                return NOT_FINITE
            accepted = self._take(batch, f, g) if finite else self._go_back()
            self._record(f, accepted)
            idle = 0 if accepted else idle + 1
            if stops():
                return STOPPED
            if self.spent >= self._budget:
                return SPENT
            if idle > 2 * self._batches_in_epoch:
                return PRECISION

    def _take(self, batch: Array, f: float, g: Array) -> bool:
        """Step by a batch; False where it gives none."""
        if self.metric is None:
            if not g.any():
                return False
            self.metric = METRICS[self._method.metric](self.x, g)
            if isinstance(self.metric, BoxMetric):
                self._open(self.metric, batch, g)
        metric = self.metric
        metric.take(g)
        if isinstance(self._method, Polyak):
            return self._polyak(self._method, metric, f, g)
        if self.step == math.inf:
            self._first(metric, batch, f, g)
        return self._search(metric, batch, f, g)

    def _go_back(self) -> bool:
        """Leave a point where f is not finite for the one before."""
        np.copyto(self.x, self._before)
        self._velocity[:] = 0.0
        self.step *= 0.25
        return False

    @property
    def step_sizes(self) -> Array:
        """η p, of each coordinate; 0 where no batch has had a gradient."""
        if self.metric is None:
            return np.zeros(self.x.size)
        return self.step * self.metric.scale * self.metric.p

    def _at(self, x: Array, batch: Array) -> tuple[float, Array]:
        self.spent += 1
        f, g = self._evaluate(x, batch)
        return f, np.array(g)

    def _record(self, f: float, accepted: bool) -> None:
        for name, value in (
            ("f", f), ("step", self.step), ("evaluations", self.spent), ("accepted", accepted)
        ):  # fmt: skip
            self.trace[name].append(value)

    def _open(self, box: BoxMetric, batch: Array, g: Array) -> None:
        """Let the box have its first pairs."""
        plain = Metric(self.x, g)
        length = self._length(g) / box.scale
        for relative in _PROBES:
            moved = self._propose(plain, g, relative * length, box.scale)[1]
            if moved > 0.0 and self.spent < self._budget:
                self._learn(box, batch, g, moved)
        self.step = 1.0

    def _length(self, g: Array) -> float:
        """Give the step along g that is as long as x, or 1 where x is shorter."""
        squares = kernels.norm(self.x).norm2, kernels.norm(g).norm2
        return max(1.0, math.sqrt(squares[0])) / math.sqrt(squares[1])

    def _propose(self, metric: Metric, g: Array, step: float, scale: float) -> tuple[float, float]:
        """Write x − η p∘g; give the slope there, ⟨g, η p∘g⟩ over the scale, and max|x⁺ − x|."""
        found = kernels.box_trial(self.x, g, metric.p, self._trial, step=step, scale=scale)
        return found.decrease / scale, found.moved

    def _learn(self, metric: Metric, batch: Array, g: Array, moved: float) -> tuple[float, float]:
        """Evaluate the trial; give f there and how deep its pair cut."""
        f_trial, g_trial = self._at(self._trial, batch)
        deepest = 1.0
        if math.isfinite(f_trial):
            deepest = metric.learn(Trial(self.x, g, self._trial, g_trial, moved))
        return f_trial, deepest

    def _polyak(self, method: Polyak, metric: Metric, f: float, g: Array) -> bool:
        slope = self._propose(metric, g, 1.0, metric.scale)[0]
        if not slope > 0.0:
            return False
        polyak = max(f - method.lower_bound, 0.0) / (method.c * slope)
        self.step = min(polyak, self._growth * self.step)
        return self._move(metric, g)

    def _first(self, metric: Metric, batch: Array, f: float, g: Array) -> None:
        """Find the order of η: halve it until a step wins, or double it while steps do."""
        self.step = self._length(g)
        won = self._wins(metric, batch, f, g)[0]
        for _ in range(_FIRST_TRIES):
            if self.spent >= self._budget:
                return
            self.step *= 2.0 if won else 0.5
            if self._wins(metric, batch, f, g)[0] != won:
                break
        if won:
            self.step *= 0.5

    def _search(self, metric: Metric, batch: Array, f: float, g: Array) -> bool:
        method: Any = self._method
        self.step *= self._growth
        for _ in range(_TRIES):
            if self.spent >= self._budget:
                return False
            wins, deepest = self._wins(metric, batch, f, g)
            if wins:
                return self._move(metric, g)
            if deepest < _DEEP:
                self.step *= method.backtrack
        return False

    def _wins(self, metric: Metric, batch: Array, f: float, g: Array) -> tuple[bool, float]:
        """Try η on the batch; tell whether Armijo's condition holds, and how deep the pair cut."""
        slope, moved = self._propose(metric, g, self.step, metric.scale)
        if not (math.isfinite(moved) and math.isfinite(slope) and moved > 0.0):
            return False, 1.0
        f_trial, deepest = self._learn(metric, batch, g, moved)
        method: Any = self._method
        return math.isfinite(f_trial) and f_trial <= f - method.armijo * slope, deepest

    def _move(self, metric: Metric, g: Array) -> bool:
        """Step by momentum; False where it would overflow."""
        left = max(0.0, 1.0 - self.spent / self._budget) if self._method.decay else 1.0
        np.multiply(metric.p, left * self.step * metric.scale, out=self._lr, casting="same_kind")
        if not math.isfinite(kernels.norm(self._lr).max):
            return False
        np.copyto(self._before, self.x)
        # The velocity of a coordinate begins with the first step of it that a batch has tried.
        np.multiply(g, metric.p > 0.0, out=g)
        # t = 2: the rule begins with m = g else, which it does anyhow from a velocity of 0.
        kernels.sgd_momentum(
            self.x, g, self._velocity, t=2.0, momentum=self._method.momentum, lr=self._lr
        )
        return True
