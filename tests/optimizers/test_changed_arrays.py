"""Arrays that change in place between steps: size, shape, dtype, strides, the right to write."""

import numpy as np
import pytest
from optimizer_cases import nothing_written, same, sgd

import mdbopt


def test_resized_in_place(bound):
    x, g = np.zeros(4), np.ones(4)
    step, state = sgd(bound, x, g)
    x.resize(100_000, refcheck=False)
    with (
        nothing_written(state, x),
        pytest.raises(ValueError, match=r"^SGD: grads has shape \(4,\)"),
    ):
        step()
    g.resize(100_000, refcheck=False)
    g[4:] = 1.0
    assert step()
    assert np.all(x[:4] == -2)
    assert np.all(x[4:] == -1)
    for a in (x, g):
        a.resize(2, refcheck=False)
    assert step()
    assert same(x, np.array([-3.0, -3.0]))


def test_reshaped_in_place(bound):
    x, g = np.zeros(6), np.ones(6)
    step, state = sgd(bound, x, g)
    x.resize((2, 3), refcheck=False)
    text = r"^SGD: grads has shape \(6,\), expected \(2, 3\) \(as params\)$"
    with nothing_written(state, x), pytest.raises(ValueError, match=text):
        step()
    g.resize((2, 3), refcheck=False)
    assert step()
    assert np.all(x == -2)


def test_the_state_resized_in_place(bound):
    x, g = np.zeros(4), np.ones(4)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(x)
    step = bound(optimizer, x, g, state)
    step()
    state.v.resize(2, refcheck=False)
    text = r"^AdamW: state\.v has shape \(2,\), expected \(4,\) \(as params\)$"
    with nothing_written(state, x), pytest.raises(ValueError, match=text):
        step()


def test_made_read_only(bound):
    x, g = np.zeros(4), np.ones(4)
    step, state = sgd(bound, x, g)
    g.flags.writeable = False
    assert step()
    x.flags.writeable = False
    for _ in range(2):
        with nothing_written(state, x), pytest.raises(ValueError, match=r"^SGD: params is read"):
            step()
    x.flags.writeable = True
    assert step()
    assert np.all(x == -3)


@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")
def test_dtype_changed_in_place(bound):
    x, g = np.zeros(4), np.ones(4)
    step, state = sgd(bound, x, g)
    x.dtype = np.int64
    with nothing_written(state, x), pytest.raises(TypeError, match=r"^SGD: params has dtype int"):
        step()
    x.dtype = np.dtype(">f8")
    with nothing_written(state, x), pytest.raises(TypeError, match=r"^SGD: params has dtype of f"):
        step()
    x.dtype = np.float64
    assert step()
    assert np.all(x == -2)


@pytest.mark.filterwarnings("ignore:Setting the strides:DeprecationWarning")
def test_strides_changed_in_place(bound):
    x, g = (
        np.zeros((2, 2, 2)).transpose(0, 2, 1),
        np.arange(8.0).reshape(2, 2, 2).transpose(0, 2, 1),
    )
    step, state = sgd(bound, x, g)
    assert same(np.ascontiguousarray(x), np.ascontiguousarray(-g + 0.0))
    before = x.copy()
    g.strides = (16, 32, 8)
    assert step()
    assert same(x.copy(), before - g)
    assert state.t == 2


def test_other_axes_over_the_same_memory():
    x, memory = np.zeros((2, 2, 2)).transpose(0, 2, 1), np.arange(8.0).reshape(2, 2, 2)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    expected = np.zeros((2, 2, 2))
    for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (0, 1, 2)):
        optimizer.step(x, memory.transpose(axes), state)
        expected = expected - memory.transpose(axes)
        assert np.array_equal(x, expected)
