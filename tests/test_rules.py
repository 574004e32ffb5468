"""Every rule, bit for bit, on every backend: outputs, sums, and nothing else touched."""

import itertools

import numpy as np
import pytest
import rows
from reference import fold, reference

import mdbopt
from mdbopt import kernels

RULES = mdbopt.rules()
BACKENDS = [backend.name for backend in mdbopt.backends() if backend.supported]
# Around a lane's round, a chunk and several; the last is walked by several threads.
SIZES = (0, 1, 31, 32, 33, 1023, 1024, 1025, 3 * 1024 + 5, 40 * 1024 + 7)
LARGE = 1_000_003
GUARD = 16  # sentinels before and after each stream
SENTINEL = -1.2345e-30
LINE = 64  # bytes

FINITE = ("-0.0", "0.0", "tiny", "-tiny", "subnormal", "huge", "-huge")
WILD = (*FINITE, "nan", "inf", "-inf")


def special(name, dtype):
    """Return a number that arithmetic likes to stumble over."""
    limits = np.finfo(dtype)
    value = {
        "tiny": limits.smallest_subnormal,
        "subnormal": limits.smallest_normal / 3,
        "huge": limits.max,
    }.get(name.lstrip("-"))
    return float(name) if value is None else (-value if name.startswith("-") else value)


def plain(rng, arrays):
    """Leave the arrays as drawn."""


def one_nan(rng, arrays):
    """Put NaN into one place of one stream."""
    array = arrays[rng.integers(len(arrays))]
    if array.size:
        array[rng.integers(array.size)] = np.nan


def salted(names):
    """Put specials into a tenth of all places."""

    def put(rng, arrays):
        for array in arrays:
            places = rng.random(array.size) < 0.1
            chosen = [special(name, array.dtype) for name in rng.choice(names, places.sum())]
            array[places] = chosen

    return put


def streams_of(rule, row, dtype, n, rng):
    return [
        row.streams[stream.name].draw(rng, n).astype(stream.dtype(dtype)) for stream in rule.streams
    ]


def guarded(values, offset):
    """Copy values between sentinels, offset elements past a cache line; return both views."""
    width = values.itemsize
    count = values.size + offset + 2 * GUARD
    raw = np.empty(count * width + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    whole = raw[start : start + count * width].view(values.dtype)
    whole[:] = SENTINEL
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


def check(rule, row, arrays, scalars, offsets, ways):
    """Run one case in all ways (backend, threads), each against the reference."""
    expected, sums, applied = reference(rule, row, arrays, scalars)
    before = [guarded(*pair)[0] for pair in zip(arrays, offsets, strict=True)]
    after = [guarded(*pair)[0] for pair in zip(expected, offsets, strict=True)]
    buffers = [guarded(*pair) for pair in zip(arrays, offsets, strict=True)]
    kernel = getattr(kernels, rule.name)
    for backend, threads in ways:
        for (whole, _), start in zip(buffers, before, strict=True):
            np.copyto(whole, start)
        inner = [view for _, view in buffers]
        got = kernel(*inner, backend=backend, threads=threads, **scalars)
        where = f"{arrays[0].size} elements, offsets {offsets}, {backend}, {threads} threads, "
        where += f"{scalars}"
        assert got.applied is applied, where
        for (name, _), value, wanted in zip(rule.sums, got, sums, strict=False):
            assert same_bits(np.float64([value]), np.float64([wanted])), (
                f"sum {name}: {value!r}, expected {wanted!r}; {where}"
            )
        for stream, (whole, _), wanted in zip(rule.streams, buffers, after, strict=True):
            if not same_bits(whole, wanted):
                bad = np.flatnonzero(~((whole == wanted) | (np.isnan(whole) & np.isnan(wanted))))
                k = bad[0] if bad.size else -1
                first = k - GUARD - offsets[rule.streams.index(stream)]
                pytest.fail(
                    f"stream {stream.name}: {bad.size} places differ in value, the first at "
                    f"{first}: {whole[k]!r}, expected {wanted[k]!r}; {where}"
                )


@pytest.fixture(params=RULES, ids=lambda rule: rule.name)
def rule(request):
    return request.param


@pytest.fixture
def row(rule):
    if rule.name not in rows.ROWS:
        pytest.fail(f"tests/rows.py has no row for the rule {rule.name!r}")
    return rows.ROWS[rule.name]


@pytest.fixture
def dtypes(rule):
    """Return the dtypes of a call, one where they make no difference."""
    return ("float64",) if all(s.fixed for s in rule.streams) else ("float64", "float32")


def test_no_row_is_left_over():
    assert set(rows.ROWS) <= {rule.name for rule in RULES}


def test_row_fits_its_rule(rule, row):
    assert list(row.streams) == [stream.name for stream in rule.streams]
    for scalars in row.scalars:
        assert set(scalars) == {name for name, _ in rule.scalars}


SALTS = {"plain": plain, "one_nan": one_nan, "finite": salted(FINITE), "wild": salted(WILD)}


@pytest.mark.parametrize("salt", SALTS.values(), ids=SALTS)
def test_bits(rule, row, dtypes, salt):
    rng = np.random.default_rng(len(rule.name))
    ways = list(itertools.product(BACKENDS, (1, 2, 7)))
    for turn, (dtype, n) in enumerate(itertools.product(dtypes, SIZES)):
        arrays = streams_of(rule, row, dtype, n, rng)
        salt(rng, arrays)
        offsets = [(turn + 3 * k) % 4 for k in range(len(arrays))]
        for scalars in row.scalars:
            check(rule, row, arrays, scalars, offsets, ways)


def test_bits_of_a_large_array(rule, row, dtypes):
    rng = np.random.default_rng(len(rule.name) + 1)
    ways = list(itertools.product(BACKENDS, (1, 7)))
    for dtype in dtypes:
        arrays = streams_of(rule, row, dtype, LARGE, rng)
        check(rule, row, arrays, row.scalars[0], [k % 4 for k in range(len(arrays))], ways)


def test_the_reference_folds_as_written_out():
    """The vectorised fold against the definition in csrc/fold.h, one element at a time."""
    values = np.random.default_rng(5).standard_normal(2 * 1024 + 77)
    for kind, pick in (("add", float.__add__), ("max", max)):
        partials = []
        for begin in range(0, len(values), 1024):
            lanes = [0.0] * 32
            for i, value in enumerate(values[begin : begin + 1024].tolist()):
                lanes[i % 32] = pick(lanes[i % 32], value)
            for half in (16, 8, 4, 2, 1):
                lanes = [pick(lanes[k], lanes[k + half]) for k in range(half)]
            partials.append(lanes[0])
        assert fold(kind, values) == pick(pick(partials[0], partials[1]), partials[2])
    assert np.isnan(fold("max", np.where(np.arange(len(values)) == 40, np.nan, values)))


def test_sentinels_are_seen():
    whole, inner = guarded(np.arange(3.0), 2)
    assert inner.ctypes.data % LINE == (GUARD + 2) * 8 % LINE
    inner[:] = 0
    copy = whole.copy()
    copy[0] = 0.0
    assert not same_bits(whole, copy)
    assert not same_bits(np.float64([0.0]), np.float64([-0.0]))
    assert same_bits(np.float64([np.nan]), -np.float64([np.nan]))
