"""Weight decay: one number for all, or one for each array, of the optimizer or of a step."""

import copy
import math
import pickle

import numpy as np
import pytest
from optimizer_cases import assert_same_state, built, drawn, leaves, nothing_written, same, same_all

import mdbopt
from mdbopt import _core

TEMPLATE = {"w": 0, "b": [1, (2, 3)]}
SIZES = [(2000,), (3, 4), (), (5,)]
DECAYS = {"w": 0.3, "b": [0.0, (0.1, 0.3)]}
FORMS = {
    "numbers": DECAYS,
    "arrays": {"w": np.array(0.3), "b": [np.float64(0), np.array([0.1, 0.3])]},
    "one for some": {"w": 0.3, "b": [0, [0.1, np.float64(0.3)]]},
}


def trees(seed=1, dtype=np.float64):
    return built(TEMPLATE, drawn(seed, SIZES, dtype))


def stepped(optimizer, *options, dtype=np.float64):
    params = trees(1, dtype)
    state = optimizer.init(params)
    for k, each in enumerate(options):
        optimizer.step(params, trees(2 + k, dtype), state, **each)
    return params, state


@pytest.mark.parametrize("form", FORMS)
def test_each_array_has_its_own(form):
    for make in (mdbopt.AdamW, mdbopt.Adam, mdbopt.Lion):
        params, state = stepped(make(0.1, weight_decay=FORMS[form]), {}, {})
        by_step, other = stepped(make(0.1, weight_decay=9.0), *[{"weight_decay": FORMS[form]}] * 2)
        assert same_all(params, by_step)
        assert_same_state(state, other)
        for k, decay in enumerate([0.3, 0.0, 0.1, 0.3]):
            alone = leaves(trees(1))[k]
            optimizer = make(0.1, weight_decay=decay)
            own = optimizer.init(alone)
            for step in range(2):
                optimizer.step(alone, leaves(trees(2 + step))[k], own)
            assert same(leaves(params)[k], alone)


def test_equal_decays_are_as_one(case):
    one = stepped(case.make(weight_decay=0.25), {}, {"max_norm": 0.5})
    tree = {"w": 0.25, "b": 0.25}
    for each in (
        stepped(case.make(weight_decay=tree), {}, {"max_norm": 0.5}),
        stepped(case.make(), {"weight_decay": tree}, {"max_norm": 0.5, "weight_decay": 0.25}),
    ):
        assert same_all(one[0], each[0])
        assert_same_state(one[1], each[1])


def test_sums_of_every_optimizer_see_the_decay_of_each_array(case):
    """Decay in proportion to arrays of one value acts as that part of their gradients."""
    params = [np.full(1024, 2.0), np.full(1024, -1.0)]
    others = copy.deepcopy(params)
    optimizer = (
        case.make(decoupled=False, weight_decay=0.0) if case.label != "AdamW" else mdbopt.Adam(0.1)
    )
    state, other = optimizer.init(params), optimizer.init(others)
    g = drawn(1, [(1024,)] * 2)
    optimizer.step(params, g, state, weight_decay=[0.5, 0.0])
    optimizer.step(others, [g[0] + 0.5 * others[0], g[1]], other)
    assert same_all(params, others)
    assert_same_state(state, other)


def test_a_state_goes_on_with_the_decays_of_another_optimizer():
    params, state = stepped(mdbopt.AdamW(0.1, weight_decay=0.5), {})
    others, other = stepped(mdbopt.AdamW(0.1, weight_decay=0.5), {})
    last = mdbopt.AdamW(0.1, weight_decay=0.5)
    for k, decay in enumerate((DECAYS, 0.25, DECAYS, {"w": 0.0, "b": 2.0})):
        grads = trees(5 + k)
        mdbopt.AdamW(0.1, weight_decay=decay).step(params, grads, state)
        last.step(others, grads, other, weight_decay=decay)
    assert same_all(params, others)
    assert_same_state(state, other)


