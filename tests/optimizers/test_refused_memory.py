"""Memory that is written lies apart from all else; and what init and deep trees refuse."""

import numpy as np
import pytest
from optimizer_cases import drawn, nothing_written, same, same_all

import mdbopt


def assert_refused(optimizer, params, grads, state, text):
    # Twice: what was refused must not be remembered as checked.
    for _ in range(2):
        with (
            nothing_written(state, params, grads),
            pytest.raises(ValueError, match="overlaps") as e,
        ):
            optimizer.step(params, grads, state)
        assert str(e.value) == (
            f"{type(optimizer).__name__}: {text}, expected separate memory since one of them is "
            "written"
        )


def test_parameters_for_gradients():
    x = np.ones(5)
    optimizer = mdbopt.Rprop()
    assert_refused(optimizer, x, x, optimizer.init(x), "grads overlaps params")


def test_parameters_for_gradients_of_every_optimizer(one):
    x = np.ones(5)
    optimizer = one.make()
    with pytest.raises(ValueError, match="overlaps"):
        optimizer.step(x, x, optimizer.init(x))
    assert (x == 1.0).all()


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3])
def test_two_parameters(shift):
    base = np.ones(12)
    params = {"a": base[4:8], "b": [base[4 + shift : 8 + shift]]}
    grads = {"a": np.ones(4), "b": [np.ones(4)]}
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    first, second = ("a']", "b'][0]") if shift >= 0 else ("b'][0]", "a']")
    assert_refused(optimizer, params, grads, state, f"params['{second} overlaps params['{first}")
    beside = {"a": base[4:8], "b": [base[8:12]]}
    assert optimizer.step(beside, grads, state)
    beside = {"a": base[4:8], "b": [base[0:4]]}
    assert optimizer.step(beside, grads, state)


@pytest.mark.parametrize("shift", [-3, 0, 3])
def test_a_parameter_and_a_gradient(shift):
    base = np.ones(12)
    params, grads = [np.ones(4), base[4:8]], [base[4 + shift : 8 + shift], np.ones(4)]
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    assert_refused(optimizer, params, grads, state, "grads[0] overlaps params[1]")
    assert optimizer.step(params, [base[:4], base[8:]], state)


def test_one_gradient_for_many_parameters():
    """Nothing of it is written."""
    params, (g,) = drawn(1, [(4,)] * 3), drawn(2, [(4,)])
    before = [x.copy() for x in params]
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(params, [g] * 3, optimizer.init(params))
    assert same_all(params, [x - g for x in before])


def test_state_and_other_arrays():
    x, g = drawn(3, [(4,)] * 2)
    optimizer = mdbopt.AdamW()
    state = optimizer.init([x])
    m, v = state.m[0], state.v[0]
    assert_refused(optimizer, [m], [g], state, "state.m[0] overlaps params[0]")
    assert_refused(optimizer, [x], [v], state, "grads[0] overlaps state.v[0]")
    state.v[0] = m
    assert_refused(optimizer, [x], [g], state, "state.v[0] overlaps state.m[0]")
    state.v[0] = v
    assert optimizer.step([x], [g], state)


def test_one_state_array_for_two_parameters():
    params, grads = drawn(4, [(4,)] * 2), drawn(5, [(4,)] * 2)
    optimizer = mdbopt.Lion()
    state = optimizer.init(params)
    state.m[1] = state.m[0]
    assert_refused(optimizer, params, grads, state, "state.m[1] overlaps state.m[0]")


def test_the_same_places_seen_in_a_wider_dtype():
    """The addresses and lengths are those of a step that was checked."""
    memory, grads = np.zeros(48, np.uint8), np.zeros(64, np.uint8)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(np.ones(1))
    narrow = [memory[k : k + 16].view(np.float32) for k in (0, 16)]
    assert optimizer.step(narrow, [grads[k : k + 16].view(np.float32) for k in (0, 32)], state)
    wide = [memory[k : k + 32].view(np.float64) for k in (0, 16)]
    apart = [grads[k : k + 32].view(np.float64) for k in (0, 32)]
    assert_refused(optimizer, wide, apart, state, "params[1] overlaps params[0]")


