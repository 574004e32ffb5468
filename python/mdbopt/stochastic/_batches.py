"""The order in which a sum is gone through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batches(size: int, batch_size: int, seed: int) -> Iterator[NDArray[Any]]:
    """Give the terms of batch after batch without end, in a new random order in each epoch.

    What is left at the end of an epoch and fills no batch is left out.
    """
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(size)
        for first in range(0, size - batch_size + 1, batch_size):
            yield order[first : first + batch_size]
