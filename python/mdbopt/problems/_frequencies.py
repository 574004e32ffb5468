"""_frequencies – how often classes occur: Zipf's law, weights of rows, groups of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt import _checks
from mdbopt._finite import Array
from mdbopt._labels import class_index


def zipf_frequencies(count: int, exponent: float = 1.0) -> Array:
    r"""Return the frequencies of Zipf's law, the most frequent class first.

    .. math:: \pi_k = k^{-\alpha} / \sum_j j^{-\alpha}

    Parameters
    ----------
    count : int
        Number of classes, >= 1.
    exponent : float, optional
        alpha >= 0; 0 makes all equal.

    Returns
    -------
    ndarray of shape (count,), float64
        Of sum 1.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    References
    ----------
    .. [1] G. Zipf, "Human Behavior and the Principle of Least Effort" (1949).

    Examples
    --------
    >>> from mdbopt import problems
    >>> problems.zipf_frequencies(2)
    array([0.66666667, 0.33333333])
    """
    size = _checks.whole("count", count, least=1)
    alpha = _checks.real("exponent", exponent, least=0.0)
    powers = np.arange(1, size + 1, dtype=np.float64) ** -alpha
    result: Array = powers / powers.sum()
    return result


def zipf_labels(n: int, count: int, exponent: float = 1.0, *, seed: int = 0) -> Array:
    """Draw labels 0 to count - 1, label k - 1 with Zipf's frequency pi_k.

    Parameters
    ----------
    n : int
        Number of labels, >= count: each occurs once at least, the others are drawn.
    count, exponent
        As for `zipf_frequencies`.
    seed : int, optional
        Of the generator.

    Returns
    -------
    ndarray of shape (n,), int64
        In random order.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt import problems
    >>> np.bincount(problems.zipf_labels(1000, 3))
    array([509, 298, 193])
    """
    frequencies = zipf_frequencies(count, exponent)
    size = _checks.whole("n", n, least=len(frequencies))
    generator = np.random.default_rng(_checks.whole("seed", seed, least=0))
    drawn = generator.choice(len(frequencies), size - len(frequencies), p=frequencies)
    return generator.permutation(np.concatenate([np.arange(len(frequencies)), drawn]))


def class_weights(y: Any, power: float = 1.0) -> Array:
    r"""Weigh each row by its class: 1 / pi^power, as `sample_weight` of a problem.

    Parameters
    ----------
    y : array_like of shape (n,)
        Labels, as of `softmax`.
    power : float, optional
        1: all classes count alike; 1/2: by the root of their frequency; 0: rows count alike.

    Returns
    -------
    ndarray of shape (n,), float64
        n^power / n_k^power for a row of a class with n_k rows, dimensionless.

    Raises
    ------
    TypeError, ValueError
        When y has one class or is no labels, or power is no number >= 0.

    References
    ----------
    .. [1] F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance
       and why Adam outperforms gradient descent on language models", NeurIPS 2024,
       arXiv:2402.19449.

    Examples
    --------
    >>> from mdbopt import problems
    >>> problems.class_weights(["a", "a", "a", "b"])
    array([1.33333333, 1.33333333, 1.33333333, 4.        ])
    """
    index, _ = class_index(y, "class_weights")
    exponent = _checks.real("power", power, least=0.0)
    counts = np.bincount(index)
    result: Array = (len(index) / counts[index]) ** exponent
    return result


def frequency_groups(y: Any, groups: int = 10) -> Array:
    """Part rows into groups of about the same size by how frequent their classes are.

    Classes are sorted from frequent to rare, and cut where the number of rows so far passes a
    multiple of n / groups; a class stays whole.

    Parameters
    ----------
    y : array_like of shape (n,)
        Labels, as of `softmax`.
    groups : int, optional
        Their number, >= 1; there are fewer where a class is larger than a group.

    Returns
    -------
    ndarray of shape (n,), int64
        The group of each row, from 0, the most frequent classes.

    Raises
    ------
    TypeError, ValueError
        When y has one class or is no labels, or groups is no whole number >= 1.

    Examples
    --------
    >>> from mdbopt import problems
    >>> problems.frequency_groups(["the", "the", "of", "the", "cat", "of"], 2)
    array([0, 0, 1, 0, 1, 1])
    """
    index, _ = class_index(y, "frequency_groups")
    wanted = _checks.whole("groups", groups, least=1)
    counts = np.bincount(index)
    order = np.argsort(-counts, kind="stable")
    # The middle of a class decides, so that the largest does not start in the second group.
    middles = np.cumsum(counts[order]) - 0.5 * counts[order]
    places = np.empty(len(counts), np.int64)
    places[order] = np.unique(
        (middles * wanted / len(index)).astype(np.int64), return_inverse=True
    )[1]
    return places[index]
