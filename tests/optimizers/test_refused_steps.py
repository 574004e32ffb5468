"""Steps that are refused: the error, the place that it names, and that nothing is written."""

import numpy as np
import pytest
from arrays import CUDA, Producer, read_only
from optimizer_cases import CLASSES, built, drawn, nothing_written

import mdbopt

TEMPLATE = {"w": 0, "b": [1, (2,)]}
SIZES = [(3, 4), (4,), ()]


def trees(seed=1):
    return built(TEMPLATE, drawn(seed, SIZES)), built(TEMPLATE, drawn(seed + 1, SIZES))


# What comes in place of an array that is read: the error, and what the message says of the place.
READ = {
    "shape": (lambda a: a.T, ValueError, " has shape (4, 3), expected (3, 4) (as params['w'])"),
    "flat": (np.ravel, ValueError, " has shape (12,), expected (3, 4) (as params['w'])"),
    "one row less": (lambda a: a[:2], ValueError, " has shape (2, 4), expected (3, 4) (as"),
    "one axis more": (lambda a: a[None], ValueError, " has shape (1, 3, 4), expected (3, 4)"),
    "0-d": (lambda a: a[0, 0:1].reshape(()), ValueError, " has shape (), expected (3, 4)"),
    "bool": (lambda a: a > 0, TypeError, " has dtype bool, expected float64"),
    "uint16": (lambda a: a.astype("u2"), TypeError, " has dtype uint16, expected float64"),
    "complex": (lambda a: a.astype(complex), TypeError, " has dtype complex128, expected float64"),
    "masked": (np.ma.array, TypeError, ": expected an array without a mask, got MaskedArray"),
    "text": (lambda _: "w", TypeError, ": expected a NumPy array or an array with __dlpack__, got"),
    "dict": (lambda a: {0: a}, TypeError, ": expected a NumPy array or an array with"),
    "device": (lambda a: Producer(a, device_type=CUDA), ValueError, " lives on device type 2"),
    "DLPack shape": (lambda a: Producer(a.T.copy()), ValueError, " has shape (4, 3), expected"),
}
# What is a gradient, but not an array of a state.
GRADIENT = {
    "float32": (lambda a: a.astype("f4"), TypeError, " has dtype float32, expected float64"),
    "float16": (lambda a: a.astype("f2"), TypeError, " has dtype float16, expected float64"),
    "int": (lambda a: a.astype(int), TypeError, " has dtype int64, expected float64"),
    "object": (lambda a: a.astype(object), TypeError, " has dtype object, expected float64"),
    "swapped": (lambda a: a.astype(">f8"), TypeError, " has dtype of foreign byte order"),
    "number": (lambda _: 1.5, TypeError, ": expected a NumPy array or an array with __dlpack__"),
    "scalar": (lambda _: np.float64(1), TypeError, ": expected a NumPy array or an array with"),
    "list": (lambda a: a.tolist(), TypeError, ": expected a NumPy array or an array with"),
    "DLPack int": (lambda a: Producer(a, code=0), TypeError, " has dtype code 0 of 64 bits"),
    "zero stride": (
        lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (0, 8)),
        ValueError,
        " has elements that share memory (a stride of 0, or overlapping ones), expected memory of",
    ),
}
WRITTEN = {
    "read-only": (read_only, ValueError, " is read-only, expected a writable array"),
    "DLPack read-only": (
        lambda a: Producer(a, read_only=True),
        ValueError,
        " is read-only, expected a writable array",
    ),
    "DLPack unversioned": (
        lambda a: Producer(a, versioned=False),
        ValueError,
        " is read-only, expected a writable array",
    ),
}


def assert_refused(optimizer, params, grads, state, error, text, *others, **options):
    """Refused by step and plan, before and after a step that could be remembered."""
    for step in (
        lambda: optimizer.step(params, grads, state, **options),
        lambda: optimizer.plan(params, grads, state).step(**options),
    ):
        with nothing_written(state, params, grads, *others), pytest.raises(error) as caught:
            step()
        assert caught.type is error
        assert str(caught.value).startswith(f"{type(optimizer).__name__}: ")
        assert text in str(caught.value)


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize("name", READ)
def test_a_gradient_is_refused(name, remembered):
    make, error, text = READ[name]
    params, grads = trees()
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    if remembered:
        optimizer.step(params, grads, state)
    wrong = grads | {"w": make(grads["w"])}
    assert_refused(optimizer, params, wrong, state, error, f"AdamW: grads['w']{text}", grads)
    assert optimizer.step(params, grads, state)


@pytest.mark.parametrize("name", READ | GRADIENT | WRITTEN)
def test_an_array_of_the_state_is_refused(name):
    """Which the user has put there."""
    make, error, text = (READ | GRADIENT | WRITTEN)[name]
    params, grads = trees()
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    right = state.v["w"]
    state.v["w"] = make(right)
    text = f"AdamW: state.v['w']{text}"
    assert_refused(optimizer, params, grads, state, error, text, right)
    state.v["w"] = right
    assert optimizer.step(params, grads, state)


