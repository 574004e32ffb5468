"""The noise of an objective: two levels that a caller gives, or measures by a table of differences.

With T_ik the k-th differences of m + 1 values at equal distances,

    sigma_k^2 = (k!)^2 / (2k)! mean_i T_ik^2,

which are alike from the k on at which the smooth part is gone. Algorithm ECnoise of J. J. Moré,
S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mdbopt import _checks
from mdbopt._arrays import Array

ESTIMATE = "estimate"
POINTS = 8
# Levels in a row that have to agree, within a factor.
AGREE, WITHIN = 3, 4.0
FIRST_SPACING = 1e-9
CHANGE = 100.0
TRIES = 3


def noise_levels(noise: Any) -> tuple[float, float] | None:
    """Return how far f, and the gradient in the 2-norm, may be from the truth; None for not at all.

    Parameters
    ----------
    noise : None, float or pair of float
        Numbers >= 0; one alone is that of f beside an exact gradient.

    Raises
    ------
    TypeError, ValueError
        When it is neither, or a number is negative, NaN or infinite.
    """
    if noise is None:
        return None
    if isinstance(noise, str):
        raise ValueError(
            f"noise: expected a number or a pair of them, got {noise!r}; mdbopt.minimize alone "
            f"takes {ESTIMATE!r}"
        )
    try:
        shape = np.shape(noise)
    except ValueError:  # lists in a list, of several lengths
        shape = None
    if shape == ():
        levels = _checks.real("noise", noise, least=0.0), 0.0
    elif shape != (2,):
        came = type(noise).__name__ if shape is None else f"the shape {shape}"
        raise ValueError(
            f"noise: expected a number, or a pair of those of f and of the gradient, got {came}"
        )
    else:
        f, g = (_checks.real("noise", level, least=0.0) for level in noise)
        levels = f, g
    return levels if any(levels) else None


def noise_level(values: Array) -> float | None:
    """Return the standard deviation of the noise of values at equal distances, or None.

    Parameters
    ----------
    values : ndarray of shape (m + 1,) or (m + 1, k)
        m >= 6; numbers, or vectors, whose level is that of their length.

    Returns
    -------
    float or None
        In units of the values; None where the differences do not settle, as for a function that
        curves between the points.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt._noise import noise_level
    >>> draw = np.random.default_rng(0)
    >>> level = noise_level(np.linspace(1.0, 1.1, 8) + 1e-3 * draw.standard_normal(8))
    >>> 3e-4 < level < 3e-3
    True
    """
    table, weight = values.reshape(len(values), -1), 1.0
    if not np.ptp(table, axis=0).any():
        return 0.0
    # A power of two changes no bit, and keeps squares within range.
    scale = 2.0 ** min(1000, max(-1000, -math.frexp(float(np.abs(table).max()))[1]))
    table = table * scale
    levels, alternates = [], []
    for k in range(1, len(values) - 1):
        table = np.diff(table, axis=0)
        weight *= k / (2.0 * (2.0 * k - 1.0))
        levels.append(math.sqrt(weight * float(np.mean(np.sum(table**2, axis=1)))))
        changes = (table.min(axis=0) < 0.0) & (table.max(axis=0) > 0.0)
        alternates.append(bool(changes.mean() >= 0.5))
    for k in range(len(levels) - AGREE + 1):
        near = levels[k : k + AGREE]
        if max(near) <= WITHIN * min(near) and alternates[k]:
            return levels[k] / scale
    return 0.0 if levels[-1] == 0.0 else None


def noise_along(
    at: Callable[[float], tuple[float, Array]],
) -> tuple[tuple[float, Array] | None, tuple[float, Array] | None]:
    """Return the levels of f and of a vector along a line, each with the values they are seen in.

    The spacing is changed where differences do not settle, three times at most.

    Parameters
    ----------
    at : callable
        ``at(distance) -> (f, vector)``; it is asked 8 to 24 times.

    Returns
    -------
    pair
        Each None where the differences did not settle.
    """
    spacing = FIRST_SPACING
    found_f: tuple[float, Array] | None = None
    found_v: tuple[float, Array] | None = None
    for _ in range(TRIES):
        answers = [at(k * spacing) for k in range(POINTS)]
        f = np.array([answer[0] for answer in answers])
        vectors = np.array([answer[1] for answer in answers])
        if not (np.isfinite(f).all() and np.isfinite(vectors).all()):
            spacing /= CHANGE
            continue
        level, vector_level = noise_level(f), noise_level(vectors)
        if level is not None:
            found_f = level, f
        if vector_level is not None and found_v is None:
            found_v = vector_level, vectors
        if level is not None and np.unique(f).size > POINTS // 2:
            break
        # as good as equal: too close; else the function itself is seen
        spacing *= CHANGE if level is not None else 1.0 / CHANGE
    return found_f, found_v
