"""Step sizes: a number for all, one for each array, one for each coordinate, or a mixture."""

from fractions import Fraction

import numpy as np
import pytest
from arrays import Producer, read_only
from optimizer_cases import (
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

SIZES = [(5,), (2, 3), (), (1,)]
TEMPLATE = {"w": 0, "b": [1, (2, 3)]}


def stepped(case, dtype, *rates, steps=2, **options):
    """Return parameters and state after two steps with each of the rates."""
    params = built(TEMPLATE, drawn(1, SIZES, dtype))
    optimizer = case.make(weight_decay=0.3, **options)
    state = optimizer.init(params)
    for lr in rates:
        for step in range(steps):
            gradients = built(TEMPLATE, drawn(2 + step, SIZES, dtype))
            assert optimizer.step(params, gradients, state, lr=lr)
    return params, state


def assert_same_steps(ours, theirs):
    assert same_all(ours[0], theirs[0])
    assert_same_state(ours[1], theirs[1])


def everywhere(numbers, dtype):
    """Give each coordinate the number of its array."""
    return built(
        TEMPLATE, [np.full(shape, n, dtype) for shape, n in zip(SIZES, numbers, strict=True)]
    )


NUMBERS = {
    "int": 2,
    "fraction": Fraction(1, 3),
    "float64": np.float64(0.3),
    "float32": np.float32(0.3),
    "float16": np.float16(0.3),
    "int64": np.int64(2),
    "0-d": np.array(0.3),
    "0-d float32": np.array(0.3, np.float32),
    "0-d int": np.array(2),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_in_any_form(name):
    lr = NUMBERS[name]
    case = CASES["AdamW"]
    expected = stepped(case, np.float64, float(lr))
    assert_same_steps(stepped(case, np.float64, lr), expected)
    assert_same_steps(stepped(case, np.float64, {"w": lr, "b": [lr, (lr, lr)]}), expected)
    assert_same_steps(stepped(case, np.float64, {"w": lr, "b": lr}), expected)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_in_any_form_in_the_constructor(name):
    lr = NUMBERS[name]
    optimizer = mdbopt.AdamW(lr)
    for template, sizes in ((0, [(3,)]), ([0, 1], [(3,), ()])):
        ours, theirs = (built(template, drawn(3, sizes)) for _ in range(2))
        gradients = built(template, drawn(4, sizes))
        assert optimizer.step(ours, gradients, optimizer.init(ours))
        assert optimizer.plan(ours, gradients, optimizer.init(ours)).step()
        plain = mdbopt.AdamW(float(lr))
        for _ in range(2):
            plain.step(theirs, gradients, plain.init(theirs))
        assert same_all(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_number_for_each_array(case, dtype):
    """The same as that number for each of its coordinates."""
    numbers = [0.3, 0.0, 0.125, 7.0]
    expected = stepped(case, dtype, everywhere(numbers, dtype))
    assert_same_steps(stepped(case, dtype, built(TEMPLATE, numbers)), expected)
    assert_same_steps(
        stepped(case, dtype, {"w": 0.3, "b": [0.0, np.array([0.125, 7.0])]}), expected
    )
    assert_same_steps(
        stepped(case, dtype, {"w": 0.3, "b": [0.0, np.array([0.125, 7.0], np.float32)]}), expected
    )
    mixed = everywhere(numbers, dtype)
    assert_same_steps(
        stepped(case, dtype, {"w": 0.3, "b": [mixed["b"][0], (0.125, mixed["b"][1][1])]}), expected
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_array_of_numbers_for_a_list_of_arrays(case, dtype):
    numbers = np.array([0.25, 3.0, 0.0, 0.5], dtype)
    results = []
    for lr in (numbers, numbers.tolist(), tuple(numbers), read_only(numbers)):
        params = drawn(1, SIZES, dtype)
        optimizer = case.make()
        state = optimizer.init(params)
        optimizer.step(params, drawn(2, SIZES, dtype), state, lr=lr)
        results.append((params, state))
    for result in results[1:]:
        assert_same_steps(result, results[0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_number_for_each_coordinate(case, dtype):
    x, g, lr = drawn(5, [(40, 60)] * 3, dtype)
    lr = np.abs(lr)
    optimizer = case.make()
    state = optimizer.init(x)
    expected = ByKernel(case, joined([x]))
    for rate in (lr, read_only(lr), lr[::-1].copy()):
        optimizer.step(x, g, state, lr=rate)
        expected.step(joined([g]), lr=joined([rate]))
        assert same(joined([x]), expected.x)
    for name, values in expected.states.items():
        assert same(joined([getattr(state, name)]), values)
    assert {name: getattr(state, name) for name in expected.numbers} == expected.numbers


@pytest.mark.parametrize("versioned", [False, True])
def test_rates_through_dlpack(versioned):
    """From a library whose arrays say nothing else about themselves."""
    optimizer = mdbopt.SGD()
    each = np.array([0.5, 0.25])
    for params, lr in (
        ([np.ones(3), np.ones(())], each),
        (np.ones(2), each),
        ([np.ones(2), np.ones(3)], [each, np.array(0.125)]),
        (np.ones(3), np.array(0.125)),
    ):
        ours, theirs = copied(params), copied(params)
        shown = [Producer(a, versioned=versioned) for a in leaves(lr)]
        optimizer.step(theirs, params, optimizer.init(theirs), lr=lr)
        given = shown if isinstance(lr, list) else shown[0]
        optimizer.step(ours, params, optimizer.init(ours), lr=given)
        assert same_all(ours, theirs)


def copied(tree):
    return [a.copy() for a in tree] if isinstance(tree, list) else tree.copy()


def test_0_leaves_parameters_and_moves_the_state(case):
    params, state = stepped(case, np.float64, 0.0, 0, {"w": 0.0, "b": np.zeros(2)}, steps=1)
    assert same_all(params, built(TEMPLATE, drawn(1, SIZES)))
    assert state.t == 3
    if "g_prev" in state._arrays:
        assert same(state.g_prev["w"], drawn(2, SIZES)[0])
    if "m" in state._arrays:  # that of LARS has lr in it
        assert np.all((state.m["w"] != 0) == (case.label != "LARS"))


def test_it_holds_for_its_step_alone(one):
    assert_same_steps(
        stepped(one, np.float64, 0.3, None, 0.2, None),
        stepped(one, np.float64, 0.3, one.make().lr, 0.2, np.array(one.make().lr)),
    )


def test_a_0_d_array_takes_a_number_of_any_dtype():
    x, y = np.ones((), np.float32), np.ones((), np.float32)
    optimizer = mdbopt.SGD()
    for params, lr in ((x, np.array(0.25)), ([y], [np.array(0.25)])):
        gradients = built(0 if params is x else [0], [np.ones((), np.float32)])
        optimizer.step(params, gradients, optimizer.init(params), lr=lr)
    assert x == y == 0.75
