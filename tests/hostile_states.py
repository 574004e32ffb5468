"""Saved states of every kind of search with one entry made hostile: each is refused by the name of
that entry, or else the search that takes it goes on as any other.

Run as a program, in a process of its own: what crashes or never returns has named itself on the
last line of the output.
"""

import itertools
import math
import random
import re
import sys
import time

import numpy as np

import mdbopt

SIZE = 7
LABELS = np.arange(SIZE) % 3
CURVATURES = np.geomspace(1e-2, 1e2, SIZE)
STEPS = 20
SECONDS = 2.0  # of a case; they take milliseconds
REAL = [
    np.nan, np.inf, -np.inf, -1.0, -0.0, 0.0, 5e-324, 1e-310, 1e-150, 0.5, 1e30, 1e150,
    sys.float_info.max, 10**400, True, "1", None, [1.0], np.ones(2), np.array(1.0), 1j,
]  # fmt: skip
WHOLE = [
    -(2**63), -(2**31), -1, 0, 1, 2, 3, 11, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63,
    10**30, 1.0, 0.5, np.nan, True, "1", None, np.arange(2), np.array(2**31),
]  # fmt: skip


def searches():
    """Yield every kind of search."""
    groups = (None, LABELS)
    cuts = ("cocoercive", "hypergradient")
    for labels, cut in itertools.product(groups, cuts):
        for proposer in ("lbfgs", "heavy-ball", "nesterov", "cg"):
            memory = 3 if labels is None else "auto"
            yield mdbopt.Guarded(proposer=proposer, memory=memory, groups=labels, cut=cut)
        for kind in (mdbopt.Box, mdbopt.Simplex, mdbopt.Backtracking):
            yield kind(groups=labels, cut=cut)
        for candidate, refine in itertools.product(("gradient", "plain"), (0, 2)):
            yield mdbopt.Ellipsoid(candidate=candidate, refine=refine, groups=labels, cut=cut)


def evaluate(x):
    """A convex function that is not quadratic, with a hole where x is far out."""
    wide = x.astype(np.float64)
    if np.abs(wide).max() > 1e6:
        return np.inf, np.full_like(x, np.nan)
    root = np.sqrt(1.0 + CURVATURES * wide**2)
    return float(np.sum(root - 1.0)), (CURVATURES * wide / root).astype(x.dtype)


def advance(search, state, steps):
    """Judge so many trials; raise when one is not finite."""
    for _ in range(steps):
        if search.converged(state):
            return
        point = search.propose(state)
        if not np.isfinite(point).all():
            raise AssertionError("proposed a point that is not finite")
        search.judge(state, *evaluate(point))
    if not np.isfinite(state.x).all():
        raise AssertionError("moved to a point that is not finite")


def states():
    """Yield every search with states of its, young and old."""
    for search, dtype, start in itertools.product(
        searches(), (np.float64, np.float32), (1.0, 1e5, 0.0)
    ):
        x = np.full(SIZE, start, dtype)
        state = search.init(x, *evaluate(x))
        steps = 0
        for stage in (0, 1, 6, 40):
            advance(search, state, stage - steps)
            steps = stage
            what = f"{search} {np.dtype(dtype).name} from {start} at {stage}"
            yield search, dict(state), what
            if stage == 6:  # as if a device had judged it, where not all trials are finite
                yield search, {**state, "device": 0}, f"{what} on a device"
        yield search, dict(search.init(x, np.nan, x)), f"{search} {np.dtype(dtype).name} ended"


def hostile(value):
    """Yield what may stand in the place of this value."""
    if isinstance(value, int):
        yield from WHOLE
        yield from (value - 1, value + 1)
    elif isinstance(value, float):
        yield from REAL
        yield from (-value, 2.0 * value, math.nextafter(value, math.inf))
    else:
        with np.errstate(all="ignore"):
            yield from hostile_arrays(value)


def hostile_arrays(value):
    """As hostile, of an array."""
    for number in (np.nan, np.inf, -np.inf, -1.0, 0.0, 5e-324, 1e-40, 1e30, 3e38, 1e300):
        yield np.full_like(value, number)
        for index in (0, -1):
            changed = value.copy()
            changed[index] = number
            yield changed
    yield from (value[:-1], np.append(value, value[-1:]), value[None], value[:, None])
    for dtype in (np.float16, np.int64, complex, object, "S8"):
        yield np.nan_to_num(value).astype(dtype)
    yield value.astype(np.float32 if value.dtype == np.float64 else np.float64)
    yield value.astype(value.dtype.newbyteorder())
    yield np.repeat(value, 2)[::2]
    yield np.broadcast_to(value[:1], value.shape)
    yield np.frombuffer(b"\0" + value.tobytes(), np.uint8)[1:].view(value.dtype)
    yield from (None, "1", 1.0, [], value.tolist(), np.ma.array(value))


def cases(share):
    """Yield a random share of (what, search, state, the entry made hostile, or None)."""
    chance = random.Random(0)
    for search, saved, what in states():
        for name, value in saved.items():
            if chance.random() < share:
                missing = {key: kept for key, kept in saved.items() if key != name}
                yield f"{what}: {name} missing", search, missing, name
            for k, changed in enumerate(list(hostile(value))):
                if chance.random() < share:
                    shown = " ".join(repr(changed)[:60].split())
                    yield f"{what}: {name} {k} {shown}", search, {**saved, name: changed}, name
        if chance.random() < 10 * share:
            yield f"{what}: more entries", search, {**saved, "more": np.array([{}], object)}, None


def check(search, saved, name):
    """Raise AssertionError unless the state is refused by that name or goes on."""
    begun = time.process_time()
    try:
        state = search.restore(saved)
    except (TypeError, ValueError) as error:
        # Another entry may be the one that no longer agrees with it, or that it asks for.
        if name is None or not re.search(f"state: '{name}'|expected|is missing", str(error)):
            raise AssertionError(f"refused for: {error}") from error
        return True
    advance(search, state, STEPS)
    if time.process_time() - begun > SECONDS:
        raise AssertionError("took too long")
    return False


def main(share: float) -> None:
    """Check this share of all cases."""
    failures = refused = count = 0
    for what, search, saved, name in cases(share):
        print(what, flush=True)
        count += 1
        try:
            refused += check(search, saved, name)
        except Exception as error:
            failures += 1
            print(f"FAILED {type(error).__name__}: {error}", flush=True)
    print(f"{count} states, {refused} refused, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(float(sys.argv[1]))
