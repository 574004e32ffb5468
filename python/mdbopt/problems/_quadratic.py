"""_quadratic – f(x) = x^T A x / 2 - b^T x + c for a symmetric A: dense, csr, or a diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse

from mdbopt._finite import Array, is_finite, matrix, number, vector

from ._problem import Problem
from ._spectrum import dense_bound, lanczos_bound

SMALL = 1000  # A itself is at hand, so more eigenvalues are worth computing than for X^T X


class Quadratic(Problem):
    """A quadratic function; built by `quadratic`."""

    name = "quadratic"

    def __init__(self, A: Any, b: Any, c: float) -> None:
        self.A = _symmetric(A, self.name)
        self.c = number(c, self.name, "c")
        self.dtype = np.dtype(self.A.dtype)
        self.n = self.d = int(self.A.shape[0])
        if b is None:
            self.b: Array = np.zeros(self.d, self.dtype)
        else:
            with np.errstate(over="ignore"):
                self.b = vector(b, self.d, self.name, "b").astype(self.dtype, copy=True)
            if not is_finite(self.b):
                raise ValueError(f"{self.name}: b does not fit into {self.dtype.name}, as A")
        self._start = np.zeros(self.d, self.dtype)

    def _product(self, x: Array) -> Array:
        result: Array = self.A * x if self.A.ndim == 1 else self.A @ x
        return result

    def _evaluate(self, w: Array) -> tuple[float, Array]:
        gradient = self._product(w)
        gradient -= self.b
        wide = gradient.astype(np.float64, copy=False) - self.b
        return 0.5 * float(w.astype(np.float64, copy=False) @ wide) + self.c, gradient

    def _hessian_diagonal(self, w: Array | None) -> Array:
        diagonal = self.A if self.A.ndim == 1 else self.A.diagonal()
        return np.array(diagonal, np.float64)

    def _smoothness(self) -> float:
        if self.A.ndim == 1:
            return float(np.abs(self.A).max())
        if self.d <= SMALL:
            dense = self.A.toarray() if sparse.issparse(self.A) else self.A
            return dense_bound(dense.astype(np.float64), 0)
        # no |eigenvalue| exceeds the largest sum of magnitudes in a row (Gershgorin)
        rows = np.asarray(abs(self.A).sum(axis=1), np.float64).max()
        scale = float(rows) or 1.0

        def twice(v: Array) -> Array:
            # A may be indefinite, its square is not
            once = self._product(v.astype(self.dtype)) / scale
            image: Array = self._product(once.astype(self.dtype)) / scale
            return image.astype(np.float64)

        return min(scale * float(np.sqrt(lanczos_bound(twice, self.d))), float(rows))


def _symmetric(A: Any, where: str) -> Any:
    if not sparse.issparse(A) and np.ndim(A) == 1:
        array = np.asarray(A)
        return vector(array, len(array), where, "A") if len(array) else _refuse_empty(where)
    result = matrix(A, where, "A")
    if result.shape[0] != result.shape[1]:
        raise ValueError(f"{where}: A has shape {result.shape}, expected a square matrix")
    with np.errstate(over="ignore"):
        difference = float(abs(result - result.T).max())
        bound = np.sqrt(np.finfo(result.dtype).eps) * float(abs(result).max())
    if not difference <= bound:
        raise ValueError(
            f"{where}: A is not symmetric (A - A^T reaches {difference:g}), expected A = A^T"
        )
    return result


def _refuse_empty(where: str) -> Any:
    raise ValueError(f"{where}: A has shape (0,), expected at least one element")


def quadratic(A: Any, b: Any = None, c: float = 0.0) -> Quadratic:
    r"""Build a quadratic function.

    .. math:: f(x) = \tfrac12 x^T A x - b^T x + c, \qquad \nabla f(x) = A x - b

    Parameters
    ----------
    A : array_like or sparse matrix of shape (d, d), or array_like of shape (d,), finite
        Symmetric Hessian, or its diagonal. float32 stays float32. It is convex when A has no
        negative eigenvalue, which is not asked for.
    b : array_like of shape (d,), finite, optional
        Linear term, 0 by default.
    c : float, optional
        Constant.

    Returns
    -------
    Quadratic
        Call it for (f, g). Has `A`, `b`, `c`, `x0`, `n` (= `d`), `d`, `smoothness`,
        `coordinate_smoothness`, `hessian_diagonal()`.

    Raises
    ------
    TypeError, ValueError
        When A is not finite, square and symmetric (to the square root of the precision), when b
        is not d finite numbers, or c not a finite number.

    Notes
    -----
    * `x0` is 0.
    * `smoothness` is the spectral norm of A: exact but for rounding for a diagonal and up to
      d = 1000; beyond, 100 Lanczos steps on A^2 and a margin of 5 % on its eigenvalue, never above
      the largest absolute row sum, which is a rigorous bound.

    References
    ----------
    .. [1] J. Nocedal, S. Wright, "Numerical Optimization", 2nd edition, chapter 5.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.quadratic([1.0, 100.0], b=[1.0, 0.0])
    >>> fun([0.0, 1.0])
    (50.0, array([ -1., 100.]))
    >>> fun.smoothness
    100.0
    """
    return Quadratic(A, b, c)
