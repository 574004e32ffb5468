"""What the estimators share: arguments of `fit`, the search, a warning when it did not end."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, validate_data

from mdbopt import _checks
from mdbopt._finite import Array
from mdbopt._minimize.minimize import minimize
from mdbopt._minimize.run import LIMIT, NOT_FINITE
from mdbopt._minimize.settings import DEFAULT_LIMIT
from mdbopt.problems._problem import RowsProblem
from mdbopt.sklearn._variables import Columns, Variables

# Products of rows leave gradients of order 1 with an error of a few units in the last place.
ROUNDING = 8.0
FLOATS = [np.float64, np.float32]


@dataclass(frozen=True)
class Stops:
    """When a search ends: max|g| <= tol in the variables of `Variables`, or after max_iter."""

    tol: float
    max_iter: int

    @classmethod
    def checked(cls, tol: Any, max_iter: Any) -> Stops:
        """Return stops for parameters of an estimator, or raise naming the one that is wrong."""
        return cls(
            _checks.real("tol", tol, least=0.0),
            _checks.limit("max_iter", max_iter, least=0, default=DEFAULT_LIMIT),
        )


def share(name: str, value: Any) -> float:
    """Return a number from 0 to 1, or raise naming the parameter."""
    number = _checks.real(name, value, least=0.0)
    if number > 1.0:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {number:g}")
    return number


def rows_and_targets(estimator: Any, X: Any, y: Any, **options: Any) -> tuple[Any, Any]:
    """Return X, dense or csr, in float64 or float32, and y; set what scikit-learn knows of X."""
    return validate_data(estimator, X, y, accept_sparse="csr", dtype=FLOATS, **options)  # type: ignore[no-any-return]


def rows(estimator: Any, X: Any) -> Any:
    """Return X as `rows_and_targets` does, for an estimator that is fitted."""
    return validate_data(estimator, X, accept_sparse="csr", dtype=FLOATS, reset=False)


def weights_of_rows(sample_weight: Any, X: Any) -> Array | None:
    """Return weights of rows in the dtype of X, or None."""
    if sample_weight is None:
        return None
    checked: Array = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    if checked.min() < 0.0:
        place = int(np.argmin(checked))
        raise ValueError(f"sample_weight[{place}] is {checked[place]}, expected no less than 0")
    if not checked.any():
        raise ValueError("sample_weight: expected at least one number above 0, got zeros only")
    return checked


def solved(
    problem: RowsProblem,
    columns: Columns,
    curvature: float,
    start: Array,
    stops: Stops,
    stacklevel: int,
    l1: float = 0.0,
    positive: bool = False,
) -> tuple[Array, OptimizeResult]:
    """Minimise a problem from the weights ``start``; return weights of shape (columns, outputs).

    ``l1`` is added times the sum of |w|, and ``positive`` asks for w >= 0; neither is of the
    intercept. Warns that the search did not converge where it came to its limit; the warning is
    that of the line ``stacklevel`` calls above. A search that ends because f and g no longer tell
    points apart in their precision has converged as far as they allow.
    """
    outputs = problem.d // problem.design.columns
    variables = Variables(problem, columns, curvature, outputs)
    gtol = max(stops.tol, ROUNDING * float(np.finfo(problem.dtype).eps))
    result = minimize(
        variables,
        variables.variables(start),
        jac=True,
        options={"gtol": gtol, "maxiter": stops.max_iter, "maxfun": math.inf},
        l1=variables.penalties(l1) if l1 > 0.0 else None,
        bounds=variables.bounds() if positive else None,
    )
    if result.status in (LIMIT, NOT_FINITE):
        warnings.warn(
            f"{result.message} max|g| is {result.state.gmax:.3g}, expected at most "
            f"{gtol:g}; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )
    return variables.weights(result.x).reshape(-1, outputs), result
