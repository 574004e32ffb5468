"""The state of a search: saved, restored, copied and pickled, or refused."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from recorded import METHODS
from test_searches import FUN, SEARCHES, X0, advance, assert_same_state, begin

import mdbopt


def saved_by(how, state, tmp_path):
    if how == "dict":
        return dict(state)
    if how == "savez":
        np.savez(tmp_path / "state.npz", **state)
        with np.load(tmp_path / "state.npz") as file:
            return dict(file)
    if how == "npz file":
        np.savez(tmp_path / "state.npz", **state)
        return np.load(tmp_path / "state.npz")
    if how == "pickled dict":
        return pickle.loads(pickle.dumps(dict(state)))
    return state


@pytest.mark.parametrize("how", ["dict", "savez", "npz file", "pickled dict", "state"])
@pytest.mark.parametrize("iterations", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("method", METHODS)
def test_restored_it_continues_to_the_same_bits(method, iterations, how, tmp_path):
    search = SEARCHES[method]()
    state = begin(search)
    advance(search, state, iterations)
    saved = saved_by(how, state, tmp_path)
    twin = SEARCHES[method]().restore(saved)
    if hasattr(saved, "close"):
        saved.close()
    assert_same_state(twin, state)
    np.testing.assert_array_equal(advance(search, twin, 20), advance(search, state, 20))
    assert_same_state(twin, state)


def pickled(state):
    return pickle.loads(pickle.dumps(state))


@pytest.mark.parametrize("proposed", [False, True])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("method", METHODS)
def test_states_can_be_copied_and_pickled(method, duplicate, proposed):
    search = SEARCHES[method]()
    state = begin(search)
    advance(search, state, 5)
    if proposed:
        search.propose(state)
    twin = duplicate(state)
    assert isinstance(twin, mdbopt.SearchState)
    assert twin == state
    assert_same_state(twin, state)
    advance(search, twin, 5)
    assert twin.nfev == state.nfev + 5
    advance(search, state, 5)
    assert_same_state(twin, state)


@pytest.mark.parametrize("method", METHODS)
def test_the_mapping_holds_plain_copies(method):
    search = SEARCHES[method]()
    state = begin(search)
    saved = dict(state)
    assert len(state) == len(saved) == len(list(state))
    for value in saved.values():
        assert type(value) in (int, float, np.ndarray)
        if type(value) is np.ndarray:
            value[:] = np.nan
    advance(search, state, 3)
    assert np.isfinite(state.x).all()
    with pytest.raises(KeyError):
        state["no such name"]


@pytest.mark.parametrize("method", METHODS)
def test_damaged_states_are_refused(method):
    search = SEARCHES[method]()
    state = begin(search)
    advance(search, state, 5)
    saved = dict(state)
    for name, value in saved.items():
        with pytest.raises(ValueError, match=name):
            search.restore({key: v for key, v in saved.items() if key != name})
        if isinstance(value, np.ndarray):
            with pytest.raises((TypeError, ValueError), match=name):
                search.restore({**saved, name: np.append(value, value[-1:])})
            with pytest.raises((TypeError, ValueError), match=name):
                search.restore({**saved, name: value.astype(np.float16)})
        else:
            with pytest.raises((TypeError, ValueError), match=name):
                search.restore({**saved, name: "text"})
    with pytest.raises((TypeError, ValueError)):
        search.restore({})


LABELS = np.arange(40) % 7
OTHERS = {
    "method": (mdbopt.Box(), mdbopt.Simplex()),
    "groups": (mdbopt.Box(groups=LABELS), mdbopt.Box()),
    "groups ": (mdbopt.Guarded(groups=LABELS), mdbopt.Guarded(groups=np.arange(40) // 6)),
    "cut": (mdbopt.Guarded(), mdbopt.Guarded(cut="hypergradient")),
    "forward": (mdbopt.Box(), mdbopt.Box(forward=1.0)),
    "gamma": (mdbopt.Guarded(), mdbopt.Guarded(gamma=0.5)),
    "set_gamma": (mdbopt.Ellipsoid(), mdbopt.Ellipsoid(gamma=0.5)),
    "set_direction": (mdbopt.Ellipsoid(), mdbopt.Ellipsoid(candidate="plain")),
    "set_refine": (mdbopt.Ellipsoid(), mdbopt.Ellipsoid(refine=2)),
    "memory": (mdbopt.Guarded(memory=10), mdbopt.Guarded(memory=9)),
    "proposer": (mdbopt.Guarded(proposer="cg"), mdbopt.Guarded(proposer="heavy-ball")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_state_of_another_search_is_refused_by_the_option_that_differs(name):
    for first, second in (OTHERS[name], OTHERS[name][::-1]):
        h = np.linspace(1.0, 2.0, 40)
        state = first.init(np.ones(40), 0.5 * float(h.sum()), h)
        with pytest.raises(ValueError, match=rf"state: '{name.strip()}' is .* \(as this search\)"):
            second.restore(state)


def test_labels_do_not_matter_to_a_state_but_their_partition():
    first, second = mdbopt.Box(groups=[5, 5, -1]), mdbopt.Box(groups=[0, 0, 1])
    h = np.array([1.0, 2.0, 3.0])
    assert_same_state(second.restore(first.init(h, 7.0, h)), first.init(h, 7.0, h))


def test_states_are_compared_by_search_and_content():
    search = mdbopt.Guarded(groups=LABELS[:5])
    first, second = begin(search), begin(mdbopt.Guarded(groups=LABELS[:5].tolist()))
    assert first == second
    search.propose(second)
    assert first != second  # a point is proposed
    assert first != begin(mdbopt.Guarded())
    assert first != dict(first)
    assert first != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def test_nan_equals_itself_in_states():
    search = mdbopt.Box()
    states = [search.init(np.ones(3), np.nan, np.full(3, np.nan)) for _ in range(2)]
    assert states[0].status == 3
    assert states[0] == states[1] == pickled(states[0])


def judged(search, state):
    """Run in a worker: take both, go on, and give both back."""
    points = advance(search, state, 5)
    return search, state, points


def test_searches_and_states_go_to_a_worker_and_come_back():
    searches = [mdbopt.Guarded(groups=[0, 0, 1, 1, 2]), mdbopt.Ellipsoid()]
    states = [begin(search) for search in searches]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        came = list(workers.map(judged, searches, states))
    for search, state, (search_there, state_there, points) in zip(
        searches, states, came, strict=True
    ):
        assert search_there == search
        np.testing.assert_array_equal(points, advance(search, state, 5))
        assert state_there == state


def test_results_are_copied_and_pickled():
    result = mdbopt.minimize(FUN, X0, jac=True, options={"return_all": True, "maxfun": 9})
    for twin in (copy.deepcopy(result), pickled(result)):
        assert set(twin) == set(result)
        assert twin.message == result.message
        for name in ("x", "jac", "step_sizes", "allvecs"):
            np.testing.assert_array_equal(twin[name], result[name])
        for name, column in result.trace.items():
            np.testing.assert_array_equal(twin.trace[name], column)


@pytest.mark.parametrize("memory", [3, 80, "auto", None, np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_states_with_any_number_of_pairs_continue(memory, dtype):
    h = np.geomspace(1e-4, 1.0, 200).astype(dtype)

    def fun(x):
        return 0.5 * float(h @ x**2), h * x

    search, x0 = mdbopt.Guarded(memory=memory), np.ones(200, dtype)
    state = begin(search, fun, x0)
    for _ in range(100):
        if search.converged(state):
            break
        twin = search.restore(dict(state))
        advance(search, state, 1, fun)
        advance(search, twin, 1, fun)
        assert twin == state
    assert state.accepted > 40


@pytest.mark.parametrize("saved", [None, 3, [], "state", np.ones(3)])
def test_what_is_no_mapping_is_refused(saved):
    with pytest.raises(TypeError, match="saved: expected a mapping"):
        mdbopt.Box().restore(saved)


def test_entries_of_ones_own_beside_a_state_do_no_harm(tmp_path):
    search = mdbopt.Box()
    state = begin(search)
    np.savez(tmp_path / "run.npz", **state, epoch=3, model=np.array([{}], dtype=object))
    with np.load(tmp_path / "run.npz") as file:
        assert search.restore(file) == state
