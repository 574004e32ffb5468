"""Bounds of the norm of all gradients together."""

import math

import numpy as np
import pytest
from optimizer_cases import drawn, joined, same
from step_helpers import FULL, assert_equals_kernel, assert_same_steps, by_kernel, stepped

import mdbopt
from mdbopt import kernels


def norm_of(gradients):
    return math.sqrt(kernels.norm(joined(gradients)).norm2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [None, 0.25, 3.0])
def test_a_bound_scales_the_gradients(case, scale, dtype):
    """The same bits as the kernel with the factor of the bound, in each step."""
    factors = []
    for seed in (2, 3):
        norm = norm_of(drawn(seed, FULL, dtype)) / (scale or 1.0)
        factors.append({"grad_scale": 5.0 / (norm + 1e-6) / (scale or 1.0)})
    bound = {"max_norm": 5.0, "grad_scale": scale}
    expected = by_kernel(case, *factors, dtype=dtype)
    assert_equals_kernel(stepped(case.make(), bound, bound, dtype=dtype), expected)


def test_a_bound_is_what_scaling_by_hand_gives():
    x, g = drawn(3, [(50,), (50,)])
    y = x.copy()
    optimizer = mdbopt.SGD(0.5)
    optimizer.step(x, g, optimizer.init(x), max_norm=0.1)
    optimizer.step(y, g * (0.1 / np.linalg.norm(g)), optimizer.init(y))
    np.testing.assert_allclose(x, y, rtol=2e-6)  # the bound divides by norm + 1e-6


def test_a_norm_within_its_bound_changes_no_bit(case):
    wide = {"max_norm": 1e3}
    assert_same_steps(stepped(case.make(), wide, wide), stepped(case.make(), {}, {}))
    tiny = {"dtype": np.float64, "factor": 1e-200}
    assert_same_steps(stepped(case.make(), wide, **tiny), stepped(case.make(), {}, **tiny))


@pytest.mark.parametrize(("dtype", "huge"), [(np.float64, 1e200), (np.float32, 1e30)])
@pytest.mark.parametrize("scale", [1.0, 2.0**10])
def test_squares_out_of_range(dtype, huge, scale):
    (g,) = drawn(4, [(3000,)], dtype)
    x = np.zeros(3000, dtype)
    optimizer = mdbopt.SGD(1.0)
    step = {"max_norm": 2.0, "grad_scale": scale}
    optimizer.step(x, dtype(huge) * g, optimizer.init(x), **step)
    wide = g.astype(np.float64)
    wanted = -2.0 * wide / np.linalg.norm(wide)
    np.testing.assert_allclose(x, wanted, rtol=1e-12 if dtype is np.float64 else 1e-6)


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("size", [1e-170, 1e-300, 1e-310, 5e-324, 0.0])
def test_tiny_gradients_stay_within_their_bound(size, flush):
    g = np.array([size, 0.0, -size])
    x, y = np.zeros((2, 3))
    optimizer = mdbopt.SGD(1.0, flush_subnormals=flush)
    optimizer.step(x, g, optimizer.init(x), max_norm=1.0)
    optimizer.step(y, g, optimizer.init(y))
    assert same(x, y)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_goes_on(bad):
    (g,) = drawn(5, [(6,)])
    g[2] = bad
    others = np.arange(6) != 2
    x, y = np.zeros((2, 6))
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(x, g, optimizer.init(x))
    assert same(x[others], -g[others])
    assert not np.isfinite(x[2])
    optimizer.step(y, g, optimizer.init(y), max_norm=1.0)
    assert np.isnan(y[2])
    # A bound of no finite norm takes all with it, as PyTorch's does.
    assert np.all(np.isnan(y)) if math.isnan(bad) else np.all(y[others] == 0)
