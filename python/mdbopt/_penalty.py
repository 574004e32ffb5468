"""The penalty Σ l1 |x| of an objective: one number for all variables, or one for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _checks
from mdbopt._arrays import real_array


def penalty_numbers(
    l1: Any, size: int | None = None, *, sharded: bool = False
) -> float | NDArray[np.float64] | None:
    """Return a number > 0, or an array of numbers >= 0; None where there is no penalty.

    Parameters
    ----------
    l1 : None, float, or array of shape (size,)
        0 exempts a variable.
    size : int, optional
        How many variables there are.
    sharded : bool
        Whether they are one piece of a vector, which may be empty.

    Raises
    ------
    TypeError, ValueError
        When it is of another form or shape, NaN, infinite or negative.
    """
    if l1 is None:
        return None
    if not isinstance(l1, (list, tuple)) and np.ndim(l1) == 0:
        return _checks.real("l1", l1, least=0.0) or None
    numbers = real_array("l1", l1).astype(np.float64)
    least = 0 if sharded else 1
    if numbers.ndim != 1 or numbers.size < least or size not in (None, numbers.size):
        expected = "(d,)" if size is None else (size,)
        raise ValueError(
            f"l1: expected a number or one for each variable, shape {expected}, got the shape "
            f"{numbers.shape}"
        )
    possible = (numbers >= 0) & (numbers < math.inf)
    if not possible.all():
        i = int(np.argmin(possible))
        raise ValueError(f"l1: expected finite numbers >= 0, got {numbers[i]:g} for variable {i}")
    return numbers
