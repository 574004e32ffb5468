"""Solvers of scikit-learn and skglm on the same objective: what loss they have after which time.

They minimise sums over the rows by formulas of their own and tell no evaluations of f, so that only
seconds compare: a fit with 1, 2, 4, ... iterations at most each, timed, and f where it ended. A
column of ones in the place of the intercept makes the objective that of the stage: with C = 1, or
l2 = 1/n on all weights.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from _solvers import Run

# An estimator whose fits took so long together gets no further one.
SECONDS = 5.0
# Below any that is reached; 0 is refused by some.
TOLERANCE = 1e-15


@dataclass(frozen=True)
class Estimator:
    """A solver that fits weights to rows.

    Attributes
    ----------
    name : str
        The library's and the solver's.
    package : str
        What must be importable.
    make : callable
        ``make(n, labels, iterations)`` returns an estimator that has not been fitted.
    squares : bool
        Whether it takes part in least squares, too.
    """

    name: str
    package: str
    make: Callable[[int, bool, int], Any]
    squares: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package can be found; nothing is imported."""
        return importlib.util.find_spec(self.package) is not None

    def run(self, problem: Any, rows: tuple[Any, Any, bool], cap: int) -> Run:
        """Fit with more and more iterations, ``cap`` at most, while that lowers f."""
        X, y, labels = rows
        if not labels and sparse.issparse(X):
            X = X.toarray()  # skglm has no gradient of squares over sparse rows
        ones = np.ones((X.shape[0], 1))
        A = sparse.csc_array(sparse.hstack([X, ones])) if sparse.issparse(X) else (
            np.asfortranarray(np.hstack([X, ones]))
        )  # fmt: skip
        y = np.where(y == np.max(y), 1.0, -1.0) if labels else np.asarray(y, np.float64)
        values: list[float] = []
        moments: list[float] = []
        iterations, message, failed = 1, "iterations spent", False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                # what is compiled or imported at the first call is not the solver's
                self.make(len(y), labels, 1).fit(A, y)
                while iterations <= cap:
                    model = self.make(len(y), labels, iterations)
                    begin = time.perf_counter()
                    model.fit(A, y)
                    moments.append(time.perf_counter() - begin)
                    values.append(float(problem(np.ravel(model.coef_))[0]))
                    if values[-1] >= min(values[:-1], default=np.inf):
                        message = "no lower f with more iterations"
                        break
                    if sum(moments) > SECONDS:
                        message = f"{SECONDS:g} s spent"
                        break
                    iterations *= 2
            except Exception as error:  # libraries have errors of their own; the report shows them
                failed, message = True, f"{type(error).__name__}: {error}"
        failed = failed or not np.isfinite(values).all()
        return Run(np.array(values), np.array(moments), message, sum(moments), failed)


def of_sklearn(solver: str) -> Callable[[int, bool, int], Any]:
    """Return how logistic regression by a solver of scikit-learn is made."""

    def make(n: int, labels: bool, iterations: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(
            solver=solver,
            C=1.0,
            fit_intercept=False,
            tol=TOLERANCE,
            max_iter=iterations,
            random_state=0,
        )

    return make


def skglm_lbfgs(n: int, labels: bool, iterations: int) -> Any:
    """Make a generalised linear model by skglm's LBFGS, its solver for smooth penalties."""
    from skglm import GeneralizedLinearEstimator, datafits, penalties, solvers

    solver = solvers.LBFGS(max_iter=iterations, tol=TOLERANCE)
    # the estimator reads both from the solver, which has neither
    solver.fit_intercept, solver.warm_start = False, False
    return GeneralizedLinearEstimator(
        datafit=datafits.Logistic() if labels else datafits.Quadratic(),
        penalty=penalties.L2(alpha=1.0 / n),
        solver=solver,
    )


ESTIMATORS = (
    *(
        Estimator(f"scikit-learn {solver}", "sklearn", of_sklearn(solver))
        for solver in ("lbfgs", "newton-cg", "newton-cholesky", "liblinear", "sag", "saga")
    ),
    Estimator("skglm LBFGS", "skglm", skglm_lbfgs, squares=True),
)
