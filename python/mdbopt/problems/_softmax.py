"""_softmax – softmax regression, f(W) = mean(log(sum_k exp(z_k)) - z_y) + l2/2 |W[:-1]|^2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mdbopt._finite import Array, one_column, point
from mdbopt._labels import class_index

from ._design import margins
from ._problem import SILENT, RowsProblem


class Softmax(RowsProblem):
    """Softmax regression; built by `softmax`."""

    name = "softmax"

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
        labels = one_column(y, self.n, self.name, "y")
        self.class_index, self.classes = class_index(labels, self.name)
        count = len(self.classes)
        self._set_outputs(count)
        self.shape = (self.design.columns, count)
        start = np.zeros(self.shape, self.dtype)
        if intercept:
            frequency = np.bincount(self.class_index, self._row_weights, count) / self._total_weight
            start[-1] = np.log(np.maximum(frequency, 0.02 / count))
        self._start = start.ravel()

    def _take(self, places: Array) -> None:
        self.class_index = self.class_index[places]

    def _evaluate(self, w: Array) -> tuple[float, Array]:
        weights = w.reshape(self.shape)
        gradient = np.zeros(self.shape, self.dtype)
        features = self.design.features
        total = 0.0
        for rows, block in self.design.row_blocks(self.shape[1]):
            z = margins(block, weights, self.design.intercept)
            here = (np.arange(len(z)), self.class_index[rows])
            z -= z.max(axis=1, keepdims=True)
            own = z[here]
            sums = _exponentials(z)
            losses = np.log(sums)
            losses -= own
            z /= sums[:, None]
            z[here] -= 1
            if self._row_weights is None:
                total += float(losses.sum(dtype=np.float64))
            else:
                weights_here = self._row_weights[rows]
                total += float(np.dot(weights_here.astype(np.float64), losses))
                z *= weights_here[:, None]
            z /= self._total_weight
            gradient[:features] += block.T @ z
            if self.design.intercept:
                gradient[-1] += z.sum(axis=0)
        return self._add_l2(total / self._total_weight, gradient.ravel(), w)

    def _hessian_diagonal(self, w: Array | None) -> Array:
        diagonal: Array = np.zeros(self.shape)
        if w is None:
            diagonal += 0.25 * self.design.column_squares(self._row_weights)[:, None]
        else:
            weights, features = w.reshape(self.shape), self.design.features
            for rows, block in self.design.row_blocks(max(self.shape)):
                z = margins(block, weights, self.design.intercept)
                z -= z.max(axis=1, keepdims=True)
                z /= _exponentials(z)[:, None]
                spread = (z * (1 - z)).astype(np.float64, copy=False)
                if self._row_weights is not None:
                    spread *= self._row_weights[rows, None]
                wide = block.astype(np.float64)
                diagonal[:features] += (wide * wide).T @ spread
                if self.design.intercept:
                    diagonal[-1] += spread.sum(axis=0)
        diagonal /= self._total_weight
        flat = diagonal.ravel()
        flat[: self._penalized] += self.l2
        return flat

    def _smoothness(self) -> float:
        # diag(p) - p p^T has eigenvalues up to 1/2 (Boehning 1992)
        return 0.5 * self._mean_spectral_square() + self.l2

    def losses(self, w: Any) -> Array:
        """Return each row's own loss, log(sum_k exp(z_k)) - z_y, in nats.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights, flattened from shape (columns, classes).

        Returns
        -------
        ndarray of shape (n,), float64
            Without the rows' weights and without the penalty.
        """
        result: Array = np.empty(self.n)
        with np.errstate(**SILENT):
            for rows, z in self._scores(w):
                z -= z.max(axis=1, keepdims=True)
                own = z[np.arange(len(z)), self.class_index[rows]]
                result[rows] = np.log(_exponentials(z)) - own
        return result

    def probabilities(self, w: Any) -> Array:
        """Return the probability of each class for this problem's own rows.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights, flattened from shape (columns, classes).

        Returns
        -------
        ndarray of shape (n, classes), dtype of the problem
        """
        result: Array = np.empty((self.n, len(self.classes)), self.dtype)
        with np.errstate(**SILENT):
            for rows, z in self._scores(w):
                z -= z.max(axis=1, keepdims=True)
                z /= _exponentials(z)[:, None]
                result[rows] = z
        return result

    def _scores(self, w: Any) -> Iterator[tuple[slice, Array]]:
        """Yield rows, and their z for every class."""
        weights = point(w, self.d, self.name).astype(self.dtype, copy=False).reshape(self.shape)
        for rows, block in self.design.row_blocks(self.shape[1]):
            yield rows, margins(block, weights, self.design.intercept)

    def predict(self, w: Any, X: Any) -> Array:
        """Return the label of each row of X, as in y: that of the largest z, the first of equals.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights, flattened from shape (columns, classes).
        X : array_like or sparse matrix of shape (m, features)
            Rows, without a column of ones.

        Returns
        -------
        ndarray of shape (m,), dtype of y
        """
        rows = self._matrix_like(X)
        weights = point(w, self.d, self.name).astype(rows.dtype, copy=False).reshape(self.shape)
        with np.errstate(**SILENT):
            best = margins(rows, weights, self.design.intercept).argmax(axis=1)
        result: Array = self.classes[best]
        return result

    def accuracy(self, w: Any) -> float:
        """Return the share of this problem's own rows that w labels as y does, in [0, 1]."""
        right = 0
        with np.errstate(**SILENT):
            for rows, z in self._scores(w):
                right += int(np.count_nonzero(z.argmax(axis=1) == self.class_index[rows]))
        return right / self.n


