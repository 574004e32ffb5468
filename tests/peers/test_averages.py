"""Adam's relatives beside their papers' formulas, written out for one array."""

import math

import numpy as np
import pytest
from peer_runs import Papers, Problem, largest_difference, moments

import mdbopt

# Rounding alone; the order of operations is another here.
CLOSE = 1e-12
DECAY, EPS = 0.1, 1e-8


def radam(x, g, state, t):
    """Liu et al. 2020, algorithm 2, with threshold and eps of its authors' code."""
    m_hat, _ = moments(g, state, t, 0.9, 0.99)
    longest = 2 / (1 - 0.99) - 1
    length = longest - 2 * t * 0.99**t / (1 - 0.99**t)
    if length <= 5:
        return x - 0.02 * m_hat
    factor = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    divisor = (np.sqrt(state["v"]) + EPS) / math.sqrt(1 - 0.99**t)
    return x - 0.02 * math.sqrt(factor) * m_hat / divisor


def adamax(x, g, state, t):
    """Kingma, Ba 2015, algorithm 2; the gradient's size is not 0 here."""
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = np.maximum(0.99 * state["v"], np.abs(g))
    return x - 0.02 / (1 - 0.9**t) * state["m"] / state["v"]


def adabelief(x, g, state, t):
    """Zhuang et al. 2020, algorithm 2."""
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.99 * state["v"] + 0.01 * (g - state["m"]) ** 2 + 1e-6
    m_hat, v_hat = state["m"] / (1 - 0.9**t), state["v"] / (1 - 0.99**t)
    return x - 0.02 * (m_hat / (np.sqrt(v_hat) + 1e-6) + DECAY * x)


def yogi(x, g, state, t):
    """Zaheer et al. 2018, algorithm 2; v starts with 1e-6."""
    v = state["v"] if t > 1 else 1e-6 + 0 * x
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = v - 0.01 * np.sign(v - g**2) * g**2
    return x - 0.02 * (state["m"] / (np.sqrt(state["v"]) + 1e-3) + DECAY * x)


def adadelta(x, g, state, t):
    """Zeiler 2012, algorithm 1."""
    state["v"] = 0.9 * state["v"] + 0.1 * g**2
    step = np.sqrt(state["m"] + 1e-4) / np.sqrt(state["v"] + 1e-4) * g
    state["m"] = 0.9 * state["m"] + 0.1 * step**2
    return x - 0.5 * step


def adan(x, g, state, t):
    """Xie et al. 2022, algorithm 1, whose β are 0.1, 0.2 and 0.05; corrected as in their code."""
    change = g - state.get("g", g)
    state["g"] = g
    state["m"] = (1 - 0.1) * state["m"] + 0.1 * g
    state["u"] = (1 - 0.2) * state.get("u", 0 * x) + 0.2 * change
    state["v"] = (1 - 0.05) * state["v"] + 0.05 * (g + (1 - 0.2) * change) ** 2
    m_hat, u_hat = state["m"] / (1 - 0.9**t), state["u"] / (1 - 0.8**t)
    divisor = np.sqrt(state["v"] / (1 - 0.95**t)) + EPS
    return (1 - 0.02 * DECAY) * x - 0.02 * (m_hat + (1 - 0.2) * u_hat) / divisor


def ademamix(x, g, state, t):
    """Pagliardini et al. 2024, algorithm 1, with both schedulers over 150 steps."""
    share, slow, fast = min(t / 150, 1.0), math.log(0.99), math.log(0.8)
    beta3 = min(math.exp(fast * slow / ((1 - share) * slow + share * fast)), 0.99)
    m_hat, v_hat = moments(g, state, t, 0.8, 0.99)
    state["slow"] = beta3 * state.get("slow", 0 * x) + (1 - beta3) * g
    mixed = m_hat + min(share * 4.0, 4.0) * state["slow"]
    return x - 0.02 * (mixed / (np.sqrt(v_hat) + EPS) + DECAY * x)


def laprop(x, g, state, t):
    """Ziyin, Wang, Ueda 2020, algorithm 1."""
    state["v"] = 0.99 * state["v"] + 0.01 * g**2
    normalised = g / (np.sqrt(state["v"] / (1 - 0.99**t)) + 1e-15)
    state["m"] = 0.9 * state["m"] + 0.1 * normalised
    return x - 0.02 * (state["m"] / (1 - 0.9**t) + DECAY * x)


def adopt(x, g, state, t):
    """Taniguchi et al. 2024, algorithm 2: v_0 = g_0², and then the steps from 1 on."""
    if t == 1:
        state["v"] = g**2
        return x
    bound = (t - 1) ** 0.25
    normalised = np.clip(g / np.maximum(np.sqrt(state["v"]), 1e-6), -bound, bound)
    state["m"] = 0.9 * state["m"] + 0.1 * normalised
    state["v"] = 0.99 * state["v"] + 0.01 * g**2
    return x - 0.02 * state["m"]


