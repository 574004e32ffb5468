"""Loops in NumPy that move as many bytes as a rule: what memory gives on this machine.

Two of them, each on one thread and on as many as the rule has; the faster counts.

* A copy of half the bytes into another array.
* A loop of the same traffic: what the rule updates in place is updated in place, what it writes
  without reading is copied there, and what it only reads is read.

The second is the harder one for most rules. A copy fetches what it overwrites, unless it goes
round the caches, and such bytes are not counted; a walk in place fetches nothing for nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from measuring.clock import BURST, burst

PAGE = 4096

_buffers: dict[str, Any] = {}


def _floats(name: str, count: int) -> Any:
    """Give the first `count` elements of a buffer, kept: new pages cost more than a copy."""
    kept = _buffers.get(name)
    if kept is None or kept.size < count:
        kept = _buffers[name] = np.ones(count, np.float32)
    return kept[:count]


def release() -> None:
    """Give the buffers back."""
    _buffers.clear()


class Shared:
    """One piece of work on parts of arrays, on one thread or several.

    Parameters
    ----------
    work : callable
        Takes a part of each array.
    arrays : sequence of ndarray
        All of one size.
    threads : int
        How many work at once, each on its own part; where one alone is faster, it counts.
    """

    def __init__(self, work: Callable[..., Any], arrays: tuple[Any, ...], threads: int) -> None:
        self._work, self._arrays, self._threads = work, arrays, threads

    def __call__(self) -> float:
        """Seconds that the work takes."""
        if self._arrays[0].size == 0:
            return 0.0
        alone = burst(lambda: self._work(*self._arrays))
        # a part below some pages is not worth a thread to anybody
        if self._threads == 1 or self._arrays[0].nbytes < 16 * PAGE * self._threads:
            return alone
        return min(alone, self._together(max(1, int(BURST / alone))))

    def _together(self, count: int) -> float:
        parts = zip(*(np.array_split(array, self._threads) for array in self._arrays), strict=True)
        barrier = threading.Barrier(self._threads)
        spans: list[tuple[float, float]] = []

        def run(*part: Any) -> None:
            barrier.wait()
            # Each looks at the clock for itself: another thread would come to it too late.
            begin = time.perf_counter()
            for _ in range(count):
                self._work(*part)
            spans.append((begin, time.perf_counter()))

        workers = [threading.Thread(target=run, args=part) for part in parts]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        begins, ends = zip(*spans, strict=True)
        return float(max(ends) - min(begins)) / count


class Copy(Shared):
    """A copy that reads half of the given bytes and writes the other half."""

    def __init__(self, moved: int, threads: int) -> None:
        size = max(1, moved // 8)
        super().__init__(np.copyto, (_floats("target", size), _floats("source", size)), threads)


@dataclass(frozen=True)
class Traffic:
    """Bytes that a walk moves.

    Attributes
    ----------
    updated : int
        Of what is read and written in place; each moves twice.
    written : int
        Of what is only written.
    read : int
        Of what is only read, once more for each further walk.
    """

    updated: int
    written: int
    read: int

    def __mul__(self, size: int) -> Traffic:
        return Traffic(size * self.updated, size * self.written, size * self.read)

    @property
    def moved(self) -> int:
        """All bytes."""
        return 2 * self.updated + self.written + self.read


class Loop:
    """A loop of the same traffic.

    Parameters
    ----------
    traffic : Traffic
        What to move.
    threads : int
        As for `Shared`.
    """

    def __init__(self, traffic: Traffic, threads: int) -> None:
        copied = min(traffic.written, traffic.read)
        added = min(traffic.updated, traffic.read - copied)
        works: list[tuple[Callable[..., Any], int, int]] = [
            (np.copyto, 2, copied),
            (_add, 2, added),
            (_negate, 1, traffic.updated - added),
            (_fill, 1, traffic.written - copied),
            (np.max, 1, traffic.read - copied - added),
        ]
        names = ("target", "source")
        self._walks = [
            Shared(work, tuple(_floats(name, moved // 4) for name in names[:arrays]), threads)
            for work, arrays, moved in works
        ]

    def __call__(self) -> float:
        """Seconds that the loop takes."""
        return sum(walk() for walk in self._walks)


class Yardstick:
    """The faster of both, to take turns with a rule.

    Parameters
    ----------
    traffic, threads
        As for `Loop`.
    """

    def __init__(self, traffic: Traffic, threads: int) -> None:
        self._copy, self._loop = Copy(traffic.moved, threads), Loop(traffic, threads)

    def prepare(self, least: float) -> None:
        """Touch the pages; `least` is what a turn of others takes."""
        del least
        self()

    def __call__(self) -> float:
        """Seconds that the faster one takes."""
        return min(self._copy(), self._loop())


def fastest(traffic: Traffic, threads: int) -> float:
    """Seconds that the faster of both takes."""
    return Yardstick(traffic, threads)()


def _add(place: Any, other: Any) -> None:
    np.add(place, other, out=place)


def _negate(array: Any) -> None:
    np.negative(array, out=array)


def _fill(array: Any) -> None:
    array.fill(1.0)
