"""_problem – what all problems share: f(w) and its gradient, the point to start from, constants.

A problem of one margin per row is  f(w) = sum_i s_i loss(z_i) / sum_i s_i + l2/2 |v|^2,
z = X w[:-1] + w[-1], with v = w[:-1], or w where the penalty counts the intercept, too, and
s_i = 1 where rows have no weights.
Its file holds the loss, its derivative and its curvature; all else is here.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from mdbopt._finite import Array, matrix, number, point, vector

from ._design import Design, margins

# an overflowing trial point is the solver's to judge, by f = inf or NaN, not a warning
SILENT: dict[str, Any] = {"over": "ignore", "under": "ignore", "invalid": "ignore"}


class Problem(ABC):
    """A smooth function of d weights: call it for (f, g).

    Attributes
    ----------
    name : str
        Name of the problem, as in error messages.
    n, d : int
        Number of rows, and number of weights.
    dtype : numpy.dtype
        float32 or float64, that of the matrix: products are computed in it.
    x0 : ndarray of shape (d,)
        The point to start from, a fresh copy each time.
    smoothness : float
        L: no eigenvalue of the Hessian exceeds it in magnitude, at any w.
    coordinate_smoothness : ndarray of shape (d,), float64
        L_j: no second derivative along coordinate j exceeds it in magnitude, at any w.
    """

    name = "problem"
    n: int
    d: int
    dtype: np.dtype[Any]
    _start: Array

    @property
    def x0(self) -> Array:
        return self._start.copy()

    @cached_property
    def smoothness(self) -> float:
        return self._smoothness()

    @property
    def coordinate_smoothness(self) -> Array:
        return np.abs(self.hessian_diagonal())

    def __call__(self, w: Any) -> tuple[float, Array]:
        """Return (f, g) at w.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights. The matrix's dtype is what is computed in, whichever this is.

        Returns
        -------
        f : float
            Value, its sum accumulated in float64. Not finite where it overflows; never a warning.
        g : ndarray of shape (d,)
            Gradient, a new array of w's dtype.

        Raises
        ------
        TypeError
            When w is neither float32 nor float64.
        ValueError
            When w is not of shape (d,).
        """
        given = point(w, self.d, self.name)
        with np.errstate(**SILENT):
            value, gradient = self._evaluate(given.astype(self.dtype, copy=False))
            return value, gradient.astype(given.dtype, copy=False)

    def hessian_diagonal(self, w: Any = None) -> Array:
        """Return the diagonal of the Hessian at w, or a bound of it that holds for every w.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64, optional
            Weights; without them, the uniform bound.

        Returns
        -------
        ndarray of shape (d,), float64
        """
        given = None if w is None else point(w, self.d, self.name)
        with np.errstate(**SILENT):
            return self._hessian_diagonal(
                None if given is None else given.astype(self.dtype, copy=False)
            )

    def __repr__(self) -> str:
        return f"<mdbopt.problems.{self.name}: n={self.n}, d={self.d}, {self.dtype.name}>"

    @abstractmethod
    def _evaluate(self, w: Array) -> tuple[float, Array]: ...

    @abstractmethod
    def _hessian_diagonal(self, w: Array | None) -> Array: ...

    @abstractmethod
    def _smoothness(self) -> float: ...


Rows = TypeVar("Rows", bound="RowsProblem")


class RowsProblem(Problem):
    """A weighted mean over the rows of X, plus l2/2 times the penalised weights' squared norm."""

    _penalized: int

    def __init__(
        self, X: Any, l2: float, intercept: bool, penalize_intercept: bool, sample_weight: Any
    ) -> None:
        self.l2 = number(l2, self.name, "l2", minimum=0.0)
        self.design = Design(X, intercept, self.name)
        self.penalize_intercept = bool(penalize_intercept)
        self.n = self.design.n
        self.dtype = self.design.dtype
        self._row_weights, self._total_weight = self._weights_of_rows(sample_weight)

    def _weights_of_rows(self, sample_weight: Any) -> tuple[Array | None, float]:
        """Return the weights, None where all are 1, and their sum."""
        if sample_weight is None:
            return None, self.n
        weights = vector(sample_weight, self.n, self.name, "sample_weight")
        if weights.min() < 0.0:
            place = int(np.argmin(weights))
            raise ValueError(
                f"{self.name}: sample_weight[{place}] is {weights[place]}, expected no less than 0"
            )
        with np.errstate(**SILENT):
            weights = weights.astype(self.dtype)
            total = float(weights.sum(dtype=np.float64))
        if not 0.0 < total < np.inf:
            raise ValueError(
                f"{self.name}: sample_weight has the sum {total}, expected a finite sum above 0"
            )
        return weights, total

    def at_rows(self: Rows, rows: Any) -> Rows:
        """Return the problem over some of the rows: the mean of their losses, and the same penalty.

        Parameters
        ----------
        rows : array_like of shape (m,), int
            Their places, 0 to n - 1, m >= 1; one that comes twice counts twice.

        Returns
        -------
        RowsProblem
            Of the same kind, weights and classes, with `n` = m.

        Raises
        ------
        TypeError, ValueError
            When rows is not as above, or the weights of all of them are 0.
        """
        places = np.asarray(rows)
        if places.dtype.kind not in "iu":
            raise TypeError(f"{self.name}: rows has dtype {places.dtype}, expected whole numbers")
        if places.ndim != 1 or places.size == 0:
            raise ValueError(f"{self.name}: rows has shape {places.shape}, expected (m,), m >= 1")
        if places.min() < 0 or places.max() >= self.n:
            raise ValueError(f"{self.name}: rows has places outside 0 to {self.n - 1}")
        part = copy.copy(self)
        part.__dict__.pop("smoothness", None)
        part.design = Design(self.design.X[places], self.design.intercept, self.name)
        part.n = part.design.n
        weights = None if self._row_weights is None else self._row_weights[places]
        part._row_weights, part._total_weight = part._weights_of_rows(weights)
        part._take(places)
        return part

    def with_l2(self: Rows, l2: float) -> Rows:
        """Return the same problem, over the same memory, with another weight of the squared norm.

        Parameters
        ----------
        l2 : float
            A finite number >= 0.

        Returns
        -------
        RowsProblem
            Of the same kind.

        Raises
        ------
        TypeError, ValueError
            When l2 is not as above.
        """
        other = copy.copy(self)
        other.__dict__.pop("smoothness", None)
        other.l2 = number(l2, self.name, "l2", minimum=0.0)
        return other

    @property
    def l2_of_weights(self) -> Array:
        """l2 for each penalised weight and 0 for each that is not: shape (d,), float64."""
        result: Array = np.zeros(self.d)
        result[: self._penalized] = self.l2
        return result

    def l1_of_weights(self, l1: float) -> Array:
        """Return ``l1=`` of `minimize` for a penalty of the weights that l2 penalises.

        Parameters
        ----------
        l1 : float
            A finite number >= 0: its weight, in units of f over w.

        Returns
        -------
        ndarray of shape (d,), float64
            l1 for each penalised weight and 0 for each that is not.

        Raises
        ------
        TypeError, ValueError
            When l1 is not as above.

        Examples
        --------
        >>> import mdbopt
        >>> fun = mdbopt.problems.least_squares([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> res = mdbopt.minimize(fun, fun.x0, jac=True, l1=fun.l1_of_weights(0.2))
        >>> res.x.round(6).tolist()
        [0.7, 0.3]
        """
        result: Array = np.zeros(self.d)
        result[: self._penalized] = number(l1, self.name, "l1", minimum=0.0)
        return result

    @abstractmethod
    def _take(self, places: Array) -> None:
        """Keep what belongs to these rows only, in a copy of the whole problem."""

    def _sum(self, values: Array) -> float:
        """Return the sum over the rows, each times its weight, in float64."""
        if self._row_weights is None:
            return float(values.sum(dtype=np.float64))
        return float(np.dot(self._row_weights.astype(np.float64), values))

    def _mean_spectral_square(self) -> float:
        """Return an upper bound of the largest eigenvalue of X^T diag(s) X / sum(s)."""
        largest = 1.0 if self._row_weights is None else float(self._row_weights.max())
        return largest * self.design.spectral_square() / self._total_weight

    def _set_outputs(self, outputs: int) -> None:
        """Count the weights of so many numbers z a row; the last ones are the intercepts."""
        self.d = self.design.columns * outputs
        free = self.design.intercept and not self.penalize_intercept
        self._penalized = self.d - outputs if free else self.d

    def _add_l2(self, value: float, gradient: Array, w: Array) -> tuple[float, Array]:
        if self.l2 > 0.0:
            penalized = w[: self._penalized]
            wide = penalized.astype(np.float64, copy=False)
            value += 0.5 * self.l2 * float(wide @ wide)
            gradient[: self._penalized] += self.dtype.type(self.l2) * penalized
        return value, gradient

    def _matrix_like(self, X: Any) -> Any:
        result = matrix(X, self.name, "X")
        if result.shape[1] != self.design.features:
            raise ValueError(
                f"{self.name}: X has {result.shape[1]} columns, "
                f"expected {self.design.features} as in the problem"
            )
        return result


