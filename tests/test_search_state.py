"""The state of a search: saved, restored, copied and pickled, or refused."""

import copy
import pickle

import numpy as np
import pytest
from recorded import METHODS
from test_searches import SEARCHES, advance, assert_same_state, begin

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
@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
@pytest.mark.parametrize("method", METHODS)
def test_states_can_be_copied_and_pickled(method, duplicate, proposed):
    search = SEARCHES[method]()
    state = begin(search)
    advance(search, state, 5)
    if proposed:
        search.propose(state)
    twin = duplicate(state)
    assert isinstance(twin, mdbopt.State)
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
        assert type(value) in (str, int, float, np.ndarray)
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
