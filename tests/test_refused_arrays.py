"""Arrays that the border refuses: the error, what it names, and that nothing is written."""

import numpy as np
import pytest
from arrays import CUDA, Producer, call, expected, overlapping, read_only, streams

from mdbopt import kernels


class Odd:
    def __dlpack__(self, **_):
        return 3


def misaligned(n):
    return np.frombuffer(bytearray(8 * n + 1), np.uint8)[1:].view(np.float64)


# What comes in place of stream g (read) or x_trial (written), the error, and what its message says.
READ = {
    "float16": (lambda a: a.astype(np.float16), TypeError, "dtype float16, expected float64"),
    "int64": (lambda a: a.astype(np.int64), TypeError, "dtype int64, expected float64 or float32"),
    "bool": (lambda a: a > 0, TypeError, "dtype bool, expected float64 or float32"),
    "complex64": (lambda a: a.astype(np.complex64), TypeError, "dtype complex64, expected float64"),
    "object": (lambda a: a.astype(object), TypeError, "dtype object, expected float64"),
    "other float": (lambda a: a.astype(np.float32), TypeError, "float32, expected float64 (as"),
    "swapped": (lambda a: a.astype(a.dtype.newbyteorder()), TypeError, "foreign byte order"),
    "list": (lambda a: a.tolist(), TypeError, "or an array with __dlpack__, got list"),
    "masked": (np.ma.array, TypeError, "expected an array without a mask, got MaskedArray"),
    "None": (lambda _: None, TypeError, "got NoneType"),
    "number": (lambda _: 1.5, TypeError, "got float"),
    "negative stride": (lambda a: a[::-1], ValueError, "negative stride, expected a dense array"),
    "zero stride": (lambda a: np.broadcast_to(a[:1], a.shape), ValueError, "(broadcast) stride"),
    "gaps": (lambda a: np.zeros(2 * a.size)[::2], ValueError, "gaps between its elements"),
    "fraction of a stride": (
        lambda a: np.zeros(a.size, "f8,f4")["f0"],
        ValueError,
        "stride, expected a dense array; pass a copy",
    ),
    "misaligned": (lambda a: misaligned(a.size), ValueError, "not aligned to its element size"),
    "short": (lambda a: a[:-1], ValueError, "has 5 elements, expected 6 (as 'x')"),
    "long": (lambda a: np.append(a, 1.0), ValueError, "has 7 elements, expected 6 (as 'x')"),
    "0-d": (lambda _: np.array(1.0), ValueError, "has 1 elements, expected 6 (as 'x')"),
    "device": (
        lambda a: Producer(a, device_type=CUDA),
        ValueError,
        "lives on device type 2 of DLPack, expected an array on the CPU",
    ),
    "DLPack float16": (lambda a: Producer(a, bits=16), TypeError, "code 2 of 16 bits (DLPack)"),
    "DLPack bfloat16": (lambda a: Producer(a, code=4, bits=16), TypeError, "code 4 of 16 bits"),
    "DLPack int64": (lambda a: Producer(a, code=0), TypeError, "code 0 of 64 bits (DLPack)"),
    "DLPack lanes": (lambda a: Producer(a, lanes=2), TypeError, "expected float64 or float32"),
    "DLPack version 2": (lambda a: Producer(a, major=2), TypeError, "version 2 is not understood"),
    "DLPack reversed": (lambda a: Producer(a[::-1]), ValueError, "negative stride"),
    "DLPack gaps": (lambda a: Producer(np.zeros(12)[::2]), ValueError, "gaps"),
    "DLPack misaligned": (lambda a: Producer(a, byte_offset=4), ValueError, "not aligned"),
    "consumed capsule": (
        lambda a: Producer(a, name=b"used_dltensor"),
        TypeError,
        "__dlpack__ of Producer gave no DLPack capsule",
    ),
    "no capsule": (lambda _: Odd(), TypeError, "of Odd gave"),
}
WRITTEN = {
    "read-only": (read_only, "is read-only, expected a writable array"),
    "broadcast": (lambda a: np.broadcast_to(a[:1], a.shape), "zero (broadcast) stride"),
    "DLPack read-only": (lambda a: Producer(a, read_only=True), "is read-only"),
    "DLPack unversioned": (lambda a: Producer(a, versioned=False), "is read-only"),
}


@pytest.mark.parametrize("case", READ)
def test_a_read_stream_is_refused(case):
    make, error, text = READ[case]
    x, g, b, x_trial = streams()
    with pytest.raises(error) as caught:
        call(x, make(g), b, x_trial)
    assert caught.type is error
    assert str(caught.value).startswith("box_trial: stream 'g'")
    assert text in str(caught.value)
    assert np.all(x_trial == 7)


@pytest.mark.parametrize("case", WRITTEN)
def test_a_written_stream_is_refused(case):
    make, text = WRITTEN[case]
    x, g, b, x_trial = streams()
    with pytest.raises(ValueError, match=r"^box_trial: stream 'x_trial' ") as caught:
        call(x, g, b, make(x_trial))
    assert text in str(caught.value)
    assert np.all(x_trial == 7)


def test_step_sizes_are_float64():
    x, g, b, x_trial = streams(dtype=np.float32)
    with pytest.raises(TypeError, match=r"'b' has dtype float32, expected float64 \(whatever"):
        call(x, g, b.astype(np.float32), x_trial)
    with pytest.raises(
        TypeError, match=r"'x_trial' has dtype float64, expected float32 \(as 'x'\)"
    ):
        call(x, g, b, x_trial.astype(np.float64))
    call(x, g, b, x_trial)
    assert np.array_equal(x_trial, expected(x, g, b))


@pytest.mark.parametrize("count", [0, 3, 5, 20])
def test_number_of_streams(count):
    arrays = [np.ones(3) for _ in range(count)]
    with pytest.raises(TypeError, match=rf"^box_trial: expected 4 streams, got {count}$"):
        kernels.box_trial(*arrays, step=0.5)


@pytest.mark.parametrize("shift", [0, 1, 5])
def test_written_memory_may_not_overlap(shift):
    base, x, x_trial = overlapping(shift)
    with pytest.raises(ValueError, match="'x_trial' overlaps stream 'x', expected separate memory"):
        call(x, np.ones(6), np.ones(6), x_trial)
    assert np.all(base == 7)
