"""How decoupled decay follows the step size: AdamW's, AdamC's, and independent of lr."""

import dataclasses

import numpy as np
import pytest

import mdbopt

DECAY, PEAK = 0.3, 0.5
RATES = (0.125, 0.5, 0.25, 0.0)
WITHOUT = ("LAMB", "LARS", "FTRL", "ScheduleFreeSGD", "ScheduleFreeAdamW")


def factor(kind, rate):
    """Give what a step multiplies by where there is no gradient."""
    share = {"adamw": rate, "adamc": rate * rate / PEAK, "independent": rate / PEAK}[kind]
    return 1.0 - share * DECAY


def decayed(optimizer, x, rates, **options):
    x = x.copy()
    state = optimizer.init(x)
    for rate in rates:
        assert optimizer.step(x, np.zeros_like(x), state, lr=rate, **options)
    return x


@pytest.mark.parametrize("kind", ["adamw", "adamc", "independent"])
@pytest.mark.parametrize("made", [mdbopt.AdamW, mdbopt.Lion, mdbopt.SGD])
def test_a_schedule_decays_by_the_formula(made, kind):
    x = np.array([1.0, -3.0])
    optimizer = made(PEAK, weight_decay=DECAY, decay=kind)
    wanted = x * np.prod([factor(kind, rate) for rate in RATES])
    assert np.allclose(decayed(optimizer, x, RATES), wanted, rtol=1e-14)
    given = dataclasses.replace(optimizer, weight_decay=0.0)
    assert np.allclose(decayed(given, x, RATES, weight_decay=DECAY), wanted, rtol=1e-14)


@pytest.mark.parametrize("kind", ["adamw", "adamc", "independent"])
def test_a_step_of_the_highest_size_needs_no_lr(kind):
    x = np.array([1.0, -3.0])
    optimizer = mdbopt.AdamW(PEAK, weight_decay=DECAY, decay=kind)
    state = optimizer.init(x)
    for step in (optimizer.step, lambda *a: optimizer.plan(*a).step()):
        wanted = x * factor(kind, PEAK)
        assert step(x, np.zeros(2), state)
        assert np.allclose(x, wanted, rtol=1e-15)


def test_a_step_of_another_size_leaves_the_next_as_it_was():
    x = np.ones(2)
    optimizer = mdbopt.AdamW(PEAK, weight_decay=DECAY, decay="adamc")
    state = optimizer.init(x)
    optimizer.step(x, np.zeros(2), state, lr=0.125)
    optimizer.plan(x, np.zeros(2), state).step()
    assert np.allclose(x, factor("adamc", 0.125) * factor("adamc", PEAK), rtol=1e-15)


@pytest.mark.parametrize("kind", ["adamw", "adamc", "independent"])
def test_each_array_has_its_decay(kind):
    params = {"w": np.ones(2), "b": np.ones(3)}
    grads = {"w": np.zeros(2), "b": np.zeros(3)}
    optimizer = mdbopt.AdamW(PEAK, weight_decay={"w": DECAY, "b": 0.0}, decay=kind)
    state = optimizer.init(params)
    optimizer.step(params, grads, state, lr=0.125)
    optimizer.step(params, grads, state, lr=0.25, weight_decay={"w": 0.0, "b": DECAY})
    assert np.allclose(params["w"], factor(kind, 0.125), rtol=1e-15)
    assert np.allclose(params["b"], factor(kind, 0.25), rtol=1e-15)


def test_independent_decay_takes_step_sizes_of_every_kind():
    optimizer = mdbopt.AdamW(PEAK, weight_decay=DECAY, decay="independent")
    rates = np.array([0.125, 0.25, 0.5])
    x = np.ones(3)
    assert optimizer.step(x, np.zeros(3), optimizer.init(x), lr=rates)
    assert np.allclose(x, [factor("independent", rate) for rate in rates], rtol=1e-15)
    params = [np.ones(1), np.ones(1)]
    grads = [np.zeros(1), np.zeros(1)]
    assert optimizer.step(params, grads, optimizer.init(params), lr=[0.125, 0.25])
    assert params[1][0] == factor("independent", 0.25)


@pytest.mark.parametrize("rates", [[0.1, 0.2], (0.1, 0.2), np.ones(2), {"w": 0.1}])
def test_corrected_decay_takes_one_step_size(rates):
    optimizer = mdbopt.AdamW(PEAK, weight_decay=DECAY, decay="adamc")
    params = [np.ones(2), np.ones(2)]
    state = optimizer.init(params)
    with pytest.raises(TypeError, match=r"^AdamW: lr: expected a number .* decay='adamc', got "):
        optimizer.step(params, [np.ones(2), np.ones(2)], state, lr=rates)
    assert state.t == 0
    assert all(np.all(x == 1.0) for x in params)


@pytest.mark.parametrize("kind", ["adamc", "independent"])
def test_what_has_no_such_decay_says_so(kind):
    for label in WITHOUT:
        with pytest.raises(ValueError, match=rf"^{label}: decay: expected one of 'adamw', got"):
            getattr(mdbopt, label)(decay=kind)
    with pytest.raises(ValueError, match=r"^Adam: decay: expected 'adamw' without decoupled=True"):
        mdbopt.Adam(decay=kind)
    with pytest.raises(ValueError, match=rf"^SGD: lr: expected a number > 0 with decay='{kind}'"):
        mdbopt.SGD(0.0, decay=kind)
    optimizer, x = mdbopt.AdamW(decay=kind), np.ones(2)
    state = optimizer.init(x)
    with pytest.raises(ValueError, match=r"^AdamW: weight_decay: expected a finite number >= 0"):
        optimizer.step(x, x.copy(), state, weight_decay=-1.0)


def test_cautious_decay_is_decoupled():
    text = r"^Adam: cautious_weight_decay: expected False without decoupled=True, got True$"
    with pytest.raises(ValueError, match=text):
        mdbopt.Adam(cautious_weight_decay=True)
    assert mdbopt.Adam(cautious_weight_decay=True, decoupled=True).decoupled


def test_an_odd_scale_is_refused():
    with pytest.raises(ValueError, match=r"^MAdam: scale_log2: expected an even number, got 63$"):
        mdbopt.MAdam(scale_log2=63)
