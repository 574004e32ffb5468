"""_logistic – logistic regression, f(w) = mean(log(1 + exp(z)) - y z) + l2/2 |v|^2, v = w[:-1]."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import Array, one_column
from mdbopt._labels import binary_index

from ._problem import BinaryProblem


class Logistic(BinaryProblem):
    """Logistic regression; built by `logistic`."""

    name = "logistic"
    curvature_bound = 0.25

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
        self._set_labels(*binary_index(one_column(y, self.n, self.name, "y"), self.name))
        if intercept:
            mean = min(max(self._sum(self.class_index) / self._total_weight, 0.01), 0.99)
            self._start[-1] = np.log(mean / (1.0 - mean))

    def _loss(self, z: Array) -> tuple[float, Array]:
        # with s = -t z the loss is log(1 + exp(s)): no difference of two large numbers
        z *= self._sign
        np.negative(z, out=z)
        decay = np.abs(z)
        np.negative(decay, out=decay)
        np.exp(decay, out=decay)
        losses = np.log1p(decay)
        losses += np.maximum(z, 0)
        total = self._sum(losses)
        # sigmoid(s) = 1 / (1 + e) or e / (1 + e), e = exp(-|s|)
        slope = np.where(z >= 0, self.dtype.type(1), decay)
        decay += 1
        slope /= decay
        slope *= self._sign
        np.negative(slope, out=slope)
        return total, slope

    def _curvature(self, z: Array) -> Array:
        decay = np.exp(-np.abs(z))
        result: Array = decay / (1 + decay) ** 2
        return result


def logistic(
    X: Any,
    y: Any,
    l2: float = 0.0,
    *,
    intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: Any = None,
) -> Logistic:
    r"""Build the logistic-regression problem for two classes.

    .. math:: f(w) = \frac1n \sum_i \left[\log(1 + e^{z_i}) - y_i z_i\right]
              + \frac{l_2}{2} \lVert v \rVert^2, \qquad z = X w_{:-1} + w_{-1}

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, features), finite
        Rows, without a column of ones. float32 stays float32; not copied when it is contiguous
        (or canonical csr) float32 or float64, so do not write to it afterwards.
    y : array_like of shape (n,)
        Labels, two distinct numbers or strings; the larger one counts as 1.
    l2 : float, optional
        Weight of the squared norm of v = w[:-1], the weights without the intercept, >= 0.
    intercept : bool, optional
        Whether the last weight is an intercept; without, v = w.
    penalize_intercept : bool, optional
        True: v = w, as in papers that append a column of ones. Where one class is rare, its
        probabilities are then pulled towards 1/2.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, finite and >= 0, dimensionless; f then has the mean with these
        weights, so that a whole number counts as so many rows. Cast to the dtype of X.

    Returns
    -------
    Logistic
        Call it for (f, g). Has `x0`, `n`, `d`, `classes`, `smoothness`,
        `coordinate_smoothness`, `hessian_diagonal(w)`, `predict(w, X)`, `accuracy(w)`.

    Raises
    ------
    TypeError, ValueError
        When X is not a finite, non-empty matrix of real numbers, when y has another length, one
        class or more than two, when l2 is not a finite number >= 0, or when sample_weight is not
        as above.

    Notes
    -----
    * `x0` is 0 but for the intercept, log(m / (1 - m)), m the mean of y clipped to [0.01, 0.99].
    * Each loss is computed as max(s, 0) + log(1 + exp(-abs(s))), s = (1 - 2y) z, which neither
      overflows nor cancels for any finite z.
    * The minimum is that of scikit-learn's ``LogisticRegression(C=1 / (n * l2))``.
    * `smoothness` is lambda_max(X^T X) / (4n) + l2, ones included; the eigenvalue is exact but for
      rounding when n or d is at most 256, else by 100 Lanczos steps and a margin of 5 %.
    * With `sample_weight` s, `smoothness` has sum(s) for n, and max(s) times that eigenvalue.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd
       edition, section 4.4.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.logistic([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1], l2=0.25)
    >>> f, g = fun(fun.x0)
    >>> round(f, 6), g
    (0.693147, array([-0.25,  0.  ]))
    """
    return Logistic(X, y, l2, intercept, penalize_intercept, sample_weight)
