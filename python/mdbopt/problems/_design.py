"""_design – the linear map z = X w[:-1] + w[-1] and its transpose, for dense X and for csr.

The column of ones is never stored: the intercept is added to z, and its gradient is a plain sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sparse

from mdbopt._finite import Array, matrix

from ._spectrum import SMALL, dense_bound, lanczos_bound

BLOCK = 1 << 17  # elements of a temporary block: 1 MiB of float64, which stays in cache


class Design:
    """A finite design matrix, with an intercept or without.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, features)
        Kept as it is when it is a contiguous float32 or float64 ndarray, or csr in canonical
        format; do not write to it afterwards. Other real numbers become float64.
    intercept : bool
        Whether the last weight multiplies a column of ones.
    where : str
        Name for error messages.
    """

    def __init__(self, X: Any, intercept: bool, where: str) -> None:
        self.X = matrix(X, where, "X")
        self.intercept = bool(intercept)
        self.is_sparse = bool(sparse.issparse(self.X))
        # rows of the transpose are walked in order, so each gradient entry has one order of sums
        self._transpose = self.X.T.tocsr() if self.is_sparse else None
        self.n, self.features = (int(extent) for extent in self.X.shape)
        self.columns = self.features + int(self.intercept)
        self.dtype: np.dtype[Any] = np.dtype(self.X.dtype)

    def margins(self, w: Array) -> Array:
        """Return z of shape (n,) for weights of shape (columns,) in the dtype of X."""
        return margins(self.X, w, self.intercept)

    def gradient(self, residual: Array) -> Array:
        """Return X^T residual (and the sum of the residual), shape (columns,), dtype of X."""
        result: Array = np.empty(self.columns, self.dtype)
        if self._transpose is None:
            np.matmul(residual, self.X, out=result[: self.features])
        else:
            result[: self.features] = self._transpose @ residual
        if self.intercept:
            result[-1] = residual.sum(dtype=np.float64)
        return result

    def column_squares(self, weights: Array | None = None) -> Array:
        """Return sum_i weights_i x_ij^2 for each column j, in float64; weights are >= 0, or 1."""
        result: Array = np.empty(self.columns)
        # rooted first: a weight of zero must win over a square that overflows
        roots = np.ones(self.n) if weights is None else np.sqrt(weights.astype(np.float64))
        with np.errstate(over="ignore", under="ignore"):
            if self._transpose is None:
                result[:] = 0.0
                for rows in row_slices(self.n, self.features):
                    scaled = self.X[rows] * roots[rows, None]
                    result[: self.features] += np.einsum("ij,ij->j", scaled, scaled)
            else:
                turned = self._transpose
                squares = (turned.data * roots[turned.indices]) ** 2
                parts = (squares, turned.indices, turned.indptr)
                result[: self.features] = sparse.csr_array(parts, shape=turned.shape) @ np.ones(
                    self.n
                )
        if self.intercept:
            result[-1] = self.n if weights is None else weights.sum(dtype=np.float64)
        return result

    def spectral_square(self) -> float:
        """Return an upper bound of the largest eigenvalue of X^T X, intercept included.

        Exact but for rounding when min(n, columns) <= 256; else 100 steps of Lanczos and a margin
        of 5 % (see `lanczos_bound`), never above the trace, which is a rigorous bound.
        """
        if min(self.n, self.columns) <= SMALL:
            return self._small_spectral_square()

        def product(v: Array) -> Array:
            image = self.gradient(self.margins(v.astype(self.dtype)))
            return image.astype(np.float64, copy=False)

        trace = float(self.column_squares().sum())
        return min(lanczos_bound(product, self.columns), trace)

    def _small_spectral_square(self) -> float:
        values = self.X.data if self.is_sparse else self.X
        largest = float(max(abs(values.max()), abs(values.min()))) if values.size else 0.0
        # columns of 1e200 are legal: their squares are not
        scale = max(largest, float(self.intercept)) or 1.0
        wide = self.n < self.columns
        with np.errstate(under="ignore", over="ignore"):
            gram = self._gram(scale, wide)
            if self.intercept and wide:
                gram += 1.0 / scale**2 if scale < 1e150 else 0.0
            elif self.intercept:
                sums = np.ones(self.n) @ self.X if not self.is_sparse else self.X.sum(axis=0)
                border = np.asarray(sums, np.float64) / scale / scale
                corner = np.array([[self.n / scale / scale]])
                gram = np.block([[gram, border[:, None]], [border[None, :], corner]])
            return dense_bound(gram, max(self.n, self.columns)) * scale * scale

    def _gram(self, scale: float, wide: bool) -> Array:
        if self.is_sparse:
            X = self.X.astype(np.float64) / scale
            return np.asarray((X @ X.T if wide else X.T @ X).toarray())
        size = self.n if wide else self.features
        gram: Array = np.zeros((size, size))
        tall = self.X.T if wide else self.X
        for rows in row_slices(*tall.shape):
            block = tall[rows].astype(np.float64) / scale
            gram += block.T @ block
        return gram

    def row_blocks(self, width: int) -> Iterator[tuple[slice, Any]]:
        """Yield (rows, X[rows]) with rows * width about one cached block; views, not copies."""
        for rows in row_slices(self.n, width):
            if not self.is_sparse:
                yield rows, self.X[rows]
                continue
            start, stop = self.X.indptr[rows.start], self.X.indptr[rows.stop]
            parts = (
                self.X.data[start:stop],
                self.X.indices[start:stop],
                self.X.indptr[rows.start : rows.stop + 1] - start,
            )
            yield rows, sparse.csr_array(parts, shape=(rows.stop - rows.start, self.features))


def margins(X: Any, w: Array, intercept: bool) -> Array:
    """Return X w[:-1] + w[-1], or X w without an intercept; w may be a matrix of such columns."""
    if not intercept:
        return np.asarray(X @ w)
    z: Array = X @ w[:-1]
    z += w[-1]
    return z


def row_slices(rows: int, width: int) -> Iterator[slice]:
    """Yield slices that cut `rows` rows of `width` elements into blocks of about BLOCK elements."""
    step = max(1, BLOCK // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
