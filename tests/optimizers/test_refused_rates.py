"""Step sizes that are refused, each by the place where it stands."""

import math

import numpy as np
import pytest
from optimizer_cases import built, drawn, leaves, nothing_written

import mdbopt

SIZES = [(5,), (2, 3), (), (1,)]
TEMPLATE = {"w": 0, "b": [1, (2, 3)]}


def short(**changes):
    return {"w": 0.1, "b": [0.1, (0.1, 0.1)]} | changes


# What comes as lr, the error, and what its message says behind "AdamW: ".
REFUSED = {
    "NaN": (math.nan, ValueError, "lr: expected a finite number >= 0, got nan"),
    "inf": (np.array(math.inf), ValueError, "lr: expected a finite number >= 0, got inf"),
    "negative": (-0.1, ValueError, "lr: expected a finite number >= 0, got -0.1"),
    "too large": (10**400, ValueError, "lr: expected a finite number"),
    "str": ("0.1", TypeError, "lr: expected a real number, got str"),
    "0-d str": (np.array("0.1"), TypeError, "lr: expected a"),
    "bool": (True, TypeError, "got bool"),
    "complex": (1j, TypeError, "lr: expected a real number, got complex"),
    "object": (object(), TypeError, "lr: expected a real number, got object"),
    "set": ({0.1}, TypeError, "lr: expected a real number, got set"),
    "one NaN": (short(w=math.nan), ValueError, "lr['w']: expected a finite number >= 0, got nan"),
    "one negative": (
        short(b=[-1.0, 0.1]),
        ValueError,
        "lr['b'][0]: expected a finite number >= 0, got -1.0",
    ),
    "one too large": (short(w=10**400), ValueError, "lr['w']: expected a finite number"),
    "one str": (short(w="a"), TypeError, "lr['w']: expected"),
    "one bool": (short(w=True), TypeError, "lr['w']: expected"),
    "one None": (short(w=None), TypeError, "lr['w']: expected"),
    "one 0-d NaN": (
        short(w=np.array(math.nan)),
        ValueError,
        "lr['w']: expected a finite number >= 0, got nan",
    ),
    "key missing": ({"w": 0.1}, ValueError, "lr: expected a dict with the 2 keys of params, got 1"),
    "other key": (
        {"w": 0.1, "c": 0.1},
        ValueError,
        "lr['b'] is missing, expected the keys of params",
    ),
    "list for a dict": (
        [0.1, 0.1],
        ValueError,
        "lr: expected a dict with the 2 keys of params, got list",
    ),
    "array for a dict": (
        np.ones(2),
        ValueError,
        "lr: expected a dict with the 2 keys of params, got ndarray",
    ),
    "dict for a list": (
        short(b={0: 0.1, 1: 0.1}),
        ValueError,
        "lr['b']: expected 2 items as params['b'], got dict",
    ),
    "short list": (short(b=[0.1]), ValueError, "lr['b']: expected 2 items as params['b'], got 1"),
    "list for an array": (short(w=[0.1] * 5), TypeError, "lr['w']: expected"),
    "long array": (
        short(b=np.ones(3)),
        ValueError,
        "lr['b'] has shape (3,), expected (2,), one for each array of params['b']",
    ),
    "matrix": (
        short(b=np.ones((2, 1))),
        ValueError,
        "lr['b'] has shape (2, 1), expected (2,), one for each array of params['b']",
    ),
    "NaN in an array": (
        short(b=[0.1, np.array([0.1, math.nan])]),
        ValueError,
        "lr['b'][1][1]: expected a finite number >= 0, got nan",
    ),
    "complex array": (short(b=np.ones(2, complex)), TypeError, "lr['b'] has dtype complex128"),
    "each bool": (short(w=np.ones(5, bool)), TypeError, "lr['w'] has dtype bool, expected"),
    "each short": (
        short(w=np.ones(4)),
        ValueError,
        "lr['w'] has shape (4,), expected (5,) (as params['w'])",
    ),
    "each flat": (
        short(b=[np.ones(6), 0.1]),
        ValueError,
        "lr['b'][0] has shape (6,), expected (2, 3) (as params['b'][0])",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    lr, error, text = REFUSED[name]
    params, gradients = (built(TEMPLATE, drawn(seed, SIZES)) for seed in (1, 2))
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    optimizer.step(params, gradients, state)
    with nothing_written(state, params), pytest.raises(error) as caught:
        optimizer.step(params, gradients, state, lr=lr)
    assert caught.type is error
    assert str(caught.value).startswith("AdamW: lr")
    assert text in str(caught.value)


def test_memory_that_is_written_is_refused():
    params, gradients = (built(TEMPLATE, drawn(seed, SIZES)) for seed in (1, 2))
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    for lr, what in ((params["w"], "params['w']"), (state.v["w"], "state.v['w']")):
        with nothing_written(state, params), pytest.raises(ValueError, match="overlaps") as caught:
            optimizer.step(params, gradients, state, lr=short(w=lr))
        assert str(caught.value).startswith(f"AdamW: lr['w'] overlaps {what}, expected separate")
    optimizer.step(params, gradients, state, lr=short(w=np.abs(gradients["w"])))
    assert len(leaves(params)) == 4
