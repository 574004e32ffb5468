"""_network – softmax regression behind one hidden layer, over rows or over the nodes of a graph.

With M the identity, or a graph's mixing matrix, and a bias in the last row of each weight matrix:

    H = tanh(M X V[:-1] + V[-1]),  Z = M H W[:-1] + W[-1],  f = mean(log sum exp(z) - z_y)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse

from mdbopt import _checks
from mdbopt._finite import Array, matrix, one_column
from mdbopt._labels import class_index

from ._problem import Problem
from ._standardized import standardized

STEP = 1e-5  # of the differences that give second derivatives


class Network(Problem):
    """A network with one hidden layer; built by `network` and `graph_network`."""

    name = "network"

    def __init__(self, X: Any, y: Any, hidden: int, mixing: Any, seed: int) -> None:
        rows = matrix(X, self.name, "X")
        if sparse.issparse(rows):
            raise TypeError(f"{self.name}: X is sparse, expected a dense matrix")
        width = _checks.whole(f"{self.name}: hidden", hidden, least=1)
        generator = np.random.default_rng(_checks.whole(f"{self.name}: seed", seed, least=0))
        self.n = len(rows)
        self.dtype = np.dtype(rows.dtype)
        labels = one_column(y, self.n, self.name, "y")
        self.class_index, self.classes = class_index(labels, self.name)
        self.mixing = mixing
        self._inputs: Array = self._mixed(rows)
        features, outputs = rows.shape[1], len(self.classes)
        self.shapes = ((features + 1, width), (width + 1, outputs))
        self.d = sum(a * b for a, b in self.shapes)
        # Uniform within 1 / sqrt(inputs), as in PyTorch's linear layers.
        self._start = np.concatenate(
            [generator.uniform(-1.0, 1.0, a * b) / np.sqrt(a - 1) for a, b in self.shapes]
        ).astype(self.dtype)

    def _mixed(self, rows: Array) -> Array:
        return rows if self.mixing is None else np.asarray(self.mixing @ rows)

    def _layers(self, w: Array) -> tuple[Array, Array]:
        first = self.shapes[0][0] * self.shapes[0][1]
        return w[:first].reshape(self.shapes[0]), w[first:].reshape(self.shapes[1])

    def _forward(self, w: Array) -> tuple[Array, Array, Array]:
        """Return H, M H and Z."""
        first, second = self._layers(w)
        active: Array = np.tanh(self._inputs @ first[:-1] + first[-1])
        mixed = self._mixed(active)
        return active, mixed, mixed @ second[:-1] + second[-1]

    def _evaluate(self, w: Array) -> tuple[float, Array]:
        second = self._layers(w)[1]
        active, mixed, z = self._forward(w)
        own = (np.arange(self.n), self.class_index)
        z -= z.max(axis=1, keepdims=True)
        at_own = z[own]
        np.exp(z, out=z)
        sums = z.sum(axis=1)
        value = float(np.mean(np.log(sums) - at_own, dtype=np.float64))
        z /= sums[:, None]
        z[own] -= 1
        z /= self.n
        behind = z @ second[:-1].T
        # The mixing matrix is symmetric.
        slope = self._mixed(behind) * (1 - active**2)
        parts = (self._inputs.T @ slope, slope.sum(axis=0), mixed.T @ z, z.sum(axis=0))
        return value, np.concatenate([part.ravel() for part in parts])

    def _hessian_diagonal(self, w: Array | None) -> Array:
        if w is None:
            return np.full(self.d, np.inf)
        wide = w.astype(np.float64)
        result: Array = np.empty(self.d)
        for place in range(self.d):
            ends = []
            for sign in (1.0, -1.0):
                moved = wide.copy()
                moved[place] += sign * STEP
                ends.append(float(self._evaluate(moved)[1][place]))
            result[place] = (ends[0] - ends[1]) / (2.0 * STEP)
        return result

    def _smoothness(self) -> float:
        return np.inf

    def losses(self, w: Any) -> Array:
        """Return each row's own loss, log(sum_k exp(z_k)) - z_y, in nats.

        Parameters
        ----------
        w : array_like of shape (d,), float32 or float64
            Weights, V and W one behind the other.

        Returns
        -------
        ndarray of shape (n,), float64
        """
        z = self._forward(np.asarray(w, self.dtype))[2].astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        sums: Array = np.exp(z).sum(axis=1)
        return np.log(sums) - z[np.arange(self.n), self.class_index]

    def accuracy(self, w: Any) -> float:
        """Return the share of the rows that w labels as y does, in [0, 1]."""
        best = self._forward(np.asarray(w, self.dtype))[2].argmax(axis=1)
        return float(np.mean(best == self.class_index))


def network(X: Any, y: Any, hidden: int = 32, *, seed: int = 0) -> Network:
    r"""Build a classifier with one hidden layer of tanh, a small problem that is not convex.

    .. math:: f = \frac1n \sum_i \Big[\log \sum_k e^{z_{ik}} - z_{i y_i}\Big], \quad
              Z = \tanh(X V_{:-1} + 1 V_{-1}) W_{:-1} + 1 W_{-1}

    Parameters
    ----------
    X : array_like of shape (n, features), finite
        Rows. float32 stays float32.
    y : array_like of shape (n,)
        Labels, as of `softmax`.
    hidden : int, optional
        Width of the hidden layer, >= 1.
    seed : int, optional
        Of the generator of `x0`, uniform within 1 / sqrt(inputs) of each layer.

    Returns
    -------
    Network
        Call it for (f, g). Has `x0`, `n`, `d`, `shapes` (of V and W, which w holds one behind the
        other), `classes`, `class_index`, `losses(w)`, `accuracy(w)`, `hessian_diagonal(w)`.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    Notes
    -----
    No constant bounds its curvature: `smoothness` and `coordinate_smoothness` are inf.
    `hessian_diagonal(w)` takes central differences of the gradient, 2 d evaluations.

    References
    ----------
    .. [1] I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", section 6.1.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.network([[0.0], [1.0], [2.0]], ["a", "b", "a"], hidden=4)
    >>> fun.d, fun.shapes
    (18, ((2, 4), (5, 2)))
    """
    return Network(X, y, hidden, None, seed)


def graph_network(
    n: int = 300, hidden: int = 16, *, normalized: bool = True, seed: int = 0
) -> Network:
    r"""Build a graph network with one hidden layer, on a graph of communities made here.

    .. math:: Z = M \tanh(M X V_{:-1} + 1 V_{-1}) W_{:-1} + 1 W_{-1}, \quad
              M = D^{-1/2} (A + I) D^{-1/2}

    Nodes of one of four communities are joined with a probability of 20 / n, others with 2 / n. A
    node has 20 counts for features: Poisson of mean 1, and of mean 3 in the four columns of its
    community, each column times 10^u, u uniform in [-2, 2].

    Parameters
    ----------
    n : int, optional
        Nodes, >= 40.
    hidden : int, optional
        Width of the hidden layer, >= 1.
    normalized : bool, optional
        Whether columns are brought to mean 0 and variance 1.
    seed : int, optional
        Of the generators of the graph and of `x0`.

    Returns
    -------
    Network
        As of `network`, with the community of each node for y; `mixing` is M, in csr.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    References
    ----------
    .. [1] T. Kipf, M. Welling, "Semi-supervised classification with graph convolutional networks",
       ICLR 2017, arXiv:1609.02907.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.graph_network(100)
    >>> fun.n, fun.d, fun.mixing.shape
    (100, 404, (100, 100))
    """
    size = _checks.whole("n", n, least=40)
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    y = np.arange(size) % 4
    chance = np.where(y[:, None] == y, 20.0, 2.0) / size
    above = np.triu(generator.random((size, size)) < chance, 1)
    joined = (above | above.T | np.eye(size, dtype=bool)).astype(np.float64)
    roots = np.sqrt(joined.sum(axis=1))
    means = np.where(np.arange(20) // 4 == y[:, None], 3.0, 1.0)
    X = generator.poisson(means) * 10.0 ** generator.uniform(-2.0, 2.0, 20)
    if normalized:
        X = standardized(X)
    return Network(X, y, hidden, sparse.csr_array(joined / np.outer(roots, roots)), seed)
