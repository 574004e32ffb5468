"""Laws that updates keep whatever their numbers, bit for bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import ROWS

import mdbopt
from mdbopt import kernels

UPDATES = [rule for rule in mdbopt.rules() if rule.update]
N = 40
SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)

dtypes = st.sampled_from([np.float64, np.float32])
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, dtype, count=2):
    """Numbers of both signs over six decades, none 0."""
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.uniform(-3, 3, (count, N)) * rng.choice([-1.0, 1.0], (count, N))
    return list(values.astype(dtype))


def states_of(rule, rng, dtype):
    streams = [ROWS[rule.name].streams[stream.name] for stream in rule.streams[2:]]
    return [stream.draw(rng, N).astype(dtype) for stream in streams]


def run(name, x, gradients, states=(), **scalars):
    """Return x after a step along each gradient, and what became of the states."""
    x, states = x.copy(), [state.copy() for state in states]
    for t, g in enumerate(gradients, 1):
        more = {"t": t} if "t" in dict(getattr(kernels, name).rule.scalars) else {}
        getattr(kernels, name)(x, g, *states, **more, **scalars)
    return x, states


def same(a, b):
    return a.tobytes() == b.tobytes()


# --- signs and scales ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["sign_descent", "sign_descent_momentum", "rprop"])
@SETTINGS
@given(seed=seeds, dtype=dtypes)
def test_sign_updates_know_only_signs(name, seed, dtype):
    x, *gradients = drawn(seed, dtype, 4)
    others = drawn(seed + 1, dtype, 3)
    alike = [np.abs(g) * np.sign(h) for g, h in zip(others, gradients, strict=True)]
    ones = np.ones(N, dtype)
    states = {"sign_descent": [], "sign_descent_momentum": [x], "rprop": [0 * ones, ones]}[name]
    (a, left), (b, right) = (run(name, x, gs, states, lr=0.1) for gs in (gradients, alike))
    assert same(a, b)
    if name == "rprop":
        assert same(left[1], right[1])


SCALE_FREE = {
    "sign_descent": (0, {}),
    "normalized_gd": (0, {}),
    "signum": (1, {}),
    "lion": (1, {}),
    "adagrad": (1, {"eps": 0.0}),
    "adagrad_norm": (0, {"eps": 0.0}),
    "adam": (2, {"eps": 0.0}),
    "amsgrad": (3, {"eps": 0.0}),
    "adam_second_moment": (2, {"eps": 0.0, "belief": 1.0}),
    "adamax": (2, {"eps": 0.0}),
    "adan": (4, {"eps": 0.0}),
    "ademamix": (3, {"eps": 0.0}),
    "laprop": (2, {"eps": 0.0}),
    "rmsprop": (1, {"eps": 0.0}),
    "rmsprop_centered": (2, {"eps": 0.0}),
    "rmsprop_momentum": (2, {"eps": 0.0, "momentum": 0.9}),
    "rmsprop_centered_momentum": (3, {"eps": 0.0, "momentum": 0.9}),
}


@pytest.mark.parametrize("name", SCALE_FREE)
@SETTINGS
@given(seed=seeds, dtype=dtypes, exponent=st.integers(-8, 8))
def test_a_power_of_two_in_g_changes_no_bit(name, seed, dtype, exponent):
    count, scalars = SCALE_FREE[name]
    x, *gradients = drawn(seed, dtype, 4)
    states = [np.zeros(N, dtype) for _ in range(count)]
    scaled = [g * dtype(2.0**exponent) for g in gradients]
    a, _ = run(name, x, gradients, states, lr=0.1, weight_decay=0.1, **scalars)
    b, _ = run(name, x, scaled, states, lr=0.1, weight_decay=0.1, **scalars)
    c, _ = run(name, x, scaled, states, lr=0.1, weight_decay=0.1, grad_scale=0.5**exponent)
    assert same(a, b)
    if "eps" not in scalars:
        assert same(a, c)
    assert np.all(np.isfinite(a))


# --- every update --------------------------------------------------------------------------------
@pytest.mark.parametrize("rule", UPDATES, ids=lambda rule: rule.name)
@settings(SETTINGS, max_examples=8)
@given(seed=seeds, dtype=dtypes, choice=st.integers(0, 9))
def test_maximising_is_minimising_along_minus_g(rule, seed, dtype, choice):
    (x, g), rng = drawn(seed, dtype), np.random.default_rng(seed)
    scalars = ROWS[rule.name].scalars[choice % len(ROWS[rule.name].scalars)]
    states = states_of(rule, rng, dtype)
    results = []
    for sign in (1.0, -1.0):
        kernel, left = getattr(kernels, rule.name), [a.copy() for a in (x, *states)]
        given = scalars | {"grad_scale": sign * scalars["grad_scale"]}
        sums = kernel(left[0], dtype(sign) * g, *left[1:], lr=0.1, **given)
        results.append((sums, b"".join(a.tobytes() for a in left)))
    assert results[0] == results[1]


@pytest.mark.parametrize("rule", UPDATES, ids=lambda rule: rule.name)
@settings(SETTINGS, max_examples=8)
@given(seed=seeds, dtype=dtypes, decay=st.floats(0, 10))
def test_no_step_and_no_inertia_leave_x(rule, seed, dtype, decay):
    (x, g), rng = drawn(seed, dtype), np.random.default_rng(seed)
    states = states_of(rule, rng, dtype)
    scalars = ROWS[rule.name].scalars[0] | {"weight_decay": decay, "l2": 0.0}
    if any(stream.name in ("x_prev", "z") for stream in rule.streams):
        states[0] = x.copy()
    if rule.name == "lars":  # m is in units of x
        states[0][:] = 0.0
    kept = x.copy()
    getattr(kernels, rule.name)(kept, g, *states, lr=0.0, **scalars)
    assert np.array_equal(kept, x)


# --- one update each -----------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("hyper_lr", [1.0, 80.0])
def test_the_exponential_is_right_to_two_units(dtype, hyper_lr):
    g, wider = np.linspace(-1, 1, 100_001).astype(dtype), np.longdouble
    if np.finfo(wider).eps == np.finfo(dtype).eps:
        pytest.skip("no wider type to compare with")
    p, g_prev = np.ones((2, g.size), dtype)
    kernels.diagonal_hypergradient_log(np.zeros_like(g), g, g_prev, p, hyper_lr=hyper_lr, lr=0.0)
    wanted = np.exp((dtype(hyper_lr) * g).astype(wider))
    assert np.all(np.abs(p - wanted) <= 2 * np.spacing(wanted.astype(dtype)))


@SETTINGS
@given(seed=seeds, dtype=dtypes, t=st.integers(1, 10**9))
def test_adam_without_memory_is_a_sign_step(seed, dtype, t):
    x, g, m = drawn(seed, dtype, 3)
    a, b = x.copy(), x.copy()
    kernels.adam(a, g, m, np.abs(m), lr=0.1, t=t, beta1=0.0, beta2=0.0, eps=0.0)
    kernels.sign_descent(b, g, lr=0.1)
    assert same(a, b)


@SETTINGS
@given(seed=seeds, dtype=dtypes, hyper_lr=st.floats(0.01, 5))
def test_weights_keep_their_mean(seed, dtype, hyper_lr):
    """Each is rounded twice, the share once more: 3 units; their sum is of float64."""
    x, *gradients = drawn(seed, dtype, 5)
    states = [np.zeros(N, dtype), np.ones(N, dtype)]
    unit, wide = np.finfo(dtype).eps / 2, np.finfo(np.float64).eps
    for g in gradients:
        kernels.diagonal_hypergradient_weights(x, g, *states, lr=1e-3, hyper_lr=hyper_lr)
        mean = math.fsum(states[1].tolist()) / N
        assert abs(mean - 1.0) <= 3 * unit + N * wide


@SETTINGS
@given(seed=seeds, dtype=dtypes)
def test_osgm_goes_back(seed, dtype):
    x, g, x_prev, g_prev = drawn(seed, dtype, 4)
    p, total = np.ones(N, dtype), np.zeros(N, dtype)
    old_x, old_g = x_prev.copy(), g_prev.copy()
    norm2 = float(np.sum(g_prev.astype(np.float64) ** 2))
    got = kernels.osgm(x, g, x_prev, g_prev, p, total, lr=0.1, hyper_lr=0.1, norm2=norm2, moved=0.0)
    assert same(x_prev, old_x)
    assert same(g_prev, old_g)
    assert got.norm2 == pytest.approx(norm2, rel=1e-12)
    assert same(x, old_x - dtype(0.1) * (p * g_prev))
    x_new = x.copy()
    kernels.osgm(x_new, g, x_prev, g_prev, p, total, lr=0.1, hyper_lr=0.1, norm2=norm2)
    assert same(x_prev, x)
    assert same(g_prev, g)


@SETTINGS
@given(seed=seeds, dtype=dtypes)
def test_the_largest_v_of_amsgrad_never_falls(seed, dtype):
    x, *gradients = drawn(seed, dtype, 8)
    m, v, v_max = np.zeros((3, N), dtype)
    for t, g in enumerate(gradients, 1):
        before = v_max.copy()
        kernels.amsgrad(x, g, m, v, v_max, lr=0.1, t=t, beta2=0.5)
        assert np.all(v_max >= before)
        assert np.all(v_max >= v)


@SETTINGS
@given(seed=seeds, dtype=dtypes)
def test_adagrad_s_steps_shrink_and_its_sum_grows(seed, dtype):
    x, *gradients = drawn(seed, dtype, 8)
    total = np.zeros(N, dtype)
    for g in gradients:
        before = x.copy(), total.copy()
        kernels.adagrad(x, g, total, lr=0.1)
        assert np.all(total >= before[1])
        assert np.all(np.sign(before[0] - x) * np.sign(g) >= 0)


@SETTINGS
@given(seed=seeds, dtype=dtypes, least=st.floats(1e-6, 0.1), most=st.floats(1, 50))
def test_rprop_keeps_its_step_sizes_within_bounds(seed, dtype, least, most):
    x, *gradients = drawn(seed, dtype, 20)
    g_prev, eta = np.zeros(N, dtype), np.ones(N, dtype)
    for g in gradients:
        kernels.rprop(x, g, g_prev, eta, lr=0.1, least=least, most=most)
        assert np.all((eta >= dtype(least)) & (eta <= dtype(most)))


@SETTINGS
@given(seed=seeds, dtype=dtypes, lr=st.floats(1e-6, 1.0))
def test_a_step_size_of_every_element_may_be_one_number(seed, dtype, lr):
    x, g = drawn(seed, dtype)
    a, b = x.copy(), x.copy()
    kernels.sgd(a, g, lr=lr, weight_decay=0.1)
    kernels.sgd(b, g, lr=np.full(N, lr, dtype), weight_decay=0.1)
    assert same(a, b)
