"""Kernels, their results, rules, optimizers, states and plans: pickled, copied, compared, sent."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import mdbopt
from mdbopt.kernels import _internal as kernels

WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda o, p=protocol: pickle.loads(pickle.dumps(o, p))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.fixture(params=WAYS)
def sent(request):
    return WAYS[request.param]


def result():
    x, g = np.array([1.0, 2.0]), np.array([0.5, -1.0])
    return kernels.box_trial(x, g, np.array([1.0, 0.5]), np.empty(2), step=0.5)


def test_kernels_are_the_same_ones(sent):
    for rule in kernels.RULES:
        kernel = getattr(kernels, rule.name)
        assert sent(kernel) is kernel


def test_results_keep_their_names(sent):
    first = result()
    twin = sent(first)
    assert type(twin) is type(first)
    assert twin == first
    assert hash(twin) == hash(first)
    assert (twin.decrease, twin.applied, repr(twin)) == (0.375, True, repr(first))
    assert twin._replace(gmax=3.0)._asdict() == first._asdict() | {"gmax": 3.0}


def test_rules_streams_and_backends(sent):
    for rule in kernels.RULES:
        assert sent(rule) == rule
        assert hash(sent(rule)) == hash(rule)
        assert [sent(stream) for stream in rule.streams] == list(rule.streams)
        assert len({*rule.streams, *map(sent, rule.streams)}) == len(rule.streams)
    assert len({*kernels.RULES, *map(sent, kernels.RULES)}) == len(kernels.RULES)
    assert [sent(backend) for backend in mdbopt.backends()] == list(mdbopt.backends())


def bound():
    params = {"w": np.linspace(-1, 1, 6).reshape(2, 3), "b": [None, np.ones(3, np.float32)]}
    grads = {"w": np.ones((2, 3)), "b": [None, np.full(3, 0.5, np.float32)]}
    optimizer = mdbopt.AdamW(0.1, weight_decay={"w": 0.3, "b": 0.0})
    state = optimizer.init(params)
    optimizer.step(params, grads, state)
    return optimizer, params, grads, state


def test_a_plan_takes_along_what_it_binds():
    optimizer, params, grads, state = bound()
    plan = optimizer.plan(params, grads, state)
    twins = [sent(plan) for name, sent in WAYS.items() if name != "copy"]
    assert copy.copy(plan)._arguments[0] is params
    plan.step()
    for twin in twins:
        others, _, *_ = twin._arguments
        assert others["w"] is not params["w"]
        assert twin.step() is True
        assert np.array_equal(others["w"], params["w"])
        assert np.array_equal(others["b"][1], params["b"][1])
        assert twin._state.t == state.t == 2
    assert plan != twins[0]
    assert len({plan, *twins}) == 1 + len(twins)


def test_arrays_that_a_plan_shares_with_others_stay_shared():
    optimizer, params, grads, state = bound()
    plan, others = pickle.loads(pickle.dumps((optimizer.plan(params, grads, state), params)))
    plan.step()
    optimizer.step(params, grads, state)
    assert np.array_equal(others["w"], params["w"])


def test_a_plan_of_an_optimizer_with_more_to_a_step():
    x = np.ones(3)
    optimizer = mdbopt.OSGM()
    plan = pickle.loads(pickle.dumps(optimizer.plan(x, x.copy(), optimizer.init(x))))
    assert plan.step(value=2.0)
    assert plan._state.value == 2.0


def at_work(kernel, first, optimizer, params, grads, state, plan):
    """What a worker does with them."""
    optimizer.step(params, grads, state)
    plan.step()
    again = kernel(np.ones(2), np.ones(2), np.ones(2), np.empty(2), step=0.5)
    return first, again, params, state, kernels.RULES[0]


def test_sent_to_a_worker():
    optimizer, params, grads, state = bound()
    plan = optimizer.plan(params, grads, state)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        first, again, others, other, rule = pool.apply(
            at_work, (kernels.box_trial, result(), optimizer, params, grads, state, plan)
        )
    for _ in range(2):  # the plan stepped the same arrays there
        optimizer.step(params, grads, state)
    assert first == result()
    assert type(again) is type(first)
    assert rule is kernels.RULES[0]
    assert np.array_equal(others["w"], params["w"])
    assert np.array_equal(other.m["w"], state.m["w"])
    assert other.t == state.t == 3
