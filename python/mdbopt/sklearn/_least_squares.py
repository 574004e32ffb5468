"""Least squares with and without a penalty, as scikit-learn's, without scaled columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mdbopt import _checks
from mdbopt._finite import Array, matrix
from mdbopt.problems import least_squares
from mdbopt.sklearn._fitting import Stops, rows, rows_and_targets, solved, weights_of_rows
from mdbopt.sklearn._variables import Columns


@dataclass(frozen=True)
class Penalty:
    """What is added to half the mean square: l2/2 |w|^2 + l1 |w|_1, and whether w >= 0.

    ``l2`` may be one number per target; ``of_sum``: it is that of the sum over the rows.
    """

    l2: Any = 0.0
    l1: float = 0.0
    positive: bool = False
    of_sum: bool = False


class LeastSquares(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What all have in common: targets are fitted one after the other."""

    fit_intercept: bool
    tol: float
    max_iter: int | None
    coef_: Array
    intercept_: Any
    n_iter_: Array

    def _fit(self, X: Any, y: Any, sample_weight: Any, penalty: Penalty) -> None:
        """Minimise half the mean of (z - y)^2, weighted by rows, and a penalty, for each target."""
        stops = Stops.checked(self.tol, self.max_iter)
        X, y = rows_and_targets(self, X, y, multi_output=True, y_numeric=True)
        targets = y.reshape(len(y), -1).astype(np.float64)
        weights = weights_of_rows(sample_weight, X)
        total = len(y) if weights is None else float(weights.sum(dtype=np.float64))
        strengths = _strengths(penalty.l2, targets.shape[1])
        X = matrix(X, type(self).__name__, "X")  # canonical, before each problem asks for it
        columns = Columns(X, weights, centred=bool(self.fit_intercept))
        means = np.zeros(targets.shape[1])
        if self.fit_intercept:
            means = np.average(targets, axis=0, weights=weights)
        solutions, iterations = [], []
        for target, mean, strength in zip(targets.T, means, strengths, strict=True):
            centred = target - mean
            # The minimum is linear in y, so that units of y need not enter the search either.
            unit = float(np.abs(centred).max()) or 1.0
            problem = least_squares(
                X,
                centred / unit,
                strength / total if penalty.of_sum else strength,
                intercept=bool(self.fit_intercept),
                sample_weight=weights,
            )
            solution, result = solved(
                problem, columns, 1.0, problem.x0, stops, 3, penalty.l1 / unit, penalty.positive
            )
            solutions.append(solution[:, 0].astype(np.float64) * unit)
            iterations.append(result.nit)
        found = np.array(solutions)
        coefficients = found[:, : X.shape[1]].astype(X.dtype)
        intercepts = np.zeros(len(found), X.dtype)
        if self.fit_intercept:
            intercepts = (found[:, -1] + means).astype(X.dtype)
        self.coef_ = coefficients if y.ndim == 2 else coefficients[0]
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = intercepts if y.ndim == 2 else intercepts[0]
        self.n_iter_ = np.array(iterations, np.int32)

    def predict(self, X: Any) -> Array:
        """Return X w + b, in an array of shape (n_samples,) or (n_samples, n_targets).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        """
        check_is_fitted(self)
        predicted: Array = rows(self, X) @ self.coef_.T
        predicted += self.intercept_
        return predicted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _strengths(alpha: Any, targets: int) -> list[float]:
    """Return one number >= 0 for each target."""
    if np.ndim(alpha) == 0:
        return [_checks.real("alpha", alpha, least=0.0)] * targets
    if np.shape(alpha) != (targets,):
        raise ValueError(
            f"alpha: expected a number or one for each of {targets} targets, got the shape "
            f"{np.shape(alpha)}"
        )
    return [_checks.real("alpha", each, least=0.0) for each in alpha]


