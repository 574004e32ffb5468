"""Half precision as storage: every pattern widened, rounding to nearest, stochastic rounding."""

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
from arrays import Producer
from reference import store
from reference_half import FORMATS, NATIVE, mix64, nearest, random16, stochastic, widen

import mdbopt
from mdbopt import kernels

BACKENDS = [backend.name for backend in mdbopt.backends() if backend.supported]
PATTERNS = np.arange(2**16, dtype=np.uint16)
SEED = 11


@pytest.fixture(params=FORMATS)
def name(request):
    return request.param


def widened(bits, name):
    """Let the core widen: heavy_ball leaves x in x_prev."""
    x_prev = np.empty(bits.size, np.float32)
    kernels.heavy_ball(bits.copy(), np.zeros_like(bits), x_prev, lr=0.0, dtype=name)
    return x_prev


def rounded(values, name, **options):
    """Let the core round: osgm without a step goes back to x_prev, which is float32."""
    x, g = np.zeros((2, values.size), np.uint16)
    g_prev, p, total = np.zeros((3, values.size), np.float32)
    options = {"lr": 0.0, "dtype": name} | options
    kernels.osgm(x, g, values.copy(), g_prev, p, total, moved=0.0, hyper_lr=0.0, **options)
    return x


def by_seed(values, name, seed=SEED, **options):
    return rounded(values, name, rounding="stochastic", seed=seed, **options)


def assert_same(got, wanted, name):
    """Compare patterns; any NaN equals any other."""
    nan = np.isnan(widen(wanted, name))
    assert np.array_equal(np.isnan(widen(got, name)), nan)
    assert np.array_equal(got[~nan], wanted[~nan])


def cast(values, name):
    """Let NumPy round, or ml_dtypes."""
    with np.errstate(all="ignore"):
        return values.astype(NATIVE[name]).view(np.uint16)


def finite(name):
    return PATTERNS[np.isfinite(widen(PATTERNS, name))]


def many_values(name):
    """Every number of the format, all midpoints, their neighbours, and random patterns."""
    exact = widen(PATTERNS, name)
    positive = exact[: FORMATS[name].inf].astype(np.float64)
    beyond = 2.0 * positive[-1] - positive[-2]  # where inf stands, as if it were a number
    ties = (0.5 * (positive + np.append(positive[1:], beyond))).astype(np.float32)
    around = [np.nextafter(ties, np.float32(0)), ties, np.nextafter(ties, np.float32(np.inf))]
    magnitudes = np.concatenate(around)
    random = np.random.default_rng(1).integers(0, 2**32, 500_000, np.uint32).view(np.float32)
    large = np.float32([np.finfo(np.float32).max, 65504, 65519, 65520, 65536, 1e-45, 2**-126])
    return np.concatenate([exact, magnitudes, -magnitudes, random, large, -large])


# --- widening ------------------------------------------------------------------------------------
def test_every_pattern_widens(name):
    with np.errstate(invalid="ignore"):
        wanted = PATTERNS.view(NATIVE[name]).astype(np.float32)
    got = widened(PATTERNS, name)
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    numbers = ~np.isnan(wanted)
    assert np.array_equal(got[numbers].view(np.uint32), wanted[numbers].view(np.uint32))


def test_a_step_of_no_length_changes_no_pattern(name):
    x = finite(name)
    for options in ({}, {"rounding": "stochastic", "seed": SEED}):
        got = x.copy()
        kernels.sgd(got, np.zeros_like(x), lr=0.0, dtype=name, **options)
        assert np.array_equal(got, x)


def test_arrays_of_every_kind_are_the_same(name):
    x = finite(name)
    g = np.random.default_rng(2).permutation(x)
    wanted = x.copy()
    kernels.sgd(wanted, g, lr=0.125, dtype=name)
    own, shown = x.copy(), x.copy()
    kernels.sgd(own.view(NATIVE[name]), g.view(NATIVE[name]), lr=0.125)
    kernels.sgd(*(of_dlpack(a, name) for a in (shown, g)), lr=0.125)
    mixed = x.copy()
    kernels.sgd(mixed, g.view(NATIVE[name]), lr=0.125, dtype=name)
    for got in (own, shown, mixed):
        assert_same(got, wanted, name)


def test_gradients_with_gaps_are_read(name):
    x = finite(name)
    g = np.random.default_rng(3).permutation(x)
    wanted, got, shown = x.copy(), x.copy(), x.copy()
    kernels.sgd(wanted, g, lr=0.125, dtype=name)
    kernels.sgd(got.view(NATIVE[name]), np.repeat(g, 2).view(NATIVE[name])[::2], lr=0.125)
    assert_same(got, wanted, name)
    for gaps in (np.repeat(g, 2)[::2], of_dlpack(np.repeat(g, 2)[::2], name)):
        with pytest.raises(ValueError, match=r"'g' has gaps between its elements.*dense copy"):
            kernels.sgd(shown, gaps, lr=0.125, dtype=name)
    with pytest.raises(TypeError, match=f"'g' has dtype float32, expected {name}.*in {name}"):
        kernels.sgd(shown, g.astype(np.float32), lr=0.125, dtype=name)
    with pytest.raises(TypeError, match="'g' has dtype int64, expected"):
        kernels.sgd(shown, g.astype(np.int64), lr=0.125, dtype=name)
    assert_same(shown, x, name)


def of_dlpack(bits, name):
    return Producer(bits, code={"float16": 2, "bfloat16": 4}[name])


