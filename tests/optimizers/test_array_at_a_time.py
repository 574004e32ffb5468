"""A state for each array, stepped in any order, has the bits of a step of all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_cases import CASES, drawn, same, same_all

import mdbopt

SIZES = [(40, 30), (7,), (), (1024,), (2000,)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.by_array])
def test_each_array_by_itself(name):
    optimizer = CASES[name].make()
    params, others = drawn(1, SIZES), drawn(1, SIZES)
    state, states = optimizer.init(params), [optimizer.init(x) for x in others]
    rng = np.random.default_rng(0)
    for step in range(4):
        grads = drawn(2 + step, SIZES)
        optimizer.step(params, grads, state)
        for k in rng.permutation(len(SIZES)):
            optimizer.step(others[k], grads[k], states[k])
    assert same_all(params, others)
    for each in state._arrays:
        assert same_all(getattr(state, each), [getattr(own, each) for own in states])


@given(st.permutations(range(len(SIZES))), st.sampled_from([0.1, 3.0, 1e9]))
@settings(max_examples=20, deadline=None)
def test_a_norm_that_is_given_bounds_each_as_all(order, max_norm):
    optimizer = mdbopt.AdamW(0.1)
    params, others, grads = drawn(1, SIZES), drawn(1, SIZES), drawn(2, SIZES)
    norm = optimizer.step(params, grads, optimizer.init(params), max_norm=max_norm, grad_scale=2.0)
    for k in order:
        state = optimizer.init(others[k])
        options = {"max_norm": max_norm, "norm": norm, "grad_scale": 2.0}
        assert optimizer.step(others[k], grads[k], state, **options) == norm
    assert same_all(params, others)


@pytest.mark.parametrize("norm", [np.inf, np.nan])
def test_a_norm_that_is_not_finite_is_as_one_that_is_found(norm):
    x, y = np.ones(3), np.ones(3)
    g = np.array([norm, 1.0, 1.0])
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(x, g, optimizer.init(x), max_norm=1.0)
    optimizer.step(y, g, optimizer.init(y), max_norm=1.0, norm=norm)
    assert same(x, y)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"norm": 1.0}, ValueError, "SGD: norm: expected None without max_norm"),
        ({"norm": "1", "max_norm": 1.0}, TypeError, "SGD: norm: expected"),
        ({"norm": -1.0, "max_norm": 1.0}, ValueError, "SGD: norm: expected a number >= 0, got -1"),
    ],
)
def test_refused_norms(options, kind, words):
    x = np.ones(3)
    optimizer = mdbopt.SGD()
    with pytest.raises(kind, match=words):
        optimizer.step(x, np.ones(3), optimizer.init(x), **options)
    assert same(x, np.ones(3))
