"""Pieces of vectors, and saved states that go on at another number of shards."""

import importlib.util
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_shards import START, objective, together, unless_raised

import mdbopt
from mdbopt.distributed import Reducer, merge, piece, split


@given(st.integers(0, 10**12), st.integers(1, 300))
def test_pieces_lie_side_by_side_and_begin_at_chunks(size, shards):
    pieces = [piece(size, shard, shards) for shard in range(shards)]
    assert pieces[0].start == 0
    assert pieces[-1].stop == size
    for one, other in itertools.pairwise(pieces):
        assert one.stop == other.start
        assert other.start % 1024 == 0 or other.start == size
    lengths = [one.stop - one.start for one in pieces]
    assert min(lengths) >= 0
    assert max(lengths) - min(lengths) <= 2 * 1024


@pytest.mark.parametrize("given", [(-1, 0, 1), (5, 1, 1), (5, -1, 2), (5, 0, 0), (5, 0.5, 2)])
def test_pieces_of_nothing_sensible(given):
    with pytest.raises(
        (TypeError, ValueError), match=r"(size|shard|shards): expected a whole number"
    ):
        piece(*given)


def test_add_has_the_order_of_the_shards():
    parts = np.array([[1e300, 1.0], [-1e300, 2.0], [1.0, 3.0]])
    reducer = Reducer(lambda values: parts, shard=0, shards=3)
    assert reducer.add(parts[0]).tolist() == [1.0, 6.0]
    assert reducer.piece(3000) == piece(3000, 0, 3)
    with pytest.raises(TypeError, match="gather: expected a callable, got int"):
        Reducer(3, shard=0, shards=1)
    with pytest.raises(ValueError, match="shard: expected a whole number < 2, got 2"):
        Reducer(lambda values: values, shard=2, shards=2)


@pytest.mark.parametrize("engine", ["torch", "mpi"])
def test_an_engine_that_is_not_installed_is_named(engine):
    module, extra = {"torch": ("torch", "torch"), "mpi": ("mpi4py", "distributed")}[engine]
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    with pytest.raises(ImportError, match=rf"pip install mdbopt\[{extra}\]"):
        getattr(Reducer, engine)()


SEARCHES = [
    mdbopt.Guarded(memory=5),
    mdbopt.Guarded(proposer="nesterov"),
    mdbopt.Guarded(noise=(1e-3, 1e-3)),
    mdbopt.Box(),
    mdbopt.Ellipsoid(),
]


def run(search, shards, steps, saved=None):
    """Go on over some shards from the whole's saved state, or from the start."""

    def body(shard, meeting):
        own = piece(START.size, shard, shards)
        options = {**search.__dict__, "reducer": meeting.reducer(shard)}
        here = type(search)(**options)
        if saved is None:
            f, g = objective(START)
            state = here.init(START[own], f, g[own])
        else:
            state = here.restore(split(saved, shards)[shard])
        for _ in range(steps):
            y = np.concatenate(meeting.exchange(shard, here.propose(state)))
            f, g = objective(y)
            here.judge(state, f, g[own])
        return dict(state)

    return merge(unless_raised(together(shards, body)))


@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_a_saved_search_goes_on_at_another_number_of_shards(search):
    whole = run(search, 1, 40)
    for before, after in [(2, 3), (3, 1), (1, 7)]:
        resumed = run(search, after, 20, run(search, before, 20))
        assert resumed.keys() == whole.keys()
        for name, value in whole.items():
            assert np.array_equal(resumed[name], value), name


def test_states_of_several_runs_do_not_merge():
    state = {"x": np.zeros(2), "f": 1.0}
    with pytest.raises(ValueError, match="states: expected those of at least one shard, got none"):
        merge([])
    with pytest.raises(ValueError, match="states: f: expected the same on every shard, got 1"):
        merge([state, {**state, "f": 2.0}])
    with pytest.raises(ValueError, match="same names on every shard, got 't'"):
        merge([state, {**state, "t": 2.0}])


def test_a_saved_optimizer_goes_on_at_another_number_of_shards():
    optimizer = mdbopt.AdamW(lr=0.1)
    x = START.copy()
    state = optimizer.init(x)
    optimizer.step(x, x.copy(), state)
    parts = split(dict(state), 3)
    pieces = [piece(x.size, shard, 3) for shard in range(3)]
    for part, own in zip(parts, pieces, strict=True):
        assert part["m"].size == own.stop - own.start
        here = x[own].copy()
        restored = optimizer.restore(here, part)
        optimizer.step(here, here.copy(), restored)
    merged = merge(parts)
    assert all(np.array_equal(merged[name], value) for name, value in state.items())


def test_numbers_of_each_array_are_no_pieces():
    optimizer = mdbopt.NovoGrad(lr=0.1)
    params = [START.copy(), START[:3000].copy()]
    state = optimizer.init(params)
    optimizer.step(params, [x.copy() for x in params], state)
    parts = split(dict(state), 2)
    assert all(np.array_equal(part["v"], state.v) for part in parts)
    merged = merge(parts)
    assert merged.keys() == state.keys()
    assert all(np.array_equal(merged[name], value) for name, value in state.items())
