"""Diagonal metrics p of a step x − η p∘g, learnt from the gradients of batches.

A metric has ``p`` (float64, shape (d,)), and ``scale``: gradients are read times it, a power of two
where p is learnt from pairs of them. ``take`` is told the gradient of each batch before its step,
``learn`` of each trial point on the same batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mdbopt.kernels import _internal
from mdbopt.optimizers import AdaGrad, AMSGrad

Array = NDArray[Any]
# A coordinate of the box that no pair has bounded yet; those beyond are where cuts leave what they
# do not touch (csrc/rules/shapes.h).
_OPEN = 1e290
_BOUNDED = 1e200


@dataclass(frozen=True)
class Trial:
    """A trial point on a batch: where the step began, and what was found there."""

    x: Array
    g: Array
    x_trial: Array
    g_trial: Array
    moved: float


class Metric:
    """p = 1: the gradient itself."""

    scale = 1.0

    def __init__(self, x: Array, g: Array) -> None:
        self.p = np.ones(x.size)

    def take(self, g: Array) -> None:
        """Read the gradient of a batch."""

    def learn(self, trial: Trial) -> float:
        """Read a trial; return the largest factor by which a step size was cut, 1 for none."""
        return 1.0


class _OfOptimizer(Metric, ABC):
    """The diagonal by which an optimizer divides, kept by the optimizer itself."""

    _optimizer: ClassVar[Any]

    def __init__(self, x: Array, g: Array) -> None:
        super().__init__(x, g)
        self._none = np.zeros_like(x)  # steps of size 0 leave it as it is
        self._state = self._optimizer.init(self._none)

    def take(self, g: Array) -> None:
        self._optimizer.step(self._none, g, self._state, lr=0.0)
        np.divide(1.0, np.sqrt(self._squares()) + self._optimizer.eps, out=self.p)

    @abstractmethod
    def _squares(self) -> Array:
        """Return what the optimizer has of squared gradients."""


class AdaGradMetric(_OfOptimizer):
    """p = 1/(√G + ε), G the sum of squared gradients. Source: Duchi, Hazan, Singer 2011."""

    _optimizer = AdaGrad()

    def _squares(self) -> Array:
        squares: Array = self._state["sum_of_squares"]
        return squares


class AMSGradMetric(_OfOptimizer):
    """p = 1/(√v̂ + ε), v̂ as in `mdbopt.AMSGrad`. Source: Reddi, Kale, Kumar 2018."""

    _optimizer = AMSGrad()

    def _squares(self) -> Array:
        squares: Array = self._state["v_max"] / (1.0 - self._optimizer.beta2**self._state.t)
        return squares


class BoxMetric(Metric):
    """The box of step sizes that pairs on the same batch have left: b ← min(b, ⟨s, y⟩/y²).

    The first pairs come from steps of a relative length of 1e-8 to 1e-3 along the gradient. A
    coordinate that no pair has bounded does not move.
    """

    def __init__(self, x: Array, g: Array) -> None:
        self.scale = 2.0 ** -math.frexp(float(np.max(np.abs(g))))[1]
        self._b = np.full(x.size, _OPEN)
        self._s, self._y = np.empty(x.size, np.float32), np.empty(x.size, np.float32)
        self._copy = np.empty_like(x)
        self._least = float(8 * np.finfo(x.dtype).eps)
        self.p = np.zeros(x.size)

    def take(self, g: Array) -> None:
        np.multiply(self._b, self._b < _BOUNDED, out=self.p)

    def learn(self, trial: Trial) -> float:
        s_scale = 2.0 ** -math.frexp(trial.moved)[1]
        found = _internal.pair(
            trial.x, trial.x_trial, trial.g, trial.g_trial, self._s, self._y, self._copy,
            scale=self.scale, s_scale=s_scale,
        )  # fmt: skip
        curved = math.isfinite(found.sy) and found.sy > self._least * found.sy_abs
        if not curved or not math.isfinite(found.gmax):
            return 1.0
        deepest = _internal.learn(self._s, self._y, self._b, cut=1.0 / found.sy).deepest
        # What this pair is the first to bound waits for the next batch: no trial has moved it.
        np.minimum(self.p, self._b, out=self.p)
        return float(deepest)


METRICS = {"sgd": Metric, "amsgrad": AMSGradMetric, "adagrad": AdaGradMetric, "box": BoxMetric}
