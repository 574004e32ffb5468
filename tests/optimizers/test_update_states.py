"""States: what they tell, saved and restored, pickled, copied, and handed to other options."""

import copy
import pickle

import numpy as np
import pytest
from optimizer_cases import (
    CASES,
    assert_same_state,
    built,
    drawn,
    leaves,
    same,
    same_all,
)
from state_helpers import PATHS, SIZES, TEMPLATE, advance, begin, copied

import mdbopt


# --- what a state tells --------------------------------------------------------------------------
def test_it_is_a_flat_mapping(case):
    _, _, state = begin(case)
    beside = {"OSGM": ["value"], "ScheduleFreeSGD": ["averaged"], "ScheduleFreeAdamW": ["averaged"]}
    numbers = [*case.numbers, *beside.get(case.label, ())]
    arrays = [stream.name for stream in case.description.streams[2:]]
    names = ["optimizer", "t", *numbers, *(name + path for name in arrays for path in PATHS)]
    assert sorted(state) == sorted(names)
    assert len(state) == len(names)
    assert state["optimizer"] == case.label
    assert state["t"] == state.t == 3
    for name in numbers:
        assert state[name] == getattr(state, name)
        each = case.description.per_array
        assert type(state[name]) is (tuple if each else float)
        assert not each or list(map(type, state[name])) == [float] * len(SIZES)
    for name in arrays:
        tree = getattr(state, name)
        for path, leaf in zip(PATHS, leaves(tree), strict=True):
            assert same(state[name + path], leaf)
            assert not np.shares_memory(state[name + path], leaf)
        assert [type(node) for node in (tree, tree[7], tree[7][1])] == [dict, list, tuple]
    assert "m['nope']" not in state
    with pytest.raises(KeyError, match="nope"):
        state["nope"]


def test_names_of_a_bare_array():
    state = mdbopt.AdamW().init(np.ones(3))
    assert list(state) == ["optimizer", "t", "m", "v"]
    assert same(state["m"], state.m)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_are_like_the_parameters_and_apart_from_them(case, dtype):
    params = built(TEMPLATE, drawn(1, SIZES, dtype))
    state = case.make().init(params)
    before = copied(params)
    for name, tree in state._arrays.items():
        for x, leaf in zip(leaves(params), leaves(tree), strict=True):
            assert (leaf.dtype, leaf.shape) == (dtype, x.shape)
            start = case.starts.get(name, 0.0)
            assert np.array_equal(leaf, x if start is None else np.full(x.shape, start, dtype))
            leaf[...] = 7
    assert same_all(params, before)
    assert {name: getattr(state, name) for name in case.numbers} == case.numbers_of(len(SIZES))
    assert state.t == 0


REPRESENTATIONS = {
    "AdamW": "<state of AdamW: t=3, m, v>",
    "SGD": "<state of SGD: t=3, no arrays>",
    "AdaGradNorm": "<state of AdaGradNorm: t=3 sum_of_squares={sum_of_squares:.6g}, no arrays>",
    "HypergradientSGD": "<state of HypergradientSGD: t=3 alpha={alpha:.6g}, m>",
    "OSGM": "<state of OSGM: t=3 norm2={norm2:.6g} value=inf, x_prev, g_prev, p, sum_of_squares>",
}


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_repr(name):
    _, _, state = begin(CASES[name])
    assert repr(state) == REPRESENTATIONS[name].format(**state._numbers())


def test_unknown_attributes(case):
    _, _, state = begin(case)
    known = ["t", *state._arrays, *state._numbers()]
    text = f"^the state of {case.label} has no 'velocity'; it has {', '.join(known)}$"
    with pytest.raises(AttributeError, match=text):
        state.velocity  # noqa: B018
    assert not hasattr(state, "__array__")


