"""Schedule-free steps beside the paper's three sequences, and the swap to the average and back."""

import numpy as np
import pytest
from peer_runs import STEPS, Papers, Problem, difference, largest_difference

import mdbopt

CLOSE = 1e-12
SGD = mdbopt.ScheduleFreeSGD(0.3, momentum=0.8, warmup=20, weight_decay=0.1)
ADAMW = mdbopt.ScheduleFreeAdamW(0.1, beta1=0.8, beta2=0.9, warmup=20, weight_decay=0.1)


def averaged(x, state, rate, d, beta):
    """Step z, average it by the squares of the rates, and return where the next gradient is."""
    z = state.get("z", x)
    average = state.get("average", x)
    state["sum"] = state.get("sum", 0.0) + rate**2
    c = rate**2 / state["sum"]
    state["z"] = z - rate * d
    state["average"] = (1 - c) * average + c * state["z"]
    return (1 - beta) * state["z"] + beta * state["average"]


def sgd(x, g, state, t):
    """Defazio et al. 2024, eq. 3-5; decay at the point of the gradient."""
    return averaged(x, state, 0.3 * min(t / 20, 1), g + 0.1 * x, 0.8)


def adamw(x, g, state, t):
    """Defazio et al. 2024, algorithm 1."""
    state["v"] = 0.9 * state["v"] + 0.1 * g**2
    rate = 0.1 * np.sqrt(1 - 0.9**t) * min(t / 20, 1)
    return averaged(x, state, rate, g / (np.sqrt(state["v"]) + 1e-8) + 0.1 * x, 0.8)


CASES = {"SGD": (SGD, sgd), "AdamW": (ADAMW, adamw)}


@pytest.mark.parametrize("name", CASES)
def test_every_step_and_the_average_are_the_papers(name):
    problem = Problem("float64")
    ours, one = CASES[name]
    paper = Papers(problem.start(), one)
    assert largest_difference(problem, ours, paper.step) <= CLOSE
    params = problem.start()
    state = ours.init(params)
    for t in range(STEPS):
        ours.step(params, problem.gradients(params, t), state)
    z = [each.copy() for each in state.z]
    ours.eval(params, state)
    assert difference(params, [each["average"] for each in paper.states]) <= CLOSE
    assert all(map(np.array_equal, z, state.z))


@pytest.mark.parametrize("ours", [SGD, ADAMW], ids=["SGD", "AdamW"])
def test_train_undoes_eval(ours):
    problem = Problem("float64")
    params = problem.start()
    state = ours.init(params)
    for t in range(10):
        ours.step(params, problem.gradients(params, t), state)
    before = [x.copy() for x in params]
    saved = dict(state)
    ours.train(params, state)  # they are there
    assert all(map(np.array_equal, params, before))
    ours.eval(params, state)
    shown = [x.copy() for x in params]
    ours.eval(params, state)  # once is enough
    assert all(map(np.array_equal, params, shown))
    assert difference(params, before) > 1e-3
    assert state.averaged == 1.0
    ours.train(params, state)
    assert difference(params, before) <= 1e-14
    after = dict(state)
    assert after.keys() == saved.keys()
    for name, value in saved.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize("ours", [SGD, ADAMW], ids=["SGD", "AdamW"])
def test_no_step_from_the_average(ours):
    x, g = np.ones(3), np.ones(3)
    state = ours.init(x)
    plan = ours.plan(x, g, state)
    assert plan.step()
    ours.eval(x, state)
    before = x.copy()
    state = ours.restore(x, dict(state))  # it is saved
    for step in (lambda: ours.step(x, g, state), ours.plan(x, g, state).step):
        with pytest.raises(ValueError, match=r"params: expected the point where gradients are"):
            step()
    assert np.array_equal(x, before)
    assert state.t == 1
    ours.train(x, state)
    assert ours.step(x, g, state)


def test_the_average_of_trees_layouts_and_half_precision():
    rng = np.random.default_rng(3)
    whole = rng.standard_normal((6, 8)).astype("f4")
    bits = (rng.standard_normal(5).astype("f4").view(np.uint32) >> 16).astype(np.uint16)
    params = {"turned": whole[:, ::2].T, "none": None, "half": [bits], "one": np.ones(())}
    ours = mdbopt.ScheduleFreeSGD(0.5)
    state = ours.init(params, dtype="bfloat16")
    grads = {"turned": np.ones((4, 6), "f4"), "none": None, "half": [bits.copy()], "one": 1.0}
    grads["one"] = np.ones(())
    for _ in range(3):
        ours.step(params, grads, state)
    share = np.float32(1.0 - 1.0 / 0.9)
    x, z = params["turned"].copy(), state.z["turned"]
    expected = x + share * (z - x)
    other = whole[:, 1::2].copy()
    ours.eval(params, state)
    assert np.array_equal(params["turned"], expected)
    assert np.array_equal(whole[:, 1::2], other)
    assert params["one"] == pytest.approx(1.0 - 0.5 * 2.0, abs=1e-12)  # of z after 1, 2, 3 steps


def test_what_is_swapped_has_to_fit():
    x = np.ones(3)
    state = SGD.init(x)
    with pytest.raises(TypeError, match="state: expected a state from init or restore"):
        SGD.eval(x, None)
    with pytest.raises(ValueError, match="made by ScheduleFreeSGD"):
        ADAMW.eval(x, state)
    with pytest.raises(ValueError, match="params"):
        SGD.eval(np.ones(4), state)
    assert state.averaged == 0.0
    assert state.t == 0


def test_changed_rates_do_not_weigh():
    """The average is of z's, each weighed alike without a warm-up."""
    ours = mdbopt.ScheduleFreeSGD(1.0)
    x = np.zeros(1)
    state = ours.init(x)
    z = []
    for lr in (1.0, 0.5, 0.25):
        ours.step(x, np.ones(1), state, lr=lr)
        z.append(float(state.z[0]))
    ours.eval(x, state)
    assert z == [-1.0, -1.5, -1.75]
    assert x[0] == pytest.approx(np.mean(z), rel=1e-12)
    assert state.weight_sum == 3.0
