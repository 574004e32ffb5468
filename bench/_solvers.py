"""Runs that keep every value of the objective: ours and SciPy's L-BFGS-B."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

import mdbopt

CAP = 3000


@dataclass(frozen=True)
class Run:
    """The values of f in the order of evaluation, x0 first, and how the run ended."""

    values: np.ndarray[Any, np.dtype[np.float64]]
    message: str
    seconds: float

    def first_below(self, goal: float) -> int:
        """Return the number of evaluations until f <= goal, CAP when it is never."""
        hit = np.flatnonzero(self.values <= goal)
        return int(hit[0]) + 1 if hit.size else CAP


class _Recorder:
    """Counts evaluations; `judge` re-evaluates in float64 what a float32 run is judged by."""

    def __init__(self, fun: Callable[[Any], Any], judge: Callable[[Any], Any] | None) -> None:
        self._fun, self._judge = fun, judge
        self.values: list[float] = []

    def __call__(self, x: Any) -> tuple[float, Any]:
        f, g = self._fun(x)
        self.values.append(f if self._judge is None else self._judge(x.astype(np.float64))[0])
        return f, g

    def array(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        # NaN compares false, also where a goal is infinite
        return np.array(self.values[:CAP])


def ours(
    problem: Any, method: str, options: dict[str, Any], judge: Callable[[Any], Any] | None = None
) -> Run:
    """Run one of our methods until it ends by itself or CAP evaluations are spent."""
    recorder = _Recorder(problem, judge)
    limits = {"gtol": 0.0, "maxfun": CAP, "maxiter": CAP}
    begin = time.perf_counter()
    result = mdbopt.minimize(
        recorder, problem.x0, jac=True, method=method, options={**limits, **options}
    )
    return Run(recorder.array(), str(result.message), time.perf_counter() - begin)


def lbfgsb(problem: Any, pairs: int = 10) -> Run:
    """Run SciPy's L-BFGS-B with no stop but CAP evaluations (and its own failures)."""
    return _scipy(problem, "L-BFGS-B", {"maxcor": pairs, "ftol": 0.0, "maxfun": CAP})


def bfgs(problem: Any) -> Run:
    """Run SciPy's BFGS, which keeps a matrix of d x d, likewise."""
    return _scipy(problem, "BFGS", {})


class _SpentError(Exception):
    """CAP evaluations, for what has no such limit."""


def _scipy(problem: Any, method: str, options: dict[str, Any]) -> Run:
    recorder = _Recorder(problem, None)

    def limited(x: Any) -> tuple[float, Any]:
        if len(recorder.values) >= CAP:
            raise _SpentError
        return recorder(x)

    limits = {"gtol": 0.0, "maxiter": 10 * CAP}
    begin = time.perf_counter()
    message = "CAP evaluations"
    with warnings.catch_warnings(), contextlib.suppress(_SpentError):
        warnings.simplefilter("ignore", RuntimeWarning)
        message = scipy.optimize.minimize(
            limited, problem.x0, jac=True, method=method, options=limits | options
        ).message
    return Run(recorder.array(), str(message), time.perf_counter() - begin)
