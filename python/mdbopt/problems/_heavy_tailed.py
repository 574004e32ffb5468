"""_heavy_tailed – softmax regression whose classes, as they halve, double in number."""

from __future__ import annotations

import numpy as np

from mdbopt import _checks

from ._frequencies import class_weights
from ._softmax import Softmax, softmax

MOST = 13  # X has (m + 1) m 4^m elements: 49 GB of float32 at m = 13


def heavy_tailed(
    m: int, l2: float = 0.0, *, weight_power: float = 0.0, features: str = "uniform", seed: int = 0
) -> Softmax:
    r"""Build softmax regression with heavy-tailed class imbalance.

    Group i = 0 … m - 1 has 2^i classes of 2^(m - i) rows each, so that every group has as many
    rows: n = m 2^m rows, 2^m - 1 classes, (m + 1) 2^m features, more than rows, that say nothing
    about the class. A model can only learn the rows by heart.

    Parameters
    ----------
    m : int
        Number of groups, 2 to 13.
    l2 : float, optional
        As of `softmax`.
    weight_power : float, optional
        Rows are weighed by `class_weights(y, weight_power)`: 0 not at all, 1 by 1 / pi_k.
    features : {"uniform", "normal"}, optional
        How the features are drawn, in [0, 1) or with mean 0 and variance 1.
    seed : int, optional
        Of the generator of the features.

    Returns
    -------
    Softmax
        In float32. Class k is the k-th most frequent; rows are sorted by class.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    Notes
    -----
    The papers' runs start at small random weights; with `numpy.zeros(fun.d, fun.dtype)` methods
    come in the same order. `x0` has the logarithms of the frequencies for intercepts.

    References
    ----------
    .. [1] F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance
       and why Adam outperforms gradient descent on language models", NeurIPS 2024,
       arXiv:2402.19449.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt import problems
    >>> fun = problems.heavy_tailed(3)
    >>> fun.n, fun.design.features, np.bincount(fun.class_index)
    (24, 32, array([8, 4, 4, 2, 2, 2, 2]))
    """
    groups = _checks.whole("m", m, least=2, below=MOST + 1)
    kind = _checks.choice("features", features, ("uniform", "normal"))
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    sizes = np.concatenate([np.full(2**i, 2 ** (groups - i)) for i in range(groups)])
    y = np.repeat(np.arange(len(sizes)), sizes)
    shape = (len(y), (groups + 1) * 2**groups)
    draw = generator.random if kind == "uniform" else generator.standard_normal
    X = draw(shape, dtype=np.float32)
    power = _checks.real("weight_power", weight_power, least=0.0)
    weights = class_weights(y, power) if power > 0.0 else None
    return softmax(X, y, l2, sample_weight=weights)
