"""Fits by the methods of a comparison, all recorded alike: SciPy's L-BFGS-B beside mdbopt's own."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize import OptimizeResult

import mdbopt
from mdbopt import _blas
from mdbopt._finite import Array
from mdbopt._minimize.methods import bounded_methods
from mdbopt._minimize.progress import Progress
from mdbopt._minimize.run import CONVERGED, LIMIT, PRECISION
from mdbopt._minimize.settings import DEFAULT_GTOL
from mdbopt.problems import Problem

LBFGS = "lbfgs"
MEMORY = 10
# Within this share of the first gap to the best loss seen.
GAP = 1e-8


def known_methods() -> list[str]:
    """Names that a fit takes: mdbopt's methods, and SciPy's L-BFGS-B."""
    return [*mdbopt.methods(), LBFGS]


def penalised_methods() -> list[str]:
    """Names that a fit takes with a penalty l1; the ellipsoid wants an option that it has not."""
    return [name for name in bounded_methods() if name != "ellipsoid"]


@dataclass(frozen=True)
class Limits:
    """When a fit ends.

    Attributes
    ----------
    gtol : float
        Converged when max|g| <= gtol, in units of the gradient.
    maxfun : int or None
        Evaluations at most, None for no limit. L-BFGS-B looks at it between line searches only.
    maxiter : int or None
        Iterations at most, None for no limit but ``maxfun``.
    """

    gtol: float
    maxfun: int | None = 20_000
    maxiter: int | None = None

    def options(self) -> dict[str, Any]:
        """Return the options of that name, whole numbers all."""
        maxfun = sys.maxsize if self.maxfun is None else self.maxfun
        maxiter = maxfun if self.maxiter is None else self.maxiter
        return {"gtol": self.gtol, "maxfun": maxfun, "maxiter": maxiter}


def default_gtol(fun: Problem) -> float:
    """Return a bound of max|g| that is met where the fit is done, whatever the units.

    That of `mdbopt.minimize`, or 100 times it in units of the gradient where this is less:
    sqrt(min_j H_jj) |g0| in the norm of 1 / H, with H the bound of the Hessian's diagonal and g0
    the gradient at the start. Targets of 1e-9 would otherwise be fitted before the first step.
    """
    usual = DEFAULT_GTOL[fun.dtype]
    curvature = fun.hessian_diagonal()
    slope = fun(fun.x0)[1].astype(np.float64)
    moving = (slope != 0.0) & (curvature > 0.0)
    if not moving.any():
        return usual
    roots = np.sqrt(curvature[moving])
    unit = float(roots.min() * np.linalg.norm(slope[moving] / roots))
    return min(usual, 100.0 * usual * unit)


def fit(
    fun: Problem, method: str, limits: Limits, *, l1: Array | None = None, show: bool
) -> OptimizeResult:
    """Minimise by one method.

    Parameters
    ----------
    fun : Problem
        What to minimise, from its ``x0``.
    method : str
        One of `known_methods`; with l1 of `penalised_methods`.
    limits : Limits
        When to end.
    l1 : ndarray of shape (d,), optional
        Weights of a penalty of the absolute weights.
    show : bool
        Whether to show progress on standard error.

    Returns
    -------
    OptimizeResult
        As of `mdbopt.minimize`; that of L-BFGS-B has no step sizes.
    """
    if method == LBFGS:
        return _lbfgs(fun, limits, show)
    options = limits.options()
    return mdbopt.minimize(
        fun,
        fun.x0,
        jac=True,
        method=method,
        l1=l1,
        options=options,
        progress=show,
    )


def evaluations_to_gap(results: Sequence[OptimizeResult]) -> list[int | None]:
    """Count each run's evaluations until f - f_best <= 1e-8 (f(x0) - f_best).

    f_best is the lowest f of all runs; None stands for a run that does not come so close.
    """
    best = min(float(np.nanmin(run.trace["best"])) for run in results)
    counts: list[int | None] = []
    for run in results:
        falls = run.trace["best"] - best <= GAP * (run.trace["best"][0] - best)
        counts.append(int(np.argmax(falls)) + 1 if falls.any() else None)
    return counts


class _Recorder:
    """An objective that keeps the columns of `mdbopt._minimize.trace.Trace`."""

    def __init__(self, fun: Problem, bar: Progress | None) -> None:
        self._fun = fun
        self._bar = bar
        self._start = time.perf_counter()
        self.f: list[float] = []
        self.gmax: list[float] = []
        self.seconds: list[float] = []
        self.accepted: list[bool] = []

    def __call__(self, x: Any) -> tuple[float, Any]:
        f, g = self._fun(x)
        gmax = float(np.abs(g).max())
        self.f.append(f)
        self.gmax.append(gmax)
        self.accepted.append(not self.accepted)
        self.seconds.append(time.perf_counter() - self._start)
        if self._bar is not None:
            self._bar.update(f, gmax)
        return f, g

    def accept(self, _x: Any) -> None:
        """Mark the last point as the one that the line search took."""
        self.accepted[-1] = True

    def trace(self) -> dict[str, Any]:
        f = np.array(self.f)
        return {
            "f": f,
            "best": np.fmin.accumulate(f),
            "gmax": np.array(self.gmax),
            "accepted": np.array(self.accepted),
            "ncut": np.zeros(len(f), dtype=np.int64),
            "seconds": np.array(self.seconds),
        }


def _lbfgs(fun: Problem, limits: Limits, show: bool) -> OptimizeResult:
    options = {"maxcor": MEMORY, "ftol": 0.0, **limits.options()}
    bar = Progress(options["maxfun"], LBFGS) if show else None
    recorder = _Recorder(fun, bar)
    try:
        # NumPy's BLAS, which evaluates the objective, stays as it is.
        with _blas.one_thread("scipy"):
            found = scipy.optimize.minimize(
                recorder,
                fun.x0,
                jac=True,
                method="L-BFGS-B",
                callback=recorder.accept,
                options=options,
            )
    finally:
        if bar is not None and recorder.f:
            bar.close(recorder.f[-1], recorder.gmax[-1])
    gmax = float(np.abs(found.jac).max())
    status = CONVERGED if gmax <= limits.gtol else LIMIT if found.status == 1 else PRECISION
    return OptimizeResult(
        x=found.x,
        fun=float(found.fun),
        jac=found.jac,
        nit=int(found.nit),
        nfev=len(recorder.f),
        status=status,
        success=status == CONVERGED,
        message=str(found.message),
        ncut=0,
        trace=recorder.trace(),
    )
