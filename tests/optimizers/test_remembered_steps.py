"""Steps remember their arrays: whatever is put in place of them in between is seen."""

import gc

import numpy as np
import pytest
from optimizer_cases import (
    ByKernel,
    assert_same_state,
    built,
    drawn,
    nothing_written,
    same,
    same_all,
    sgd,
)

import mdbopt

TEMPLATE = {"w": 0, "b": [1, (2, 3)]}
SIZES = [(3, 4), (0,), (), (5,)]


def trees(*seeds, dtype=np.float64):
    return [built(TEMPLATE, drawn(seed, SIZES, dtype)) for seed in seeds]


def test_plan_and_step_have_the_same_bits(case):
    params, others, grads = trees(1, 1, 2)
    optimizer = case.make(weight_decay=0.1)
    state, other = optimizer.init(params), optimizer.init(others)
    plan = optimizer.plan(params, grads, state)
    options = ({}, {"lr": 0.3}, {}, {"max_norm": 0.5, "grad_scale": 2.0}, {"found_inf": True}, {})
    for k, each in enumerate(options):
        grads["w"][...] = k
        assert plan.step(**each) == optimizer.step(others, grads, other, **each)
    assert same_all(params, others)
    assert_same_state(state, other)
    assert state.t == len(options) - 1


def test_a_plan_goes_on_with_its_own_hyperparameters(one):
    params, others, grads = trees(1, 1, 2)
    slow, fast = one.make(weight_decay=0.1), one.make(weight_decay=0.2)
    state, other = slow.init(params), slow.init(others)
    plans = [optimizer.plan(params, grads, state) for optimizer in (slow, fast)]
    for k in (0, 1, 1, 0):
        plans[k].step()
        (slow, fast)[k].step(others, grads, other)
    assert same_all(params, others)
    assert_same_state(state, other)


def test_numbers_written_into_the_arrays_are_seen(bound):
    x, g = drawn(3, [(4,)] * 2)
    step, _ = sgd(bound, x, g)
    for value in (1.0, -2.0):
        x[...], g[...] = 5.0, value
        step()
        assert np.all(x == 5.0 - value)


# --- arrays replaced -----------------------------------------------------------------------------
@pytest.mark.parametrize("place", ["params", "grads", "both"])
def test_arrays_replaced_in_their_lists(bound, place):
    params, grads = [np.zeros(3), np.zeros(3)], [np.ones(3), np.ones(3)]
    step, _ = sgd(bound, params, grads)
    old = params[0], grads[0]
    if place != "grads":
        params[0] = np.full(3, 10.0)
    if place != "params":
        grads[0] = np.full(3, 4.0)
    before, gradient = params[0].copy(), grads[0].copy()
    kept = [a.copy() for a in old]
    for _ in range(2):
        step()
        before = before - gradient
        assert same(params[0], before)
    if place != "grads":
        assert same(old[0], kept[0])
    assert same(params[1], np.full(3, -3.0))


def test_arrays_of_another_size(bound):
    params, grads = {"a": np.zeros(3)}, {"a": np.ones(3)}
    step, state = sgd(bound, params, grads)
    params["a"] = np.zeros(70_000)
    with nothing_written(state, params), pytest.raises(ValueError, match=r"grads\['a'\] has shape"):
        step()
    grads["a"] = np.ones(70_000)
    assert step()
    assert np.all(params["a"] == -1.0)
    params["a"], grads["a"] = np.zeros(2), np.ones(2)
    assert step()
    assert np.all(params["a"] == -1.0)


def test_arrays_freed_and_made_anew():
    """Addresses come again, for arrays of other sizes and dtypes."""
    optimizer = mdbopt.SGD(1.0)
    rng = np.random.default_rng(4)
    state = optimizer.init(np.zeros(1))
    for _ in range(500):
        shapes = [(int(rng.integers(1, 9)),) for _ in range(int(rng.integers(1, 5)))]
        dtype = rng.choice([np.float64, np.float32])
        params = [np.zeros(shape, dtype) for shape in shapes]
        grads = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
        optimizer.step(params, grads, state)
        assert same_all(params, [-g + 0.0 for g in grads])
        del params, grads
        gc.collect(0)


def test_arrays_of_the_state_replaced(bound):
    x, g = [np.zeros(3)], [np.ones(3)]
    optimizer = mdbopt.Signum(1.0, momentum=0.5)
    state = optimizer.init(x)
    step = bound(optimizer, x, g, state)
    step()
    old = state.m[0]
    state.m[0] = np.full(3, 7.0)
    step()
    assert np.all(old == 0.5)
    assert np.all(state.m[0] == 4.0)


