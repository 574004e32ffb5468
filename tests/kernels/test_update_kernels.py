"""The keywords of updates: what they take, what they refuse, and that a refusal writes nothing."""

import ml_dtypes
import numpy as np
import pytest
from arrays import Producer, read_only

import mdbopt
from mdbopt import kernels

RULES = mdbopt.rules()
N = 6
KEYWORDS = {
    "lr": 0.1,
    "copy": None,
    "rounding": "nearest",
    "seed": 0,
    "dtype": None,
    "flush_subnormals": False,
}


def ones(dtype=np.float32, n=N):
    return np.ones(n, dtype)


def stepped(x, g, **keywords):
    """Return what sgd makes of x, which keeps its place."""
    x = x.copy(order="K")
    kernels.sgd(x, g, **keywords)
    return x


# What comes beside float32 x and g, the error, and what its message says.
REFUSED = {
    "no lr": ({"lr": ...}, TypeError, "sgd: lr: expected a number or an array, got nothing"),
    "lr None": ({"lr": None}, TypeError, "sgd: lr: expected a number, got NoneType"),
    "lr str": ({"lr": "0.1"}, TypeError, "sgd: lr: expected a number, got str"),
    "lr bool": ({"lr": True}, TypeError, "sgd: lr: expected a number, got bool"),
    "lr complex": ({"lr": 1j}, TypeError, "sgd: lr: expected a number, got complex"),
    "lr NaN": ({"lr": np.nan}, ValueError, "sgd: lr: expected a finite number, got nan"),
    "lr inf": ({"lr": -np.inf}, ValueError, "sgd: lr: expected a finite number, got -inf"),
    "lr list": (
        {"lr": [0.1] * N},
        TypeError,
        "sgd: lr: expected a number, got list",
    ),
    "lr wide": (
        {"lr": ones(np.float64)},
        TypeError,
        "sgd: stream 'lr' has dtype float64, expected float32 (as 'x')",
    ),
    "lr short": ({"lr": ones(n=5)}, ValueError, "'lr' has 5 elements, expected 6 (as 'x')"),
    "copy wide": (
        {"copy": ones()},
        TypeError,
        "sgd: stream 'copy' has dtype float32, expected bfloat16 (whatever",
    ),
    "copy float16": (
        {"copy": ones(np.float16)},
        TypeError,
        "sgd: stream 'copy' has dtype float16, expected bfloat16 (whatever",
    ),
    "copy int16": ({"copy": ones(np.int16)}, TypeError, "sgd: stream 'copy' has dtype int16"),
    "copy long": (
        {"copy": ones(np.uint16, 7)},
        ValueError,
        "sgd: stream 'copy' has 7 elements, expected 6 (as 'x')",
    ),
    "copy read-only": (
        {"copy": read_only(ones(np.uint16))},
        ValueError,
        "sgd: stream 'copy' is read-only, expected a writable array",
    ),
    "copy number": ({"copy": 3}, TypeError, "sgd: stream 'copy': expected a NumPy array or an"),
    "rounding unknown": (
        {"rounding": "up"},
        ValueError,
        "sgd: rounding: expected one of 'nearest', 'stochastic', got 'up'",
    ),
    "rounding None": ({"rounding": None}, TypeError, "sgd: rounding: expected one of 'nearest'"),
    "seed negative": ({"seed": -1}, ValueError, "sgd: seed: expected a whole number >= 0, got -1"),
    "seed broken": ({"seed": 0.5}, TypeError, "sgd: seed: expected a whole number, got float 0.5"),
    "seed None": ({"seed": None}, TypeError, "sgd: seed: expected a whole number, got NoneType"),
    "seed too large": (
        {"rounding": "stochastic", "seed": 2**64},
        ValueError,
        "sgd: seed: expected",
    ),
    "dtype unknown": (
        {"dtype": "float32"},
        ValueError,
        "sgd: dtype: expected one of 'bfloat16', 'float16', got 'float32'",
    ),
    "dtype type": ({"dtype": np.float16}, TypeError, "sgd: dtype: expected one of 'bfloat16', "),
    "flush number": (
        {"flush_subnormals": 1},
        TypeError,
        "sgd: flush_subnormals: expected a bool, got int",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_keyword_is_refused(case):
    keywords, error, text = REFUSED[case]
    x, g = ones(), ones()
    given = {k: v for k, v in ({"lr": 0.1} | keywords).items() if v is not ...}
    before = {k: v.copy() for k, v in given.items() if isinstance(v, np.ndarray)}
    with pytest.raises(error) as caught:
        kernels.sgd(x, g, **given)
    assert caught.type is error
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    for array, start in ((x, ones()), (g, ones()), *((given[k], v) for k, v in before.items())):
        assert np.array_equal(array, start)


@pytest.mark.parametrize("name", ["lr", "copy"])
@pytest.mark.parametrize("other", ["x", "g", "lr"])
def test_what_is_written_may_not_overlap(name, other):
    arrays = {"x": ones(), "g": ones(), "lr": ones()}
    memory = arrays[other]
    given = {"lr": arrays["lr"]} | {name: memory.view(np.uint16)[:N] if name == "copy" else memory}
    if name == "lr" and other != "x":  # both are read
        kernels.sgd(arrays["x"], arrays["g"], **given)
        assert np.all(arrays["x"] == 0)
        return
    with pytest.raises(ValueError, match=f"^sgd: stream '{name}' overlaps stream '{other}', exp"):
        kernels.sgd(arrays["x"], arrays["g"], **given)
    assert all(np.all(array == 1) for array in arrays.values())


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_only_float32_has_a_copy(dtype):
    x, g, copy = ones(dtype), ones(dtype), np.full(N, 7, np.uint16)
    name = np.dtype(dtype).name
    text = f"^sgd: stream 'x' has dtype {name}, expected float32 since a bfloat16 copy is written$"
    with pytest.raises(TypeError, match=text):
        kernels.sgd(x, g, lr=0.1, copy=copy)
    assert np.all(x == 1)
    assert np.all(copy == 7)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_state_and_step_sizes_of_half_precision_are_float32(dtype):
    name, m = np.dtype(dtype).name, ones()
    x, g = ones(dtype), ones(dtype)
    with pytest.raises(TypeError, match=rf"'m' has dtype {name}, expected float32 \(in which"):
        kernels.signum(x, g, m.astype(dtype), lr=0.1)
    bits = [a.view(np.uint16) for a in (x, g, m.astype(dtype))]
    with pytest.raises(TypeError, match=rf"'m' has dtype {name}, expected float32 \(in which"):
        kernels.signum(*bits, lr=0.1, dtype=name)
    with pytest.raises(TypeError, match=rf"'lr' .* expected float32 \(in which {name} is computed"):
        kernels.signum(x, g, m, lr=ones(np.float64))
    with pytest.raises(TypeError, match=rf"'g' has dtype float32, expected {name} \(as 'x'\)"):
        kernels.signum(x, ones(), m, lr=0.1)
    assert all(np.all(array == 1) for array in (x, g, m))
    kernels.signum(x, g, m, lr=ones())
    assert np.all(x == 0)


def test_bit_patterns_need_a_dtype():
    x, g = ones(np.uint16), ones(np.uint16)
    text = "^sgd: stream 'x' has dtype uint16, expected float64, float32, bfloat16 or float16$"
    with pytest.raises(TypeError, match=text):
        kernels.sgd(x, g, lr=0.1)
    with pytest.raises(TypeError, match="'x' has dtype int16, expected float64, float32, bfloat16"):
        kernels.sgd(x.view(np.int16), g, lr=0.1, dtype="float16")
    with pytest.raises(TypeError, match="'g' has dtype float16, expected bfloat16"):
        kernels.sgd(x, g.view(np.float16), lr=0.1, dtype="bfloat16")
    assert np.all(x == 1)


# --- other rules ---------------------------------------------------------------------------------
@pytest.mark.parametrize("rule", [r for r in RULES if not r.takes_lr], ids=lambda rule: rule.name)
def test_other_rules_take_none_of_it(rule):
    kernel = getattr(kernels, rule.name)
    scalars = {name: 1.0 for name, default in rule.scalars if np.isnan(default)}
    arrays = [np.ones(3, stream.dtype("float64")) for stream in rule.streams]
    for keyword, value in KEYWORDS.items():
        if keyword == "dtype" and "float16" in rule.bytes:
            continue
        with pytest.raises(TypeError, match=f"^{rule.name}: unknown scalar '{keyword}'; expected"):
            kernel(*arrays, **scalars, **{keyword: value})
    if "float16" not in rule.bytes:
        for dtype in (np.float16, ml_dtypes.bfloat16):
            half = [np.ones(3, dtype) for _ in rule.streams]
            text = rf"^{rule.name}: stream '\w+'.* dtype {np.dtype(dtype).name}\b"
            with pytest.raises(TypeError, match=text):
                kernel(*half, **scalars)
            assert all(np.all(array == 1) for array in half)
    assert all(np.all(array == 1) for array in arrays)


# --- what is taken -------------------------------------------------------------------------------
@pytest.mark.parametrize("lr", [1, 0.5, np.float32(0.5), np.int8(2), np.array(0.5), -0.25])
def test_step_sizes_of_other_types(lr):
    assert np.array_equal(stepped(ones(), ones(), lr=lr), 1 - float(lr) * ones())


def test_step_sizes_of_every_element():
    x, g = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    lr = np.arange(6.0) ** 2
    wanted = x - lr.reshape(2, 3)
    for shape in ((6,), (2, 3), (1, 6)):
        assert np.array_equal(stepped(x, g, lr=lr.reshape(shape)), wanted)
    assert np.array_equal(stepped(x, g, lr=g), x - 1)  # the same array as g, since both are read
    assert np.all(np.isnan(stepped(x, g, lr=np.full(6, np.nan))))


def test_step_sizes_and_copies_through_dlpack():
    x, g, lr, copy = ones(), ones(), np.full(N, 0.25, np.float32), np.zeros(N, np.uint16)
    kernels.sgd(x, g, lr=Producer(lr), copy=Producer(copy, code=4))
    assert np.all(x == 0.75)
    assert np.all(copy.view(ml_dtypes.bfloat16) == 0.75)


def test_orders_of_memory():
    """Elements are walked in the order of memory, so that of x must be that of all written ones."""
    x = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    g = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"^sgd: stream 'copy' .*order"):
        kernels.sgd(x, g, lr=0.5, copy=np.zeros((2, 3), np.uint16))
    assert np.array_equal(x, np.arange(6).reshape(2, 3))
    kernels.sgd(x, g, lr=np.arange(6, dtype=np.float32).reshape(2, 3))
    assert np.all(x == 0)


def test_empty_arrays():
    none = np.zeros(0, np.float32)
    assert kernels.sgd(none, none, lr=none, copy=np.zeros(0, np.uint16)).applied
    assert kernels.normalized_gd(none, none, lr=0.1).norm2 == 0.0


@pytest.mark.parametrize("rule", ["diagonal_hypergradient_log", "diagonal_hypergradient_weights"])
def test_an_exponent_out_of_range_is_refused(rule):
    arrays = [np.ones(5) for _ in range(4)]
    result = getattr(kernels, rule)(*arrays, lr=0.1, hyper_lr=80.5)
    assert not result.applied
    assert all(np.all(array == 1) for array in arrays)
