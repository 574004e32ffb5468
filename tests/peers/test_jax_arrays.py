"""JAX's arrays: read as gradients, refused where they would be written."""

import numpy as np
import pytest

import mdbopt

jax = pytest.importorskip("jax", reason="jax is not installed")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_gradients_of_every_dtype_are_read_without_a_copy(dtype):
    dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    kind = dtypes.bfloat16 if dtype == "bfloat16" else dtype
    x, expected = np.ones(5, kind), np.ones(5, kind)
    g = np.linspace(-1.0, 1.0, 5).astype(kind)
    optimizer = mdbopt.Adam(0.1)
    state, expected_state = optimizer.init(x), optimizer.init(expected)
    for _ in range(3):
        optimizer.step(x, jax.numpy.array(g), state)
        optimizer.step(expected, g, expected_state)
    assert np.array_equal(x, expected)
    assert isinstance(state.m, np.ndarray)
    assert state.m.dtype == np.float32


def test_numbers_of_jax_are_options():
    x = np.ones(3, np.float32)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    one = jax.numpy.ones(())
    assert optimizer.step(x, jax.numpy.full(3, 4.0), state, lr=0.5 * one, grad_scale=4 * one)
    assert np.array_equal(x, np.full(3, 0.5, np.float32))
    assert not optimizer.step(x, jax.numpy.ones(3), state, found_inf=jax.numpy.array(True))


def test_parameters_are_refused():
    """They cannot be written: other arrays may share their memory."""
    x = jax.numpy.ones(3)
    optimizer = mdbopt.Adam(0.1)
    message = r"Adam: params\['w'\]: JAX arrays cannot be written in place, expected a mutable"
    with pytest.raises(TypeError, match=message):
        optimizer.init({"w": x})
    state = optimizer.init(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="Adam: params is read-only, expected a writable array"):
        optimizer.step(x, np.ones(3, np.float32), state)
    assert state.t == 0
    assert np.array_equal(x, np.ones(3))


def test_narrower_gradients_widen_and_half_parameters_take_float32():
    x, expected = np.ones(3), np.ones(3)
    optimizer = mdbopt.SGD(0.1)
    g = jax.numpy.full(3, 0.3)
    assert g.dtype == "float32"
    optimizer.step(x, g, optimizer.init(x))
    optimizer.step(expected, np.asarray(g).astype("f8"), optimizer.init(expected))
    assert np.array_equal(x, expected)
    half = np.ones(3, "f2")
    optimizer.step(half, g, optimizer.init(half))
    assert np.array_equal(half, (np.float32(1.0) - np.float32(0.1) * np.asarray(g)).astype("f2"))
