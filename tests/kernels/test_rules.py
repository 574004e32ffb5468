"""Every rule, bit for bit, on every backend: outputs, sums, and nothing else touched."""

import itertools

import numpy as np
import pytest
import rows
from bits import BACKENDS, GUARD, LINE, SALTS, check, guarded, same_bits, streams_of, updates_of
from reference import CHUNK, fold

from mdbopt.kernels import _internal

RULES = _internal.RULES
# Around a lane's round, a chunk and several; the last is walked by several threads.
SIZES = (0, 1, 31, 32, 33, 1023, 1024, 1025, 3 * 1024 + 5, 40 * 1024 + 7)
LARGE = 200_003


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
    return ("float64",) if all(s.fixed for s in rule.streams) else tuple(rule.bytes)


def test_no_row_is_left_over():
    assert set(rows.ROWS) <= {rule.name for rule in RULES}


def test_row_fits_its_rule(rule, row):
    assert list(row.streams) == [stream.name for stream in rule.streams]
    for scalars in row.scalars:
        assert set(scalars) == {name for name, _ in rule.scalars}


def cases(rule, row, dtype, n, rng, turn):
    """Pair scalars with ways to call: all of them, of an update two in turn."""
    every = list(itertools.product(row.scalars, updates_of(rule, dtype, n, rng)))
    apart = len(every) // 2 if rule.update else 1
    return every[turn % apart :: apart]


@pytest.mark.parametrize("salt", SALTS)
def test_bits(rule, row, dtypes, salt):
    rng = np.random.default_rng(len(rule.name))
    first = 3 * list(SALTS).index(salt)
    # How threads share out the longest does not depend on its numbers; sums of these tell it best.
    sizes = SIZES if salt == "plain" else SIZES[:-1]
    for turn, (dtype, n) in enumerate(itertools.product(dtypes, sizes)):
        arrays = streams_of(rule, row, dtype, n, rng, SALTS[salt])
        offsets = [(turn + 3 * k) % 4 for k in range(len(arrays))]
        # Threads share out whole chunks.
        threads = (1, 2, 7) if n > CHUNK else ((1, 2, 7)[turn % 3],)
        ways = list(itertools.product(BACKENDS, threads))
        for scalars, update in cases(rule, row, dtype, n, rng, first + turn):
            check(rule, row, dtype, arrays, scalars, offsets, ways, update)


@pytest.mark.slow
def test_bits_of_a_large_array(rule, row, dtypes):
    rng = np.random.default_rng(len(rule.name) + 1)
    ways = list(itertools.product(BACKENDS, (1, 7)))
    place = RULES.index(rule) % len(dtypes)
    for dtype in dtypes[place : place + 1] if rule.update else dtypes:
        arrays = streams_of(rule, row, dtype, LARGE, rng)
        offsets = [k % 4 for k in range(len(arrays))]
        update = updates_of(rule, dtype, LARGE, rng)[-1]
        check(rule, row, dtype, arrays, row.scalars[0], offsets, ways, update)


def test_the_reference_folds_as_written_out():
    """The vectorised fold against the definition in csrc/base/fold.h, one element at a time."""
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
