"""_smoothed_svm – a support vector machine with the Huberised hinge, convex and once smooth."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import Array, number, one_column
from mdbopt._labels import binary_index

from ._problem import BinaryProblem


class SmoothedSVM(BinaryProblem):
    """Linear support vector machine, smoothed; built by `smoothed_svm`."""

    name = "smoothed_svm"

    def __init__(
        self,
        X: Any,
        y: Any,
        l2: float,
        intercept: bool,
        penalize_intercept: bool,
        sample_weight: Any,
        smoothing: float,
    ) -> None:
        super().__init__(X, l2, intercept, penalize_intercept, sample_weight)
        self.smoothing = number(smoothing, self.name, "smoothing")
        # below the normal numbers of X's dtype, 1 / smoothing overflows
        least = float(np.finfo(self.dtype).tiny)
        if not self.smoothing >= least:
            raise ValueError(
                f"{self.name}: smoothing is {self.smoothing!r}, expected at least {least:g}"
            )
        self.curvature_bound = 1.0 / self.smoothing
        self._set_labels(*binary_index(one_column(y, self.n, self.name, "y"), self.name))

    def _shortfall(self, z: Array) -> Array:
        z *= self._sign
        return np.subtract(1, z, out=z)

    def _loss(self, z: Array) -> tuple[float, Array]:
        # with v = max(1 - m, 0) and u = min(v, eps), all three pieces are u (v - u/2) / eps
        width = self.dtype.type(self.smoothing)
        short = np.maximum(self._shortfall(z), 0)
        slope = np.minimum(short, width)
        slope /= width
        short -= slope * (width / 2)
        short *= slope
        total = self._sum(short)
        slope *= self._sign
        np.negative(slope, out=slope)
        return total, slope

    def _curvature(self, z: Array) -> Array:
        short = self._shortfall(z)
        curved = (short >= 0) & (short <= self.smoothing)
        result: Array = curved / self.dtype.type(self.smoothing)
        return result


def smoothed_svm(
    X: Any,
    y: Any,
    l2: float = 0.0,
    *,
    intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: Any = None,
    smoothing: float = 1.0,
) -> SmoothedSVM:
    r"""Build the linear support vector machine with a Huberised (squared-smoothed) hinge.

    .. math:: f(w) = \frac1n \sum_i \varphi(t_i z_i) + \frac{l_2}{2} \lVert v \rVert^2,
              \qquad z = X w_{:-1} + w_{-1}, \quad t_i = \pm 1

    .. math:: \varphi(m) = \begin{cases} 0 & m \ge 1 \\
              (1 - m)^2 / (2\varepsilon) & 1 - \varepsilon < m < 1 \\
              1 - m - \varepsilon / 2 & m \le 1 - \varepsilon \end{cases}

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, features), finite
        Rows, without a column of ones. float32 stays float32; not copied when it is contiguous
        (or canonical csr) float32 or float64, so do not write to it afterwards.
    y : array_like of shape (n,)
        Labels, two distinct numbers or strings; t = 1 for the larger one, else -1.
    l2 : float, optional
        Weight of the squared norm of v = w[:-1], the weights without the intercept, >= 0.
    intercept : bool, optional
        Whether the last weight is an intercept; without, v = w.
    penalize_intercept : bool, optional
        True: v = w, as in papers that append a column of ones.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, finite and >= 0, dimensionless; f then has the mean with these
        weights, so that a whole number counts as so many rows. Cast to the dtype of X.
    smoothing : float, optional
        Width eps > 0 of the parabola that joins the two lines, in units of the margin. Towards 0
        the loss becomes the hinge max(0, 1 - m), which it underestimates by at most eps / 2.

    Returns
    -------
    SmoothedSVM
        Call it for (f, g). Has `x0`, `n`, `d`, `classes`, `smoothness`,
        `coordinate_smoothness`, `hessian_diagonal(w)`, `predict(w, X)`, `accuracy(w)`.

    Raises
    ------
    TypeError, ValueError
        When X is not a finite, non-empty matrix of real numbers, when y has another length, one
        class or more than two, when l2 is not a finite number >= 0, or smoothing not one > 0, or
        when sample_weight is not as above.

    Notes
    -----
    * Convex, with a gradient that is Lipschitz but not differentiable where m is 1 or 1 - eps;
      `hessian_diagonal(w)` counts such a row as curved, the larger of its two one-sided values.
    * `x0` is 0.
    * `smoothness` is lambda_max(X^T X) / (n eps) + l2, ones included; the eigenvalue is exact but
      for rounding when n or d is at most 256, else by 100 Lanczos steps and a margin of 5 %.
    * With `sample_weight` s, `smoothness` has sum(s) for n, and max(s) times that eigenvalue.

    References
    ----------
    .. [1] O. Chapelle, "Training a support vector machine in the primal", Neural Computation 19
       (2007).
    .. [2] J. Rennie, N. Srebro, "Loss functions for preference levels", IJCAI workshop (2005): the
       smooth hinge, eps = 1.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.smoothed_svm([[-2.0], [2.0]], ["no", "yes"])
    >>> fun(fun.x0)
    (0.5, array([-2.,  0.]))
    >>> fun.accuracy([1.0, 0.0])
    1.0
    """
    return SmoothedSVM(X, y, l2, intercept, penalize_intercept, sample_weight, smoothing)
