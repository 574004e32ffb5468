"""Gradients and step sizes of other types: taken where no number changes, else refused in words."""

import numpy as np
import pytest
from arrays import Producer
from optimizer_cases import drawn, nothing_written, same

import mdbopt

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SHAPE = (3, 400)


def whole(dtype):
    return lambda g: np.rint(7 * g).astype(dtype)


# The dtype of the parameters, and what comes as gradients.
TAKEN = {
    "float32 under float64": ("f8", lambda g: g.astype("f4")),
    "float16 under float64": ("f8", lambda g: g.astype("f2")),
    "bfloat16 under float64": ("f8", lambda g: g.astype(BFLOAT16)),
    "float16 under float32": ("f4", lambda g: g.astype("f2")),
    "bfloat16 under float32": ("f4", lambda g: g.astype(BFLOAT16)),
    "big-endian under float64": ("f8", lambda g: g.astype(">f8")),
    "big-endian float32 under float64": ("f8", lambda g: g.astype(">f4")),
    "big-endian under float32": ("f4", lambda g: g.astype(">f4")),
    "big-endian under float16": ("f2", lambda g: g.astype(">f2")),
    "int64 under float64": ("f8", whole("i8")),
    "int64 under float32": ("f4", whole("i8")),
    "int64 under float16": ("f2", whole("i8")),
    "int64 under bfloat16": (BFLOAT16, whole("i8")),
    "int8 under float32": ("f4", whole("i1")),
    "uint32 under float32": ("f4", lambda g: np.abs(np.rint(g)).astype("u4")),
    "big-endian int32": ("f4", whole(">i4")),
    "a list under float64": ("f8", lambda g: g.tolist()),
    "a list of int under float32": ("f4", lambda g: whole("i8")(g).tolist()),
    "tuples": ("f8", lambda g: tuple(map(tuple, g.tolist()))),
    "objects": ("f8", lambda g: g.astype(object)),
    "DLPack float32 under float64": ("f8", lambda g: Producer(g.astype("f4"))),
    "with gaps": ("f8", lambda g: np.repeat(g.astype("f4"), 3, axis=1)[:, ::-3][:, ::-1]),
}


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_what_widens_is_taken(name, max_norm):
    dtype, make = TAKEN[name]
    (x,) = drawn(1, [SHAPE])
    x = x.astype(dtype)
    y = x.copy()
    optimizer = mdbopt.AdamW(0.1)
    state, other = optimizer.init(x), optimizer.init(y)
    for step in range(3):
        (g,) = drawn(2 + step, [SHAPE])
        given = make(g)
        shown = given.array if isinstance(given, Producer) else given
        plain = np.asarray(shown, np.float64).astype(dtype)
        ours = optimizer.step(x, given, state, max_norm=max_norm)
        assert ours == optimizer.step(y, plain, other, max_norm=max_norm)
    assert same(x, y)
    assert same(state.v, other.v)


def test_many_chunks_of_half_precision_gradients():
    x, g = drawn(1, [(100_000,)] * 2, np.float32)
    g = g.astype(BFLOAT16)
    for threads in (1, 2):
        ours, theirs = x.copy(), x.copy()
        optimizer = mdbopt.AdamW(0.1, threads=threads)
        states = [optimizer.init(a) for a in (ours, theirs)]
        for _ in range(2):  # the second one is remembered
            optimizer.step(ours, g, states[0])
            optimizer.step(theirs, g.astype(np.float32), states[1])
        assert same(ours, theirs)


def test_patterns_of_bfloat16_under_float32():
    x, g = drawn(1, [(5,)] * 2, np.float32)
    g = g.astype(BFLOAT16)
    y, optimizer = x.copy(), mdbopt.SGD()
    optimizer.step(x, g.view(np.uint16), optimizer.init(x, dtype="bfloat16"))
    optimizer.step(y, g, optimizer.init(y))
    assert same(x, y)


@pytest.mark.parametrize("value", [2, 1.5, np.float32(1.5), [2], np.int64(2)])
def test_numbers_for_arrays_of_one(value):
    x = np.zeros(np.shape(value))
    optimizer = mdbopt.SGD(1.0)
    assert optimizer.step(x, value, optimizer.init(x))
    assert float(x.sum()) == -float(np.sum(value))


