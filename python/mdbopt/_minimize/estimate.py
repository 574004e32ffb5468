"""estimate – the noise of an objective, measured along a line through x0 before a run begins."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt._arrays import Array
from mdbopt._minimize import checkpoint as checkpoint_file
from mdbopt._minimize.objective import Objective, Start
from mdbopt._noise import ESTIMATE, noise_along

# A checkpoint holds under this name how many calls of fun the estimate took.
NOISE_CALLS = "noise_calls"
# What noise does not exceed, over its standard deviation: exact for uniform noise, and seldom wrong
# for normal noise.
DEVIATIONS = 2.0


def estimated(
    objective: Objective,
    start: Start,
    bounds: NDArray[Any] | None,
    resume: str | os.PathLike[str] | None,
) -> tuple[tuple[float, float], int]:
    """Return the noise of f and of its gradient near x0, and how many calls of fun that took.

    What a run that is resumed measured, its checkpoint says.

    Parameters
    ----------
    objective : Objective
        Of f and its gradient.
    start : Start
        x0, on the CPU.
    bounds : array, shape (d, 2), optional
        Within which all points lie.
    resume : path, optional
        The checkpoint of a run that has measured them.

    Raises
    ------
    ValueError
        When x0 is on a device.
    """
    if start.device is not None:
        raise ValueError(
            f"noise: expected numbers for x0 on cuda:{start.device}, as they are measured on the "
            f"CPU alone, got {ESTIMATE!r}"
        )
    if resume is not None:
        saved = checkpoint_file.read(resume)
        levels = float(saved.get("noise_f", 0.0)), float(saved.get("noise_g", 0.0))
        return levels, int(saved.get(NOISE_CALLS, 0))
    x = start.point.astype(np.float64)
    direction = _direction(x, bounds)
    calls = 0

    def at(distance: float) -> tuple[float, Array]:
        nonlocal calls
        point = x + distance * direction
        if bounds is not None:
            point = np.clip(point, *bounds.T)
        f, g = objective(point.astype(start.dtype))
        calls += 1 + objective.gradient_calls * math.isfinite(f)
        return f, np.array(g, np.float64)

    f, g = (0.0 if found is None else DEVIATIONS * found[0] for found in noise_along(at))
    return (f, g), calls


def _direction(x: Array, bounds: NDArray[Any] | None) -> Array:
    """Return a direction that changes all coordinates, each to where there is more room."""
    signs = np.where(np.random.default_rng(0).random(x.size) < 0.5, -1.0, 1.0)
    if bounds is not None:
        with np.errstate(invalid="ignore"):
            above, below = bounds[:, 1] - x, x - bounds[:, 0]
        signs = np.where(above == below, signs, np.where(above > below, 1.0, -1.0))
    direction: Array = signs * np.maximum(np.abs(x), 1.0)
    return direction