# --- saved and restored --------------------------------------------------------------------------
def saved_by(how, state, tmp_path):
    if how == "dict":
        return dict(state)
    if how == "pickled dict":
        return pickle.loads(pickle.dumps(dict(state)))
    if how == "state":
        return state
    np.savez(tmp_path / "state.npz", **state)
    if how == "npz file":
        return np.load(tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    ("how", "dtype"),
    [("dict", "f8"), ("savez", "f8"), ("npz file", "f4"), ("pickled dict", "f4"), ("state", "f8")],
)
def test_restored_it_continues_to_the_same_bits(case, how, dtype, tmp_path):
    optimizer, params, state = begin(case, dtype)
    others = copied(params)
    saved = saved_by(how, state, tmp_path)
    twin = case.make().restore(others, saved)
    if hasattr(saved, "close"):
        saved.close()
    assert_same_state(twin, state)
    advance(optimizer, params, state, 3)
    advance(case.make(), others, twin, 3)
    assert same_all(others, params)
    assert_same_state(twin, state)


ODD_KEYS = ["", "a/b", "../c", "x.npy", "file", "ä→", "it's", 'say "hi"', "a']['b", "\n", "t", "m"]


def test_parameters_of_any_name_are_saved(tmp_path):
    keys = [*ODD_KEYS, 0, -1, 2.5, None, True, ("a", 1), b"a", np.str_("n")]
    params = {key: np.full(k % 3, float(k)) for k, key in enumerate(keys)}
    grads = {key: np.ones(k % 3) for k, key in enumerate(keys)}
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    optimizer.step(params, grads, state)
    assert len(state) == 2 + 2 * len(keys)
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz") as saved:
        assert_same_state(optimizer.restore(params, saved), state)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_states_can_be_copied_and_pickled(case, duplicate):
    optimizer, params, state = begin(case)
    others = copied(params)
    twin = duplicate(state)
    assert type(twin) is type(state)
    assert_same_state(twin, state)
    for leaf, other in zip(leaves(state._arrays), leaves(twin._arrays), strict=True):
        assert not np.shares_memory(leaf, other)
    advance(optimizer, params, state, 3)
    advance(case.make(), others, twin, 3)
    assert same_all(others, params)
    assert_same_state(twin, state)


def test_a_shallow_copy_has_its_own_numbers_and_the_same_arrays(case):
    optimizer, params, state = begin(case)
    twin = copy.copy(state)
    assert_same_state(twin, state)
    for leaf, other in zip(leaves(state._arrays), leaves(twin._arrays), strict=True):
        assert leaf is other
    advance(optimizer, params, state, 3, 1)
    assert (twin.t, state.t) == (3, 4)


@pytest.mark.parametrize(("first", "then"), [("f8", "f4"), ("f4", "f8")])
def test_moved_to_parameters_of_another_dtype(one, first, then):
    _, params, state = begin(one, np.dtype(first).type)
    others = built(TEMPLATE, [x.astype(then) for x in leaves(params)])
    twin = one.make().restore(others, state)
    for leaf, other in zip(leaves(state._arrays), leaves(twin._arrays), strict=True):
        assert other.dtype == then
        assert np.array_equal(leaf.astype(then), other)
    assert twin._numbers() == state._numbers()
    assert twin.t == 3
    advance(one.make(), others, twin, 3)
    assert all(np.isfinite(x).all() for x in leaves(others))


def test_what_was_saved_stays_as_it_was(case):
    """Neither later steps nor those of a state made from it reach it."""
    optimizer, params, state = begin(case)
    others, again = copied(params), copied(params)
    saved = dict(state)
    advance(optimizer, params, state, 3)
    for start in (others, again):
        twin = case.make().restore(start, saved)
        advance(case.make(), start, twin, 3)
        assert same_all(start, params)
        assert_same_state(twin, state)


def test_states_are_compared_by_identity(one):
    _, _, state = begin(one)
    twin = copied(state)
    assert state == state
    assert state != twin
    assert twin in [state, twin]
    assert len({state, twin, state}) == 2
