"""Trees as people have them: None, generators, views, mappings; and hints where they are amiss."""

from collections import OrderedDict, UserDict, deque, namedtuple
from types import MappingProxyType

import numpy as np
import pytest
from optimizer_cases import assert_same_state, drawn, leaves, nothing_written, same_all

import mdbopt

Pair = namedtuple("Pair", "weight bias")
SIZES = [(3,), (2, 2)]
FORMS = {
    "generator": lambda a: (x for x in a),
    "map": lambda a: map(np.asarray, a),
    "values": lambda a: dict(enumerate(a)).values(),
    "ordered values": lambda a: OrderedDict(enumerate(a)).values(),
    "deque": deque,
    "generators inside": lambda a: [(x for x in a[:1]), map(np.asarray, a[1:])],
    "values in a dict": lambda a: {"net": dict(enumerate(a)).values()},
    "mapping": lambda a: MappingProxyType({"w": a[0], "b": a[1]}),
    "user dict": lambda a: UserDict(w=a[0], b=[a[1]]),
    "named tuple": lambda a: Pair(*a),
}


@pytest.mark.parametrize("name", FORMS)
def test_other_containers_are_read_as_lists_and_dicts(name, bound):
    make = FORMS[name]
    x, y = drawn(1, SIZES), drawn(1, SIZES)
    optimizer = mdbopt.AdamW(0.1)
    state, other = optimizer.init(make(x)), optimizer.init(y)
    for step in range(3):
        g = drawn(2 + step, SIZES)
        assert bound(optimizer, make(x), make(g), state)()
        optimizer.step(y, g, other)
    assert same_all(x, y)
    assert same_all(state.m, other.m)
    twin = optimizer.restore(make(x), dict(state))
    assert_same_state(twin, state)


def test_a_plan_lists_a_generator_once():
    (x, g) = drawn(1, [(3,)] * 2)
    before = x.copy()
    optimizer = mdbopt.SGD(1.0)
    plan = optimizer.plan(iter([x]), iter([g]), optimizer.init([x]))
    for _ in range(3):
        assert plan.step()
    assert np.array_equal(x, before - g - g - g)


def test_rates_and_decays_of_each_from_generators():
    x, y, g = drawn(1, SIZES), drawn(1, SIZES), drawn(2, SIZES)
    optimizer = mdbopt.AdamW()
    optimizer.step(x, g, optimizer.init(x), lr=iter([0.1, 0.2]), weight_decay=iter([0.3, 0.4]))
    optimizer.step(y, g, optimizer.init(y), lr=[0.1, 0.2], weight_decay=[0.3, 0.4])
    assert same_all(x, y)


def test_refused_generators_write_nothing():
    x = drawn(1, SIZES)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(x)
    with (
        nothing_written(state, x),
        pytest.raises(ValueError, match=r"^AdamW: grads: expected 2 it"),
    ):
        optimizer.step(iter(x), iter(x[:1]), state)


# --- None ----------------------------------------------------------------------------------------
NONES = {
    "dict": ({"w": 0, "b": None}, {"w": 0, "b": None}),
    "list": ([None, 0, None], [None, 0, None]),
    "nested": ({"a": [0, (None, 1)], "b": None}, {"a": [0, (None, 1)], "b": None}),
    "only None": ([None], (None,)),
}


def filled(template, arrays):
    if isinstance(template, dict):
        return {key: filled(item, arrays) for key, item in template.items()}
    if isinstance(template, (list, tuple)):
        return type(template)(filled(item, arrays) for item in template)
    return None if template is None else arrays[template]


