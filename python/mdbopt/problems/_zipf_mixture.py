"""_zipf_mixture – points of normal distributions that occur by Zipf's law."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse

from mdbopt import _checks
from mdbopt._finite import Array, matrix, vector

from ._frequencies import zipf_labels


def zipf_mixture(
    n: int,
    centres: Any,
    variances: Any = 0.1,
    exponent: float = 1.0,
    *,
    seed: int = 0,
) -> tuple[Array, Array]:
    r"""Draw points of a Gaussian mixture whose k-th component has the weight pi_k of Zipf's law.

    .. math:: x \sim \mathcal N(\mu_y, \sigma_y^2 I), \qquad y \sim \pi

    Parameters
    ----------
    n : int
        Number of points, at least that of the components: each has one point or more.
    centres : int, or array_like of shape (components, dimensions)
        mu, one row a component; a number c stands for c components at the unit vectors of c
        dimensions.
    variances : float, or array_like of shape (components,)
        sigma^2 > 0 of each.
    exponent : float, optional
        alpha >= 0 of Zipf's law.
    seed : int, optional
        Of the generators of components and points.

    Returns
    -------
    X : ndarray of shape (n, dimensions), float64
        The points, in random order.
    y : ndarray of shape (n,), int64
        Their components, 0 the most frequent.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    References
    ----------
    .. [1] F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance
       and why Adam outperforms gradient descent on language models", NeurIPS 2024,
       arXiv:2402.19449: 100 components at the unit vectors, of variance 0.1, to be classified.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt import problems
    >>> X, y = problems.zipf_mixture(1000, 3)
    >>> X.shape, np.bincount(y)
    ((1000, 3), array([509, 298, 193]))
    """
    if isinstance(centres, (int, np.integer)) and not isinstance(centres, bool):
        places: Array = np.eye(_checks.whole("centres", centres, least=1))
    else:
        if sparse.issparse(centres):
            raise TypeError("zipf_mixture: centres is sparse, expected a dense matrix")
        places = matrix(centres, "zipf_mixture", "centres").astype(np.float64)
    count = len(places)
    if np.ndim(variances) == 0:
        spreads: Array = np.full(
            count, _checks.real("variances", variances, least=0.0, strict=True)
        )
    else:
        spreads = vector(variances, count, "zipf_mixture", "variances").astype(np.float64)
        if spreads.min() <= 0.0:
            raise ValueError(f"variances: expected numbers > 0, the least is {spreads.min()}")
    y = zipf_labels(n, count, exponent, seed=seed)
    normal = np.random.default_rng([seed, 1]).standard_normal((len(y), places.shape[1]))
    return places[y] + np.sqrt(spreads)[y, None] * normal, y
