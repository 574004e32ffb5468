"""MPI as the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def engine(communicator: Any) -> tuple[Callable[[Numbers], Numbers], int, int]:
    """Return how a communicator gathers, this process's rank, and the number of processes."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            "mdbopt.distributed: mpi4py is not installed: pip install mdbopt[distributed]"
        ) from error
    if communicator is None:
        communicator = MPI.COMM_WORLD
    if not isinstance(communicator, MPI.Comm):
        raise TypeError(
            f"communicator: expected a communicator of mpi4py, got {type(communicator).__name__}"
        )

    def gather(values: Numbers) -> Numbers:
        everything = np.empty((communicator.size, values.size))
        communicator.Allgather(values, everything)
        return everything

    return gather, communicator.rank, communicator.size
