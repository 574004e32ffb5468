"""_spectrum – eigenvalues of an operator that is known by its products: estimates and bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh_tridiagonal, eigvalsh_tridiagonal

from mdbopt._finite import Array

SMALL = 256  # up to here a Gram matrix costs less than the products that Lanczos needs
STEPS = 100
MARGIN = 0.05


def dense_bound(gram: Array, terms: int) -> float:
    """Return the largest |eigenvalue| of a symmetric matrix, raised by its rounding error.

    Parameters
    ----------
    gram : ndarray of shape (k, k), float64
        Symmetric matrix.
    terms : int
        Number of products that each entry of `gram` is a sum of.
    """
    if not np.isfinite(gram).all():
        return float("inf")
    values = np.linalg.eigvalsh(gram)
    rounding = 8.0 * (terms + len(gram)) * np.finfo(np.float64).eps
    return float(max(values[-1], -values[0], 0.0) * (1.0 + rounding))


def lanczos_bound(product: Callable[[Array], Array], size: int) -> float:
    """Return an upper bound of the largest eigenvalue of v -> product(v).

    bound = theta / (1 - 0.05), theta the largest Ritz value after 100 Lanczos steps from a random
    direction (of a fixed seed).

    Notes
    -----
    Theta lies below (1 - eps) lambda_max with a probability of at most
    1.648 sqrt(size) exp(-sqrt(eps) (2 steps - 1)) [1]_: below 1e-16 for a million variables. Lost
    orthogonality repeats Ritz values, and moves none out of the spectrum.

    References
    ----------
    .. [1] J. Kuczynski, H. Wozniakowski, "Estimating the largest eigenvalue by the power and
       Lanczos algorithms with a random start", SIAM J. Matrix Anal. Appl. 13 (1992), theorem 4.2.
    """
    direction = np.random.default_rng(1992).standard_normal(size)
    direction /= np.linalg.norm(direction)
    previous = np.zeros(size)
    beta = 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(STEPS, size)):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            image = product(direction)
            alpha = float(direction @ image)
            image = image - alpha * direction - beta * previous
            beta = float(np.linalg.norm(image))
        diagonal.append(alpha)
        if not np.isfinite(beta):
            return float("inf")
        if beta <= np.finfo(np.float64).eps * max(diagonal):
            # an invariant subspace: its largest eigenvalue is that of the operator
            break
        beside.append(beta)
        previous, direction = direction, image / beta
    theta = eigvalsh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))[-1]
    return float(theta) / (1.0 - MARGIN)


def ritz_pairs(
    product: Callable[[Array], Array],
    start: Array,
    steps: int,
    invariant: float = float(np.finfo(np.float64).eps),
) -> tuple[Array, Array, Array]:
    """Return the Ritz values of a symmetric operator, their coordinates, and the basis of those.

    Lanczos' method from ``start``, every vector made orthogonal to all before it, twice [1]_. It
    ends early where what is left of a product is ``invariant`` of it: the space is the operator's
    own then. The k-th Ritz vector is ``basis.T @ coordinates[:, k]``.

    References
    ----------
    .. [1] B. Parlett, "The Symmetric Eigenvalue Problem", chapter 13.
    """
    steps = min(steps, len(start))
    basis: Array = np.empty((steps, len(start)))
    diagonal, beside = np.empty(steps), np.empty(steps)
    direction = start / np.linalg.norm(start)
    for k in range(steps):
        basis[k] = direction
        image = product(direction)
        diagonal[k] = direction @ image
        known = basis[: k + 1]
        for _ in range(2):
            image = image - known.T @ (known @ image)
        beside[k] = np.linalg.norm(image)
        if beside[k] <= invariant * np.abs(diagonal[: k + 1]).max():
            steps = k + 1
            break
        direction = image / beside[k]
    values, coordinates = eigh_tridiagonal(diagonal[:steps], beside[: steps - 1])
    return values, coordinates, basis[:steps]
