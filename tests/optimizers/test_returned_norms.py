"""A step that bounds the norm of the gradients returns it."""

import math

import numpy as np
import pytest
from optimizer_cases import drawn, same, same_all

import mdbopt

SIZES = [(2000,), (3, 4), ()]


def norm_of(grads):
    return math.sqrt(sum(float((np.asarray(g, "f8") ** 2).sum()) for g in grads))


@pytest.mark.parametrize("max_norm", [1e-3, 1, 1e6, math.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_norm_before_it_is_bounded(one, dtype, max_norm, bound):
    params, grads = drawn(1, SIZES, dtype), drawn(2, SIZES, dtype)
    optimizer = one.make()
    norm = bound(optimizer, params, grads, optimizer.init(params))(max_norm=max_norm)
    assert type(norm) is float
    assert norm == pytest.approx(norm_of(grads), rel=1e-13)


def test_without_a_bound_it_is_true():
    x, g = drawn(1, [(5,)] * 2)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(x)
    assert optimizer.step(x, g, state) is True
    assert optimizer.step(x, g, state, max_norm=1.0, found_inf=True) is False
    assert optimizer.step(x, g, state, max_norm=1.0, found_inf=0.0) == pytest.approx(norm_of([g]))
    assert state.t == 2


def test_it_is_of_unscaled_gradients():
    x, g = drawn(1, [(5,)] * 2)
    optimizer = mdbopt.SGD()
    state = optimizer.init(x)
    assert optimizer.step(x, 8 * g, state, grad_scale=8.0, max_norm=1.0) == optimizer.step(
        x, g, state, max_norm=1.0
    )


def test_inf_bounds_nothing(case):
    params, others, grads = drawn(1, SIZES), drawn(1, SIZES), drawn(2, SIZES)
    optimizer = case.make()
    state, other = optimizer.init(params), optimizer.init(others)
    assert optimizer.step(params, grads, state, max_norm=math.inf) > 0
    optimizer.step(others, grads, other)
    assert same_all(params, others)


@pytest.mark.parametrize(("value", "norm"), [(0.0, 0.0), (1e300, 2e300), (1e-300, 2e-300)])
def test_extreme_norms(value, norm):
    x = np.zeros(4)
    optimizer = mdbopt.SGD()
    assert optimizer.step(x, np.full(4, value), optimizer.init(x), max_norm=1.0) == pytest.approx(
        norm
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_norms_that_are_not_finite(bad):
    x, g = np.zeros(3), np.array([1.0, bad, 2.0])
    optimizer = mdbopt.SGD(1.0)
    norm = optimizer.step(x, g, optimizer.init(x), max_norm=math.inf)
    assert norm == bad or (math.isnan(bad) and math.isnan(norm))
    assert same(x[[0, 2]], np.array([-1.0, -2.0]))


def test_a_norm_of_0_is_no_skipped_step():
    x = np.ones(3)
    optimizer = mdbopt.OSGM()
    state = optimizer.init(x)
    assert optimizer.step(x, np.zeros(3), state, max_norm=1.0, value=2.0) == 0.0
    assert state.value == 2.0


def test_nothing_to_step():
    optimizer = mdbopt.AdamW()
    assert optimizer.step([], [], optimizer.init([]), max_norm=1.0) == 0.0
    x = np.ones(3)
    assert optimizer.step([x], [None], optimizer.init([x]), max_norm=1.0) == 0.0
