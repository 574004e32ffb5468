"""Multidimensional backtracking as a NumPy user writes it: the yardstick of the benches.

The formulas of arXiv 2306.02527 (hypergradient cut, positive part, no refinement), one NumPy
expression each, with the temporaries that come with it, and the log-volumes that the authors'
published code compares after every cut. What it allocates when it makes a set (a vector of ones,
scaled twice) is left out: it would only flatter us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Pair = tuple[float, Array]


class Box:
    """{0 <= q <= b}, candidate b/d."""

    def __init__(self, b: Array) -> None:
        self.b = b

    @classmethod
    def start(cls, d: int, scale: float) -> Box:
        return cls(np.full(d, scale * d))

    def candidate(self, g: Array) -> Array:
        return self.b / self.b.size

    def grown(self, forward: float) -> Box:
        return type(self)(forward * self.b)

    def cut(self, u: Array) -> Box:
        return type(self)(1.0 / np.maximum(1.0 / self.b, u))

    def log_volume(self) -> float:
        return float(np.sum(np.log(self.b)))


class Simplex(Box):
    """{q >= 0 : sum(q/b) <= d}, candidate b/2."""

    @classmethod
    def start(cls, d: int, scale: float) -> Simplex:
        return cls(np.full(d, scale))

    def candidate(self, g: Array) -> Array:
        return self.b / 2

    def cut(self, u: Array) -> Simplex:
        d = self.b.size
        share = (d - 1) / (d - 0.5)
        normal = share * ((1.0 / self.b) / d) + (1 - share) * u
        return type(self)((1.0 / normal) / d)


class Ellipsoid:
    """{q >= 0 : sum(q^2/a) <= 1}, candidate a g^2 / |sqrt(a) g^2| / sqrt(2d)."""

    def __init__(self, a: Array) -> None:
        self.a = a

    @classmethod
    def start(cls, d: int, scale: float) -> Ellipsoid:
        return cls(np.full(d, (scale * d) ** 2))

    def candidate(self, g: Array) -> Array:
        norm = np.linalg.norm(np.sqrt(self.a) * g**2)
        boundary = self.a * g**2 / norm
        return boundary / (np.sqrt(2) * np.sqrt(self.a.size))

    def grown(self, forward: float) -> Ellipsoid:
        return type(self)(forward**2 * self.a)

    def cut(self, u: Array) -> Ellipsoid:
        d = self.a.size
        inverse = 1.0 / self.a
        u2 = u**2
        ell = np.inner(u2, self.a)
        share = (ell / d) * (d - 1) / (ell - 1)
        return type(self)(1.0 / (share * inverse + (1 - share) * u2))

    def log_volume(self) -> float:
        return float(np.sum(np.log(np.sqrt(self.a))))


SETS = {"box": Box, "simplex": Simplex, "ellipsoid": Ellipsoid}


class Search:
    """One search over one of the `SETS`, fed by `step`."""

    def __init__(self, over: Any, x: Array, f: float, g: Array, forward: float = 1.0) -> None:
        self.set, self.x, self.f, self.g = over, x, f, g
        self.forward = forward
        self.ncut = 0

    def step(self, fun: Callable[[Array], Pair]) -> bool:
        """Try one candidate: move, or cut. Raises FloatingPointError where cutting fails."""
        p = self.set.candidate(self.g)
        trial = self.x - p * self.g
        f, g = fun(trial)
        if f - self.f + 0.5 * np.inner(self.g, p * self.g) <= 0:
            self.x, self.f, self.g = trial, f, g
            self.set = self.set.grown(self.forward)
            moved = True
        else:
            self._cut(p, f, g)
            moved = False
        # the published loop looks at the norm of g after every iteration
        np.linalg.norm(self.g)
        return moved

    def _cut(self, p: Array, f: float, g: Array) -> None:
        hypergradient = 0.5 * self.g**2 - g * self.g
        normaliser = self.f - f - np.inner(g, p * self.g)
        u = np.maximum(hypergradient / normaliser, 0)
        if np.inner(u, p) < 1 and np.inner(self.g**2, p) < 1e-12:
            raise FloatingPointError("the promised decrease is too small to be told from rounding")
        smaller = self.set.cut(u)
        if smaller.log_volume() >= self.set.log_volume():
            raise FloatingPointError("the volume did not decrease")
        self.set = smaller
        self.ncut += 1


def path(
    name: str, fun: Callable[[Array], Pair], x0: Array, scale: float, iterations: int
) -> Iterator[tuple[float, int]]:
    """Yield (f of the current point, cuts so far) after each iteration, until cutting fails."""
    f, g = fun(x0)
    search = Search(SETS[name].start(x0.size, scale), x0, f, g)
    for _ in range(iterations):
        try:
            search.step(fun)
        except FloatingPointError:
            return
        yield search.f, search.ncut
