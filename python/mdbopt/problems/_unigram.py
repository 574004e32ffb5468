"""_unigram – the smallest model with a softmax: a logit per class, f(z) = log sum exp(z) - pi.z."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import Array, vector

from ._problem import Problem


class SoftmaxUnigram(Problem):
    """The cross-entropy of frequencies; built by `softmax_unigram`."""

    name = "softmax_unigram"

    def __init__(self, frequencies: Any) -> None:
        given = np.asarray(frequencies)
        pi = vector(given, given.size, self.name, "frequencies").astype(np.float64)
        if pi.size < 2 or pi.min() <= 0.0:
            raise ValueError(
                f"{self.name}: frequencies has {pi.size} entries, the least {pi.min(initial=0.0)}; "
                "expected at least two, all more than 0"
            )
        self.frequencies: Array = pi / pi.sum()
        self.n = self.d = pi.size
        self.dtype = np.dtype(np.float64)
        self._start = np.zeros(self.d)

    def _evaluate(self, w: Array) -> tuple[float, Array]:
        largest = float(w.max())
        powers = np.exp(w - largest)
        total = float(powers.sum())
        value = largest + float(np.log(total)) - float(self.frequencies @ w)
        return value, powers / total - self.frequencies

    def _hessian_diagonal(self, w: Array | None) -> Array:
        if w is None:
            return np.full(self.d, 0.25)
        p = np.exp(w - w.max())
        p /= p.sum()
        result: Array = p * (1 - p)
        return result

    def _smoothness(self) -> float:
        # diag(p) - p p^T has eigenvalues up to 1/2 (Boehning 1992)
        return 0.5

    @property
    def minimum(self) -> float:
        """The least f, the entropy of the frequencies in nats, at z = log pi."""
        return -float(self.frequencies @ np.log(self.frequencies))


def softmax_unigram(frequencies: Any) -> SoftmaxUnigram:
    r"""Build the model of single words: logits z, and data in which word k has the share pi_k.

    .. math::

        f(z) = \log \sum_k e^{z_k} - \sum_k \pi_k z_k, \qquad \nabla f = \mathrm{softmax}(z) - \pi

    Parameters
    ----------
    frequencies : array_like of shape (d,)
        pi > 0, or counts: divided by their sum. At least two.

    Returns
    -------
    SoftmaxUnigram
        Call it for (f, g), in float64. Has `x0` (0), `d`, `frequencies`, `minimum`, `smoothness`,
        `coordinate_smoothness`, `hessian_diagonal(w)`.

    Raises
    ------
    TypeError, ValueError
        When the frequencies are not as above.

    References
    ----------
    .. [1] R. Yadav, S. Xie, T. Wang, Z. Li, arXiv:2512.00763: gradient descent needs steps in
       proportion to 1 / min pi here, sign descent does not.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.softmax_unigram([3, 1])
    >>> fun(fun.x0)[1], round(fun.minimum, 6)
    (array([-0.25,  0.25]), 0.562335)
    """
    return SoftmaxUnigram(frequencies)
