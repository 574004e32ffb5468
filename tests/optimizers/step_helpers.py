"""Steps over a list of arrays that fill their chunks, by an optimizer and by its kernel."""

import numpy as np
from optimizer_cases import ByKernel, assert_same_state, drawn, joined, same, same_all

FULL = [(1024,), (2, 512), (100,)]


def stepped(optimizer, *options, dtype=np.float64, factor=1.0, seed=1):
    """Return parameters and state after a step with each of the options."""
    params = drawn(seed, FULL, dtype)
    state = optimizer.init(params)
    for k, each in enumerate(options):
        gradients = [dtype(factor) * g for g in drawn(seed + 1 + k, FULL, dtype)]
        optimizer.step(params, gradients, state, **each)
    return params, state


def by_kernel(case, *scalars, dtype=np.float64, seed=1, **shared):
    params = drawn(seed, FULL, dtype)
    expected = ByKernel(case, joined(params), sizes=[x.size for x in params], **shared)
    for k, each in enumerate(scalars):
        expected.step(joined(drawn(seed + 1 + k, FULL, dtype)), **each)
    return expected


def assert_equals_kernel(result, expected):
    params, state = result
    assert same(joined(params), expected.x)
    for name, values in expected.states.items():
        assert same(joined(getattr(state, name)), values)
    assert {name: getattr(state, name) for name in expected.numbers} == expected.numbers


def assert_same_steps(ours, theirs):
    assert same_all(ours[0], theirs[0])
    assert_same_state(ours[1], theirs[1])
