"""What a step may bring besides arrays: scales, bounds, skips, copies; decay and maximize."""

import math
from itertools import product

import ml_dtypes
import numpy as np
import pytest
from optimizer_cases import (
    CASES,
    ByKernel,
    built,
    drawn,
    image,
    joined,
    nothing_written,
    same_all,
)
from step_helpers import FULL, assert_equals_kernel, assert_same_steps, by_kernel, stepped

import mdbopt


# --- weight decay, maximize ----------------------------------------------------------------------
@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_is_decoupled_or_l2(case, decoupled):
    if case.label == "AdamW" and not decoupled:
        return  # test_hyperparameters.py has its refusal
    for dtype, maximize in product((np.float64, np.float32), (False, True)):
        optimizer = case.make(weight_decay=0.3, decoupled=decoupled, maximize=maximize)
        given = {"weight_decay": 0.3 if decoupled else 0.0, "l2": 0.0 if decoupled else 0.3}
        given["grad_scale"] = -1.0 if maximize else 1.0
        expected = by_kernel(case, given, given, dtype=dtype)
        assert_equals_kernel(stepped(optimizer, {}, {}, dtype=dtype), expected)


@pytest.mark.parametrize(("name", "decoupled"), [("Adam", False), ("SGD", True), ("Lion", True)])
def test_which_decay_is_the_default(name, decoupled):
    case = CASES[name]
    assert_same_steps(
        stepped(case.make(weight_decay=0.3), {}),
        stepped(case.make(weight_decay=0.3, decoupled=decoupled), {}),
    )


# --- scales --------------------------------------------------------------------------------------
def test_gradients_are_divided_by_their_scale(case):
    expected = by_kernel(case, {"grad_scale": 1.0 / 3.0}, {})
    for scale in (3.0, np.float32(3.0), np.array(3.0), np.array([3.0]), 3):
        assert_equals_kernel(stepped(case.make(), {"grad_scale": scale}, {}), expected)


def test_a_scale_by_powers_of_two_changes_no_bit(case):
    scaled = stepped(case.make(), *[{"grad_scale": 2.0**16}] * 3, dtype=np.float32, factor=2.0**16)
    assert_same_steps(scaled, stepped(case.make(), {}, {}, {}, dtype=np.float32))


# --- skips ---------------------------------------------------------------------------------------
FOUND = (True, 1, 1.0, -2.5, math.inf, math.nan, np.True_, np.array(1.0), np.array([2.0]))
NOT_FOUND = (None, False, 0, 0.0, np.array(0.0), np.False_, np.array([0]))


def test_a_skipped_step_writes_nothing(one):
    optimizer = one.make()
    params, state = stepped(optimizer, {})
    gradients = drawn(9, FULL)
    gradients[0][3] = math.nan
    with nothing_written(state, params):
        for found in FOUND:
            assert optimizer.step(params, gradients, state, found_inf=found, max_norm=1.0) is False
            assert optimizer.plan(params, gradients, state).step(found_inf=found) is False


def test_a_step_that_is_not_skipped(one):
    expected = stepped(one.make(), {}, {})
    for found in NOT_FOUND:
        assert_same_steps(stepped(one.make(), {"found_inf": found}, {}), expected)


def test_skipped_steps_leave_no_trace(case):
    skip = {"found_inf": True}
    params, state = stepped(case.make(), {}, skip, {}, skip, skip)
    expected = by_kernel(case, {})
    expected.step(joined(drawn(4, FULL)))
    assert state.t == 2
    assert_equals_kernel((params, state), expected)


# --- copies --------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.uint16, ml_dtypes.bfloat16])
def test_a_copy_is_the_new_parameters_rounded(case, dtype):
    copy = [np.full(shape, 7, dtype) for shape in FULL]
    params, state = stepped(case.make(), {}, {"copy": copy}, dtype=np.float32)
    for x, image_of_x in zip(params, copy, strict=True):
        assert image_of_x.view(np.uint16).tobytes() == x.astype(ml_dtypes.bfloat16).tobytes()
    assert_same_steps((params, state), stepped(case.make(), {}, {}, dtype=np.float32))


def test_a_copy_of_a_tree_beside_rates():
    template, sizes = {"w": 0, "b": (1, [2])}, [(3, 4), (), (5,)]
    params, gradients = (built(template, drawn(s, sizes, np.float32)) for s in (1, 2))
    copy = built(template, [np.zeros(shape, np.uint16) for shape in sizes])
    optimizer = mdbopt.AdamW()
    lr = {"w": np.full((3, 4), 0.5, np.float32), "b": 0.25}
    optimizer.step(params, gradients, optimizer.init(params), lr=lr, copy=copy)
    rounded = params["w"].astype(ml_dtypes.bfloat16)
    assert rounded.tobytes() == copy["w"].tobytes()
    assert params["b"][1][0].astype(ml_dtypes.bfloat16).tobytes() == copy["b"][1][0].tobytes()


# --- gradients that are not there ----------------------------------------------------------------
def test_none_leaves_parameters_and_state(case):
    """The others step as if the array were not part of the tree."""
    a, b, c = drawn(6, FULL)
    params, fewer = {"a": a, "b": [b], "c": c}, {"a": a.copy(), "c": c.copy()}
    optimizer = case.make(weight_decay=0.1)
    state, other = optimizer.init(params), optimizer.init(fewer)
    without = [b.tobytes(), *(tree["b"][0].tobytes() for tree in state._arrays.values())]
    for step in range(3):
        g, _, h = drawn(7 + step, FULL)
        optimizer.step(params, {"a": g, "b": [None], "c": h}, state)
        optimizer.step(fewer, {"a": g, "c": h}, other)
    assert without == [b.tobytes(), *(tree["b"][0].tobytes() for tree in state._arrays.values())]
    assert same_all([a, c], fewer)
    assert {k: v for k, v in state.items() if "['b']" not in k}.keys() == dict(other).keys()
    each = case.description.per_array
    left = {k: (v[0], v[2]) if each else v for k, v in state._numbers().items()}
    assert left == other._numbers()
    assert state.t == 3
    optimizer.step(params, dict(zip("abc", (a.copy(), [b.copy()], c.copy()), strict=True)), state)
    assert without[0] != b.tobytes()


