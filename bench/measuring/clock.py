"""Clocks: medians of interleaved turns, and pairs of calls that take turns."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from mdbopt import _core

Call = Callable[[], Any]

# long enough that the clock and a thread's start do not count
BURST = 4e-3
# Turns of a pair; odd, so that a median is one of them.
ROUNDS = 5
# A thread that spins uses all of the time that we sleep, one that sleeps none of it.
LOOK, BUSY, LONGEST_WAIT = 2e-3, 0.25, 0.1


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
    return int(_core.threads())


def seconds(call: Call) -> float:
    """Time one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def repeated(call: Call, count: int) -> float:
    """Seconds a call, over so many calls."""
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


def burst(call: Call, least: float = BURST) -> float:
    """Seconds a call, over as many calls as fill `least` seconds."""
    once = seconds(call)
    if once > 4 * least:
        return once  # nothing that warms up would show
    return repeated(call, max(1, int(least / max(once, 1e-7))))


def interleaved(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Let each call measure itself once a round, in turn; give the median of each."""
    kept: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            kept[name].append(call())
    return {name: statistics.median(values) for name, values in kept.items()}


def wait_until_idle() -> None:
    """Wait until no thread of this process spins.

    A pool's workers look for work a while after a call, OpenMP's for some ten milliseconds, and
    would hold a core that the next one in turn counts on.
    """
    end = time.perf_counter() + LONGEST_WAIT
    while time.perf_counter() < end:
        used, begin = time.process_time(), time.perf_counter()
        time.sleep(LOOK)
        if time.process_time() - used < BUSY * (time.perf_counter() - begin):
            return


class Turn:
    """A call that is timed in turns.

    Parameters
    ----------
    call : callable
        What is timed.
    before : callable, optional
        Run before each turn, outside of the clock.
    most : int, optional
        Calls in a turn at most, where many in a row would change what is measured.
    """

    def __init__(self, call: Call, before: Call | None = None, most: int = 1_000_000) -> None:
        self._call, self._before, self._most = call, before, most
        self._count, self._warm = 1, 0

    def prepare(self, least: float) -> None:
        """Warm up, and find how many calls fill `least` seconds."""
        self._begin()
        self._call()  # compiles, allocates, touches its pages
        self._begin()
        once = seconds(self._call)
        if once < least / 8:
            self._begin()
            once = repeated(self._call, min(self._most, max(1, int(least / 8 / max(once, 1e-7)))))
        count = min(self._most, max(1, round(least / max(once, 1e-8))))
        # Fetches back what the other's turn drove from the caches, wakes threads and moves them to
        # their cores.
        self._warm = 0 if count == 1 else max(1, min(self._most // 4, round(BURST / once)))
        self._count = max(1, min(count, self._most - self._warm))

    def _begin(self) -> None:
        if self._before is not None:
            self._before()

    def __call__(self) -> float:
        """Take a turn; seconds a call."""
        self._begin()
        for _ in range(self._warm):
            self._call()
        return repeated(self._call, self._count)


class Timed(Protocol):
    """What can take turns with another."""

    def prepare(self, least: float) -> None:
        """Get ready for turns of about `least` seconds."""

    def __call__(self) -> float:
        """Take a turn; seconds a call."""


@dataclass(frozen=True)
class Pair:
    """Medians of two calls that took turns.

    Attributes
    ----------
    ours, theirs : float
        Median seconds a call.
    low, high : float
        Quartiles over the rounds of theirs / ours, each of the same round.
    """

    ours: float
    theirs: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """Their median over ours: above 1 we are faster."""
        return self.theirs / self.ours


def paired(ours: Timed, theirs: Timed, span: float, rounds: int = ROUNDS) -> Pair:
    """Let two calls take turns, A B A B …, for about `span` seconds in all."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in (ours, theirs):
        turn.prepare(span / (2 * rounds))
        wait_until_idle()
    for _ in range(rounds):
        for turn, kept in zip((ours, theirs), times, strict=True):
            kept.append(turn())
            wait_until_idle()
    ratios = sorted(b / a for a, b in zip(*times, strict=True))
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    return Pair(
        statistics.median(times[0]), statistics.median(times[1]), quartiles[0], quartiles[2]
    )
