"""What shards of a problem tell each other between the messages of the core."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt._shards import words_of

# The core's form of a message, of the least length that it has: its kind comes first, words or
# numbers from the fourth place on. So a shard that fails ends the others, whoever hears of it.
_LENGTH, _HEADER = 64, 3
_FAILED, _TELLS = 0.0, 5.0


class Together:
    """Decisions that all shards take alike; one process alone takes its own.

    Parameters
    ----------
    reducer : callable, optional
        How they meet; None where there are no shards.
    """

    def __init__(self, reducer: Callable[..., Any] | None) -> None:
        self.reducer = reducer

    def every(self, *flags: bool) -> list[bool]:
        """Tell of each flag whether it is set on every shard."""
        rows = self._rows([float(flag) for flag in flags])
        return [bool(column.all()) for column in rows.T]

    def greatest(self, value: float) -> float:
        """Give the greatest value of all shards, NaN where one has that."""
        return float(self._rows([value]).max())

    def norm(self, own: float) -> float:
        """Give the length of a vector from those of its pieces, in the order of the shards."""
        return math.hypot(*self._rows([own])[:, 0])

    def fail(self, error: BaseException) -> None:
        """End the other shards with the words of an error, where they wait for this one."""
        if self.reducer is None:
            return
        words = words_of(error).encode("latin-1", "replace")[: _LENGTH - _HEADER]
        # What goes wrong here would hide the error that brought us here.
        try:
            self.reducer(_message(_FAILED, list(words)))
        except Exception:
            return

    def _rows(self, values: list[float]) -> NDArray[np.float64]:
        """Give the values of all shards, a row for each."""
        if self.reducer is None:
            return np.array([values])
        everything = np.asarray(self.reducer(_message(_TELLS, values))).reshape(-1, _LENGTH)
        for shard, row in enumerate(everything):
            if row[0] == _FAILED:
                said = row[_HEADER:]
                words = bytes(said[said != 0.0].astype(np.uint8)).decode("latin-1")
                raise RuntimeError(f"shard {shard} has failed: {words}")
            if row[0] != _TELLS:
                raise RuntimeError(
                    f"reducer: expected the same call on every shard, got another on shard {shard}"
                )
        return everything[:, _HEADER : _HEADER + len(values)]


def _message(kind: float, values: list[Any]) -> NDArray[np.float64]:
    message = np.zeros(_LENGTH)
    message[0] = kind
    message[_HEADER : _HEADER + len(values)] = values
    return message