class Ridge(LeastSquares):
    r"""Least squares with an l2 penalty.

    .. math:: \min_{w, b} \; \sum_i s_i (w \cdot x_i + b - y_i)^2 + \alpha \lVert w \rVert^2

    for each target. The objective is that of scikit-learn's estimator of this name, and so is the
    minimum; the columns need not be scaled.

    Parameters
    ----------
    alpha : float or array of shape (n_targets,), default 1.0
        Strength of the penalty, >= 0, in units of squared columns.
    fit_intercept : bool, default True
        Whether b is fitted, without a penalty; else it is 0.
    max_iter : int, optional
        Trial points at most for each target; None for 20,000.
    tol : float, default 1e-10
        The search ends when max|g| <= tol: g is the gradient of half the objective over Σ s, for a
        target whose largest distance from its mean is 1, in variables in which columns have mean 0
        and mean square 1, so that no units enter. At least 8 units in the last place of X's dtype.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype of X
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.
    n_iter_ : ndarray of shape (n_targets,), int32
        Trial points of each search.

    See Also
    --------
    LinearRegression : without a penalty.

    Notes
    -----
    * X is neither scaled nor copied when it is dense, in C or Fortran order, or csr, of float32 or
      float64; sums are double, and float32 stays float32.
    * `mdbopt.minimize` with its default method does the work, on `mdbopt.problems.least_squares`:
      a few products with X for each column, never a matrix of columns times columns.
    * Coefficients may have either sign, as with scikit-learn's ``positive=False``, and there is no
      other choice; nor are there ``copy_X`` (X is not written to), ``solver`` and ``random_state``.
    * `tol` is 1e-4 in scikit-learn, whose default solver for dense X does not use it; here it is
      what gives the digits of that solver.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd
       edition, section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt.sklearn import Ridge
    >>> X = np.array([[0.0, 1e-6], [1e6, 0.0], [2e6, 2e-6]])
    >>> Ridge(alpha=0.0).fit(X, [1.0, 3.0, 7.0]).predict([[4e6, 0.0]]).round(6).tolist()
    [11.0]
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-10,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, finite; in any units, without a column of ones.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, in any units.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights s of the rows, >= 0, dimensionless: a whole number counts as so many rows.

        Returns
        -------
        Ridge
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            When an argument or a parameter is not as above.

        Warns
        -----
        ConvergenceWarning
            When a search came to max_iter.
        """
        self._fit(X, y, sample_weight, Penalty(self.alpha, of_sum=True))
        return self


class LinearRegression(LeastSquares):
    r"""Ordinary least squares.

    .. math:: \min_{w, b} \; \sum_i s_i (w \cdot x_i + b - y_i)^2

    for each target. The objective is that of scikit-learn's estimator of this name; the columns
    need not be scaled.

    Parameters
    ----------
    fit_intercept : bool, default True
        Whether b is fitted; else it is 0.
    max_iter : int, optional
        Trial points at most for each target; None for 20,000.
    tol : float, default 1e-10
        When the search ends; see `Ridge`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype of X
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.
    n_iter_ : ndarray of shape (n_targets,), int32
        Trial points of each search.

    See Also
    --------
    Ridge : with a penalty, and with notes that hold for both.

    Notes
    -----
    Where columns depend on each other, many w have the same predictions on the rows of X. The
    search starts from 0, and its answer is one of them: not the one of least norm, which
    scikit-learn's is; that one depends on the units of columns.

    Examples
    --------
    >>> from mdbopt.sklearn import LinearRegression
    >>> model = LinearRegression().fit([[1e-6], [2e-6], [3e-6]], [5.0, 7.0, 9.0])
    >>> round(float(model.coef_[0])), round(float(model.intercept_), 6)
    (2000000, 3.0)
    """

    def __init__(
        self, *, fit_intercept: bool = True, max_iter: int | None = None, tol: float = 1e-10
    ) -> None:
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Fit the model; arguments and errors are those of `Ridge.fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        LinearRegression
            The estimator itself.
        """
        self._fit(X, y, sample_weight, Penalty())
        return self
