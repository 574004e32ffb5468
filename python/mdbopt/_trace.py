"""The record of a run: one entry per evaluation, x0 first."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("f", "best", "gmax", "accepted", "ncut", "seconds")
DTYPES = (np.float64, np.float64, np.float64, np.bool_, np.int64, np.float64)


class Trace:
    """Grows by one row per evaluation.

    Rows are (f at the evaluated point, best f so far, max|g| there, whether x moved, cuts so far,
    seconds since the start). ``seconds`` goes on where a resumed run left off, and ``finite``
    counts the rows whose f is finite.
    """

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self._rows: list[tuple[float, float, float, bool, int, float]] = []
        self.finite = 0
        if saved is not None:
            columns = [np.asarray(saved[name]).tolist() for name in NAMES]
            self._rows = list(zip(*columns, strict=True))
            self.finite = sum(math.isfinite(row[0]) for row in self._rows)
        spent = self._rows[-1][5] if self._rows else 0.0
        self._start = time.perf_counter() - spent

    def add(self, f: float, best: float, gmax: float, accepted: bool, ncut: int) -> None:
        """Record one evaluation."""
        self.finite += math.isfinite(f)
        self._rows.append((f, best, gmax, accepted, ncut, time.perf_counter() - self._start))

    def __len__(self) -> int:
        return len(self._rows)

    def seconds(self) -> float:
        """Seconds from the start to the last evaluation."""
        return self._rows[-1][5]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the columns as arrays, each of shape (evaluations,)."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(NAMES)
        return {
            name: np.array(column, dtype=dtype)
            for name, dtype, column in zip(NAMES, DTYPES, columns, strict=True)
        }
