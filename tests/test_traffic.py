"""What an iteration costs: walks over memory, bytes per element, and no allocation."""

import tracemalloc

import numpy as np
import pytest
from recorded import METHODS, quadratic

import mdbopt
from mdbopt import _core

SIZE = 10_000
FUN = quadratic(np.linspace(1, 50, SIZE), centre=0.5)
X0 = np.zeros(SIZE)
SEARCHES = {
    "guarded": mdbopt.Guarded,
    "box": mdbopt.Box,
    "plain": lambda **options: mdbopt.Ellipsoid(candidate="plain", **options),
    "gradient": mdbopt.Ellipsoid,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
}
# (walks, bytes per element) after an accepted and a rejected trial. Of the accepted one, the last
# two elements of `bytes` are the search's own copy of the gradient.
COSTS = {
    ("box", np.float64): ((1, 40), (2, 72)),
    ("plain", np.float64): ((1, 40), (2, 72)),
    ("simplex", np.float64): ((1, 40), (2, 72)),
    ("gradient", np.float64): ((2, 56), (3, 88)),
    ("backtracking", np.float64): ((1, 32), (2, 40)),
    ("box", np.float32): ((1, 24), (2, 48)),
    ("plain", np.float32): ((1, 24), (2, 48)),
    ("simplex", np.float32): ((1, 24), (2, 48)),
}


def judgements(search, state, iterations=60):
    """Yield (moved, cut, walks, bytes per element) of so many judgements."""
    for _ in range(iterations):
        f, g = FUN(np.array(search.propose(state)))
        ncut = state.ncut
        _core.take_traffic()
        moved = search.judge(state, f, g)
        walks, moved_bytes = _core.take_traffic()
        assert moved_bytes % SIZE == 0
        yield moved, state.ncut > ncut, walks, moved_bytes // SIZE


@pytest.mark.parametrize(("name", "dtype"), COSTS)
@pytest.mark.parametrize("cut", ["cocoercive", "hypergradient"])
def test_each_judgement_walks_as_promised(name, dtype, cut):
    search = SEARCHES[name](initial_scale=0.02, forward=1.5, cut=cut)
    x0 = X0.astype(dtype)
    state = search.init(x0, *FUN(x0))
    seen = set()
    for moved, cut_now, walks, each in judgements(search, state):
        assert moved or cut_now
        assert (walks, each) == COSTS[name, dtype][0 if moved else 1]
        seen.add(moved)
    assert seen == {True, False}


@pytest.mark.parametrize("name", SEARCHES)
def test_proposing_and_asking_walk_nothing(name):
    search = SEARCHES[name]()
    state = search.init(X0, *FUN(X0))
    _core.take_traffic()
    search.propose(state)
    search.converged(state, gtol=1e-3)
    for name in ("x", "g", "f", "gmax", "nfev", "ncut", "accepted", "status"):
        getattr(state, name)
    assert _core.take_traffic() == (0, 0)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_traffic_does_not_depend_on_threads(threads):
    def total(threads):
        search = mdbopt.Box(threads=threads)
        state = search.init(X0, *FUN(X0))
        return [judgement[2:] for judgement in judgements(search, state, 10)]

    assert total(threads) == total(1)


def test_a_guarded_step_reads_each_s_twice_and_each_y_once():
    pairs = 10
    search = mdbopt.Guarded(memory=pairs)
    state = search.init(X0, *FUN(X0))
    # The trial's walk, the cut's, the two of a direction; the settlement of a window now and then.
    trial, cut, directions, settlement = 64, 24, 80, 16
    for moved, _, walks, each in judgements(search, state):
        assert walks <= 5
        assert each <= trial + cut + directions + settlement + 3 * pairs * 4
        assert isinstance(moved, bool)


@pytest.mark.parametrize("name", SEARCHES)
def test_nothing_is_allocated_per_iteration(name):
    search = SEARCHES[name]()
    state = search.init(X0, *FUN(X0))
    g = np.empty(SIZE)

    def iterate(iterations):
        for _ in range(iterations):
            if search.converged(state):
                break
            f, g[:] = FUN(search.propose(state))
            search.judge(state, f, g)

    iterate(15)
    tracemalloc.start()
    iterate(5)
    first = tracemalloc.get_traced_memory()[0]
    iterate(40)
    last = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert last - first < 8 * SIZE / 10


@pytest.mark.parametrize("method", METHODS)
def test_a_run_holds_no_more_memory_for_more_iterations(method):
    def held(maxfun):
        tracemalloc.start()
        mdbopt.minimize(FUN, X0, jac=True, method=method, options={"maxfun": maxfun, "gtol": 0.0})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    held(5)  # imports and caches
    assert held(80) - held(20) < 2 * 8 * SIZE
