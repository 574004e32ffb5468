"""States handed to other hyperparameters go on, or are refused."""

import dataclasses

import pytest
from optimizer_cases import (
    CASES,
    CLASSES,
    assert_same_state,
    built,
    drawn,
    nothing_written,
    same_all,
)
from state_helpers import SIZES, TEMPLATE, advance, begin, copied


def test_changed_hyperparameters_go_on(case):
    """The same as lr given to the step, for those whose rates are not relative to it."""
    optimizer, params, state = begin(case)
    twin, others = copied(state), copied(params)
    faster = dataclasses.replace(optimizer, lr=0.15)
    advance(faster, params, state, 3, 1)
    assert state.t == 4
    same_rule = "additive" in str(case.options) or case.label == "Rprop"
    if not same_rule:
        gradients = built(TEMPLATE, drawn(13, SIZES))
        optimizer.step(others, gradients, twin, lr=0.15)
        assert same_all(others, params)
    advance(optimizer, params, state, 4, 1)
    assert state.t == 5
    assert state._optimizer is optimizer


def test_equal_hyperparameters_are_as_the_same(one):
    optimizer, params, state = begin(one)
    others, twin = copied(params), copied(state)
    for step in range(3, 6):
        advance(optimizer, params, state, step, 1)
        advance(one.make(), others, twin, step, 1)
    assert same_all(others, params)
    assert_same_state(twin, state)


def test_a_state_of_another_class_is_refused(one):
    _, params, state = begin(one)
    gradients = built(TEMPLATE, drawn(13, SIZES))
    for label, other in CLASSES.items():
        if label == one.label:
            continue
        optimizer = other.make()
        text = f"^{label}: state: made by {one.label}, expected a state of {label}$"
        for step in (optimizer.step, lambda *a, o=optimizer: o.plan(*a).step()):
            with nothing_written(state, params), pytest.raises(ValueError, match=text):
                step(params, gradients, state)
    advance(one.make(), params, state, 3, 1)
    assert state.t == 4


@pytest.mark.parametrize(
    ("label", "changes", "held"),
    [
        ("SGD-momentum", {"momentum": 0.0}, "m"),
        ("SGD-momentum", {"heavy_ball": True}, "m"),
        ("SGD", {"momentum": 0.9}, "no arrays"),
        ("NormalizedGD-momentum", {"momentum": 0.0}, "x_prev"),
        ("RMSProp", {"centered": True}, "v"),
        ("RMSProp-both", {"momentum": 0.0}, "v, a, m"),
        ("DiagonalHypergradient", {"mode": "additive"}, "g_prev, p"),
    ],
)
def test_options_that_need_other_arrays_are_refused(label, changes, held):
    optimizer, params, state = begin(CASES[label])
    other = dataclasses.replace(optimizer, **changes)
    gradients = built(TEMPLATE, drawn(13, SIZES))
    text = f"^{CASES[label].label}: state: holds {held}, which does not fit these options"
    with nothing_written(state, params), pytest.raises(ValueError, match=text):
        other.step(params, gradients, state)
    advance(optimizer, params, state, 3, 1)
    assert state.t == 4


@pytest.mark.parametrize("state", [None, {}, [], 3, object(), "state"])
def test_what_is_no_state(one, state):
    optimizer, params, _ = begin(one)
    before = copied(params)
    kind = type(state).__name__
    text = f"^{one.label}: state: expected a state from init or restore, got {kind}$"
    for step in (optimizer.step, optimizer.plan):
        with pytest.raises(TypeError, match=text):
            step(params, copied(params), state)
    assert same_all(params, before)


def test_a_saved_state_is_no_state():
    optimizer, params, state = begin(CASES["OSGM"])
    with pytest.raises(TypeError, match=r"^OSGM: state: expected a state .*, got dict$"):
        optimizer.step(params, copied(params), dict(state), value=1.0)