# The dtype of the parameters and of the gradient, how it is called, and the cast that is advised.
ROUNDED = {
    "float64 under float32": ("f4", np.float64, "float64", "float32"),
    "float64 under float16": ("f2", np.float64, "float64", "float16"),
    "big-endian under float32": ("f4", ">f8", "float64", "float32"),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_what_would_be_rounded_is_refused_with_advice_that_works(name):
    dtype, given, came, advised = ROUNDED[name]
    x, g = np.ones(3, dtype), np.full(3, 0.1).astype(given)
    optimizer = mdbopt.SGD()
    state = optimizer.init([x])
    text = rf"^SGD: grads\[0\] has dtype {came}, expected {advised}, .* pass it as {advised}$"
    for _ in range(2):
        with nothing_written(state, [x]), pytest.raises(TypeError, match=text):
            optimizer.step([x], [g], state)
    assert optimizer.step([x], [g.astype(advised)], state)


@pytest.mark.parametrize("dtype", ["f2", BFLOAT16])
@pytest.mark.parametrize("given", ["f4", "f2", BFLOAT16])
def test_half_parameters_take_what_they_are_computed_in(dtype, given):
    x, g = np.ones(1500, dtype), np.linspace(-1.0, 1.0, 1500).astype(given)
    optimizer = mdbopt.SGD(0.37)
    optimizer.step([x], [g], optimizer.init([x]))
    wide = np.float32(1.0) - np.float32(0.37) * g.astype(np.float32)
    assert same(x, wide.astype(dtype))


@pytest.mark.parametrize(
    ("dtype", "value"), [("f8", 2**53 + 1), ("f4", 2**24 + 1), ("f2", 2049), ("f4", -(2**63))]
)
def test_whole_numbers_that_would_be_rounded(dtype, value):
    x = np.ones(2, dtype)
    optimizer = mdbopt.SGD()
    state = optimizer.init(x)
    name = np.dtype(dtype).name
    text = rf"^SGD: grads: has whole numbers beyond .*, which {name} does not hold exactly; pass an"
    for given in ([1, value], np.array([1, value])):
        with nothing_written(state, x), pytest.raises(ValueError, match=text):
            optimizer.step(x, given, state)
    assert optimizer.step(x, np.array([1, value], dtype), state)


@pytest.mark.parametrize(
    "given", ["ab", [True, False], ["a", "b"], np.array([1j, 2]), object(), [1, [2]], {1, 2}]
)
def test_what_are_no_numbers(given):
    x = np.ones(2)
    optimizer = mdbopt.SGD()
    state = optimizer.init(x)
    with nothing_written(state, x), pytest.raises(TypeError, match=r"^SGD: grads"):
        optimizer.step(x, given, state)


RATES = {
    "float32 under float64": lambda r: r.astype("f4"),
    "big-endian": lambda r: r.astype(">f8"),
    "int": lambda r: np.ceil(r).astype(int),
    "float16": lambda r: r.astype("f2"),
    "F order": np.asfortranarray,
    "gaps": lambda r: np.repeat(r, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("name", RATES)
def test_step_sizes_of_other_types(name):
    x, g, rates = drawn(1, [(3, 4)] * 3)
    rates = RATES[name](np.abs(rates))
    y, optimizer = x.copy(), mdbopt.SGD()
    optimizer.step(x, g, optimizer.init(x), lr=rates)
    optimizer.step(y, g, optimizer.init(y), lr=np.ascontiguousarray(rates, np.float64))
    assert same(x, y)
    xs, ys = list(x.copy()), list(x.copy())
    optimizer.step(xs, list(g), optimizer.init(xs), lr=rates[:, 1])
    optimizer.step(ys, list(g), optimizer.init(ys), lr=[float(r) for r in rates[:, 1]])
    assert all(map(same, xs, ys))


def test_step_sizes_that_would_be_rounded():
    x = np.ones(3, np.float32)
    optimizer = mdbopt.SGD()
    state = optimizer.init(x)
    with pytest.raises(TypeError, match=r"^SGD: lr has dtype float64, expected float32"):
        optimizer.step(x, x.copy(), state, lr=np.full(3, 0.1))
    assert optimizer.step(x, x.copy(), state, lr=np.full(3, 0.1, np.float32))
