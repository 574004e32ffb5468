"""`cross_validate`: the penalty that predicts best rows which the fit has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult

from mdbopt import _checks
from mdbopt._path.path import path, penalties
from mdbopt.problems._problem import RowsProblem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """What `cross_validate` found.

    Attributes
    ----------
    l2, l1 : ndarray of shape (k,)
        The values of each run; where no l1 was given, it is 0.
    losses : ndarray of shape (folds, k)
        The mean loss over the rows of each fold, of the fit to all others, without the penalties.
    best : int
        The place of the least mean loss over the folds; of several, that of the largest l1, and of
        these of the largest l2.
    runs : list of OptimizeResult
        The path over all rows, in the order of ``l2`` and ``l1``.
    nfev : int
        Evaluations of f and its gradient, of the folds and of the path together; one of a fold
        reads its rows only.
    """

    l2: Array
    l1: Array
    losses: Array
    best: int
    runs: list[OptimizeResult]
    nfev: int

    @property
    def mean(self) -> Array:
        """The mean loss over the folds, shape (k,)."""
        return np.asarray(self.losses.mean(axis=0))

    @property
    def error(self) -> Array:
        """The standard error of that mean, shape (k,)."""
        return np.asarray(self.losses.std(axis=0, ddof=1) / np.sqrt(len(self.losses)))

    @property
    def run(self) -> OptimizeResult:
        """The fit to all rows at the best value."""
        return self.runs[self.best]


def cross_validate(
    problem: RowsProblem,
    l2: ArrayLike,
    *,
    l1: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> CrossValidation:
    """Choose l2, or l1, by cross-validation, with a `path` for each fold and one over all rows.

    The path over all rows comes first. The path of each fold starts from the one before: from its x
    at the largest penalty, its secant pairs, without l1, and its box, enlarged, as nothing is known
    of how other rows change the objective. Each further value starts from the one before of the
    same fold, exactly.

    Parameters
    ----------
    problem : RowsProblem
        As for `mdbopt.path`.
    l2 : array_like of shape (k,), or float with l1
        As for `mdbopt.path`.
    l1 : array_like of shape (k,), optional
        As for `mdbopt.path`.
    folds : int, default 5
        Parts of the rows, 2 to n, whose sizes differ by at most 1.
    seed : int, default 0
        Of the generator that deals the rows out.
    tol, options
        As for `mdbopt.minimize`, for every run.

    Returns
    -------
    CrossValidation

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above; the message names it.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 20))
    >>> fun = mdbopt.problems.least_squares(X, X[:, 0] + rng.normal(size=40))
    >>> found = mdbopt.cross_validate(fun, l2=np.logspace(1, -3, 9))
    >>> found.losses.shape, 0 < found.best < 8, bool(found.run.l2 == found.l2[found.best])
    ((5, 9), True, True)
    >>> lasso = mdbopt.cross_validate(fun, l2=0.0, l1=np.logspace(0, -3, 9))
    >>> bool(lasso.run.l1 == lasso.l1[lasso.best]), bool(np.sum(lasso.run.x == 0.0) > 5)
    (True, True)
    """
    values = penalties(problem, l2, l1)
    count = _checks.whole("folds", folds, least=2, below=problem.n + 1)
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    largest = values.index(max(values))
    runs = path(problem, l2, l1=l1, tol=tol, options=options)
    nfev, latest = _evaluations(values, runs), runs
    losses = np.empty((count, len(values)))
    parts = np.array_split(generator.permutation(problem.n), count)
    for fold, held_out in enumerate(parts):
        rest = np.sort(np.concatenate([part for part in parts if part is not held_out]))
        fitted = problem.at_rows(rest)
        latest = path(fitted, l2, l1=l1, tol=tol, options=options, warm_start=latest[largest])
        nfev += _evaluations(values, latest)
        tested = problem.at_rows(np.sort(held_out)).with_l2(0.0)
        losses[fold] = [tested(run.x)[0] for run in latest]
    mean = losses.mean(axis=0)
    ties = np.flatnonzero(mean == mean.min())
    best = max(ties.tolist(), key=values.__getitem__)
    strengths, ridges = np.transpose(values)
    return CrossValidation(ridges, strengths, losses, best, runs, nfev)


def _evaluations(values: list[tuple[float, float]], runs: list[OptimizeResult]) -> int:
    """Count those of a path, of each value once."""
    return sum({value: run.nfev for value, run in zip(values, runs, strict=True)}.values())
