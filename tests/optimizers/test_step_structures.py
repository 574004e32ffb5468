"""A step over arrays in any structure has the bits of the kernel over them all together."""

from collections import OrderedDict, defaultdict, namedtuple
from itertools import cycle, islice, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_cases import (
    BACKENDS,
    CASES,
    ByKernel,
    assert_same_state,
    built,
    drawn,
    joined,
    leaves,
    same,
    same_all,
)

import mdbopt

Pair = namedtuple("Pair", "weight bias")
# Numbers are places of arrays, in the order of the structure.
TEMPLATES = {
    "array": 0,
    "list": [0, 1, 2],
    "tuple": (0, 1),
    "dict": {"w": 0, "b": 1},
    "one in a list": [0],
    "nested": {"layers": [{"w": 0, "b": 1}, (2, [3, 4])], 7: 5, "head": (6,)},
    "with empty ones": [{}, 0, [], {"a": (), "b": [1, {}]}, [[[]]], 2],
    "named tuple": Pair([0, 1], Pair(2, 3)),
    "other dicts": OrderedDict(z=0, a=defaultdict(list, y=1, b=2)),
}
# Sums run over chunks of 1024, so all arrays but the last fill theirs when one sum of all is to
# have the same bits.
FULL = [(2048,), (32, 32), (0, 3), (2, 2, 256)]
LAST = {"some": (300,), "one": (1,), "0-d": (), "empty": (0,)}


def shapes(template, last):
    count = max(leaves(template)) + 1
    return [*islice(cycle(FULL), count - 1), last]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_the_kernel_on_all_arrays_joined(case, dtype):
    optimizer = case.make()
    for seed, (name, last) in enumerate(product(TEMPLATES, LAST)):
        template = TEMPLATES[name]
        sizes = shapes(template, LAST[last])
        arrays = drawn(seed, sizes, dtype)
        params = built(template, arrays)
        state = optimizer.init(params)
        expected = ByKernel(case, joined(arrays), sizes=[x.size for x in arrays])
        for step in range(3):
            gradients = drawn(100 * step + seed, sizes, dtype)
            assert optimizer.step(params, built(template, gradients), state) is True
            expected.step(joined(gradients))
        assert state.t == 3
        assert same(joined(arrays), expected.x), (name, last)
        assert list(state._arrays) == list(expected.states)
        for each, values in expected.states.items():
            assert same(joined(leaves(getattr(state, each))), values), (name, last, each)
        for each, value in expected.numbers.items():
            assert getattr(state, each) == value, (name, last, each)


def test_any_threads_and_backends_give_the_same_bits(case):
    sizes = [(100_000,), (3,), (70, 1001), ()]
    gradients = drawn(2, sizes)

    def stepped(**how):
        params = drawn(1, sizes)
        optimizer = case.make(**how)
        state = optimizer.init(params)
        for _ in range(2):
            optimizer.step(params, gradients, state)
        return params, state

    params, state = stepped(threads=1)
    for k, backend in enumerate(BACKENDS):
        others, other = stepped(backend=backend, threads=3 - k % 2)
        assert same_all(others, params)
        assert_same_state(other, state)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.by_array])
def test_many_tiny_arrays_are_as_each_alone(name):
    case, sizes = CASES[name], [(k % 7,) for k in range(64)]
    params, alone = drawn(3, sizes, np.float32), drawn(3, sizes, np.float32)
    optimizer = case.make()
    state, states = optimizer.init(params), [optimizer.init(x) for x in alone]
    for step in range(2):
        gradients = drawn(step, sizes, np.float32)
        optimizer.step(params, gradients, state)
        for x, g, own in zip(alone, gradients, states, strict=True):
            optimizer.step(x, g, own)
    assert same_all(params, alone)
    for name in state._arrays:
        assert same_all(getattr(state, name), [getattr(own, name) for own in states])


def test_many_full_chunks_are_as_one_array(case):
    params = drawn(4, [(1024,)] * 161, np.float32)
    gradients = drawn(5, [(1024,)] * 161, np.float32)
    expected = ByKernel(case, joined(params), sizes=[x.size for x in params])
    optimizer = case.make()
    state = optimizer.init(params)
    for _ in range(2):
        optimizer.step(params, gradients, state)
        expected.step(joined(gradients))
    assert same(joined(params), expected.x)
    assert {name: getattr(state, name) for name in expected.numbers} == expected.numbers


@pytest.mark.parametrize("empty", [[], (), {}, [[], {"a": ()}]])
def test_nothing_to_step(one, empty):
    optimizer = one.make()
    state = optimizer.init(empty)
    of_nothing = ByKernel(one, np.empty(0), sizes=[])
    for t in (1, 2):
        assert optimizer.step(empty, empty, state)
        of_nothing.step(np.empty(0))
        assert state.t == t
        assert {name: state[name] for name in one.numbers} == of_nothing.numbers
    for name in state._arrays:
        assert getattr(state, name) == empty