def _exponentials(z: Array) -> Array:
    """Turn z into exp(z) in place and return the sum of each row."""
    np.exp(z, out=z)
    sums: Array = z.sum(axis=1)
    return sums


def softmax(
    X: Any,
    y: Any,
    l2: float = 0.0,
    *,
    intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: Any = None,
) -> Softmax:
    r"""Build the softmax-regression (multinomial logistic) problem for c classes.

    .. math:: f(W) = \frac1n \sum_i \Big[\log \sum_k e^{z_{ik}} - z_{i y_i}\Big]
              + \frac{l_2}{2} \lVert V \rVert^2, \qquad Z = X W_{:-1} + 1 W_{-1}

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, features), finite
        Rows, without a column of ones. float32 stays float32; not copied when it is contiguous
        (or canonical csr) float32 or float64, so do not write to it afterwards.
    y : array_like of shape (n,)
        Labels, at least two distinct whole numbers or strings. Class k is the k-th in sorted
        order, see the attribute `classes`.
    l2 : float, optional
        Weight of the squared norm of V = W[:-1], the weights without the intercepts, >= 0.
    intercept : bool, optional
        Whether the last row of W holds one intercept per class; without, V = W.
    penalize_intercept : bool, optional
        True: V = W, as in papers that append a column of ones. Probabilities of rare classes are
        then pulled towards 1 / c.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows, finite and >= 0, dimensionless; f then has the mean with these
        weights, so that a whole number counts as so many rows. Cast to the dtype of X.

    Returns
    -------
    Softmax
        Call it for (f, g). Has `x0`, `n`, `d`, `shape`, `classes`, `smoothness`,
        `coordinate_smoothness`, `hessian_diagonal(w)`, `predict(w, X)`, `accuracy(w)`, `losses(w)`,
        `probabilities(w)`, `class_index` (y = classes[class_index]), `at_rows(rows)`.

    Raises
    ------
    TypeError, ValueError
        When X is not a finite, non-empty matrix of real numbers, when y has another length, one
        class only or labels that are not whole, when l2 is not a finite number >= 0, or when
        sample_weight is not as above.

    Notes
    -----
    * Layout: w = W.ravel() with W of shape (features + 1, c), so w[j c + k] is the weight of
      feature j for class k, and the last c weights are the intercepts; `w.reshape(fun.shape)`.
    * `x0` is 0 but for the intercepts, the logarithms of the class frequencies, these not taken
      below 0.02 / c.
    * Rows are walked in blocks: an evaluation allocates a few times d and at most about 1 MiB (or
      one row of Z) beside, not n c.
    * The minimum is that of scikit-learn's ``LogisticRegression(C=1 / (n * l2))``. A number added
      to all intercepts changes nothing; so their sum is what the search leaves it at.
    * `smoothness` is lambda_max(X^T X) / (2n) + l2, ones included [1]_: that eigenvalue is exact
      but for rounding when n or features + 1 is at most 256, else by 100 Lanczos steps and a
      margin of 5 %.
    * With `sample_weight` s, `smoothness` has sum(s) for n, and max(s) times that eigenvalue.

    References
    ----------
    .. [1] D. Boehning, "Multinomial logistic regression algorithm", Annals of the Institute of
       Statistical Mathematics 44 (1992).

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.softmax([[0.0], [1.0], [2.0]], [10, 20, 30])
    >>> fun.d, fun.shape, round(fun(fun.x0)[0], 6)
    (6, (2, 3), 1.098612)
    """
    return Softmax(X, y, l2, intercept, penalize_intercept, sample_weight)
