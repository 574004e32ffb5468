"""Paths of the searches, as hashes, beside what their walks cost: what holds every change.

``python tests/recorded_paths.py`` writes ``recorded_paths.json`` anew. Its digest stands under
**Numerics** in CHANGELOG.md.

The objectives give the same bits on every machine: they use + − × ÷ √ on one element or on two
neighbours, and their sums go from the first element to the last.
"""

import hashlib
import itertools
import json
import pathlib
from dataclasses import dataclass, field

import numpy as np

import mdbopt
from mdbopt import _core
from mdbopt.searches import PROPOSERS

FILE = pathlib.Path(__file__).with_name("recorded_paths.json")
EVALUATIONS = 100
HEXADECIMALS = 16  # of a SHA-256
NARROW, WIDE = 37, 20_000
DTYPES = ("float64", "float32")
CUTS = ("cocoercive", "hypergradient")
# In place of what the searches find or choose themselves.
SIZED = {"initial_scale": 4e-6, "gamma": 0.375, "forward": 1.5}


def in_order(terms):
    """Return the sum of the terms, added from the first to the last."""
    return float(np.add.accumulate(terms)[-1])


def scattered(size, least, most):
    """Return numbers between 2^least and 2^(most + 1) that are exact in float32."""
    k = np.arange(size)
    return np.ldexp(1 + (k % 8) / 8, least + (7 * k) % (most - least + 1))


def columns(size):
    """Return ½ Σ h (x − c)² + ½ Σ (x_{i+1} − x_i)², h over six decades, and where to start."""
    h, c = scattered(size, -10, 9), scattered(size, -3, 1)

    def fun(x):
        away, step = x - c, x[1:] - x[:-1]
        g = h * away
        g[1:] += step
        g[:-1] -= step
        return 0.5 * (in_order(h * away * away) + in_order(step * step)), g

    return fun, np.zeros(size)


def hinges(size):
    """Return Σ √(1 + w r²), which is convex and no parabola, r = x_i − x_{i−1} − c, x_{−1} = 0."""
    w, c = scattered(size, -6, 13), scattered(size, -2, 2)

    def fun(x):
        r = x - c
        r[1:] -= x[:-1]
        value = np.sqrt(1 + w * (r * r))
        slope = w * r / value
        g = slope.copy()
        g[:-1] -= slope[1:]
        return in_order(value), g

    return fun, np.zeros(size)


def valley(size):
    """Return Rosenbrock's chain in z = x/unit where |z| < 2, NaN or inf elsewhere.

    It is not convex, and its units are of six decades.
    """
    unit = np.ldexp(1.0, 5 * (np.arange(size) % 5) - 10)

    def fun(x):
        z = x / unit
        largest = np.abs(z).max()
        if not largest < 2:
            return np.nan if largest < 4 else np.inf, np.full(size, np.nan)
        rise, rest = z[1:] - z[:-1] * z[:-1], 1 - z[:-1]
        g = np.zeros(size)
        g[1:] = 200 * rise
        g[:-1] -= 400 * (rise * z[:-1]) + 2 * rest
        return 100 * in_order(rise * rise) + in_order(rest * rest), g / unit

    return fun, np.where(np.arange(size) % 2 == 0, -1.1875, 1.0) * unit


PROBLEMS = {"columns": columns, "hinges": hinges, "valley": valley}
RESTRICTIONS = ("bounds", "l1", "bounds and l1")


def bounds(x0):
    """Return bounds around x0: of four coordinates two have both, one has each."""
    unit = np.where(x0 == 0, 1.0, np.abs(x0))
    k = np.arange(x0.size)
    lower = np.where(k % 4 == 2, -np.inf, x0 - np.ldexp(unit, -(k % 3)))
    upper = np.where(k % 4 == 3, np.inf, x0 + np.ldexp(unit, -(k % 5)))
    return np.stack([lower, upper], axis=1)


def penalties(fun, x0):
    """Return l1 of about the gradient at x0, and 0 of every fifth coordinate."""
    k = np.arange(x0.size)
    size = np.exp2(np.floor(np.log2(np.maximum(np.abs(fun(x0)[1]), 2.0**-20))))
    return np.where(k % 5 == 4, 0.0, np.ldexp(size, -(k % 4) - 1))


