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

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float, bool, int, float]] = []
        self.finite = 0
        self._start = time.perf_counter()

    @classmethod
    def restored(cls, saved: Mapping[str, Any], evaluations: int) -> Trace:
        """Continue a trace from what `saved` gave, or raise naming the column that is not whole."""
        columns = []
        for name, dtype in zip(NAMES, DTYPES, strict=True):
            entry = f"trace_{name}"
            if entry not in saved:
                raise ValueError(f"trace: {entry!r} is missing")
            column = np.asarray(saved[entry])
            if column.dtype != dtype or column.shape != (evaluations,):
                raise ValueError(
                    f"trace: {entry!r} has dtype {column.dtype} and shape {column.shape}, expected "
                    f"{np.dtype(dtype)} and ({evaluations},)"
                )
            columns.append(column.tolist())
        if not (np.isfinite(columns[-1]).all() and min(columns[-1]) >= 0.0):
            raise ValueError("trace: 'trace_seconds' holds what is no time, expected numbers >= 0")
        trace = cls()
        trace._rows = list(zip(*columns, strict=True))
        trace.finite = sum(math.isfinite(row[0]) for row in trace._rows)
        trace._start -= trace.seconds()
        return trace

    def saved(self) -> dict[str, NDArray[Any]]:
        """Return the columns under the names by which `restored` reads them."""
        return {f"trace_{name}": column for name, column in self.arrays().items()}

    def add(self, f: float, gmax: float, accepted: bool, ncut: int) -> None:
        """Record one evaluation."""
        best = self._rows[-1][1] if self._rows else f
        if -math.inf < f < best:
            best = f
        self.finite += math.isfinite(f)
        self._rows.append((f, best, gmax, accepted, ncut, time.perf_counter() - self._start))

    @property
    def first(self) -> float:
        """The value of f at x0."""
        return self._rows[0][0]

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
