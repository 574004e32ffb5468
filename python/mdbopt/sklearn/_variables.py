"""Variables in which every column has mean 0 and curvature 1, whatever its units; X is not copied.

The objective stays that of the raw columns, penalty included: only the coordinates that the search
moves in, and in which it measures gradients, are others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse

from mdbopt._finite import Array
from mdbopt.problems._design import row_slices
from mdbopt.problems._problem import RowsProblem


class Columns:
    """Means and spreads of the columns of X, in float64.

    Parameters
    ----------
    X : ndarray or csr matrix of shape (n, features), finite
        Rows.
    sample_weight : ndarray of shape (n,), >= 0, or None
        Weights of the rows.
    centred : bool
        Whether spreads are around the means; else around 0, and means are 0.

    Attributes
    ----------
    means : ndarray of shape (features,)
        In the units of the columns.
    spreads : ndarray of shape (features,)
        Roots of the mean squares; exactly 0 for a column that is constant but for rounding.

    Raises
    ------
    ValueError
        When squares of a column overflow.
    """

    def __init__(self, X: Any, sample_weight: Array | None, centred: bool) -> None:
        count, features = X.shape
        weights = np.ones(count) if sample_weight is None else sample_weight.astype(np.float64)
        total = weights.sum()
        self.means: Array = np.zeros(features)
        if centred:
            self.means = _weighted_sums(weights, X) / total
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            squares, sums = (
                _sparse_moments(X, self.means, weights)
                if sparse.issparse(X)
                else _dense_moments(X, self.means, weights)
            )
            # The corrected two-pass algorithm, in which an error of the mean cancels: Chan, Golub &
            # LeVeque, "Algorithms for computing the sample variance", American Statistician (1983).
            shift = sums / total if centred else np.zeros(features)
            variances = squares / total - shift**2
        if not np.isfinite(variances).all():
            place = int(np.argmin(np.isfinite(variances)))
            raise ValueError(
                f"X: column {place} holds numbers whose squares overflow, expected less than 1e150"
            )
        eps = np.finfo(np.float64).eps
        rounding = 4.0 * count * eps * squares / total + (4.0 * eps * self.means) ** 2
        self.spreads: Array = np.sqrt(np.where(variances <= rounding, 0.0, variances))


def _weighted_sums(weights: Array, X: Any) -> Array:
    if sparse.issparse(X):
        return np.asarray(X.T @ weights, np.float64)
    sums: Array = np.zeros(X.shape[1])
    for rows in row_slices(*X.shape):
        sums += weights[rows] @ X[rows]
    return sums


def _dense_moments(X: Array, means: Array, weights: Array) -> tuple[Array, Array]:
    """Return Σ s (x - m)² and Σ s (x - m) of each column, s the weights."""
    squares, sums = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows in row_slices(*X.shape):
        distances = X[rows] - means
        sums += weights[rows] @ distances
        distances *= distances
        squares += weights[rows] @ distances
    return squares, sums


def _sparse_moments(X: Any, means: Array, weights: Array) -> tuple[Array, Array]:
    """Return the same of a csr matrix, whose zeros are at the distance -m."""
    stored = weights[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))]
    distances = X.data - means[X.indices]

    def by_column(values: Array) -> Array:
        return np.bincount(X.indices, values, minlength=X.shape[1])

    zeros = np.maximum(weights.sum() - by_column(stored), 0.0)
    # Where there are none, the difference is rounding, which far means would blow up.
    zeros[np.bincount(X.indices, minlength=X.shape[1]) == X.shape[0]] = 0.0
    return (
        by_column(stored * distances * distances) + zeros * means**2,
        by_column(stored * distances) - zeros * means,
    )


class Variables:
    """A problem in variables u of unit curvature: w_j = u_j / c_j, c_j^2 = curvature σ_j^2 + l2.

    With an intercept, its variable is the output at the means of the columns, b' = b + Σ m_j w_j.
    A column that is constant keeps the weight 0, which no penalty and no norm wants otherwise.

    Parameters
    ----------
    problem : RowsProblem
        Called with w; its penalty must leave the intercept out.
    columns : Columns
        Of the problem's X, with its weights of rows; centred where it has an intercept.
    curvature : float
        Of the loss in z, about; it only shapes c.
    outputs : int
        Numbers z that the problem has for a row.
    """

    def __init__(
        self, problem: RowsProblem, columns: Columns, curvature: float, outputs: int
    ) -> None:
        self._problem = problem
        self._intercept = problem.design.intercept
        self._shape = (problem.design.columns, outputs)
        lengths = np.hypot(np.sqrt(curvature) * columns.spreads, np.sqrt(problem.l2))
        lengths[columns.spreads == 0.0] = np.inf
        self._lengths: Array = lengths[:, None]
        self._means: Array = columns.means[:, None]

    def weights(self, u: Array) -> Array:
        """Return w of shape (d,) for variables u of shape (d,), in u's dtype."""
        if not self._intercept:
            return (u.reshape(self._shape) / self._lengths).astype(u.dtype).ravel()
        w = u.reshape(self._shape).astype(np.float64)
        w[:-1] /= self._lengths
        w[-1] -= (self._means * w[:-1]).sum(axis=0)
        return w.astype(u.dtype, copy=False).ravel()

    def variables(self, w: Array) -> Array:
        """Return u of shape (d,) for weights w of shape (d,), in w's dtype."""
        u = w.reshape(self._shape).astype(np.float64)
        moved = u[:-1] if self._intercept else u
        moved[np.isinf(self._lengths[:, 0])] = 0.0
        if self._intercept:
            u[-1] += (self._means * moved).sum(axis=0)
        moved *= np.where(np.isinf(self._lengths), 0.0, self._lengths)
        return u.astype(w.dtype, copy=False).ravel()

    def penalties(self, l1: float) -> Array:
        """Return the weights of |u| that stand for l1 |w|: shape (d,), 0 for an intercept."""
        penalties: Array = np.zeros(self._shape)
        penalties[: len(self._lengths)] = l1 / self._lengths
        return penalties.ravel()

    def bounds(self) -> Array:
        """Return the bounds of u that stand for w >= 0, the intercept free: shape (d, 2)."""
        lower = np.zeros(self._shape)
        lower[len(self._lengths) :] = -np.inf
        return np.column_stack([lower.ravel(), np.full(lower.size, np.inf)])

    def __call__(self, u: Array) -> tuple[float, Array]:
        """Return f and its gradient in u."""
        f, gradient = self._problem(self.weights(u))
        g = gradient.reshape(self._shape).astype(np.float64)
        slopes = g
        if self._intercept:
            slopes = g[:-1]
            slopes -= self._means * g[-1]
        slopes /= self._lengths
        return f, g.astype(u.dtype, copy=False).ravel()
