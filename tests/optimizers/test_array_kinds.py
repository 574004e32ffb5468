"""Arrays of other kinds: those that can be read as gradients, written as parameters."""

import numpy as np
import pytest
from arrays import Producer, read_only
from optimizer_cases import built, drawn, same, same_all

import mdbopt

TEMPLATE = {"w": 0, "b": [1, (2,)]}
SIZES = [(3, 4), (4,), ()]


def trees():
    return built(TEMPLATE, drawn(1, SIZES)), built(TEMPLATE, drawn(2, SIZES))


READABLE = {
    "DLPack": Producer,
    "DLPack read-only": lambda a: Producer(a, read_only=True),
    "DLPack unversioned": lambda a: Producer(a, versioned=False),
    "DLPack of before": lambda a: Producer(a, versioned=False, accepts_version=False),
    "DLPack without strides": lambda a: Producer(a, null_strides=True),
    "read-only": read_only,
    "memory map": lambda a: a.view(np.memmap),
    "subclass": lambda a: a.view(type("Own", (np.ndarray,), {})),
}


def test_gradients_that_can_be_read_are(one):
    params, grads = trees()
    others, _ = trees()
    optimizer = one.make()
    state, other = optimizer.init(params), optimizer.init(others)
    for kind in (*READABLE.values(), *READABLE.values()):
        optimizer.step(params, grads | {"w": kind(grads["w"])}, state)
        optimizer.step(others, grads, other)
        assert same_all(params, others), kind


@pytest.mark.parametrize("kind", [Producer, lambda a: a.view(np.memmap)])
def test_parameters_that_can_be_written_are(kind):
    (x, g) = drawn(3, [(5,)] * 2)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    before = x.copy()
    for _ in range(2):
        optimizer.step(kind(x), g, state)
    assert same(x, before - g - g)
