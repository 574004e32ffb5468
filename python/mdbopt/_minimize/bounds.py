"""Bounds on variables in SciPy's forms, as far as they bound nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def check_unbounded(bounds: Any, size: int) -> None:
    """Raise unless bounds are none, or infinite for each of ``size`` variables.

    They come as a `scipy.optimize.Bounds`, or as one pair (least, largest) for each variable, in
    which None is infinite, too.
    """
    if bounds is None:
        return
    for i, (least, largest) in enumerate(_pairs(bounds, size)):
        if least != -math.inf or largest != math.inf:
            raise ValueError(
                "bounds: expected none, or infinite ones, as mdbopt solves unconstrained problems "
                f"only, got ({least:g}, {largest:g}) for variable {i}; method='L-BFGS-B' of "
                "scipy.optimize.minimize takes bounds"
            )


def _pairs(bounds: Any, size: int) -> list[tuple[float, float]]:
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        lower, upper = (np.asarray(side, np.float64) for side in (bounds.lb, bounds.ub))
        try:
            sides = [np.broadcast_to(side, (size,)).tolist() for side in (lower, upper)]
        except ValueError:
            raise _miscounted(size, max(lower.size, upper.size)) from None
        return list(zip(*sides, strict=True))
    try:
        pairs = [
            (
                -math.inf if least is None else float(least),
                math.inf if largest is None else float(largest),
            )
            for least, largest in bounds
        ]
    except (TypeError, ValueError):
        raise ValueError(
            "bounds: expected a scipy.optimize.Bounds or one pair (least, largest) for each "
            f"variable, got {bounds!r}"
        ) from None
    if len(pairs) not in (0, size):
        raise _miscounted(size, len(pairs))
    return pairs


def _miscounted(size: int, came: int) -> ValueError:
    return ValueError(
        "bounds: The number of bounds is not compatible with the length of `x0`: "
        f"expected {size}, got {came}"
    )
