"""_bigrams – the linear bigram model under Zipf's law, a quadratic with word frequencies in it."""

from __future__ import annotations

import numpy as np

from mdbopt import _checks

from ._frequencies import zipf_frequencies
from ._quadratic import Quadratic, quadratic

MOST = 5000  # of words: 25 million weights


def zipf_bigrams(d: int, exponent: float = 1.0, *, seed: int = 0) -> Quadratic:
    r"""Build the linear bigram model: predict the next word from the one before it.

    .. math:: f(W) = \frac1{2n} \lVert X W - Y \rVert^2 - c_0
              = \frac12 \sum_k \pi_k \lVert W_k - P_k \rVert^2

    X and Y are one-hot rows of words and of those that follow; pi_k is the frequency of word k and
    P_k the frequencies of words after it, both by Zipf's law, P_k in an order of its own.

    Parameters
    ----------
    d : int
        Number of words, 1 to 5,000.
    exponent : float, optional
        alpha >= 0 of Zipf's law.
    seed : int, optional
        Of the generator of the orders.

    Returns
    -------
    Quadratic
        Of d^2 weights, W row by row, with the Hessian's diagonal for `A`; its minimum is 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    References
    ----------
    .. [1] F. Kunstner, F. Bach, "Scaling laws for gradient descent and sign descent for linear
       bigram models under Zipf's law", NeurIPS 2025, arXiv:2505.19227.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.zipf_bigrams(3)
    >>> fun.d, round(fun.smoothness, 6)
    (9, 0.545455)
    """
    size = _checks.whole("d", d, least=1, below=MOST + 1)
    pi = zipf_frequencies(size, exponent)
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    follow = generator.permuted(np.tile(pi, (size, 1)), axis=1)
    weights = np.repeat(pi, size)
    constant = 0.5 * float(pi @ np.sum(follow**2, axis=1))
    return quadratic(weights, weights * follow.ravel(), constant)
