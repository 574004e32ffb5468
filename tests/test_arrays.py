"""The border where arrays come in: what is borrowed, and in which orders."""

import numpy as np
import pytest
from arrays import Producer, call, expected, overlapping, read_only, streams

from mdbopt import kernels


def test_neighbours_do_not_overlap():
    _, x, x_trial = overlapping(6)
    call(x, np.ones(6), np.ones(6), x_trial)
    assert np.all(x == 7)
    assert np.all(x_trial == 6.5)


def test_read_streams_may_be_the_same_array():
    x, _, b, x_trial = streams()
    call(x, x, b, x_trial)
    assert np.array_equal(x_trial, expected(x, x, b))
    assert kernels.dot(x[:4], x[2:]).dot == pytest.approx(x[:4] @ x[2:])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (6,), (2, 3), (1, 6, 1), (2, 1, 3)])
def test_shapes(shape, dtype):
    x, g, b, x_trial = (np.asarray(a).reshape(shape) for a in streams(shape or 1, dtype))
    call(x, g, b, x_trial)
    assert np.array_equal(x_trial, expected(x, g, b))


def test_row_major_shapes_mix():
    x, g, b, x_trial = streams()
    call(x.reshape(2, 3), g, b.reshape(1, 6), x_trial.reshape(3, 2))
    assert np.array_equal(x_trial, expected(x, g, b))


def test_empty_arrays_have_no_order():
    empty = np.ones(6)[::2][:0]
    assert call(np.ones(0), empty, np.ones((0, 3)), np.ones((3, 0)).T).applied


ORDERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "gaps": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "swapped F": lambda a: np.asfortranarray(a.astype(">f8")),
    "list": np.ndarray.tolist,
}


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_read_follows_the_order_of_what_is_written(order):
    for written in (np.asfortranarray, np.ascontiguousarray):
        x, g, b, x_trial = streams((2, 3))
        trial = written(x_trial)
        other = ORDERS[order]
        if order == "repeated":
            g = np.repeat(g[:1], 2, axis=0)
        assert call(x, other(g), np.asfortranarray(b), trial).applied
        assert np.array_equal(trial, expected(x, g, b))


def test_the_first_of_those_that_are_read_gives_the_order():
    a, b = np.random.default_rng(5).standard_normal((2, 60, 70))
    forward = kernels.dot(a.T, b.T)
    assert forward == kernels.dot(a.T, np.ascontiguousarray(b.T)) == kernels.dot(a, b)
    assert kernels.dot(np.ascontiguousarray(a.T), b.T) == kernels.dot(
        np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    )


def test_column_major_needs_one_shape():
    x, g, b, x_trial = (np.asfortranarray(a) for a in streams((2, 3)))
    with pytest.raises(
        ValueError, match="'g' orders its elements in memory unlike stream 'x_trial', expected the"
    ):
        call(x, np.asfortranarray(g.T), b, x_trial)
    assert np.all(x_trial == 7)


def test_a_permuted_block_is_walked_flat():
    arrays = [a.transpose(1, 2, 0) for a in streams((2, 3, 4))]
    call(*arrays)
    assert np.array_equal(arrays[3], expected(*arrays[:3]))


@pytest.mark.parametrize(
    "options",
    [{}, {"null_strides": True}, {"accepts_version": False}, {"versioned": False}],
    ids=["versioned", "null strides", "no keyword", "unversioned"],
)
def test_dlpack_reads(options):
    x, g, b, x_trial = streams((2, 3))
    producer = Producer(g, **options)
    call(x, producer, b, x_trial)
    assert np.array_equal(x_trial, expected(x, g, b))
    asked = [{"max_version": (1, 3)}] + [{}] * ("accepts_version" in options)
    assert producer.requests == asked


def test_dlpack_writes():
    x, g, b, _ = streams()
    whole = np.full(8, 7.0)
    call(*map(Producer, (x, g, b)), Producer(whole[:6], byte_offset=8))
    assert np.array_equal(whole, [7, *expected(x, g, b), 7])


def test_numpy_through_its_own_dlpack():
    class Wrapped:
        def __init__(self, array):
            self.__dlpack__ = array.__dlpack__

    x, g, b, x_trial = streams()
    call(Wrapped(x), Wrapped(g), b, x_trial)
    assert np.array_equal(x_trial, expected(x, g, b))
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":  # before, capsules are unversioned
        x_trial[:] = 7
        call(x, g, b, Wrapped(x_trial))
        assert np.array_equal(x_trial, expected(x, g, b))
        with pytest.raises(ValueError, match="is read-only"):
            call(x, g, b, Wrapped(read_only(x_trial)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(BufferError, TypeError), (RuntimeError, TypeError), (TypeError, TypeError),
     (ValueError, ValueError), (KeyboardInterrupt, KeyboardInterrupt), (OSError, OSError)]
)  # fmt: skip
@pytest.mark.parametrize("stream", [1, 3])
def test_a_producer_s_own_error_comes_through(error, kind, stream):
    class Broken:
        def __dlpack__(self, **_):
            raise error("no")

    arrays = streams()
    x_trial = arrays[3]
    arrays[stream] = Broken()
    with pytest.raises(kind, match="no") as caught:
        call(*arrays)
    if issubclass(error, (BufferError, RuntimeError, ValueError, TypeError)):
        name = ("x", "g", "b", "x_trial")[stream]
        assert str(caught.value).startswith(f"box_trial: stream '{name}': cannot be read through")
        assert type(caught.value.__cause__) is error
    assert np.all(x_trial == 7)