PARAMETERS = {
    name: row
    for name, row in (READ | GRADIENT | WRITTEN).items()
    if row[2].startswith((" has elements", " is read", " lives", ": "))
    or "object" in name
    or "swapped" in name
    or "complex" in name
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_refused(name):
    make, error, text = PARAMETERS[name]
    params, grads = trees()
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    wrong = params | {"w": make(params["w"])}
    if name == "dict":
        text, error = ": expected a dict with the 1 keys of params['w'], got ndarray", ValueError
    if name == "list":
        text, error = ": expected 3 items as params['w'], got ndarray", ValueError
    tree = "grads" if name in ("dict", "list") else "params"
    text = f"AdamW: {tree}['w']{text}"
    assert_refused(optimizer, wrong, grads, state, error, text, params)


def test_a_shape_is_refused_by_every_optimizer(one):
    params, grads = trees()
    optimizer = one.make()
    state = optimizer.init(params)
    wrong = grads | {"w": grads["w"].T.copy()}
    with nothing_written(state, params, grads), pytest.raises(ValueError, match=f"^{one.label}: "):
        optimizer.step(params, wrong, state)


def test_a_shape_is_refused():
    params, grads = trees()
    optimizer = mdbopt.Lion()
    wrong = grads | {"w": grads["w"].T.copy()}
    text = "Lion: grads['w'] has shape (4, 3), expected (3, 4) (as params['w'])"
    assert_refused(optimizer, params, wrong, optimizer.init(params), ValueError, text)


# What comes in place of the gradients' tree, and what the message says.
TREES = {
    "nothing": (lambda _: None, TypeError, "grads: expected the structure of params, got None"),
    "no list": (
        lambda g: g | {"b": None},
        TypeError,
        "grads['b']: expected the structure of params['b'], got None",
    ),
    "array": (
        lambda g: g["w"],
        ValueError,
        "grads: expected a dict with the 2 keys of params, got ndarray",
    ),
    "list": (list, ValueError, "grads: expected a dict with the 2 keys of params, got list"),
    "key missing": (
        lambda g: {"w": g["w"]},
        ValueError,
        "grads: expected a dict with the 2 keys of params, got 1",
    ),
    "key left over": (
        lambda g: g | {"c": g["w"]},
        ValueError,
        "grads: expected a dict with the 2 keys of params, got 3",
    ),
    "other key": (
        lambda g: {"w": g["w"], "B": g["b"]},
        ValueError,
        "grads['b'] is missing, expected the keys of params",
    ),
    "short list": (
        lambda g: g | {"b": g["b"][:1]},
        ValueError,
        "grads['b']: expected 2 items as params['b'], got 1",
    ),
    "long tuple": (
        lambda g: g | {"b": [g["b"][0], (g["b"][1][0],) * 2]},
        ValueError,
        "grads['b'][1]: expected 1 items as params['b'][1], got 2",
    ),
    "array for a list": (
        lambda g: g | {"b": g["b"][0]},
        ValueError,
        "grads['b']: expected 2 items as params['b'], got ndarray",
    ),
    "dict for a list": (
        lambda g: g | {"b": dict(enumerate(g["b"]))},
        ValueError,
        "grads['b']: expected 2 items as params['b'], got dict",
    ),
    "set for a list": (
        lambda g: g | {"b": {1, 2}},
        ValueError,
        "grads['b']: expected 2 items as params['b'], got set",
    ),
    "array for a tuple": (
        lambda g: g | {"b": [g["b"][0], g["b"][1][0]]},
        ValueError,
        "grads['b'][1]: expected 1 items as params['b'][1], got ndarray",
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_of_gradients_is_refused(name):
    make, error, text = TREES[name]
    params, grads = trees()
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    wrong = make(grads)
    assert_refused(optimizer, params, wrong, state, error, f"AdamW: {text}", grads)
    optimizer.step(params, grads, state)
    assert_refused(optimizer, params, wrong, state, error, f"AdamW: {text}", grads)
    assert optimizer.step(params, grads, state)


def test_no_gradient_for_a_bare_array():
    x = np.ones(3)
    optimizer = mdbopt.SGD()
    text = "grads: expected an array, got None"
    assert_refused(optimizer, x, None, optimizer.init(x), TypeError, text)


def other_states(optimizer, params):
    """Make states of parameters of another shape, and of another structure."""
    other = optimizer.init({"w": np.ones(2), "b": [np.ones(4), (np.ones(()),)]})
    return other, optimizer.init(params["b"])


@pytest.mark.parametrize("name", [n for n, c in CLASSES.items() if len(c.description.streams) > 2])
def test_a_state_of_other_parameters_is_refused_by_every_optimizer(name):
    optimizer = CLASSES[name].make()
    params, grads = trees()
    for state in other_states(optimizer, params):
        with nothing_written(state, params, grads), pytest.raises(ValueError, match=f"^{name}: "):
            optimizer.step(params, grads, state)


def test_a_state_of_other_parameters_is_refused():
    optimizer = mdbopt.AdamW()
    params, grads = trees()
    shape, structure = other_states(optimizer, params)
    text = "AdamW: state.m['w'] has shape (2,), expected (3, 4) (as params['w'])"
    assert_refused(optimizer, params, grads, shape, ValueError, text)
    text = "AdamW: state.m: expected a dict with the 2 keys of params, got list"
    assert_refused(optimizer, params, grads, structure, ValueError, text)


def test_parameters_of_another_dtype_than_the_state():
    params, grads = ({"w": x.astype(np.float32)} for x in drawn(1, [(3, 4)] * 2))
    optimizer = mdbopt.AdamW()
    state = optimizer.init({"w": np.ones((3, 4))})
    text = "AdamW: state.m['w'] has dtype float64, expected float32"
    assert_refused(optimizer, params, grads, state, TypeError, text)
