"""Runs that keep every value of the objective: ours and SciPy's, counted alike."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

import mdbopt

CAP = 3000
TAUS = (1e-2, 1e-4, 1e-8)
LARGEST_MATRIX = 400  # variables up to which methods that keep a d x d matrix take part
WITH_PRODUCTS = ("Newton-CG", "trust-constr")

Array = np.ndarray[Any, np.dtype[np.float64]]
# What a method says of its end, and whether that is a failure.
End = tuple[str, bool]


@dataclass(frozen=True)
class Run:
    """What was evaluated, in its order and x0 first, and how the run ended.

    Attributes
    ----------
    values : ndarray of shape (k,)
        f; infinite for a product with the Hessian, which costs a gradient and has no f.
    moments : ndarray of shape (k,)
        Seconds from the start until each was known.
    message : str
        What the method says of its end.
    seconds : float
        All of the run.
    failed : bool
        Whether it ended by an error, where f is not finite, or without a bound.
    """

    values: Array
    moments: Array
    message: str
    seconds: float
    failed: bool

    def first_below(self, goal: float) -> int:
        """Return the number of evaluations until f <= goal, CAP when it is never."""
        hit = np.flatnonzero(self.values <= goal)
        return int(hit[0]) + 1 if hit.size else CAP


class SpentError(Exception):
    """All evaluations are spent, for what has no such limit."""


class Recorder:
    """An objective that counts its evaluations, and ends what does not end by itself.

    Parameters
    ----------
    fun : callable
        x to f and g.
    cap : int
        Evaluations that there are.
    patience : int or None
        As many values of f of which none is lower than all before end a run, too: solvers that are
        given no tolerance go on and on where rounding is all that is left.
    judge : callable or None
        Re-evaluates in float64 what a float32 run is judged by.
    """

    def __init__(
        self,
        fun: Callable[[Any], Any],
        cap: int,
        patience: int | None = None,
        judge: Callable[[Any], Any] | None = None,
    ) -> None:
        self._fun, self._judge = fun, judge
        self.cap, self._patience = cap, patience
        self._least, self._idle = np.inf, 0
        self._last: tuple[Any, float, Any] | None = None
        self._start = time.perf_counter()
        self.values: list[float] = []
        self.moments: list[float] = []

    @property
    def spent(self) -> bool:
        """Whether no evaluation is left, or patience."""
        return len(self.values) >= self.cap or self._impatient

    @property
    def _impatient(self) -> bool:
        return self._patience is not None and self._idle >= self._patience

    def __call__(self, x: Any) -> tuple[float, Any]:
        f, g = self._evaluate(x)
        self.values[-1] = f if self._judge is None else self._judge(x.astype(np.float64))[0]
        lower = self.values[-1] < self._least
        self._least = self.values[-1] if lower else self._least
        self._idle = 0 if lower else self._idle + 1
        return f, g

    def _evaluate(self, x: Any) -> tuple[float, Any]:
        if self.spent:
            raise SpentError
        f, g = self._fun(x)
        self.values.append(np.inf)
        self.moments.append(time.perf_counter() - self._start)
        self._last = (x.copy(), f, g)
        return f, g

    def again(self, x: Any) -> tuple[float, Any]:
        """Return f and g, without counting where x is the point that was evaluated last."""
        last = self._last
        if last is not None and np.array_equal(last[0], x):
            return last[1], last[2]
        return self(x)

    def product(self, x: Any, v: Any) -> Any:
        """Return the Hessian at x times v by a difference of gradients: it counts as one."""
        length = float(np.linalg.norm(v))
        if length == 0.0:
            return np.zeros_like(v)
        last = self._last
        at_x = last is not None and np.array_equal(last[0], x)
        f, g = last[1:] if last is not None and at_x else self._evaluate(x)
        here = (x.copy(), f, g)
        step = np.sqrt(np.finfo(np.float64).eps) * (1.0 + float(np.linalg.norm(x))) / length
        shifted = self._evaluate(x + step * v)[1]
        self._last = here
        return (shifted - g) / step

    def run(self, solve: Callable[[], End]) -> Run:
        """Let a method run to its end; return what it evaluated."""
        failed, message = False, ""
        self._start = time.perf_counter()
        with warnings.catch_warnings(), contextlib.suppress(SpentError):
            warnings.simplefilter("ignore")
            try:
                message, failed = solve()
            except SpentError:
                raise
            except Exception as error:  # libraries have errors of their own; the report shows them
                failed, message = True, f"{type(error).__name__}: {error}"
        spent = time.perf_counter() - self._start
        if self.spent and not failed:
            message = f"no lower f in {self._patience}" if self._impatient else "evaluations spent"
        return Run(np.array(self.values), np.array(self.moments), message, spent, failed)


def ours(
    problem: Any,
    method: str,
    options: Mapping[str, Any],
    judge: Callable[[Any], Any] | None = None,
    cap: int = CAP,
    patience: int | None = None,
    bounds: scipy.optimize.Bounds | None = None,
) -> Run:
    """Run one of our methods until it ends by itself or ``cap`` evaluations are spent."""
    record = Recorder(problem, cap, patience, judge)
    limits = {"gtol": 0.0, "maxfun": cap, "maxiter": cap}

    def solve() -> End:
        result = mdbopt.minimize(
            record,
            problem.x0,
            jac=True,
            method=method,
            options={**limits, **options},
            bounds=bounds,
        )
        return str(result.message), result.status == 3

    return record.run(solve)


def lbfgsb(
    problem: Any,
    pairs: int = 10,
    cap: int = CAP,
    patience: int | None = None,
    bounds: scipy.optimize.Bounds | None = None,
) -> Run:
    """Run SciPy's L-BFGS-B with no stop but ``cap`` evaluations (and its own failures)."""
    options = {"maxcor": pairs, "ftol": 0.0, "maxfun": cap}
    return of_scipy(problem, "L-BFGS-B", cap, patience, bounds, **options)


def bfgs(problem: Any, cap: int = CAP, patience: int | None = None) -> Run:
    """Run SciPy's BFGS, which keeps a matrix of d x d, likewise."""
    return of_scipy(problem, "BFGS", cap, patience)


def of_scipy(
    problem: Any,
    method: str,
    cap: int = CAP,
    patience: int | None = None,
    bounds: scipy.optimize.Bounds | None = None,
    **options: Any,
) -> Run:
    """Run a method of `scipy.optimize.minimize`; a product with the Hessian counts as a gradient.

    Newton-CG and trust-constr ask for products: differences of two gradients, of which that at the
    point itself is known as a rule.
    """
    record = Recorder(problem, cap, patience)
    tight = {"xtol": 0.0} if method == "Newton-CG" else {"gtol": 0.0}
    if method == "trust-constr":
        tight["xtol"] = 0.0
    products = {"hessp": record.product} if method in WITH_PRODUCTS else {}

    def solve() -> End:
        result = scipy.optimize.minimize(
            record,
            problem.x0,
            jac=True,
            method=method,
            options={"maxiter": 10 * cap, **tight, **options},
            bounds=bounds,
            **products,
        )
        return str(result.message), not np.isfinite(result.fun)

    return record.run(solve)


def pairs_of(size: int) -> int:
    """How many pairs `Guarded` keeps by default."""
    search = mdbopt.Guarded()
    state = search.init(np.zeros(size), 1.0, np.ones(size))
    return int(state["memory"])
