"""DLPack producers that change, raise or go while they are read: no crash, no leak."""

import gc
import sys

import arrays
import numpy as np
import pytest
from arrays import Destructor, Producer, call, expected, let_go, streams

import mdbopt


@pytest.fixture
def unraisable(monkeypatch):
    """List the errors that nobody could catch."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: seen.append(report.exc_value))
    return seen


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    gc.collect()
    assert Producer.alive == 0


@Destructor
def let_go_and_raise(capsule):
    let_go(capsule)
    raise RuntimeError("no longer mine")


def test_a_deleter_that_raises(monkeypatch, unraisable):
    monkeypatch.setattr(arrays, "let_go", let_go_and_raise)
    x, g, b, x_trial = streams()
    call(x, Producer(g), b, x_trial)
    np.testing.assert_array_equal(x_trial, expected(x, g, b))
    with pytest.raises(ValueError, match="has 3 elements, expected 6"):
        call(x, Producer(g[:3]), b, x_trial)
    optimizer = mdbopt.SGD(0.5)
    optimizer.step(x, Producer(g), optimizer.init(x))
    assert len(unraisable) >= 3
    assert {str(error) for error in unraisable} == {"no longer mine"}


class During(Producer):
    """Does something while it is asked for its capsule."""

    def __init__(self, array, then):
        super().__init__(array)
        self.then = then

    def __dlpack__(self, **request):
        capsule = super().__dlpack__(**request)
        self.then()
        return capsule


def lengthen(producer):
    producer.shape[0] = 2**40


def take_memory(producer):
    producer.managed.tensor.data = None


def turn(producer):
    producer.strides[0] = 2**62


@pytest.mark.parametrize("change", [lengthen, take_memory, turn])
def test_what_was_checked_is_what_is_read(change):
    """A description that changes once it has been looked at, before the walk."""
    x, g, b, x_trial = streams()
    first = Producer(x)
    call(first, During(g, lambda: change(first)), b, x_trial)
    np.testing.assert_array_equal(x_trial, expected(x, g, b))


@pytest.mark.parametrize("change", [lengthen, take_memory, turn])
@pytest.mark.parametrize("role", ["params", "grads"])
def test_what_changes_between_steps_is_looked_at_again(change, role):
    x = np.ones(6)
    given = {"params": Producer(x), "grads": Producer(np.ones(6))}
    optimizer = mdbopt.SGD(0.5)
    state = optimizer.init(x)
    for _ in range(3):  # steps remember what they were given
        optimizer.step(given["params"], given["grads"], state)
    before = x.copy()
    change(given[role])
    with pytest.raises((TypeError, ValueError), match=r"^SGD: "):
        optimizer.step(given["params"], given["grads"], state)
    np.testing.assert_array_equal(x, before)
    assert state.t == 3


@pytest.mark.parametrize("kept", [0, 1])
def test_arrays_that_go_while_others_are_read(kept):
    """The only reference to what was read already goes: its capsule keeps the memory."""
    grads = []

    def drop():
        del grads[kept:]
        gc.collect()
        np.full(4096, np.nan)  # takes up what is free now

    grads += [Producer(np.ones(4096)), During(np.ones(4096), drop)]
    params = [np.zeros(4096), np.zeros(4096)]
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    try:
        optimizer.step(params, grads, state)
    except (TypeError, ValueError):
        assert all(not p.any() for p in params)
    else:
        assert all((p == -1.0).all() for p in params)


def test_ten_thousand_capsules_of_steps_and_judgements():
    x, g = np.ones(6), np.ones(6)
    params, grads, wrong = Producer(x), Producer(g), Producer(np.ones(5))
    optimizer, search = mdbopt.SGD(1e-9), mdbopt.Box()
    state = optimizer.init(x)

    def calls(rounds):
        for _ in range(rounds):
            optimizer.step(params, grads, state)
            with pytest.raises(ValueError, match="SGD: grads"):
                optimizer.step(params, wrong, state)
            found = search.init(params, 1.0, grads)
            search.propose(found)
            search.judge(found, 0.5, grads)
        for producer in (params, grads, wrong):
            producer.requests.clear()

    calls(10)
    held = [x, g, params, grads, wrong]
    counts = [sys.getrefcount(each) for each in held]
    calls(10_000)
    assert [sys.getrefcount(each) for each in held] == counts
    assert Producer.alive == 0