def test_dicts_pair_by_key(one):
    x, y, g, h = drawn(6, [(5,)] * 4)
    params, reordered = {"x": x, "y": y}, {"y": y.copy(), "x": x.copy()}
    optimizer = one.make()
    state, other = optimizer.init(params), optimizer.init({"x": x, "y": y})
    for _ in range(2):
        optimizer.step(params, {"x": g, "y": h}, state)
        optimizer.step(reordered, {"x": g, "y": h}, other)
    assert same_all([params["x"], params["y"]], [reordered["x"], reordered["y"]])
    assert_same_state(other, state)


def test_numbers_of_arrays_pair_by_key():
    shapes = [(3,), (2,), (), (4,)]
    x, g = drawn(6, shapes), drawn(7, shapes)
    params = {"a": x[0], "b": {"c": [x[1], None], "d": np.array(x[2])}, "e": x[3]}
    grads = {"a": g[0], "b": {"c": [g[1], None], "d": np.array(g[2])}, "e": g[3]}
    turned = {"e": x[3], "b": {"d": params["b"]["d"], "c": [x[1], None]}, "a": x[0]}
    optimizer = mdbopt.NovoGrad(0.1)
    state = optimizer.init(params)
    optimizer.step(turned, grads, state)
    assert state.v == pytest.approx([np.sum(each**2) for each in g], rel=1e-12)
    optimizer.step(turned, {**grads, "b": {"d": None, "c": [g[1], None]}}, state)
    assert state.v == pytest.approx([np.sum(each**2) for each in g], rel=1e-12)


def test_lists_and_tuples_pair_with_each_other():
    x, g = drawn(7, [(3,), (3,)])
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init([x])
    before = x.copy()
    optimizer.step((x,), [g], state)
    optimizer.step([x], (g,), state)
    assert same(x, before - g - g)


@pytest.mark.parametrize("order", ["F", "permuted"])
def test_other_orders_of_memory_are_walked_in_their_own(case, order):
    """An array, its gradient and its state are the same ones transposed."""
    axes = (2, 1, 0) if order == "F" else (0, 2, 1)
    x, g = drawn(8, [(3, 4, 5)] * 2)
    plain, turned = x.copy(), x.copy().transpose(axes)
    optimizer = case.make()
    state, other = optimizer.init(plain), optimizer.init(turned)
    for _ in range(3):
        optimizer.step(plain, g, state)
        optimizer.step(turned, g.transpose(axes), other)
    assert same(plain.transpose(axes), turned)
    for name in state._arrays:
        assert same(getattr(state, name).transpose(axes), getattr(other, name))
        assert getattr(other, name).strides == turned.strides


def test_an_axis_of_size_1_has_no_order():
    x, g = drawn(9, [(2, 3)] * 2)
    column = np.asfortranarray(x)[:, None, :]
    optimizer = mdbopt.AdamW(0.1)
    optimizer.step(column, np.asfortranarray(g[:, None, :]), optimizer.init(column))
    optimizer.step(x, g, optimizer.init(x))
    assert same(np.ascontiguousarray(column[:, 0, :]), x)


# --- random trees --------------------------------------------------------------------------------
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
KEYS = st.one_of(st.text(max_size=3), st.integers(-5, 5))
TREES = st.recursive(
    SHAPES.map(np.zeros),
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.lists(inside, max_size=4).map(tuple),
        st.dictionaries(KEYS, inside, max_size=4),
    ),
    max_leaves=12,
)


def filled(tree, rng):
    if isinstance(tree, dict):
        return {key: filled(item, rng) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(filled(item, rng) for item in tree)
    return rng.standard_normal(tree.shape)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(tree=TREES, seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(CASES)))
def test_any_tree_steps_as_the_list_of_its_leaves(tree, seed, name):
    rng = np.random.default_rng(seed)
    optimizer = CASES[name].make()
    params = filled(tree, rng)
    flat = [leaf.copy() for leaf in leaves(params)]
    state, flat_state = optimizer.init(params), optimizer.init(flat)
    for _ in range(2):
        gradients = filled(tree, rng)
        optimizer.step(params, gradients, state)
        optimizer.step(flat, leaves(gradients), flat_state)
    assert same_all(params, flat)
    for name in state._arrays:
        assert same_all(getattr(state, name), getattr(flat_state, name))
    assert state._numbers() == flat_state._numbers()


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(tree=TREES, seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(CASES)))
def test_what_is_restored_is_what_was_saved(tree, seed, name):
    rng = np.random.default_rng(seed)
    optimizer = CASES[name].make()
    params = filled(tree, rng)
    state = optimizer.init(params)
    for _ in range(2):
        optimizer.step(params, filled(tree, rng), state)
    twin = optimizer.restore(params, dict(state))
    assert_same_state(twin, state)
    again = filled(tree, rng)
    others = filled(tree, np.random.default_rng(0))
    for leaf, other in zip(leaves(params), leaves(others), strict=True):
        other[...] = leaf
    optimizer.step(params, again, state)
    optimizer.step(others, again, twin)
    assert same_all(params, others)
    assert_same_state(twin, state)
