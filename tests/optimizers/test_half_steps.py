"""Parameters of half precision: state in float32, rounding to nearest or by random bits."""

import copy
import pickle

import numpy as np
import pytest
from arrays import Producer
from optimizer_cases import (
    BACKENDS,
    ByKernel,
    assert_same_state,
    drawn,
    joined,
    leaves,
    same,
    same_all,
)
from reference_half import FORMATS, NATIVE, nearest

import mdbopt

FULL = [(2048,), (2, 512), (300,)]
STOCHASTIC = {"rounding": "stochastic"}


@pytest.fixture(params=NATIVE)
def name(request):
    return request.param


def halves(seed, name, shapes=FULL):
    """Arrays of bit patterns."""
    return [nearest(a, name) for a in drawn(seed, shapes, np.float32)]


def spacing(name):
    """The distance from 1 to the next number."""
    return 2.0 ** -FORMATS[name].mantissa


def stepped(optimizer, name, steps=3, params=None, state=None, first=0):
    params = halves(1, name) if params is None else params
    state = optimizer.init(params, dtype=name) if state is None else state
    for step in range(first, first + steps):
        optimizer.step(params, halves(2 + step, name), state)
    return params, state


@pytest.mark.parametrize("seed", [None, 0, 2**64 - 1])
def test_equals_the_kernel(case, name, seed):
    options = {} if seed is None else STOCHASTIC | {"seed": seed}
    params, state = stepped(case.make(**options), name)
    start = halves(1, name)
    sizes = [x.size for x in start]
    expected = ByKernel(case, joined(start), dtype=name, seed=seed, sizes=sizes)
    for step in range(3):
        expected.step(joined(halves(2 + step, name)))
    assert same(joined(params), expected.x)
    for each, values in expected.states.items():
        tree = getattr(state, each)
        assert {a.dtype for a in tree} <= {np.dtype(np.float32)}
        assert same(joined(tree), values)
    assert {each: getattr(state, each) for each in expected.numbers} == expected.numbers


@pytest.mark.parametrize("options", [{}, STOCHASTIC])
def test_arrays_of_any_kind_are_the_same(case, name, options):
    patterns, state = stepped(case.make(**options), name)
    own = [a.view(NATIVE[name]) for a in halves(1, name)]
    optimizer = case.make(**options)
    other = optimizer.init(own)
    for step in range(3):
        optimizer.step(own, [a.view(NATIVE[name]) for a in halves(2 + step, name)], other)
    assert same_all([a.view(np.uint16) for a in own], patterns)
    assert_same_state(other, state)


def test_arrays_shown_through_dlpack(name):
    def shown(arrays):
        return [Producer(a, code={"float16": 2, "bfloat16": 4}[name]) for a in arrays]

    optimizer = mdbopt.AdamW()
    expected, state = stepped(optimizer, name)
    patterns = halves(1, name)
    other = optimizer.init(patterns, dtype=name)
    for step in range(3):
        optimizer.step(shown(patterns), shown(halves(2 + step, name)), other)
    assert same_all(patterns, expected)
    assert_same_state(other, state)


def test_any_threads_and_backends_give_the_same_bits(one, name):
    sizes = [(100_000,), (3,), (70, 1001)]

    def all_steps(**how):
        params = halves(1, name, sizes)
        optimizer = one.make(**STOCHASTIC, **how)
        state = optimizer.init(params, dtype=name)
        for _ in range(2):
            optimizer.step(params, gradients, state)
        return params, state

    gradients = halves(2, name, sizes)
    params, state = all_steps(threads=1)
    for backend in BACKENDS:
        others, other = all_steps(backend=backend, threads=3)
        assert same_all(others, params)
        assert_same_state(other, state)


def rounded(name, t=0, **options):
    """Parameters after a step of a third of what rounding keeps."""
    x = nearest(np.full(4000, 1.0, np.float32), name)
    g = nearest(np.full(4000, -spacing(name) / 3, np.float32), name)
    optimizer = mdbopt.SGD(1.0, **STOCHASTIC, **options)
    state = optimizer.init(x, dtype=name)
    state._core.t = t
    optimizer.step(x, g, state)
    return x


