"""Bounds on variables in SciPy's forms, as rows (lower, upper)."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt._arrays import real_array, real_value


def bounds_rows(
    bounds: Any, size: int | None = None, *, sharded: bool = False
) -> NDArray[np.float64] | None:
    """Return bounds as rows (lower, upper), or None where all of them are infinite.

    Parameters
    ----------
    bounds : None, scipy.optimize.Bounds, or sequence of pairs (lower, upper)
        None in a pair is infinite, too.
    size : int, optional
        How many variables there are; a `scipy.optimize.Bounds` is spread to them. Without it one
        row may stand for all.
    sharded : bool
        Whether they are those of one piece of a vector: infinite ones then stay, as those of
        another piece may not be.

    Raises
    ------
    ValueError
        When they are of another form or number, NaN, or a lower one is above its upper one.
    """
    if bounds is None:
        return None
    rows = _rows(bounds, size)
    if size is not None and len(rows) not in (0, size):
        raise _miscounted(size, len(rows))
    lower, upper = rows.T
    possible = (lower <= upper) & (lower < math.inf) & (upper > -math.inf)
    if not possible.all():
        i = int(np.argmin(possible))
        raise ValueError(
            "bounds: expected lower <= upper, none of them NaN, got "
            f"({lower[i]:g}, {upper[i]:g}) for variable {i}"
        )
    return None if np.isinf(rows).all() and not sharded else rows


def within(rows: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return bounds in a dtype, rounded inwards; the nearest number where none lies between."""
    with np.errstate(over="ignore"):
        lower, upper = rows.T.astype(dtype)
        nearest = lower.copy()
        lower = np.where(lower < rows[:, 0], np.nextafter(lower, dtype.type(np.inf)), lower)
        upper = np.where(upper > rows[:, 1], np.nextafter(upper, dtype.type(-np.inf)), upper)
    empty = lower > upper
    return np.stack([np.where(empty, nearest, lower), np.where(empty, nearest, upper)], axis=1)


def _rows(bounds: Any, size: int | None) -> NDArray[np.float64]:
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        sides = [real_array("bounds", side).astype(np.float64) for side in (bounds.lb, bounds.ub)]
        shape = (max(side.size for side in sides),) if size is None else (size,)
        try:
            return np.stack([np.broadcast_to(side, shape) for side in sides], axis=1)
        except ValueError:
            raise _miscounted(shape[0], max(side.size for side in sides)) from None
    pairs = []
    pair = bounds  # until the first is taken out of it
    try:
        for pair in bounds:
            lower, upper = pair
            pairs.append(
                (
                    -math.inf if lower is None else real_value("bounds", lower),
                    math.inf if upper is None else real_value("bounds", upper),
                )
            )
    except (TypeError, ValueError):
        came = reprlib.repr(pair)
        if pair is not bounds:
            came += f" for variable {len(pairs)}"
        raise ValueError(
            "bounds: expected a scipy.optimize.Bounds or one pair (lower, upper) for each "
            f"variable, got {came}"
        ) from None
    return np.array(pairs, np.float64).reshape(-1, 2)


def _miscounted(size: int, came: int) -> ValueError:
    return ValueError(
        "bounds: The number of bounds is not compatible with the length of `x0`: "
        f"expected {size}, got {came}"
    )