@pytest.mark.parametrize("name", NONES)
def test_none_among_parameters_is_nothing(name, one, bound):
    here, there = NONES[name]
    x, y = drawn(1, SIZES), drawn(1, SIZES)
    params, flat = filled(here, x), [a for a in leaves(filled(here, y)) if a is not None]
    optimizer = one.make()
    state, other = optimizer.init(params), optimizer.init(flat)
    for step in range(3):  # the last ones are remembered
        grads = filled(there, drawn(2, SIZES))
        lr = {} if step < 2 else {"lr": 0.3, "weight_decay": 0.1}
        assert bound(optimizer, params, grads, state)(**lr)
        given = [a for a in leaves(grads) if a is not None]
        assert optimizer.step(flat, given, other, **lr)
    assert same_all(x, y)
    assert state._numbers() == other._numbers()
    for each in state._arrays:
        found = [a for a in leaves(getattr(state, each)) if a is not None]
        assert same_all(found, getattr(other, each))
        tree = getattr(state, each)
        assert [type(a) is type(None) for a in leaves(tree)] == [a is None for a in leaves(params)]
    assert len(state) == len(other)
    assert_same_state(optimizer.restore(params, dict(state)), state)


def test_a_gradient_for_none_is_refused():
    params = {"w": np.ones(2), "b": None}
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    text = r"^AdamW: grads\['b'\]: expected None as params\['b'\], got ndarray$"
    with nothing_written(state, params), pytest.raises(TypeError, match=text):
        optimizer.step(params, {"w": np.ones(2), "b": np.ones(2)}, state)
    assert optimizer.step(params, {"w": np.ones(2), "b": None}, state)
    assert optimizer.step(params, {"w": None, "b": None}, state)


# --- hints ---------------------------------------------------------------------------------------
UNKNOWN = {
    "betas": (mdbopt.AdamW, {"betas": (0.9, 0.999)}, "beta1=…, beta2=…"),
    "betas of Lion": (mdbopt.Lion, {"betas": (0.9, 0.99)}, "beta1=…, beta2=…"),
    "learning_rate": (mdbopt.SGD, {"learning_rate": 0.1}, "lr=…"),
    "epsilon": (mdbopt.AdamW, {"epsilon": 1e-8}, "eps=…"),
    "b1": (mdbopt.AdamW, {"b1": 0.9}, "beta1=…"),
    "amsgrad": (mdbopt.Adam, {"amsgrad": True}, "the optimizer AMSGrad"),
    "a slip": (mdbopt.SGD, {"momentun": 0.9}, "momentum=…"),
    "max_norm": (mdbopt.AdamW, {"max_norm": 1.0}, "max_norm=… of step"),
    "fused": (mdbopt.AdamW, {"fused": True}, "not needed"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_options_say_what_was_meant(name):
    kind, options, hint = UNKNOWN[name]
    with pytest.raises(TypeError) as caught:
        kind(**options)
    (option,) = options
    text = f"{kind.__name__}: unknown option '{option}'; here it is {hint}"
    assert str(caught.value).startswith(text)
    assert "weight_decay" in str(caught.value)


def test_options_that_mean_nothing_list_what_there_is():
    text = r"^SGD: unknown option 'betas'; the options are average, backend"
    with pytest.raises(TypeError, match=text):
        mdbopt.SGD(betas=(0.9, 0.9))


class Model:
    """What offers its parameters as PyTorch's modules do."""

    def __init__(self):
        self.arrays = drawn(1, SIZES)

    def parameters(self):
        yield from self.arrays


def test_a_model_and_parameters_where_a_number_is_expected():
    model = Model()
    text = r"^AdamW: params: expected an array, got Model; pass list\(model\.parameters\(\)\)$"
    with pytest.raises(TypeError, match=text):
        mdbopt.AdamW().init(model)
    assert len(mdbopt.AdamW().init(list(model.parameters())).m) == 2
    for arguments, options in (
        ((model.parameters(),), {"lr": 0.1}),
        ((model,), {}),
        (([1.0],), {}),
    ):
        with pytest.raises(TypeError, match=r"^AdamW: lr: expected a number, got .*; parameters"):
            mdbopt.AdamW(*arguments, **options)