def test_a_missing_gradient_leaves_its_parameter_out_of_the_check():
    base, g = np.ones(6), np.ones(4)
    params = [base[:4], base[2:]]
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    assert optimizer.step(params, [g, None], state)
    assert same(base, np.array([0.0, 0, 0, 0, 1, 1]))
    assert_refused(optimizer, params, [g, g], state, "params[1] overlaps params[0]")


def test_empty_arrays_overlap_nothing():
    base = np.ones(4)
    params = [base, base[2:2], base[:0]]
    grads = [np.ones(4), base[1:1], np.ones(0)]
    optimizer = mdbopt.SGD(1.0)
    assert optimizer.step(params, grads, optimizer.init(params))
    assert np.all(base == 0)


# --- what init refuses ---------------------------------------------------------------------------
INIT = {
    "number": (1.5, "params: expected an array, got float"),
    "scalar": (np.float64(1.5), "params: expected an array, got float64"),
    "None": (None, "params: expected an array, got NoneType"),
    "text": ({"w": "x"}, "params['w']: expected an array, got str"),
    "set": ([{1, 2}], "params[0]: expected an array, got set"),
    "numbers": ({"w": [1.0, 2.0]}, "params['w'][0]: expected an array, got float"),
    "int": ([np.ones(2), np.ones(2, int)], "params[1]: has dtype int64, expected one of float64"),
    "complex": (np.ones(2, complex), "params: has dtype complex128, expected one of"),
    "object": (np.ones(2, object), "params: has dtype object, expected one of"),
    "swapped": (np.ones(2, ">f8"), "params: has dtype >f8, expected one of"),
    "masked": (np.ma.ones(2), "params: expected an array without a mask, got MaskedArray"),
}


@pytest.mark.parametrize("name", INIT)
def test_what_init_refuses(name):
    params, text = INIT[name]
    for make in (mdbopt.AdamW().init, lambda p: mdbopt.AdamW().restore(p, {})):
        with pytest.raises(TypeError) as caught:
            make(params)
        assert str(caught.value).startswith("AdamW: params")
        assert text in str(caught.value)


# --- trees without end ---------------------------------------------------------------------------
def cyclic(*items):
    tree = list(items)
    tree.append(tree)
    return tree


def nested(array, depth):
    for _ in range(depth):
        array = [array]
    return array


@pytest.mark.parametrize("tree", [cyclic(), cyclic(np.ones(3)), {"a": cyclic()}])
def test_cyclic_parameters_end_in_recursion_error(tree):
    x = np.ones(3)
    optimizer = mdbopt.SGD()
    with pytest.raises(RecursionError):
        optimizer.init(tree)
    state = optimizer.init([x])
    for _ in range(2):
        with pytest.raises(RecursionError):
            optimizer.step(tree, tree, state)
        assert optimizer.step([x], [np.ones(3)], state)
    assert state.t == 2


def test_cyclic_gradients_are_refused():
    x = np.ones(3)
    optimizer = mdbopt.SGD()
    state = optimizer.init([x, [x.copy()]])
    with pytest.raises(
        ValueError, match=r"^SGD: grads\[1\]: expected 1 items as params\[1\], got 2"
    ):
        optimizer.step([x, [x.copy()]], cyclic(np.ones(3)), state)


@pytest.mark.parametrize("depth", [50, 200, 501, 100_000])
def test_deep_trees_are_stepped_or_refused(depth):
    (x, g) = drawn(6, [(3,)] * 2)
    before = x.copy()
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    for _ in range(2):
        if depth <= 200:
            assert optimizer.step(nested(x, depth), nested(g, depth), state)
            before = before - g
        else:
            with pytest.raises(RecursionError, match="levels of lists and dicts"):
                optimizer.step(nested(x, depth), nested(g, depth), state)
        assert same(x, before)
