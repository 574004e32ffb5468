"""The forms in which numbers that are only read may come, at every entry that reads some."""

import decimal
import fractions

import ml_dtypes
import numpy as np
import pytest
from arrays import BFLOAT, INT, Producer, call, expected, streams

import mdbopt
from mdbopt import kernels
from mdbopt._arrays import widened

# Whole, so that every dtype below holds them.
VALUES = np.array([3.0, -2.0, 1.0, 5.0, -7.0, 4.0])


def pandas_column(**options):
    def form(a):
        pandas = pytest.importorskip("pandas")
        return pandas.Series(a, **options)

    return form


def misaligned(a):
    moved = np.frombuffer(bytearray(a.nbytes + 1), np.uint8)[1:].view(a.dtype)
    moved[...] = a
    return moved


def in_records(a):
    records = np.zeros(a.size, "f8,f4")
    records["f0"] = a
    return records["f0"]


class HasArray:
    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


FORMS = {
    "list": np.ndarray.tolist,
    "tuple": tuple,
    "list of ints": lambda a: [int(v) for v in a],
    "list of fractions": lambda a: [fractions.Fraction(v) for v in a],
    "list of arrays": list,
    "int64": lambda a: a.astype(np.int64),
    "int8": lambda a: a.astype(np.int8),
    "big-endian int16": lambda a: a.astype(">i2"),
    "float32": lambda a: a.astype(np.float32),
    "float16": lambda a: a.astype(np.float16),
    "bfloat16": lambda a: a.astype(ml_dtypes.bfloat16),
    "big-endian": lambda a: a.astype(">f8"),
    "big-endian float32": lambda a: a.astype(">f4"),
    "objects": lambda a: a.astype(object),
    "objects of ints": lambda a: a.astype(int).astype(object),
    "objects of decimals": lambda a: np.array([decimal.Decimal(v) for v in a]),
    "reversed": lambda a: a[::-1].copy()[::-1],
    "gaps": lambda a: np.repeat(a, 3)[::3],
    "reversed gaps": lambda a: np.repeat(a[::-1], 3)[::-3],
    "in records": in_records,
    "misaligned": misaligned,
    "read-only": lambda a: np.frombuffer(a.tobytes()),
    "masked nowhere": np.ma.array,
    "object with __array__": HasArray,
    "DLPack": Producer,
    "DLPack unversioned": lambda a: Producer(a, versioned=False),
    "DLPack float32": lambda a: Producer(a.astype(np.float32)),
    "DLPack float16": lambda a: Producer(a.astype(np.float16)),
    "DLPack bfloat16": lambda a: Producer(a.astype(ml_dtypes.bfloat16), code=BFLOAT),
    "DLPack int32": lambda a: Producer(a.astype(np.int32), code=INT),
    "DLPack reversed": lambda a: Producer(a[::-1].copy()[::-1]),
    "DLPack gaps": lambda a: Producer(np.repeat(a, 3)[::3]),
    "DLPack misaligned": lambda a: Producer(misaligned(a)),
    "pandas": pandas_column(),
    "pandas objects": pandas_column(dtype=object),
    "pandas Int64": pandas_column(dtype="Int64"),
    "pandas Float32": pandas_column(dtype="Float32"),
    "pandas categories": pandas_column(dtype="category"),
    "pandas index": lambda a: pytest.importorskip("pandas").Index(a),
    "pandas column": lambda a: pytest.importorskip("pandas").DataFrame({"a": a})["a"],
}
forms = pytest.mark.parametrize("form", FORMS)


def test_narrower_floats_are_widened_by_their_own_library():
    wide = widened(VALUES.astype(np.float16), "float32")
    assert wide.dtype == np.float32
    assert np.array_equal(wide, VALUES)
    for same in (VALUES, VALUES.astype(int), Producer(VALUES)):
        assert widened(same, "float64") is same


HALF = {form for form in FORMS if "float16" in form}


@forms
def test_a_stream_that_is_read(form):
    x, _, b, x_trial = streams()
    assert call(x, FORMS[form](VALUES), b, x_trial).applied
    assert np.array_equal(x_trial, expected(x, VALUES, b))


@forms
def test_streams_of_which_none_is_written(form):
    assert kernels.dot(VALUES, FORMS[form](VALUES)) == kernels.dot(VALUES, VALUES)


@pytest.mark.parametrize(
    "form", [form for form in FORMS if not form.startswith(("list", "tuple", "object with"))]
)
def test_step_sizes_of_an_update(form):
    g = np.ones(6)
    x, same = np.zeros(6), np.zeros(6)
    kernels.sgd(x, g, lr=FORMS[form](VALUES**2))
    kernels.sgd(same, g, lr=VALUES**2)
    assert np.array_equal(x, same)


@forms
@pytest.mark.parametrize("paired", [True, False])
def test_the_gradient_of_minimize(form, paired):
    def run(make):
        def fun(x):
            f = float(VALUES @ x)
            return (f, make(VALUES)) if paired else f

        jac = True if paired else lambda x: make(VALUES)
        return mdbopt.minimize(fun, VALUES, jac=jac, options={"maxfun": 4})

    result, same = run(FORMS[form]), run(np.copy)
    assert np.array_equal(result.jac, VALUES)
    assert np.array_equal(result.x, same.x)
    assert result.fun == same.fun


@forms
def test_gradients_of_a_search(form):
    search = mdbopt.Box()
    state = search.init(VALUES, 1.0, FORMS[form](VALUES))
    same = search.init(VALUES, 1.0, VALUES)
    for given in (state, same):
        search.propose(given)
    assert search.judge(state, 0.5, FORMS[form](-VALUES)) == search.judge(same, 0.5, -VALUES)
    for name in same:
        assert np.array_equal(state[name], same[name], equal_nan=True)


def begin(x):
    return mdbopt.Box().init(x, 1.0, VALUES.astype(np.int8)).x


def ask(x0):
    points = []

    def fun(x):
        points.append(np.asarray(x).copy())
        return 0.0, np.zeros_like(x)

    mdbopt.minimize(lambda x: fun(np.asarray(x)), x0, jac=True)
    return points[0]


@pytest.mark.parametrize("form", [form for form in FORMS if form not in HALF])
@pytest.mark.parametrize("entry", [begin, ask])
def test_where_a_run_starts(form, entry, monkeypatch):
    monkeypatch.setattr("mdbopt._arrays.Library.from_numpy", lambda self, array: array)
    x = np.asarray(entry(FORMS[form](VALUES)))
    assert np.array_equal(x, VALUES)
    assert x.dtype == (np.float32 if "loat32" in form else np.float64)
    assert x.dtype.isnative


@pytest.mark.parametrize("form", sorted(HALF))
@pytest.mark.parametrize("entry", [begin, ask])
def test_a_run_in_half_precision_is_refused_with_advice_that_works(form, entry):
    with pytest.raises(TypeError, match=r"^x0?: .*float16; pass them as float32$"):
        entry(FORMS[form](VALUES))
    assert entry(VALUES.astype(ml_dtypes.bfloat16).astype("float32")).dtype == np.float32


@pytest.mark.parametrize("make", [np.longdouble, lambda a: a.astype(np.longdouble).astype(object)])
def test_extended_precision_is_refused_with_advice_that_works(make):
    wide = make(VALUES)
    for entry in (begin, ask, lambda g: mdbopt.Box().init(VALUES, 1.0, g), kernels.norm):
        with pytest.raises(TypeError, match="dtype float128; pass them as float64"):
            entry(wide)
    assert np.array_equal(begin(wide.astype("float64")), VALUES)
