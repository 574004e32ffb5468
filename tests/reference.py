"""What a row of tests/rows.py is, and how it runs: the walk and the fold of the core in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from reference_half import FORMATS, narrow, widen

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
    """Sum an array in the one order of `csrc/base/fold.h`."""
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
    or None to refuse, and what has the name of a sum is one; apply(v, s, put) gives the written
    streams by name and one array per emitted sum. put(stream, value) is the value as that stream
    stores it. Arrays have the type that the rule computes in, sums are float64.
    """

    streams: dict[str, Range]
    scalars: tuple[dict[str, float], ...] = ({},)
    gather: Callable | None = None
    solve: Callable | None = None
    apply: Callable | None = None


@dataclass(frozen=True)
class Update:
    """What a call of an update brings besides streams and scalars; lr may be an array."""

    lr: float | np.ndarray = 0.1
    seed: int | None = None
    flush: bool = False
    copy: bool = False

    def keywords(self):
        """Return what the kernel is called with; the copy is the caller's."""
        found = {"lr": self.lr, "flush_subnormals": self.flush}
        if self.seed is not None:
            found |= {"rounding": "stochastic", "seed": self.seed}
        return found


class Flushed(np.ndarray):
    """Counts subnormal numbers as 0, read and written, in arithmetic; a copy keeps them."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        result = getattr(ufunc, method)(*map(flushed, inputs), **options)
        return flushed(result).view(Flushed)

    def __array_function__(self, function, types, arguments, options):
        return super().__array_function__(function, types, arguments, options).view(Flushed)

    def astype(self, dtype):
        return flushed(self).astype(dtype).view(Flushed)


def flushed(values):
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return values
    subnormal = np.abs(values) < np.finfo(values.dtype).smallest_normal
    return np.where(subnormal, np.copysign(values.dtype.type(0), values), values)


def wide(values):
    """Widen to float64, for sums."""
    return values.astype(np.float64)


def load(stored, name):
    """Return the numbers of a stream of that dtype; half precision comes as bit patterns."""
    return widen(stored, name) if name in FORMATS else stored


def store(values, name, seed=None):
    """Return numbers as a stream of that dtype stores them."""
    values = np.asarray(values)
    if name not in FORMATS:
        return values.astype(name)
    return narrow(values.astype(np.float32), name, seed)


def arithmetic(rule, dtype):
    """Return the type that a rule computes in."""
    return np.float32 if rule.update and dtype != "float64" else np.float64


def rate(dtype):
    """Return the type of step sizes in calls of a dtype."""
    return np.float64 if dtype == "float64" else np.float32


def reference(rule, row, arrays, scalars, dtype, update=None):
    """Return streams and sums as the rule must leave them, and whether it was applied."""
    kinds, real = [kind for _, kind in rule.sums], arithmetic(rule, dtype)
    names = {s.name: s.dtype(dtype) for s in rule.streams}
    v = {
        s.name: load(a, names[s.name]).astype(real)
        for s, a in zip(rule.streams, arrays, strict=True)
    }
    left, sums, n = [a.copy() for a in arrays], [], np.float64(arrays[0].size)

    def put(stream, value):
        return load(store(value, names[stream]), names[stream]).astype(real)

    with np.errstate(all="ignore"):
        if update is not None:
            v["lr"] = np.full(arrays[0].size, update.lr, rate(dtype)).astype(real)
            v = {k: a.view(Flushed) if update.flush else a for k, a in v.items()}
        if row.gather:
            parts = row.gather(v, scalars)
            sums = [fold(kind, part) for kind, part in zip(kinds, parts, strict=False)]
        if row.solve:
            solved = row.solve(sums, n, scalars)
            if solved is None:
                return left, sums + [0.0] * (len(kinds) - len(sums)), False
            scalars = scalars | solved
            sums += [solved[name] for name, _ in rule.sums[len(sums) :] if name in solved]
        if row.apply:
            written, parts = row.apply(v, scalars, put)
            sums += [fold(k, part) for k, part in zip(kinds[len(sums) :], parts, strict=True)]
            for k, stream in enumerate(rule.streams):
                if stream.name in written:
                    seed = update.seed if update else None
                    left[k] = store(written[stream.name], names[stream.name], seed)
    return left, sums, True
