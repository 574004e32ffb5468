"""A tree of parameters with a state that has taken some steps."""

import copy

import numpy as np
from optimizer_cases import built, drawn, leaves

TEMPLATE = {"w": 0, 7: [1, (2, {"a b": 3})]}
SIZES = [(3, 4), (0,), (), (5,)]
PATHS = ["['w']", "[7][0]", "[7][1][0]", "[7][1][1]['a b']"]


def advance(optimizer, params, state, first, steps=2):
    for step in range(first, first + steps):
        dtype = leaves(params)[0].dtype
        gradients = built(TEMPLATE, drawn(10 + step, SIZES, dtype))
        optimizer.step(params, gradients, state)


def begin(case, dtype=np.float64, steps=3, **options):
    params = built(TEMPLATE, drawn(1, SIZES, dtype))
    optimizer = case.make(**options)
    state = optimizer.init(params)
    advance(optimizer, params, state, 0, steps)
    return optimizer, params, state


def copied(tree):
    return copy.deepcopy(tree)