def test_none_for_all(one):
    optimizer = one.make()
    params, state = stepped(optimizer)
    *_, memory = image(state, params)
    of_nothing = ByKernel(one, np.empty(0), sizes=[0] * len(params))
    of_nothing.step(np.empty(0))
    assert optimizer.step(params, [None] * len(params), state)
    assert image(state, params)[2] == memory
    assert (state.t, {name: state[name] for name in one.numbers}) == (1, of_nothing.numbers)


def test_none_has_no_rate_nor_copy():
    x, y, g = drawn(8, [(3,)] * 3, np.float32)
    copies = [np.full(3, 7, np.uint16) for _ in range(2)]
    optimizer = mdbopt.SGD(1.0)
    optimizer.step([x, y], [None, g], optimizer.init([x, y]), lr=[0.1, 0.2], copy=copies)
    assert np.all(copies[0] == 7)
    assert copies[1].tobytes() == y.astype(ml_dtypes.bfloat16).tobytes()


# --- what is refused -----------------------------------------------------------------------------
POSITIVE = "expected a finite number > 0, got"
REFUSED = {
    "grad_scale 0": ({"grad_scale": 0.0}, ValueError, f"grad_scale: {POSITIVE} 0.0"),
    "grad_scale -1": ({"grad_scale": -1}, ValueError, f"grad_scale: {POSITIVE} -1.0"),
    "grad_scale NaN": ({"grad_scale": math.nan}, ValueError, f"grad_scale: {POSITIVE} nan"),
    "grad_scale inf": ({"grad_scale": np.array(math.inf)}, ValueError, f"{POSITIVE} inf"),
    "grad_scale str": ({"grad_scale": "2"}, TypeError, "grad_scale: expected a real number"),
    "grad_scale bool": ({"grad_scale": True}, TypeError, "grad_scale: expected a"),
    "grad_scale array": ({"grad_scale": np.ones(2)}, TypeError, "ndarray of shape (2,)"),
    "max_norm 0": ({"max_norm": 0}, ValueError, f"max_norm: {POSITIVE} 0.0"),
    "max_norm -1": ({"max_norm": -1.0}, ValueError, f"max_norm: {POSITIVE} -1.0"),
    "max_norm NaN": ({"max_norm": math.nan}, ValueError, f"max_norm: {POSITIVE} nan"),
    "max_norm -inf": ({"max_norm": -math.inf}, ValueError, f"max_norm: {POSITIVE} -inf"),
    "max_norm str": ({"max_norm": "1"}, TypeError, "max_norm: expected a real number, got str"),
    "max_norm bool": ({"max_norm": True}, TypeError, "max_norm: expected a"),
    "found_inf str": ({"found_inf": "no"}, TypeError, "found_inf: expected a real number, got str"),
    "found_inf list": ({"found_inf": [0.0, 1.0]}, TypeError, "found_inf: expected a real number"),
    "copy float32": (
        {"copy": [np.ones(3, np.float32)]},
        TypeError,
        "copy[0] has dtype float32, expected bfloat16",
    ),
    "copy float16": ({"copy": [np.ones(3, np.float16)]}, TypeError, "copy[0] has dtype float16"),
    "copy of another shape": (
        {"copy": [np.ones(4, np.uint16)]},
        ValueError,
        "copy[0] has shape (4,), expected (3,) (as params[0])",
    ),
    "copy of another tree": (
        {"copy": np.ones(3, np.uint16)},
        ValueError,
        "copy: expected 1 items as params, got ndarray",
    ),
    "copy in a dict": ({"copy": {0: 1}}, ValueError, "copy: expected 1 items as params, got dict"),
    "copy None inside": ({"copy": [None]}, TypeError, "copy[0]: expected a NumPy array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    options, error, text = REFUSED[name]
    params, gradients = (drawn(seed, [(3,)], np.float32) for seed in (1, 2))
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    with nothing_written(state, params, *options.values()), pytest.raises(error) as caught:
        optimizer.step(params, gradients, state, **options)
    assert caught.type is error
    assert str(caught.value).startswith(f"AdamW: {next(iter(options))}")
    assert text in str(caught.value)


def test_a_copy_is_of_float32_parameters():
    copy = np.full(3, 7, np.uint16)
    for x in (np.ones(3), np.ones(3, np.float16)):
        optimizer = mdbopt.AdamW()
        state = optimizer.init(x)
        with (
            nothing_written(state, x, copy),
            pytest.raises(TypeError, match=r"^AdamW: copy: .* needs float32 parameters, got float"),
        ):
            optimizer.step(x, x.copy(), state, copy=copy)


def test_a_copy_lies_apart_and_can_be_written():
    x, g = drawn(1, [(3,)] * 2, np.float32)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(x)
    inside = state.m.view(np.uint16)[:3]
    shut = np.zeros(3, np.uint16)
    shut.flags.writeable = False
    for copy, text in ((inside, "copy overlaps state.m, exp"), (shut, "copy is read-only, exp")):
        with nothing_written(state, x), pytest.raises(ValueError, match=f"^AdamW: {text}"):
            optimizer.step(x, g, state, copy=copy)
