"""noise – how far values scatter about a smooth function, from a table of differences.

With T_ik the k-th differences of m + 1 values at equal distances,

    sigma_k^2 = (k!)^2 / (2k)! mean_i T_ik^2,

which are alike from the k on at which the smooth part is gone. Algorithm ECnoise of J. J. Moré,
S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011), section 3.
"""

from __future__ import annotations

import math

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.probe import Probe

POINTS = 8
# Levels in a row that have to agree, within a factor.
AGREE, WITHIN = 3, 4.0
FIRST_SPACING = 1e-9
CHANGE = 100.0
TRIES = 3


def noise_level(values: Array) -> float | None:
    """Return the standard deviation of the noise of values at equal distances, or None.

    Parameters
    ----------
    values : ndarray of shape (m + 1,)
        m >= 6.

    Returns
    -------
    float or None
        In units of the values; None where the differences do not settle, as for a function that
        curves between the points.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt._diagnose.noise import noise_level
    >>> draw = np.random.default_rng(0)
    >>> level = noise_level(np.linspace(1.0, 1.1, 8) + 1e-3 * draw.standard_normal(8))
    >>> 3e-4 < level < 3e-3
    True
    """
    if np.ptp(values) == 0.0:
        return 0.0
    table, weight = values, 1.0
    levels, alternates = [], []
    for k in range(1, len(values) - 1):
        table = np.diff(table)
        weight *= k / (2.0 * (2.0 * k - 1.0))
        levels.append(math.sqrt(weight * float(np.mean(table**2))))
        alternates.append(bool(table.min() < 0.0 < table.max()))
    for k in range(len(levels) - AGREE + 1):
        near = levels[k : k + AGREE]
        if max(near) <= WITHIN * min(near) and alternates[k]:
            return levels[k]
    return 0.0 if levels[-1] == 0.0 else None


def noise_of(probe: Probe, direction: Array) -> tuple[float | None, float | None]:
    """Return the noise of f and of the slope along a direction, relative to max(abs(f)) and such.

    The spacing is changed where differences do not settle, three times at most.
    """
    spacing = FIRST_SPACING
    found: tuple[float | None, float | None] = (None, None)
    for _ in range(TRIES):
        answers = [probe.at(probe.x + k * spacing * direction) for k in range(POINTS)]
        f = np.array([answer[0] for answer in answers])
        slopes = np.array([answer[1] @ direction for answer in answers])
        if not (np.isfinite(f).all() and np.isfinite(slopes).all()):
            spacing /= CHANGE
            continue
        level, slope_level = noise_level(f), noise_level(slopes)
        if level is not None:
            found = _relative(level, f), found[1]
        if slope_level is not None and found[1] is None:
            found = found[0], _relative(slope_level, slopes)
        if level is not None and np.unique(f).size > POINTS // 2:
            break
        # as good as equal: too close; else the function itself is seen
        spacing *= CHANGE if level is not None else 1.0 / CHANGE
    return found


def _relative(level: float, values: Array) -> float:
    largest = float(np.abs(values).max())
    return level / largest if largest > 0.0 else 0.0