@pytest.mark.parametrize("change", ["append", "pop", "clear", "nest", "swap"])
def test_lists_that_change(bound, change):
    params, grads = [np.zeros(3), np.zeros(3)], [np.ones(3), np.full(3, 2.0)]
    step, _ = sgd(bound, params, grads)
    arrays = list(params)
    for tree, new in ((params, np.zeros(3)), (grads, np.full(3, 3.0))):
        if change == "append":
            tree.append(new)
        elif change == "swap":
            tree.reverse()
        elif change == "nest":
            tree[1] = [tree[1]]
        else:
            getattr(tree, change)()
    assert step()
    expected = {"append": (2, 4, 3), "pop": (2, 2), "clear": (1, 2), "nest": (2, 4), "swap": (2, 4)}
    moved = [*arrays, *params[2:]]
    assert [float(-a[0]) for a in moved] == list(expected[change])


def test_one_list_changes_and_the_other_does_not(bound):
    params, grads = [np.zeros(3), np.zeros(3)], [np.ones(3), np.ones(3)]
    step, state = sgd(bound, params, grads)
    grads.append(np.ones(3))
    text = r"^SGD: grads: expected 2 items as params, got 3$"
    with nothing_written(state, params), pytest.raises(ValueError, match=text):
        step()
    params.append(np.zeros(3))
    assert step()
    assert [float(x[0]) for x in params] == [-2, -2, -1]


def test_keys_that_change(bound):
    params, grads = {"a": np.zeros(3), "b": np.zeros(3)}, {"a": np.ones(3), "b": np.full(3, 2.0)}
    step, state = sgd(bound, params, grads)
    params["c"] = params.pop("a")
    with (
        nothing_written(state, params),
        pytest.raises(ValueError, match=r"^SGD: grads\['c'\] is missing, expected the keys of par"),
    ):
        step()
    grads["c"] = grads.pop("a")
    assert step()
    params["b"] = params.pop("b")  # the same arrays in another order
    params["c"] = params.pop("c")
    assert step()
    assert [float(params[key][0]) for key in "bc"] == [-6, -3]


def test_gradients_that_come_and_go(bound):
    params, grads = [np.zeros(3), np.zeros(3)], [np.ones(3), np.full(3, 2.0)]
    step, state = sgd(bound, params, grads)
    gradient = grads[1]
    for present in (False, False, True, True, False, True):
        grads[1] = gradient if present else None
        assert step()
    assert [float(x[0]) for x in params] == [-7, -8]
    assert state.t == 7


# --- what else changes from step to step ---------------------------------------------------------
def test_rates_and_copies_in_between(case):
    x, g = drawn(5, [(3000,)] * 2, np.float32)
    expected = ByKernel(case, x)
    optimizer = case.make()
    state = optimizer.init([x])
    copy, each = np.zeros(3000, np.uint16), np.full(3000, 0.25, np.float32)
    for options, lr in (
        ({}, 0.1),
        ({}, 0.1),
        ({"lr": 0.3}, 0.3),
        ({}, 0.1),
        ({"lr": [0.2]}, 0.2),
        ({}, 0.1),
        ({"lr": [each]}, each),
        ({}, 0.1),
        ({"copy": [copy]}, 0.1),
        ({}, 0.1),
    ):
        optimizer.step([x], [g], state, **options)
        expected.step(g, lr=lr)
        assert same(x, expected.x)


@pytest.mark.parametrize("refused", ["grads[1]", "params[1]", "lr", "overlap"])
def test_a_refused_step_is_not_remembered(refused):
    """Its first array was fine; a tree of that alone comes next."""
    x, y, g = np.zeros(4), np.zeros(4), np.ones(4)
    params, grads, lr = [x, y], [g, np.ones(4)], 1.0
    if refused == "grads[1]":
        grads[1] = np.ones(3)
    elif refused == "params[1]":
        y.flags.writeable = False
    elif refused == "lr":
        lr = [1.0, -1.0]
    else:
        params[1] = x[1:3]
        grads[1] = np.ones(2)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init([x, y])
    for _ in range(2):
        with nothing_written(state, params, grads), pytest.raises(ValueError, match=r"^SGD: "):
            optimizer.step(params, grads, state, lr=lr)
    assert optimizer.step([x], [g], state)
    with nothing_written(state, params, grads), pytest.raises(ValueError, match=r"^SGD: "):
        optimizer.step(params, grads, state, lr=lr)
    assert optimizer.step([x], [g], state)
    assert same(x, np.full(4, -2.0))
    assert same(y, np.zeros(4))
