"""Clocks: medians of interleaved runs, and what copying the same bytes would take."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import mdbopt

# long enough that the clock and a thread's start do not count
BURST = 4e-3
PAGE = 4096


@contextlib.contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Hold NumPy's and SciPy's BLAS to a number of threads, where threadpoolctl is installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(limits=count, user_api="blas"):
        yield


def all_threads() -> int:
    """Return the number of threads that mdbopt uses when nobody says."""
    return int(mdbopt._core.threads())


def seconds(call: Callable[[], Any]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def burst(call: Callable[[], Any], least: float = BURST) -> float:
    """Seconds a call, over as many calls as fill `least` seconds."""
    once = seconds(call)
    count = max(1, int(least / max(once, 1e-7)))
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def interleaved(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Let each call measure itself once a round, in turn; give the median of each."""
    kept: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            kept[name].append(call())
    return {name: statistics.median(values) for name, values in kept.items()}


class Copy:
    """Copying as a yardstick: reads half of the given bytes and writes the other half.

    Parameters
    ----------
    moved : int
        Bytes read plus bytes written.
    threads : int
        How many copy at once, each its own part; where one alone is faster, it counts.
    """

    def __init__(self, moved: int, threads: int) -> None:
        size = max(1, moved // 16)
        self._source, self._target = np.ones(size), np.ones(size)
        self._threads = threads

    def __call__(self) -> float:
        alone = burst(lambda: np.copyto(self._target, self._source))
        # a part below some pages is not worth a thread to anybody
        if self._threads == 1 or self._source.nbytes < 16 * PAGE * self._threads:
            return alone
        return min(alone, self._together(max(1, int(BURST / alone))))

    def _together(self, count: int) -> float:
        sources = np.array_split(self._source, self._threads)
        targets = np.array_split(self._target, self._threads)
        barrier = threading.Barrier(self._threads + 1)

        def work(target: Any, source: Any) -> None:
            barrier.wait()
            for _ in range(count):
                np.copyto(target, source)
            barrier.wait()

        workers = [
            threading.Thread(target=work, args=pair) for pair in zip(targets, sources, strict=True)
        ]
        for worker in workers:
            worker.start()
        barrier.wait()
        begin = time.perf_counter()
        barrier.wait()
        spent = time.perf_counter() - begin
        for worker in workers:
            worker.join()
        return spent / count