LONG = {"beta2": 0.99}
CASES = {
    "RAdam": (mdbopt.RAdam(0.02, **LONG), radam),
    "Adamax": (mdbopt.Adamax(0.02, eps=0.0, **LONG), adamax),
    "AdaBelief": (
        mdbopt.AdaBelief(0.02, eps=1e-6, eps_root=1e-6, weight_decay=DECAY, **LONG),
        adabelief,
    ),
    "Yogi": (mdbopt.Yogi(0.02, bias_correction=False, weight_decay=DECAY, **LONG), yogi),
    "Adadelta": (mdbopt.Adadelta(0.5, eps=1e-4), adadelta),
    "Adan": (mdbopt.Adan(0.02, beta1=0.9, beta2=0.8, beta3=0.95, weight_decay=DECAY), adan),
    "AdEMAMix": (
        mdbopt.AdEMAMix(
            0.02, beta1=0.8, beta3=0.99, alpha=4.0, warmup=150, weight_decay=DECAY, **LONG
        ),
        ademamix,
    ),
    "LaProp": (mdbopt.LaProp(0.02, weight_decay=DECAY, **LONG), laprop),
    "ADOPT": (mdbopt.ADOPT(0.02, **LONG), adopt),
}


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_that_of_the_papers_formula(name):
    problem = Problem("float64")
    ours, one = CASES[name]
    assert largest_difference(problem, ours, Papers(problem.start(), one).step) <= CLOSE


def test_radam_is_momentum_until_its_divisor_is_known():
    x, g = np.array([1.0, -2.0]), np.array([100.0, -1e-3])
    optimizer = mdbopt.RAdam(0.1)
    state = optimizer.init(x)
    for t in range(1, 7):
        before = x.copy()
        optimizer.step(x, g, state)
        expected = 0.1 * g if t < 6 else None
        if expected is not None:
            np.testing.assert_allclose(before - x, expected, rtol=1e-12)
    assert np.ptp(np.abs(before - x)) < 1e-6  # the sixth step is one of Adam's, of equal lengths
    assert 0.0 < np.abs(before - x).max() < 0.1


def test_radam_tends_to_adam():
    x, y = np.ones(3), np.ones(3)
    g, m, v = np.array([3.0, -1.0, 1e-3]), np.ones(3), np.ones(3)
    late = {"lr": 0.1, "t": 10**7}
    mdbopt.kernels.adam(x, g, m.copy(), v.copy(), rectified=1.0, **late)
    mdbopt.kernels.adam(y, g, m.copy(), v.copy(), **late)
    np.testing.assert_allclose(x, y, rtol=1e-12)


def test_yogi_forgets_a_large_gradient_slowly():
    states = []
    for optimizer in (mdbopt.Yogi(beta2=0.9), mdbopt.Adam(beta2=0.9)):
        x = np.zeros(1)
        states.append(optimizer.init(x))
        for g in (100.0, *[0.1] * 100):
            optimizer.step(x, np.array([g]), states[-1])
    assert states[0].v > 900.0
    assert states[1].v < 1.0


def test_adopt_does_not_divide_a_gradient_by_itself():
    """A first large gradient after small ones moves x by its size, but for the bound."""
    optimizer = mdbopt.ADOPT(1.0, beta1=0.0)
    x = np.zeros(2)
    state = optimizer.init(x)
    for t, g in enumerate(([1.0, 1.0], [1.1, 5.0]), 1):
        before = x.copy()
        optimizer.step(x, np.array(g), state)
        if t == 1:
            assert np.array_equal(x, before)
            np.testing.assert_array_equal(state.v, [1.0, 1.0])
    np.testing.assert_allclose(before - x, [1.0, 1.0], rtol=1e-12)  # 1.1 and 5, within 1
    for _ in range(15):
        optimizer.step(x, np.ones(2), state)
    before = x.copy()
    optimizer.step(x, np.array([1.5, 5.0]), state)  # within 17^¼ = 2.03
    np.testing.assert_allclose(before - x, [1.5, 17**0.25], rtol=0.01)


def test_the_slow_average_of_ademamix_is_long():
    optimizer = mdbopt.AdEMAMix(0.1, weight_decay=0.0)
    x = np.zeros(1)
    state = optimizer.init(x)
    optimizer.step(x, np.ones(1), state)
    for _ in range(1000):
        optimizer.step(x, np.zeros(1), state)
    assert state.m_slow > 0.9 * (1 - optimizer.beta3)
    assert abs(state.m) < 1e-40


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.5, 0.9, 0.999, 1 - 1e-9])
def test_the_logarithm_of_the_warm_up_is_right(beta):
    """At the last step before warmup ends β₃ has all but its own half-life."""
    x, m_slow = np.zeros(1), np.ones(1)
    share = 0.5
    mdbopt.kernels.ademamix(
        x, np.zeros(1), np.zeros(1), np.ones(1), m_slow, lr=0.1, t=1, warmup=2, beta1=beta,
        beta3=0.9999,
    )  # fmt: skip
    fast, slow = math.log(max(beta, 1e-300)), math.log(0.9999)
    expected = min(0.9999, math.exp(fast * slow / ((1 - share) * slow + share * fast)))
    assert m_slow[0] == pytest.approx(expected, rel=4e-16)