# --- to nearest ----------------------------------------------------------------------------------
def test_rounding_to_nearest(name):
    values = many_values(name)
    wanted = cast(values, name)
    assert_same(nearest(values, name), wanted, name)
    for backend in BACKENDS:
        assert_same(rounded(values, name, backend=backend), wanted, name)


def test_a_copy_is_rounded_to_nearest():
    values = many_values("bfloat16")
    for dtype in (np.uint16, ml_dtypes.bfloat16):
        copy = np.zeros(values.size, dtype)
        x, g, g_prev, p, total = np.zeros((5, values.size), np.float32)
        kernels.osgm(x, g, values, g_prev, p, total, lr=0.0, moved=0.0, hyper_lr=0.0, copy=copy)
        assert_same(copy.view(np.uint16), cast(values, "bfloat16"), "bfloat16")
        assert np.array_equal(x, values, equal_nan=True)


# --- stochastically ------------------------------------------------------------------------------
def test_the_random_bits_are_those_of_the_reference(name):
    values = many_values(name)
    for seed in (0, SEED, 2**64 - 1):
        wanted = stochastic(values, name, random16(seed, values.size))
        assert_same(by_seed(values, name, seed), wanted, name)


def test_splitmix64():
    """The first outputs after the seed 1234567, as other implementations have them."""
    gamma = 0x9E3779B97F4A7C15
    assert mix64(np.uint64(1234567)) == 6457827717110365317
    assert mix64(np.uint64(1234567 + gamma)) == 3203168211198807973


def test_one_of_the_two_neighbours(name):
    values = many_values(name)
    values = values[np.isfinite(values)]
    got = widen(by_seed(values, name), name)
    wide = values.astype(np.float64)
    near = cast(values, name)
    above = widen(near, name) >= values  # not below the value, so the other one is
    step = np.where((near & 0x8000 == 0) == above, -1, 1)
    other = widen((near + step).astype(np.uint16), name)
    zero = near & 0x7FFF == 0
    other[zero] = np.copysign(FORMATS[name].smallest_subnormal, values)[zero]
    exact = widen(near, name) == wide
    assert np.array_equal(got[exact], wide[exact])
    too_large = np.abs(wide) >= 2.0**16 if name == "float16" else np.zeros(wide.size, bool)
    assert np.all(np.isinf(got[too_large]))
    rest = ~exact & ~too_large
    assert np.all((got == widen(near, name))[rest] | (got == other)[rest])
    assert np.all(np.signbit(got) == np.signbit(values))


def test_exact_numbers_never_change(name):
    every = finite(name)
    subnormal = PATTERNS[: 1 << FORMATS[name].mantissa]
    for patterns in (np.tile(every, 16), np.tile(subnormal, 2**20 // subnormal.size)):
        assert np.array_equal(by_seed(widen(patterns, name), name), patterns)


def test_infinity_and_nan_stay(name):
    values = np.tile(np.float32([np.inf, -np.inf, np.nan, -np.nan]), 3000)
    got = widen(by_seed(values, name), name).reshape(-1, 4)
    assert np.all(got[:, 0] == np.inf)
    assert np.all(got[:, 1] == -np.inf)
    assert np.all(np.isnan(got[:, 2:]))


@pytest.mark.parametrize("part", [2.0**-12, 0.25, 0.5, 0.8125])
@pytest.mark.parametrize("place", ["subnormal", "one", "large"])
def test_the_mean_is_the_value(name, part, place):
    """Within Hoeffding's bound, which fewer than one seed in 10^9 exceeds."""
    form, n = FORMATS[name], 2**18
    start = {
        "subnormal": 0.25 * form.smallest_normal,
        "one": 1.0,
        "large": 2.0 ** math.floor(math.log2(form.max)),
    }[place]
    lower = store(np.float32([start]), name)
    unit = float(widen(lower + np.uint16(1), name)[0]) - start
    up = widen(by_seed(np.full(n, start + part * unit, np.float32), name), name)
    share = np.mean((up.astype(np.float64) - start) / unit)
    assert abs(share - part) <= math.sqrt(math.log(2e9) / (2 * n))


def test_the_same_bits_for_any_threads_and_backend(name):
    values = np.random.default_rng(3).standard_normal(70_001).astype(np.float32)
    wanted = by_seed(values, name)
    for backend, threads in itertools.product(BACKENDS, (1, 2, 7)):
        assert np.array_equal(by_seed(values, name, backend=backend, threads=threads), wanted)


def test_seeds_differ(name):
    values = np.random.default_rng(4).standard_normal(20_000).astype(np.float32)
    down, other = by_seed(values, name, 0), by_seed(values, name, 1)
    near = rounded(values, name)
    for a, b in itertools.combinations((down, other, near), 2):
        assert 0.2 < np.mean(a != b) < 0.6
    assert np.array_equal(by_seed(values, name, 0), down)
    default = rounded(values, name, rounding="stochastic")
    assert np.array_equal(default, down)


def test_the_seed_means_nothing_to_nearest_and_to_wider_types(name):
    values = np.random.default_rng(5).standard_normal(3000).astype(np.float32)
    assert np.array_equal(rounded(values, name, seed=9), rounded(values, name))
    x, g = values.copy(), np.ones_like(values)
    kernels.sgd(x, g, lr=0.1, rounding="stochastic", seed=9)
    kernels.sgd(values, g, lr=0.1)
    assert np.array_equal(x, values)
