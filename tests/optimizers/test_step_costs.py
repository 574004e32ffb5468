"""What a step costs: walks over memory, bytes, allocations; and what it must not keep."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from arrays import Producer
from optimizer_cases import CASES, built, drawn, leaves

import mdbopt
from mdbopt import _core

SIZE = 10_000
# (walks, bytes per element) of a step on float32.
TRAFFIC = {
    "SGD": (1, 12),
    "SGD-momentum": (1, 20),
    "NormalizedGD": (2, 20),
    "Signum": (1, 20),
    "Lion": (1, 20),
    "Adam": (1, 28),
    "AdamW": (1, 28),
    "AMSGrad": (1, 36),
    "RAdam": (1, 28),
    "Adamax": (1, 28),
    "AdaBelief": (1, 28),
    "Adan": (1, 44),
    "AdEMAMix": (1, 36),
    "ADOPT": (1, 28),
    "Adadelta": (1, 28),
    "AdaGrad": (1, 20),
    "RMSProp": (1, 20),
    "RMSProp-both": (1, 36),
    "Rprop": (1, 28),
    "HypergradientAdam": (2, 44),
    "DiagonalHypergradient": (1, 28),
    "OSGM": (1, 44),
    "NormalizedGD-array": (2, 20),
    "AGC": (2, 32),
    "LAMB": (2, 44),
    "LARS": (2, 28),
    "ScheduleFreeSGD": (1, 20),
    "ScheduleFreeAdamW": (1, 28),
    "StableAdamW": (2, 40),
    "MARSAdamW": (2, 48),
    "MARSLion": (2, 40),
}


def traffic(optimizer, sizes, dtype=np.float32, **options):
    params, grads = drawn(1, sizes, dtype), drawn(2, sizes, dtype)
    state = optimizer.init(params)
    elements = sum(x.size for x in params)
    seen = set()
    for _ in range(3):
        _core.take_traffic()
        optimizer.step(params, grads, state, **options)
        walks, moved = _core.take_traffic()
        assert moved % elements == 0
        seen.add((walks, moved // elements))
    assert len(seen) == 1
    return seen.pop()


@pytest.mark.parametrize("name", TRAFFIC)
@pytest.mark.parametrize("sizes", [[(SIZE,)], [(k + 1,) for k in range(161)]])
def test_a_step_is_one_pass_whatever_the_number_of_arrays(name, sizes):
    assert traffic(CASES[name].make(), sizes) == TRAFFIC[name]


def test_the_same_as_the_kernel_says(case):
    for dtype in (np.float64, np.float32, np.float16):
        expected = (case.description.walks, case.description.bytes[np.dtype(dtype).name])
        assert traffic(case.make(), [(SIZE,), (3,)], dtype) == expected


def test_a_bound_costs_one_more_reading_of_the_gradients(case):
    for dtype, width in ((np.float64, 8), (np.float32, 4), (np.float16, 2)):
        walks, moved = traffic(case.make(), [(SIZE,), (3,)], dtype)
        expected = (walks + 1, moved + width)
        assert traffic(case.make(), [(SIZE,), (3,)], dtype, max_norm=1e-3) == expected
        assert traffic(case.make(), [(SIZE,), (3,)], dtype, max_norm=1e6) == expected


def test_what_is_not_stepped_is_not_read(one):
    x, g = drawn(1, [(SIZE,), (SIZE,)])
    optimizer = one.make()
    state = optimizer.init([x])
    _core.take_traffic()
    optimizer.step([x], [g], state, found_inf=True, max_norm=1.0)
    optimizer.step([x], [None], state)
    with pytest.raises(ValueError, match="shape"):
        optimizer.step([x], [g[:9]], state)
    assert _core.take_traffic()[1] == 0


TREE = {"w": 0, "b": [1, (2, {})]}
SIZES = [(3000,), (3, 4), ()]


def grown(steps, rounds):
    """Return by how much memory grows in so many rounds, and its peak within them."""
    repeats = [None] * rounds
    gc.collect()  # which empties Python's stores of small objects, and so must not come later
    gc.disable()
    tracemalloc.start()
    try:
        for _ in repeats:
            steps()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in repeats:
            steps()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    return after - before, peak - before


def test_a_step_allocates_nothing(one):
    params, grads = built(TREE, drawn(1, SIZES)), built(TREE, drawn(2, SIZES))
    optimizer = one.make()
    state = optimizer.init(params)
    plan = optimizer.plan(params, grads, state)

    def steps():
        plan.step()
        optimizer.step(params, grads, state)
        optimizer.step(params, grads, state, lr=0.2, max_norm=0.5)

    # What a step keeps is kept each time; Python 3.10 now and then keeps a frame.
    more, peak = min(grown(steps, 100) for _ in range(4))
    # Numbers of the count itself, and what the calls of Python take for a moment.
    assert more <= 128
    assert peak <= 2048


def test_a_thousand_steps_of_a_plan_allocate_nothing():
    params, grads = built(TREE, drawn(1, SIZES)), built(TREE, drawn(2, SIZES))
    optimizer = mdbopt.AdamW()
    more, peak = grown(optimizer.plan(params, grads, optimizer.init(params)).step, 1000)
    assert more <= 128
    assert peak <= 512


# --- references ----------------------------------------------------------------------------------
def counts(*trees):
    return [sys.getrefcount(leaf) for tree in trees for leaf in leaves(tree)]


def test_steps_keep_no_reference(one):
    params, grads = built(TREE, drawn(1, SIZES)), built(TREE, drawn(2, SIZES))
    shown = grads | {"w": Producer(grads["w"])}
    short = grads | {"b": [grads["b"][0][:2], grads["b"][1]]}
    rates = {"w": np.full(3000, 0.1), "b": 0.1}
    optimizer = one.make()
    state = optimizer.init(params)

    def steps():
        for _ in range(5):
            optimizer.step(params, grads, state)
            optimizer.step(params, shown, state)
            optimizer.step(params, grads, state, lr=rates, max_norm=1.0)
            optimizer.plan(params, grads, state).step()
            for wrong in (short, None, params):
                with pytest.raises((TypeError, ValueError)):
                    optimizer.step(params, wrong, state)

    steps()
    held = (params, grads, shown, short, rates, *state._arrays.values())
    before = counts(*held)
    for _ in range(5):
        steps()
    assert counts(*held) == before
    assert Producer.alive == 0


@pytest.mark.parametrize("size", [3, 100_000])
@pytest.mark.parametrize("remembered", [False, True])
def test_gradients_and_parameters_are_not_kept_alive(one, size, remembered):
    x, g = drawn(3, [(size,)] * 2)
    optimizer = one.make()
    state = optimizer.init({"x": x})
    params, grads = {"x": x}, [g]
    for _ in range(3 if remembered else 1):
        optimizer.step(params, {"x": grads[0]}, state)
    dead = [weakref.ref(g), weakref.ref(x)]
    del x, g, params, grads
    assert [ref() for ref in dead] == [None, None]


def test_states_are_collected(one):
    x, g = drawn(4, [(5,)] * 2)
    optimizer = one.make()
    state = optimizer.init([x])
    optimizer.step([x], [g], state)
    plan = optimizer.plan([x], [g], state)
    plan.step()
    dead = [weakref.ref(state), *(weakref.ref(leaf) for leaf in leaves(state._arrays))]
    del state
    assert dead[0]() is not None  # the plan needs it
    del plan
    assert [ref() for ref in dead] == [None] * len(dead)


def test_refused_states_are_collected():
    x = np.ones(3)
    state = mdbopt.Adam().init(x)
    with pytest.raises(ValueError, match="made by Adam"):
        mdbopt.AdamW().step(x, x.copy(), state)
    dead = weakref.ref(state)
    del state
    assert dead() is None
