"""_least_squares – ridge regression, f(w) = |z - y|^2 / (2n) + l2/2 |v|^2, v = w[:-1]."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import Array, vector

from ._problem import SILENT, MarginProblem


class LeastSquares(MarginProblem):
    """Linear least squares; built by `least_squares`."""

    name = "least_squares"
    curvature_bound = 1.0

    def __init__(
        self,
        X: Any,
        y: Any,
        l2: float,
        intercept: bool,
        penalize_intercept: bool,
        sample_weight: Any,
    ) -> None:
        super().__init__(X, l2, intercept, penalize_intercept, sample_weight)
        target = vector(y, self.n, self.name, "y")
        with np.errstate(over="ignore"):
            self.target = target.astype(self.dtype, copy=False)
        if not np.isfinite(self.target).all():
            raise ValueError(f"{self.name}: y does not fit into {self.dtype.name}, the dtype of X")
        if intercept:
            self._start[-1] = self._sum(self.target) / self._total_weight

    def _take(self, places: Array) -> None:
        self.target = self.target[places]

    def _loss(self, z: Array) -> tuple[float, Array]:
        z -= self.target
        wide = z.astype(np.float64, copy=False)
        if self._row_weights is None:
            return 0.5 * float(wide @ wide), z
        return 0.5 * self._sum(wide * wide), z

    def _curvature(self, z: Array) -> Array:
        return np.ones_like(z)

    def predict(self, w: Any, X: Any) -> Array:
        """Return z = X w[:-1] + w[-1] for rows X of shape (m, features): an array of shape (m,)."""
        return self._margins_at(w, X)

    def r2(self, w: Any) -> float:
        """Return 1 - |z - y|^2 / |mean(y) - y|^2 over this problem's own rows, dimensionless.

        All rows count alike, whatever weights they have.

        For a constant y it is 1 where z = y, and 0 elsewhere.
        """
        with np.errstate(**SILENT):
            target = self.target.astype(np.float64, copy=False)
            missed = float(np.sum((self._margins_at(w) - target) ** 2))
            spread = float(np.sum((target - target.mean()) ** 2))
        if target.min() == target.max():
            return 1.0 if missed == 0.0 else 0.0
        return 1.0 - missed / spread


def least_squares(
    X: Any,
    y: Any,
    l2: float = 0.0,
    *,
    intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: Any = None,
) -> LeastSquares:
    r"""Build the linear least-squares problem.

    .. math:: f(w) = \frac1{2n} \lVert z - y \rVert^2 + \frac{l_2}{2} \lVert v \rVert^2,
              \qquad z = X w_{:-1} + w_{-1}

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, features), finite
        Rows, without a column of ones. float32 stays float32; not copied when it is contiguous
        (or canonical csr) float32 or float64, so do not write to it afterwards.
    y : array_like of shape (n,), finite
        Targets, in any unit; cast to the dtype of X.
    l2 : float, optional
        Weight of the squared norm of v = w[:-1], the weights without the intercept, >= 0.
    intercept : bool, optional
        Whether the last weight is an intercept; without, v = w.
    penalize_intercept : bool, optional
        True: v = w, as in papers that append a column of ones. Targets far from 0 are then pulled
        towards it, and the answer depends on their origin.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, finite and >= 0, dimensionless; f then has the mean with these
        weights, so that a whole number counts as so many rows. Cast to the dtype of X.

    Returns
    -------
    LeastSquares
        Call it for (f, g). Has `x0`, `n`, `d`, `smoothness`, `coordinate_smoothness`,
        `hessian_diagonal(w)`, `predict(w, X)`, `r2(w)`, `target` (y, in the dtype of X),
        `at_rows(rows)`.

    Raises
    ------
    TypeError, ValueError
        When X is not a finite, non-empty matrix of real numbers, when y is not n finite numbers,
        when l2 is not a finite number >= 0, or when sample_weight is not as above.

    Notes
    -----
    * `x0` is 0 but for the intercept, the mean of y.
    * The minimum is that of scikit-learn's ``Ridge(alpha=n * l2)``.
    * `smoothness` is lambda_max(X^T X) / n + l2, ones included; the eigenvalue is exact but for
      rounding when n or d is at most 256, else by 100 Lanczos steps and a margin of 5 %.
    * With `sample_weight` s, `smoothness` has sum(s) for n, and max(s) times that eigenvalue.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd
       edition, section 3.4.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.least_squares([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> fun.x0, fun(fun.x0)[0] == 8 / 6
    (array([0., 3.]), True)
    >>> fun.r2([2.0, 1.0])
    1.0
    """
    return LeastSquares(X, y, l2, intercept, penalize_intercept, sample_weight)
