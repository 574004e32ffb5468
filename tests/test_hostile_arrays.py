"""DLPack tensors that say what cannot be: refused by name everywhere, never read or leaked."""

import contextlib
import gc

import numpy as np
import pytest
from arrays import COMPLEX, CUDA, Producer, call, streams

import mdbopt

HOSTILE = {
    "negative dimension": {"shape": (-6,)},
    "least dimension": {"shape": (-(2**63),)},
    "two negative dimensions": {"shape": (-2, -3), "strides": (3, 1)},
    "negative beside none": {"shape": (0, -1), "strides": (1, 1)},
    "product that wraps to none": {"shape": (2**32, 2**32), "strides": (2**32, 1)},
    "product that wraps to itself": {"shape": (6, 2**62 + 1, 4), "strides": (0, 0, 1)},
    "bytes that wrap": {"shape": (2**61,), "strides": (1,)},
    "too many beside none": {"shape": (2**40, 2**40, 0), "strides": (1, 1, 1)},
    "too many without strides": {"shape": (2**40, 2**40), "null_strides": True},
    "stride that wraps": {"strides": (2**62,)},
    "least stride": {"strides": (-(2**63),)},
    "strides that sum beyond": {"shape": (3, 2), "strides": (2**58, 2**59 + 2**58)},
    "fewer axes than none": {"ndim": -1},
    "very many axes": {"ndim": 2**31 - 1},
    "too many axes": {"shape": (6,) + (1,) * 64, "strides": (1,) * 65},
    "no shape": {"ndim": 1, "tensor_shape": None},
    "no memory": {"data": None},
    "offset that wraps": {"byte_offset": 2**64 - 8},
    "lanes": {"lanes": 2},
    "no lanes": {"lanes": 0},
    "no bits": {"bits": 0},
    "odd bits": {"bits": 63},
    "complex": {"code": COMPLEX, "bits": 128},
    "unknown code": {"code": 255},
    "a device that is not said": {"device_type": CUDA},
    "unknown device": {"device_type": 99},
    "negative device": {"device_type": -1},
    "next major version": {"major": 2},
    "version 0": {"major": 0},
    "greatest version": {"major": 2**32 - 1},
    "consumed": {"name": b"used_dltensor"},
    "consumed, versioned": {"name": b"used_dltensor_versioned"},
    "other capsule": {"name": b"arrow_array"},
}


@contextlib.contextmanager
def unchanged_if_refused(shown):
    before = shown().copy()
    try:
        yield
    except (TypeError, ValueError):
        np.testing.assert_array_equal(shown(), before)
        raise


def read_stream(array):
    x, _, b, x_trial = streams()
    with unchanged_if_refused(lambda: x_trial):
        call(x, array, b, x_trial)


def written_stream(array):
    x, g, b, _ = streams()
    call(x, g, b, array)


def start_of_search(array):
    mdbopt.Box().init(array, 1.0, np.ones(6))


def gradient_at_start(array):
    mdbopt.Box().init(np.ones(6), 1.0, array)


def judged(array):
    search = mdbopt.Box()
    state = search.init(np.ones(6), 1.0, np.ones(6))
    search.propose(state)
    with unchanged_if_refused(lambda: np.array([np.sum(state[name]) for name in state])):
        search.judge(state, 0.5, array)


def start_of_run(array):
    mdbopt.minimize(lambda x: (0.0, np.zeros(6)), array, jac=True)


def gradient_of_run(array):
    mdbopt.minimize(lambda x: (1.0, array), np.ones(6), jac=True)


def gradient_of_step(array):
    x, optimizer = np.ones(6), mdbopt.SGD(0.5)
    with unchanged_if_refused(lambda: x):
        optimizer.step(x, array, optimizer.init(x))


def labels(array):
    mdbopt.Box(groups=array).init(np.ones(6), 1.0, np.ones(6))


ENTRIES = {
    "box_trial: stream 'g'": read_stream,
    "box_trial: stream 'x_trial'": written_stream,
    "x": start_of_search,
    "g at start": gradient_at_start,
    "g": judged,
    "x0": start_of_run,
    "jac": gradient_of_run,
    "SGD: grads": gradient_of_step,
    "groups": labels,
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("entry", ENTRIES)
def test_it_is_refused_by_name(entry, case):
    fields = dict(HOSTILE[case])
    no_shape = "tensor_shape" in fields and fields.pop("tensor_shape") is None
    array = Producer(np.arange(1.0, 7.0), **fields)
    if no_shape:
        array.managed.tensor.shape = None
    with pytest.raises((TypeError, ValueError)) as caught:
        ENTRIES[entry](array)
    assert str(caught.value).startswith(entry.removesuffix(" at start"))
    del caught
    if Producer.alive:  # in a cycle at worst; to look for one takes longer than all else here
        gc.collect()
    assert Producer.alive == 0


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_same_array_told_rightly_is_taken(entry):
    array = np.arange(6) if entry == "groups" else np.arange(1.0, 7.0)
    ENTRIES[entry](Producer(array, **({"code": 0} if entry == "groups" else {})))
