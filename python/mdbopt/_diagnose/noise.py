"""noise – how far f and its slope scatter about a smooth function, relative to their size."""

from __future__ import annotations

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.probe import Probe
from mdbopt._noise import noise_along


def noise_of(probe: Probe, direction: Array) -> tuple[float | None, float | None]:
    """Return the noise of f and of the slope along a direction, each over its largest."""

    def at(distance: float) -> tuple[float, Array]:
        f, g = probe.at(probe.x + distance * direction)
        return f, np.asarray(g @ direction)

    f, slope = noise_along(at)
    return _relative(f), _relative(slope)


def _relative(found: tuple[float, Array] | None) -> float | None:
    if found is None:
        return None
    level, values = found
    largest = float(np.abs(values).max())
    return level / largest if largest > 0.0 else 0.0