class MarginProblem(RowsProblem):
    """A RowsProblem with one number z per row."""

    curvature_bound: float

    def __init__(
        self, X: Any, l2: float, intercept: bool, penalize_intercept: bool, sample_weight: Any
    ) -> None:
        super().__init__(X, l2, intercept, penalize_intercept, sample_weight)
        self._set_outputs(1)
        self._start = np.zeros(self.d, self.dtype)

    def _evaluate(self, w: Array) -> tuple[float, Array]:
        total, slope = self._loss(self.design.margins(w))
        if self._row_weights is not None:
            slope *= self._row_weights
        slope /= self._total_weight
        return self._add_l2(total / self._total_weight, self.design.gradient(slope), w)

    def _hessian_diagonal(self, w: Array | None) -> Array:
        if w is None:
            squares = self.design.column_squares(self._row_weights) * self.curvature_bound
        else:
            curvature = self._curvature(self.design.margins(w))
            if self._row_weights is not None:
                curvature *= self._row_weights
            squares = self.design.column_squares(curvature)
        squares /= self._total_weight
        squares[: self._penalized] += self.l2
        return squares

    def _smoothness(self) -> float:
        return self.curvature_bound * self._mean_spectral_square() + self.l2

    def _margins_at(self, w: Any, X: Any = None) -> Array:
        rows = self.design.X if X is None else self._matrix_like(X)
        weights = point(w, self.d, self.name).astype(rows.dtype, copy=False)
        with np.errstate(**SILENT):
            return margins(rows, weights, self.design.intercept)

    @abstractmethod
    def _loss(self, z: Array) -> tuple[float, Array]:
        """Return `_sum` of the losses, and loss'(z) without weights; may overwrite z."""

    @abstractmethod
    def _curvature(self, z: Array) -> Array:
        """Return loss''(z) >= 0; may overwrite z."""


class BinaryProblem(MarginProblem):
    """A MarginProblem whose z > 0 means the second of two classes."""

    classes: Array
    _index: Array
    _sign: Array

    def _set_labels(self, index: Array, classes: Array) -> None:
        self.classes = classes
        self.class_index = index
        # t = -1 for the first class, 1 for the second
        self._sign = (2 * index - 1).astype(self.dtype)

    def _take(self, places: Array) -> None:
        self.class_index, self._sign = self.class_index[places], self._sign[places]

    def predict(self, w: Any, X: Any) -> Array:
        """Return the label of each row of X, as in y: the larger one where z > 0.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights.
        X : array_like or sparse matrix of shape (m, features)
            Rows, without a column of ones.

        Returns
        -------
        ndarray of shape (m,), dtype of y
        """
        result: Array = self.classes[(self._margins_at(w, X) > 0).astype(np.intp)]
        return result

    def accuracy(self, w: Any) -> float:
        """Return the share of this problem's own rows that w labels as y does, in [0, 1]."""
        return float(np.mean((self._margins_at(w) > 0) == (self.class_index == 1)))