def test_decays_by_plan_and_when_they_change():
    optimizer = mdbopt.AdamW(0.1, weight_decay=DECAYS)
    params, others, grads = trees(1), trees(1), trees(2)
    state, other = optimizer.init(params), optimizer.init(others)
    plan = optimizer.plan(params, grads, state)
    for decay in (None, None, 0.0, {"w": 1.0, "b": 0.5}, None):
        options = {} if decay is None else {"weight_decay": decay}
        plan.step(**options)
        mdbopt.AdamW(0.1, weight_decay=DECAYS).step(others, grads, other, **options)
    assert same_all(params, others)
    mixed = [x.astype(d) for x, d in zip(leaves(trees(1)), ("f4", "f8", "f4", "f2"), strict=True)]
    state = optimizer.init(mixed)
    assert optimizer.step(
        mixed, [np.zeros_like(x) for x in mixed], state, weight_decay=[1, 2, 3, 4]
    )
    expected = [(1 - x.dtype.type(0.1 * k)) for k, x in enumerate(mixed, 1)]
    for x, before, factor in zip(mixed, leaves(trees(1)), expected, strict=True):
        assert np.allclose(x.astype("f8"), before * factor, rtol=2e-3)


def test_a_step_is_one_walk():
    optimizer = mdbopt.AdamW(weight_decay=DECAYS)
    params, grads = trees(), trees(2)
    state = optimizer.init(params)
    optimizer.step(params, grads, state)
    _core.take_traffic()
    optimizer.step(params, grads, state)
    assert _core.take_traffic() == (1, 56 * sum(x.size for x in leaves(params)))


REFUSED = {
    "negative": ({"w": -1.0, "b": 0}, ValueError, "weight_decay['w']: expected a finite number"),
    "NaN": ({"w": 0, "b": [math.nan, 0]}, ValueError, "weight_decay['b'][0]: expected a finite n"),
    "NaN in an array": (
        {"w": 0, "b": np.array([math.nan, 0])},
        ValueError,
        "weight_decay['b'][0]: expected a finite number",
    ),
    "text": ({"w": "a", "b": 0}, TypeError, "weight_decay['w']: expected a"),
    "bool": (True, TypeError, "weight_decay: expected a number, got bool"),
}
OF_A_STEP = {
    "None": ({"w": None, "b": 0}, TypeError, "weight_decay['w']: expected a number, got None"),
    "key missing": ({"w": 0.1}, ValueError, "weight_decay: expected a dict with the 2 keys"),
    "other key": ({"w": 0.1, "c": 0.1}, ValueError, "weight_decay['b'] is missing"),
    "list": ([0.1, 0.1], ValueError, "weight_decay: expected a dict with the 2 keys of params"),
    "short": ({"w": 0.1, "b": [0.1]}, ValueError, "weight_decay['b']: expected 2 items as"),
    "one for each coordinate": (
        {"w": np.full(2000, 0.1), "b": 0},
        TypeError,
        "weight_decay['w']: expected a number, got ndarray",
    ),
}


@pytest.mark.parametrize("name", REFUSED | OF_A_STEP)
def test_what_is_refused(name):
    decay, error, text = (REFUSED | OF_A_STEP)[name]
    params, grads = trees(), trees(2)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    with nothing_written(state, params), pytest.raises(error) as caught:
        optimizer.step(params, grads, state, weight_decay=decay)
    assert str(caught.value).startswith(f"AdamW: {text}")
    if name in REFUSED:
        with pytest.raises(error) as caught:
            mdbopt.AdamW(weight_decay=decay)
        assert str(caught.value).startswith(f"AdamW: {text}")
    elif name != "one for each coordinate":
        other = mdbopt.AdamW(weight_decay=decay)
        with nothing_written(state, params), pytest.raises(error) as caught:
            other.step(params, grads, state)
        assert str(caught.value).startswith(f"AdamW: {text}")


def test_optimizers_with_decays_can_be_compared_and_sent():
    optimizers = [mdbopt.AdamW(weight_decay=form) for form in FORMS.values()]
    assert optimizers[0] == optimizers[1] == optimizers[2] != mdbopt.AdamW()
    assert len(set(optimizers)) == 1
    for duplicate in (copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
        twin = duplicate(optimizers[1])
        assert twin == optimizers[1]
        assert hash(twin) == hash(optimizers[1])
    assert eval(repr(optimizers[1]), vars(mdbopt)) == optimizers[1]
    for change in (dict.clear, lambda d: d.update(w=1), lambda d: d.__setitem__("w", 1)):
        with pytest.raises(TypeError):
            change(optimizers[0].weight_decay) if change is not dict.clear else (
                optimizers[0].weight_decay.clear()
            )
    given = {"w": 0.1, "b": [0.2, (0.3, 0.4)]}
    optimizer = mdbopt.AdamW(weight_decay=given)
    given["b"][0] = 9.0
    assert optimizer.weight_decay["b"][0] == 0.2
