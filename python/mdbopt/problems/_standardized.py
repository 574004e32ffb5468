"""_standardized – columns brought to mean 0 and variance 1."""

from __future__ import annotations

import numpy as np

from mdbopt._finite import Array


def standardized(X: Array) -> Array:
    """Return (X - mean) / deviation by columns, float64; 0 where a column never changes."""
    spread = X.std(axis=0, dtype=np.float64)
    centred: Array = X - X.mean(axis=0, dtype=np.float64)
    return centred / np.where(spread > 0.0, spread, 1.0)
