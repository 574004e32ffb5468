"""One rule on drawn arrays against its reference, bit for bit, with sentinels round each stream."""

import numpy as np
from reference import Update, load, rate, reference, store
from reference_half import FORMATS, as_given
from rows_learned import RATE

import mdbopt
from mdbopt.kernels import _internal as kernels

BACKENDS = [backend.name for backend in mdbopt.backends() if backend.supported]
GUARD = 16  # sentinels before and after each stream
SENTINEL = 0xAB  # each of their bytes
LINE = 64  # bytes

FINITE = ("-0.0", "0.0", "tiny", "-tiny", "subnormal", "huge", "-huge")
WILD = (*FINITE, "nan", "inf", "-inf")


def special(name, dtype):
    """Return a number that arithmetic likes to stumble over."""
    limits = FORMATS[dtype] if dtype in FORMATS else np.finfo(dtype)
    value = {
        "tiny": limits.smallest_subnormal,
        "subnormal": limits.smallest_normal / 3,
        "huge": limits.max,
    }.get(name.lstrip("-"))
    return float(name) if value is None else (-value if name.startswith("-") else value)


def plain(rng, arrays, dtypes):
    """Leave the arrays as drawn."""


def one_nan(rng, arrays, dtypes):
    """Put NaN into one place of one stream."""
    array = arrays[rng.integers(len(arrays))]
    if array.size:
        array[rng.integers(array.size)] = np.nan


def salted(names):
    """Put specials into a tenth of all places."""

    def put(rng, arrays, dtypes):
        for array, dtype in zip(arrays, dtypes, strict=True):
            places = rng.random(array.size) < 0.1
            numbers = [special(name, dtype) for name in names]
            array[places] = rng.choice(numbers, places.sum())

    return put


def streams_of(rule, row, dtype, n, rng, salt=plain):
    """Draw the streams of a call as they are stored."""
    drawn = [row.streams[stream.name].draw(rng, n) for stream in rule.streams]
    dtypes = [stream.dtype(dtype) for stream in rule.streams]
    salt(rng, drawn, dtypes)
    return [store(*pair) for pair in zip(drawn, dtypes, strict=True)]


def guarded(values, offset):
    """Copy values between sentinels, offset elements past a cache line; return both views."""
    width = values.itemsize
    count = values.size + offset + 2 * GUARD
    raw = np.empty(count * width + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    bytes_ = raw[start : start + count * width]
    bytes_[:] = SENTINEL
    whole = bytes_.view(values.dtype)
    inner = whole[GUARD + offset : GUARD + offset + values.size]
    inner[:] = values
    return whole, inner


def same_bits(a, b):
    """Compare as integers, so that -0.0 differs from 0.0; any NaN equals any other.

    Which of two NaNs an addition returns depends on the order of its operands, which compilers
    may swap, and x86 and Arm give a fresh NaN opposite signs.
    """
    integer = f"i{a.dtype.itemsize}"
    return np.array_equal(a.view(integer), b.view(integer)) or bool(
        np.all((a.view(integer) == b.view(integer)) | (np.isnan(a) & np.isnan(b)))
    )


def updates_of(rule, dtype, n, rng):
    """Return the ways to call what takes a step size, in turn; one way to call another rule."""
    if not rule.takes_lr:
        return [None]
    each = store(RATE.draw(rng, n), rate(dtype))
    if dtype in FORMATS:
        return [Update(0.37), Update(each, seed=5), Update(0.37, seed=2**64 - 1), Update(each)]
    return [Update(0.37), Update(each, copy=dtype == "float32")]


def check(rule, row, dtype, arrays, scalars, offsets, ways, update=None):
    """Run one case in all ways (backend, threads), each against the reference."""
    expected, sums, applied = reference(rule, row, arrays, scalars, dtype, update)
    names = [stream.name for stream in rule.streams]
    dtypes = [stream.dtype(dtype) for stream in rule.streams]
    keywords = update.keywords() if update else {}
    if update and update.copy:
        names, dtypes = [*names, "copy"], [*dtypes, "bfloat16"]
        arrays = [*arrays, np.full(arrays[0].size, 7, np.uint16)]
        expected, offsets = [*expected, store(expected[0], "bfloat16")], [*offsets, 1]
    before = [guarded(*pair)[0] for pair in zip(arrays, offsets, strict=True)]
    after = [
        load(guarded(values, offset)[0], name)
        for values, offset, name in zip(expected, offsets, dtypes, strict=True)
    ]
    buffers = [guarded(*pair) for pair in zip(arrays, offsets, strict=True)]
    inner = [as_given(view, name) for (_, view), name in zip(buffers, dtypes, strict=True)]
    if update and update.copy:
        keywords["copy"] = inner.pop()
    kernel = getattr(kernels, rule.name)
    for backend, threads in ways:
        for (whole, _), start in zip(buffers, before, strict=True):
            np.copyto(whole, start)
        got = kernel(*inner, backend=backend, threads=threads, **keywords, **scalars)
        case = (dtype, arrays[0].size, offsets, backend, threads, scalars, update)
        assert got.applied is applied, case
        for (sum_name, _), value, wanted in zip(rule.sums, got, sums, strict=False):
            assert same_bits(np.float64([value]), np.float64([wanted])), (
                f"sum {sum_name}: {value!r}, expected {wanted!r}; {case}"
            )
        for k, (whole, _) in enumerate(buffers):
            found = load(whole, dtypes[k])
            assert same_bits(found, after[k]), (
                f"stream {names[k]}: {difference(found, after[k], offsets[k])}; {case}"
            )


def difference(found, wanted, offset):
    """Say in words where two arrays between sentinels differ."""
    bad = np.flatnonzero(~((found == wanted) | (np.isnan(found) & np.isnan(wanted))))
    place = bad[0] if bad.size else -1
    return (
        f"{bad.size} places differ in value, the first at {place - GUARD - offset}: "
        f"{found[place]!r}, expected {wanted[place]!r}"
    )


SALTS = {"plain": plain, "one_nan": one_nan, "finite": salted(FINITE), "wild": salted(WILD)}