def test_random_bits_follow_from_seed_and_step(name):
    first = rounded(name)
    assert np.unique(first).size == 2
    assert same(rounded(name), first)
    for other in ({"seed": 1}, {"t": 1}, {"t": 2**32}, {"seed": 2**63}):
        assert not same(rounded(name, **other), first)
    assert not same(rounded(name, seed=1), rounded(name, t=1))


def test_random_bits_differ_from_array_to_array(name):
    bits = nearest(np.full(1024, 1.0, np.float32), name)
    g = nearest(np.full(1024, -spacing(name) / 3, np.float32), name)
    params = [bits.copy(), bits.copy()]
    optimizer = mdbopt.SGD(1.0, **STOCHASTIC)
    optimizer.step(params, [g, g], optimizer.init(params, dtype=name))
    assert not same(*params)


@pytest.mark.parametrize("options", [{}, STOCHASTIC | {"seed": 5}])
def test_a_saved_state_goes_on_to_the_same_bits(one, name, options):
    optimizer = one.make(**options)
    whole, state = stepped(optimizer, name, 6)
    params, early = stepped(optimizer, name, 3)
    saved = {key: np.array(value) for key, value in early.items()}
    restored = one.make(**options).restore(params, saved, dtype=name)
    for twin in (restored, copy.deepcopy(early), pickle.loads(pickle.dumps(early))):
        assert_same_state(twin, early)
        ours = [x.copy() for x in params]
        _, late = stepped(one.make(**options), name, 3, ours, twin, first=3)
        assert same_all(ours, whole)
        assert_same_state(late, state)


def test_without_rounding_small_steps_are_lost_and_with_it_they_are_not(name):
    """The mean of many roundings moves by the steps that each of them is too coarse for."""
    eps = spacing(name)
    moved = {}
    for rounding in ("nearest", "stochastic"):
        x = nearest(np.full(4096, 1.5, np.float32), name)
        g = nearest(np.full(4096, eps / 16, np.float32), name)
        optimizer = mdbopt.SGD(1.0, rounding=rounding)
        state = optimizer.init(x, dtype=name)
        for _ in range(64):
            optimizer.step(x, g, state)
        moved[rounding] = 1.5 - x.view(NATIVE[name]).astype(np.float64).mean()
    assert moved["nearest"] == 0.0
    # 64 steps of eps/16; the mean of 4096 elements strays by about 2 eps/64.
    assert abs(moved["stochastic"] - 4.0 * eps) < 0.2 * eps


def test_a_copy_of_the_parameters_starts_from_their_numbers(name):
    x = halves(1, name)[0]
    state = mdbopt.OSGM().init(x, dtype=name)
    assert state.x_prev.dtype == np.float32
    assert same(nearest(state.x_prev, name), x)
    own = mdbopt.OSGM().init(x.view(NATIVE[name]))
    assert same(own.x_prev, state.x_prev)


@pytest.mark.parametrize("bad", ["float32", "uint16", "", None, 3])
def test_the_names_of_bit_patterns(bad):
    bits = np.zeros(3, np.uint16)
    optimizer = mdbopt.AdamW()
    error = ValueError if isinstance(bad, str) else TypeError
    with pytest.raises(error, match=r"^AdamW: (dtype: expected one of 'bfloat16', 'float16'|par)"):
        optimizer.init(bits, dtype=bad)
    with pytest.raises(error, match=r"^AdamW: "):
        optimizer.restore(bits, {}, dtype=bad)


def test_bit_patterns_of_which_nothing_was_said():
    bits = np.zeros(3, np.uint16)
    hint = "^AdamW: params:? has dtype uint16.*arrays of uint16 need dtype='bfloat16' or 'float16'$"
    with pytest.raises(TypeError, match=hint):
        mdbopt.AdamW().init(bits)
    optimizer = mdbopt.SGD()
    state = optimizer.init(bits, dtype="float16")
    with pytest.raises(TypeError, match=r"^SGD: grads has dtype float64, expected float16"):
        optimizer.step(bits, np.zeros(3), state)
    assert len(leaves(state._arrays)) == 0
