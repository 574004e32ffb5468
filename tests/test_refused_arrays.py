"""Arrays that the border refuses: the error, what it names, and that nothing is written."""

import numpy as np
import pytest
from arrays import CUDA, Producer, call, expected, overlapping, read_only, streams, text

from mdbopt import kernels


class Odd:
    def __dlpack__(self, **_):
        return 3


# What comes in place of stream g (read) or x_trial (written), the error, and what its message says.
# tests/test_array_forms.py has what is taken.
READ = {
    "complex64": (lambda a: a.astype(np.complex64), TypeError, "real numbers, got dtype complex64"),
    "text": (lambda a: a.astype(str), TypeError, "expected real numbers, got dtype <U"),
    "text in objects": (
        lambda a: np.array([*a[:-1], "7"], object),
        TypeError,
        "expected real numbers, got str '7' as element 5",
    ),
    "text of variable width": (
        lambda a: text(*"abcdef"),
        TypeError,
        "expected real numbers, got dtype ",
    ),
    "None in objects": (
        lambda a: [1.0, None, *a[2:]],
        TypeError,
        "expected real numbers, got NoneType None as element 1",
    ),
    "complex in objects": (lambda a: [*a[:-1], 1j], TypeError, "real numbers, got dtype complex"),
    "times": (lambda a: a.astype("m8[s]"), TypeError, "real numbers, got dtype timedelta64[s]"),
    "records": (lambda a: np.zeros(6, "f8,f4"), TypeError, "expected real numbers, got dtype [("),
    "ragged": (lambda a: [[1.0], [2.0, 3.0]], TypeError, "an array of real numbers, got list: "),
    "dict": (lambda a: {"a": 1.0}, TypeError, "expected an array of real numbers, got dict"),
    "masked": (
        lambda a: np.ma.array(a, mask=[0, 0, 1, 0, 1, 0]),
        TypeError,
        "without a mask, got MaskedArray with element 2 masked; its filled(value) is one",
    ),
    "None": (lambda _: None, TypeError, "expected an array of real numbers, got NoneType"),
    "number": (lambda _: 1.5, ValueError, "has 1 elements, expected 6 (as 'x_trial')"),
    "short": (lambda a: a[:-1], ValueError, "has 5 elements, expected 6 (as 'x')"),
    "long": (lambda a: np.append(a, 1.0), ValueError, "has 7 elements, expected 6 (as 'x')"),
    "short list": (lambda a: [1, 2], ValueError, "has 2 elements, expected 6 (as 'x_trial')"),
    "0-d": (lambda _: np.array(1.0), ValueError, "has 1 elements, expected 6 (as 'x')"),
    "device": (
        lambda a: Producer(a, device_type=CUDA),
        ValueError,
        "lives on device type 2 of DLPack, expected an array on the CPU",
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
    make, error, said = READ[case]
    x, g, b, x_trial = streams()
    with pytest.raises(error) as caught:
        call(x, make(g), b, x_trial)
    assert caught.type is error
    assert str(caught.value).startswith("box_trial: stream 'g'")
    assert said in str(caught.value)
    assert np.all(x_trial == 7)


@pytest.mark.parametrize("case", WRITTEN)
def test_a_written_stream_is_refused(case):
    make, said = WRITTEN[case]
    x, g, b, x_trial = streams()
    with pytest.raises(ValueError, match=r"^box_trial: stream 'x_trial' ") as caught:
        call(x, g, b, make(x_trial))
    assert said in str(caught.value)
    assert np.all(x_trial == 7)


@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist, Producer])
def test_a_wider_float_is_refused_with_advice_that_works(make):
    x, g, b, x_trial = streams(dtype=np.float32)
    wide = g.astype(np.float64)
    said = r"'g' has dtype float64, expected float32 \(as 'x'\); pass it in float32$"
    with pytest.raises(TypeError, match=said):
        call(x, make(wide), b, x_trial)
    assert np.all(x_trial == 7)
    call(x, make(wide.astype(np.float32)) if make is not np.ndarray.tolist else g, b, x_trial)
    assert np.array_equal(x_trial, expected(x, g, b))


@pytest.mark.parametrize(
    ("number", "dtype", "held"),
    [(2**53 + 1, np.float64, 2**53 + 2), (-(2**24) - 1, np.float32, -(2**24)),
     (2**63 - 1, np.float64, 2**60), (-(2**63) + 1, np.float32, -(2**63))]
)  # fmt: skip
def test_whole_numbers_are_never_rounded(number, dtype, held):
    x, _, b, x_trial = streams(dtype=dtype)
    with pytest.raises(TypeError, match=f"'g': expected whole numbers that .* holds, got {number}"):
        call(x, [0, 1, number, 3, 4, 5], b, x_trial)
    assert np.all(x_trial == 7)
    call(x, [0, 1, held, 3, 4, 5], b, x_trial)
    assert np.array_equal(x_trial, expected(x, np.array([0, 1, held, 3, 4, 5], dtype), b))


def test_what_is_written_keeps_its_dtype():
    x, g, b, x_trial = streams(dtype=np.float32)
    with pytest.raises(
        TypeError, match=r"'x_trial' has dtype float64, expected float32 \(as 'x'\)$"
    ):
        call(x, g, b, x_trial.astype(np.float64))


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
