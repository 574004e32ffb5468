"""What a row of tests/rows.py is, and how it runs: the walk and the fold of the core in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHUNK, LANES = 1024, 32


def maximum(a, b):
    """As the core's max: the first argument when either is NaN."""
    return np.where(a < b, b, a)


def minimum(a, b):
    """As the core's min: the first argument when either is NaN."""
    return np.where(b < a, b, a)


def combine(kind, a, b):
    """Fold two partial sums; a maximum keeps a NaN."""
    return a + b if kind == "add" else np.where((b > a) | (b != b), b, a)


def fold(kind, values):
    """Sum an array in the one order of `csrc/fold.h`."""
    if values.size == 0:
        return np.float64(0.0)
    chunks = -(-values.size // CHUNK)
    # Padding changes no bit: a lane starts at +0.0, so it is never −0.0, and a maximum never below.
    padded = np.zeros(chunks * CHUNK)
    padded[: values.size] = values
    rounds = padded.reshape(chunks, CHUNK // LANES, LANES)
    lanes = np.zeros((chunks, LANES))
    for k in range(CHUNK // LANES):
        lanes = combine(kind, lanes, rounds[:, k])
    for half in (16, 8, 4, 2, 1):
        lanes = combine(kind, lanes[:, :half], lanes[:, half:])
    partials = lanes[:, 0]
    while len(partials) > 1:
        even = len(partials) // 2 * 2
        paired = combine(kind, partials[0:even:2], partials[1:even:2])
        partials = np.concatenate([paired, partials[even:]])
    return partials[0]


@dataclass(frozen=True)
class Range:
    """Magnitudes 10^low … 10^high, of either sign unless positive."""

    low: float = -3.0
    high: float = 3.0
    positive: bool = False

    def draw(self, rng, n):
        values = 10.0 ** rng.uniform(self.low, self.high, n)
        return values if self.positive else values * rng.choice([-1.0, 1.0], n)


@dataclass(frozen=True)
class Row:
    """One rule: streams in the order of the call, several sets of scalars, and its functions.

    gather(v, s) gives one array per gathered sum; solve(sums, n, s) gives what apply needs further,
    or None to refuse; apply(v, s, put) gives the written streams by name and one array per emitted
    sum. put(stream, value) is the value as that stream stores it.
    """

    streams: dict[str, Range]
    scalars: tuple[dict[str, float], ...] = ({},)
    gather: Callable | None = None
    solve: Callable | None = None
    apply: Callable | None = None


def reference(rule, row, arrays, scalars):
    """Return streams and sums as the rule must leave them, and whether it was applied."""
    kinds = [kind for _, kind in rule.sums]
    v = {s.name: a.astype(np.float64) for s, a in zip(rule.streams, arrays, strict=True)}
    left, sums, n = [a.copy() for a in arrays], [], np.float64(arrays[0].size)
    dtypes = {s.name: a.dtype for s, a in zip(rule.streams, arrays, strict=True)}

    def put(stream, value):
        return value.astype(dtypes[stream]).astype(np.float64)

    with np.errstate(all="ignore"):
        if row.gather:
            parts = row.gather(v, scalars)
            sums = [fold(kind, part) for kind, part in zip(kinds, parts, strict=False)]
        if row.solve:
            solved = row.solve(sums, n, scalars)
            if solved is None:
                return left, sums + [0.0] * (len(kinds) - len(sums)), False
            scalars = scalars | solved
        if row.apply:
            written, parts = row.apply(v, scalars, put)
            sums += [fold(k, part) for k, part in zip(kinds[len(sums) :], parts, strict=True)]
            for k, stream in enumerate(rule.streams):
                if stream.name in written:
                    left[k] = written[stream.name].astype(arrays[k].dtype)
    return left, sums, True