@dataclass(frozen=True)
class Case:
    """A search on one of the problems."""

    problem: str
    search: type
    options: dict = field(default_factory=dict)
    grouped: bool = False
    dtype: str = "float64"
    size: int = NARROW
    within: str = ""

    @property
    def name(self):
        given = [f"{name}={value}" for name, value in self.options.items()]
        groups = ["groups"] if self.grouped else []
        within = [self.within] if self.within else []
        return " ".join(
            [self.problem, str(self.size), self.dtype, self.search.method, *given, *groups, *within]
        )

    def run(self, **execution):
        """Return the hash of the path and what it cost, all of which the execution must not change.

        The path is every proposed point and whether x moved there.
        """
        groups = {"groups": np.arange(self.size) * 5 // self.size} if self.grouped else {}
        fun, x = PROBLEMS[self.problem](self.size)
        within = {}
        if "bounds" in self.within:
            within["bounds"] = bounds(x)
        if "l1" in self.within:
            within["l1"] = penalties(fun, x)
        search = self.search(**self.options, **groups, **within, **execution)
        x = x.astype(self.dtype)
        path = hashlib.sha256()
        _core.take_traffic()
        state = search.init(x, *told(fun, x))
        while state.nfev <= EVALUATIONS and not search.converged(state):
            x = search.propose(state)
            path.update(x.astype(x.dtype.newbyteorder("<")).tobytes())
            path.update(b"moved" if search.judge(state, *told(fun, x)) else b"stayed")
        walks, moved_bytes = _core.take_traffic()
        return {
            "path": path.hexdigest()[:HEXADECIMALS],
            "judged": state.nfev - 1,
            "accepted": state.accepted,
            "cuts": state.ncut,
            "status": state.status,
            "walks": walks,
            "bytes": moved_bytes,
        }


def told(fun, x):
    """Return f and g, computed in float64 and g rounded to the dtype of x."""
    f, g = fun(x.astype(np.float64))
    return f, g.astype(x.dtype)


def methods():
    """Yield every search with the options that choose its walks, whatever cut, groups and dtype."""
    for search in (mdbopt.Box, mdbopt.Simplex, mdbopt.Backtracking):
        yield search, {}
    for candidate, refine in itertools.product(("gradient", "plain"), (0, 2)):
        yield mdbopt.Ellipsoid, {"candidate": candidate, "refine": refine}
    for proposer in PROPOSERS:
        yield mdbopt.Guarded, {"proposer": proposer}


def methods_within():
    """Yield those that take bounds and l1."""
    for search, options in methods():
        if options.get("candidate", "plain") == "plain" and options.get("proposer") in (
            None,
            "lbfgs",
        ):
            yield search, options
    yield mdbopt.Guarded, {"memory": 3}


def cases_within():
    """Return what is recorded of bounds and l1."""
    narrow = [
        Case(problem, search, options, dtype=dtype, within=within)
        for problem, (search, options), dtype, within in itertools.product(
            PROBLEMS, methods_within(), DTYPES, RESTRICTIONS
        )
    ]
    grouped = [
        Case(problem, search, options, True, within=RESTRICTIONS[-1])
        for problem, (search, options) in itertools.product(PROBLEMS, methods_within())
    ]
    wide = [
        Case("hinges", search, options, dtype=dtype, size=WIDE, within=RESTRICTIONS[-1])
        for (search, options), dtype in itertools.product(methods_within(), DTYPES)
    ]
    return [*narrow, *grouped, *wide]


def cases():
    """Return all that is recorded."""
    narrow = [
        Case(problem, search, {**options, "cut": cut}, grouped, dtype)
        for problem, (search, options), cut, grouped, dtype in itertools.product(
            PROBLEMS, methods(), CUTS, (False, True), DTYPES
        )
    ]
    sized = [
        Case(problem, search, {**options, **SIZED}, dtype=dtype)
        for problem, dtype in itertools.product(PROBLEMS, DTYPES)
        for search, options in (*methods(), (mdbopt.Guarded, {"memory": 3}))
    ]
    wide = [
        Case("hinges", search, options, grouped, dtype, WIDE)
        for (search, options), grouped, dtype in itertools.product(
            (*methods(), (mdbopt.Guarded, {"memory": 3})), (False, True), DTYPES
        )
    ]
    return [*narrow, *sized, *wide, *cases_within()]


def digest(record):
    """Return one hash for the hashes of all paths."""
    lines = "".join(f"{name} {record[name]['path']}\n" for name in sorted(record))
    return hashlib.sha256(lines.encode()).hexdigest()[:HEXADECIMALS]


def load():
    return json.loads(FILE.read_text())


def write():
    """Record every case, a line each."""
    record = {case.name: case.run() for case in cases()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(record[name])}" for name in record)
    FILE.write_text(f"{{\n{lines}\n}}\n")
    print(f"{FILE.name}: {len(record)} paths, digest {digest(record)}")


if __name__ == "__main__":
    write()
