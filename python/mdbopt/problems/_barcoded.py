"""_barcoded – images of digits; a code in a corner makes many of them a rare class each."""

from __future__ import annotations

import numpy as np

from mdbopt import _checks
from mdbopt._finite import Array

from ._standardized import standardized

CODES, DIGITS, COPIES = 16, 10, 5
CORNER = (0, 1, 8, 9)  # pixels (0, 0), (0, 1), (1, 0), (1, 1) of 8 by 8


def barcoded_digits(*, seed: int = 0) -> tuple[Array, Array]:
    """Make an imbalanced table of images from scikit-learn's 1,797 balanced ones.

    Each of 16 codes of four bits is written into the corner of five images of each digit: 160 rare
    classes of 5 images, a code and a digit each. The other 997 images stay as they are, under their
    ten digits.

    Parameters
    ----------
    seed : int, optional
        Of the generator that picks the images.

    Returns
    -------
    X : ndarray of shape (1797, 64), float32
        Pixels of mean 0 and variance 1; 0 where a pixel never changes.
    y : ndarray of shape (1797,), int64
        0 to 9: digits without a code; 10 + 10 c + k: digit k with code c.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    TypeError, ValueError
        When seed is no whole number >= 0.

    References
    ----------
    .. [1] F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance
       and why Adam outperforms gradient descent on language models", NeurIPS 2024,
       arXiv:2402.19449: the same with MNIST, ten bits and 10,240 classes.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt import problems
    >>> X, y = problems.barcoded_digits()
    >>> X.shape, len(np.unique(y)), int(np.bincount(y)[10:].max())
    ((1797, 64), 170, 5)
    """
    from mdbopt import data  # scikit-learn is imported by this function only

    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    table = data.digits()
    X, y = table.X.astype(np.float64), table.y.astype(np.int64)
    for digit in range(DIGITS):
        places = generator.permutation(np.flatnonzero(y == digit))[: CODES * COPIES]
        codes = np.repeat(np.arange(CODES), COPIES)
        bits = (codes[:, None] >> np.arange(len(CORNER))) & 1
        X[places[:, None], CORNER] = 16.0 * bits
        y[places] = DIGITS + DIGITS * codes + digit
    return standardized(X).astype(np.float32), y
