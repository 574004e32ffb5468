"""Flushing: subnormal numbers count as 0 within a call, and the mode of the thread comes back."""

import itertools

import numpy as np
import pytest
from bits import BACKENDS, FINITE, check, salted, streams_of
from reference import Update, flushed
from rows import ROWS

import mdbopt
from mdbopt import kernels

UPDATES = [rule for rule in mdbopt.rules() if rule.update]
LIMITS = {np.float32: np.finfo(np.float32), np.float64: np.finfo(np.float64)}
MANY = 40 * 1024  # walked by several threads


def subnormal_products_live(dtype):
    """Return whether this thread computes with subnormal numbers."""
    tiny = np.full(64, LIMITS[dtype].smallest_normal)
    half = tiny * dtype(0.5)
    return bool(np.all(half > 0) and np.all(half + half == tiny))


@pytest.mark.parametrize("rule", UPDATES, ids=lambda rule: rule.name)
def test_bits(rule):
    """Of numbers of which many are subnormal: the same as a reference that flushes."""
    row, rng = ROWS[rule.name], np.random.default_rng(len(rule.name))
    for (dtype, n), scalars in zip(
        itertools.product(rule.bytes, (33, 3000)), itertools.cycle(row.scalars), strict=False
    ):
        salt = salted(("tiny", "-tiny", "subnormal", *FINITE))
        arrays = streams_of(rule, row, dtype, n, rng, salt)
        ways = [(backend, 1) for backend in BACKENDS]
        update = Update(0.37, flush=True, seed=3 if n > 33 else None)
        check(rule, row, dtype, arrays, scalars, [0] * len(arrays), ways, update)
        assert subnormal_products_live(np.float32)


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("dtype", LIMITS)
def test_a_call_flushes_or_keeps(dtype, threads):
    tiny = LIMITS[dtype].smallest_normal / 4
    for flush in (True, False, True, False):
        x, g = np.zeros(MANY, dtype), np.full(MANY, tiny)  # a subnormal number read
        kernels.sgd(x, g, lr=1.0, flush_subnormals=flush, threads=threads)
        assert np.all(x == (0 if flush else -tiny))
        x, g = np.zeros(MANY, dtype), np.full(MANY, 8 * tiny)  # a subnormal number made
        kernels.sgd(x, g, lr=1 / 16, flush_subnormals=flush, threads=threads)
        assert np.all(x == (0 if flush else -tiny / 2))
        assert subnormal_products_live(dtype)


@pytest.mark.parametrize("threads", [1, 7])
def test_a_call_that_sums_flushes(threads):
    tiny = np.full(MANY, LIMITS[np.float32].smallest_normal / 4)
    norms = []
    for flush in (True, False):
        x, m = np.zeros(MANY, np.float32), tiny.copy()
        options = {"lr": 1.0, "flush_subnormals": flush, "threads": threads}
        got = kernels.hypergradient_sgd(x, np.ones(MANY, np.float32), m, hyper_lr=0.0, **options)
        norms.append(got.gd)
    assert norms == [0.0, float(np.sum(tiny, dtype=np.float64))]


def test_moments_fade_to_zero():
    """What the mode is for: without it a moment stops at a subnormal number for good."""
    for flush, rest in ((True, False), (False, True)):
        x, g = np.zeros(8, np.float32), np.zeros(8, np.float32)
        m = np.full(8, 1e-30, np.float32)
        for _ in range(500):
            kernels.signum(x, g, m, lr=0.0, momentum=0.9, flush_subnormals=flush)
        assert np.all((m != 0) == rest)


def test_subnormal_numbers_of_float16_are_normal_where_they_are_computed():
    x, g = np.zeros(50, np.uint16), np.arange(50, dtype=np.uint16)
    kernels.sgd(x, g, lr=-1.0, dtype="float16", flush_subnormals=True)
    assert np.array_equal(x, g)
    x, g = np.zeros(50, np.uint16), np.arange(50, dtype=np.uint16)
    kernels.sgd(x, g, lr=-1.0, dtype="bfloat16", flush_subnormals=True)
    assert np.all(x == 0)


def test_the_reference_flushes():
    tiny = LIMITS[np.float32].smallest_subnormal
    got = flushed(np.float32([tiny, -tiny, 1.0, -0.0, np.inf]))
    assert np.array_equal(got, np.float32([0, 0, 1, 0, np.inf]))
    assert np.array_equal(np.signbit(got), [False, True, False, True, False])
