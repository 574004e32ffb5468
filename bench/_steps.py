"""Iterations on demand: states of a search, ours or NumPy's, that accept or reject at our word.

The objective is not evaluated; f and g are chosen. Accepted: f falls by 1, far more than promised.
Rejected: f does not fall and the gradient turns round, so the pair cuts; the set shrinks by half at
least, and the state is made anew before it leaves the range of numbers.
"""

from __future__ import annotations

import time
from typing import Any

import _numpy_sets
import numpy as np

import mdbopt

SCALE = 1e-6
# each cut halves the set at least: 2^-60 of the start is still an ordinary number
CUTS = 60
BARELY_ABOVE = 1e-200


class Gradients:
    """Two gradients of positive entries, and the first reversed."""

    def __init__(self, d: int) -> None:
        draw = np.random.default_rng(d)
        self.first = draw.uniform(0.5, 1.5, d)
        self.second = draw.uniform(0.5, 1.5, d)
        self.reversed = -self.second

    def after(self, accept: bool, k: int) -> Any:
        """Give the gradient to answer step k with."""
        if not accept:
            return self.reversed
        return self.first if k % 2 else self.second


class Ours:
    """One of our searches through ask and tell."""

    def __init__(self, over: str, gradients: Gradients, accept: bool, threads: int) -> None:
        made = {"box": mdbopt.Box, "ellipsoid": mdbopt.Ellipsoid, "simplex": mdbopt.Simplex}[over]
        self._search = made(
            initial_scale=SCALE / gradients.first.size,
            forward=1.0,
            cut="hypergradient",
            threads=threads,
        )
        self._gradients, self._accept = gradients, accept
        self._begin()

    def _begin(self) -> None:
        g = self._gradients.first
        self._state = self._search.init(np.zeros_like(g), 0.0, g)
        self._search.propose(self._state, copy=False)
        self._k = 0

    def __call__(self) -> float:
        """Run one iteration; seconds of judge and propose together."""
        if not self._accept and self._k == CUTS:
            self._begin()
        f = -1.0 - self._k if self._accept else BARELY_ABOVE
        g = self._gradients.after(self._accept, self._k)
        search, state = self._search, self._state
        begin = time.perf_counter()
        moved = search.judge(state, f, g)
        search.propose(state)
        spent = time.perf_counter() - begin
        self._k += 1
        if moved != self._accept or state.ncut != (0 if self._accept else self._k):
            raise AssertionError(f"step {self._k}: accepted {moved}, cuts {state.ncut}")
        return spent

    def traffic(self) -> tuple[int, int]:
        """Run one iteration; its walks and bytes."""
        mdbopt._core.take_traffic()
        self()
        walks, moved = mdbopt._core.take_traffic()
        return walks, moved


class Numpy:
    """The published formulas in NumPy."""

    def __init__(self, over: str, gradients: Gradients, accept: bool) -> None:
        self._set = _numpy_sets.SETS[over]
        self._gradients, self._accept = gradients, accept
        self._begin()

    def _begin(self) -> None:
        g = self._gradients.first
        start = self._set.start(g.size, SCALE / g.size)
        self._search = _numpy_sets.Search(start, np.zeros_like(g), 0.0, g)
        self._k = 0

    def __call__(self) -> float:
        """Run one iteration; its seconds."""
        if not self._accept and self._k == CUTS:
            self._begin()
        f = -1.0 - self._k if self._accept else BARELY_ABOVE
        answer = f, self._gradients.after(self._accept, self._k)
        search = self._search
        begin = time.perf_counter()
        moved = search.step(lambda _: answer)
        spent = time.perf_counter() - begin
        self._k += 1
        if moved != self._accept:
            raise AssertionError(f"NumPy, step {self._k}: accepted {moved}")
        return spent
