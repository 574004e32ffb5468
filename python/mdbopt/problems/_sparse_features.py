"""_sparse_features – logistic regression whose telling columns are seldom other than 0."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse

from mdbopt import _checks

from ._logistic import Logistic, logistic


def sparse_features(
    n: int = 2000, features: int = 100, density: float = 0.01, *, l2: float = 0.0, seed: int = 0
) -> Logistic:
    """Build logistic regression in which columns that seldom occur decide, as in text.

    A tenth of the columns are in every row, normal numbers that say nothing. The others are 1 in a
    share `density` of the rows at random; in each such row it is one of them alone that decides the
    label, by its sign (columns alternate). Rows without any have labels at random.

    Parameters
    ----------
    n : int, optional
        Rows, >= 10.
    features : int, optional
        Columns, >= 10.
    density : float in (0, 1], optional
        Share of the rows that have a given telling column. 1: these columns are normal numbers, in
        every row as the others are, and their sum decides.
    l2 : float, optional
        As of `logistic`.
    seed : int, optional
        Of the generator.

    Returns
    -------
    Logistic
        Over a csr matrix, or a dense one for density 1; float64.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and
       stochastic optimization", JMLR 12 (2011), section 1: why rare columns want large steps.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.sparse_features(1000, 50)
    >>> fun.n, fun.d, fun.design.is_sparse
    (1000, 51, True)
    """
    rows = _checks.whole("n", n, least=10)
    columns = _checks.whole("features", features, least=10)
    share = _checks.real("density", density, least=0.0, strict=True)
    if share > 1.0:
        raise ValueError(f"density: expected a number in (0, 1], got {share}")
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    dull = columns // 10
    signs = np.where(np.arange(columns - dull) % 2 == 0, 1.0, -1.0)
    constant = generator.standard_normal((rows, dull))
    if share == 1.0:
        telling = generator.standard_normal((rows, columns - dull))
        y = (telling @ signs > 0.0).astype(np.float64)
        return logistic(np.hstack([constant, telling]), y, l2)
    present = generator.random((rows, columns - dull)) < share
    # The first of a row's columns decides, and the others of that row go: no two contradict.
    first = np.where(present.any(axis=1), present.argmax(axis=1), -1)
    alone = np.zeros(present.shape)
    seen = first >= 0
    alone[seen, first[seen]] = 1.0
    y = np.where(seen, signs[first] > 0.0, generator.random(rows) < 0.5).astype(np.float64)
    return logistic(sparse.csr_array(np.hstack([constant, alone])), y, l2)
