"""`path`: one run of `minimize` for each penalty, each warm-started from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from mdbopt import _checks
from mdbopt._arrays import real_array
from mdbopt._minimize.minimize import minimize
from mdbopt.problems._problem import RowsProblem
from mdbopt.searches import WarmStart
from mdbopt.searches._warm_start import warm_start as starting


def path(
    problem: RowsProblem,
    l2: ArrayLike,
    *,
    l1: ArrayLike | None = None,
    x0: Any = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    warm_start: Any = None,
) -> list[OptimizeResult]:
    """Minimise a problem at several values of l2, of l1, or of both, with the method "guarded".

    Values are solved from the largest, where the problem is best conditioned, to the smallest.
    Each run starts at the minimum before it, with its secant pairs and its box of step sizes, which
    are carried over exactly: see `mdbopt.WarmStart`. With l1 pairs are not.

    Parameters
    ----------
    problem : RowsProblem
        Of `mdbopt.problems`: logistic, softmax, least_squares or smoothed_svm. Its own l2 does not
        count.
    l2 : array_like of shape (k,), or float with l1
        Weights of the squared norm, finite and >= 0, at least one, in any order, in units of f over
        x².
    l1 : array_like of shape (k,), optional
        Weights of the sum of |x| beside them, finite and >= 0, in units of f over x; the intercept
        is left out where l2 leaves it out.
    x0 : array, shape (d,), optional
        Where the run at the largest values starts; by default at ``problem.x0``, or the x of
        ``warm_start``.
    tol, options
        As for `mdbopt.minimize`, for every run.
    warm_start : OptimizeResult, SearchState or WarmStart, optional
        What the first run starts with, such as the result at the largest values over other rows.

    Returns
    -------
    list of OptimizeResult
        One per value, in the order of ``l2`` and ``l1``; as of `mdbopt.minimize`, and ``l2`` and
        ``l1``.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above; the message names it.

    References
    ----------
    docs/paths.md; J. Friedman, T. Hastie, R. Tibshirani, "Regularization paths for generalized
    linear models via coordinate descent", 2010, for paths from large penalties to small ones.

    Examples
    --------
    >>> import mdbopt
    >>> fun = mdbopt.problems.least_squares([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> runs = mdbopt.path(fun, l2=[0.0, 1.0])
    >>> [(run.l2, run.success, run.x.round(4).tolist()) for run in runs]
    [(0.0, True, [2.0, 1.0]), (1.0, True, [0.8, 2.2])]
    >>> [run.x.round(4).tolist() for run in mdbopt.path(fun, l2=0.0, l1=[2.0, 0.2])]
    [[0.0, 3.0], [1.7, 1.3]]
    """
    values = penalties(problem, l2, l1)
    start = problem.x0 if x0 is None and warm_start is None else x0
    earlier: Any = None if warm_start is None else starting(warm_start)
    if earlier is not None and earlier.earlier.x.shape != (problem.d,):
        raise ValueError(
            f"warm_start: expected a search over {problem.d} variables (as problem), got one over "
            f"{earlier.earlier.x.size}"
        )
    runs: dict[tuple[float, float], OptimizeResult] = {}
    before: RowsProblem | None = None
    for value in sorted(set(values), reverse=True):
        fun = problem.with_l2(value[1])
        l1_of_weights = problem.l1_of_weights(value[0])
        if before is not None:
            earlier = WarmStart(earlier, l2=(before.l2_of_weights, fun.l2_of_weights))
        run = minimize(
            fun,
            start,
            jac=True,
            l1=l1_of_weights if value[0] > 0.0 else None,
            tol=tol,
            options=options,
            warm_start=earlier,
        )
        run.l1, run.l2 = value
        runs[value], earlier, before, start = run, run, fun, None
    return [runs[value] for value in values]


def penalties(problem: Any, l2: Any, l1: Any) -> list[tuple[float, float]]:
    """Return (l1, l2) of each run, or raise for what has no path."""
    if not isinstance(problem, RowsProblem):
        raise TypeError(
            "problem: expected logistic, softmax, least_squares or smoothed_svm of "
            f"mdbopt.problems, got {type(problem).__name__}"
        )
    if l1 is None:
        return [(0.0, value) for value in _numbers("l2", l2)]
    strengths = _numbers("l1", l1)
    ridges = _numbers("l2", np.full(len(strengths), l2) if np.ndim(l2) == 0 else l2)
    if len(ridges) != len(strengths):
        raise ValueError(
            f"l1: expected as many numbers as of l2, {len(ridges)}, got {len(strengths)}"
        )
    return list(zip(strengths, ridges, strict=True))


def _numbers(name: str, given: Any) -> list[float]:
    values = real_array(name, given)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"{name}: expected a sequence of at least one number, got shape {np.shape(values)}"
        )
    return [
        _checks.real(f"{name}[{place}]", value, least=0.0)
        for place, value in enumerate(values.tolist())
    ]
