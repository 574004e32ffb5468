"""Updates with norms of each array beside their papers' formulas, written out for one array."""

import numpy as np
import pytest
from peer_runs import Papers, Problem, largest_difference, moments

import mdbopt

# Rounding alone; the order of operations is another here.
CLOSE = 1e-12
DECAY, EPS = 0.1, 1e-8


def norm(x):
    return np.sqrt(np.sum(x * x))


def lamb(x, g, state, t):
    """You et al. 2020, algorithm 2."""
    m_hat, v_hat = moments(g, state, t, 0.9, 0.999)
    r = m_hat / (np.sqrt(v_hat) + 1e-6) + DECAY * x
    return x - 0.01 * norm(x) / norm(r) * r


def lars(x, g, state, t):
    """You, Gitman, Ginsburg 2017, algorithm 1."""
    local = 1e-2 * norm(x) / (norm(g) + DECAY * norm(x))
    state["m"] = 0.9 * state["m"] + 0.5 * local * (g + DECAY * x)
    return x - state["m"]


def stable_adamw(x, g, state, t):
    """Wortsman et al. 2023, algorithm 2: corrected factors, not corrected averages."""
    beta1 = 0.9 * (1 - 0.9 ** (t - 1)) / (1 - 0.9**t)
    beta2 = 0.6 * (1 - 0.6 ** (t - 1)) / (1 - 0.6**t)
    state["m"] = beta1 * state["m"] + (1 - beta1) * g
    state["v"] = beta2 * state["v"] + (1 - beta2) * g**2
    rms = np.sqrt(np.mean(g**2 / np.maximum(state["v"], EPS**2)))
    lr = 0.05 / max(1.0, rms)
    return x - lr * DECAY * x - lr * state["m"] / (np.sqrt(state["v"]) + EPS)


def normalised(x, g, state, t):
    """Yu et al. 2017, algorithm 1, with plain steps."""
    return x - 0.05 * g / norm(g)


def agc(x, g, state, t):
    """Brock et al. 2021, eq. 3, for one unit; Nesterov's momentum."""
    bound = 0.05 * max(norm(x), 1e-3)
    g = bound * g / norm(g) if norm(g) > bound else g
    state["m"] = 0.9 * state["m"] + g
    return x - 0.05 * (g + 0.9 * state["m"])


def corrected(g, state, t):
    """Yuan et al. 2025, with the last step's gradient; x_1 = x_0."""
    previous = state.get("g", g)
    state["g"] = g
    c = g + 0.025 * 0.95 / (1 - 0.95) * (g - previous)
    return c / norm(c) if norm(c) > 1.0 else c


def mars_adamw(x, g, state, t):
    m_hat, v_hat = moments(corrected(g, state, t), state, t, 0.95, 0.99)
    return x - 0.02 * (m_hat / (np.sqrt(v_hat) + EPS) + DECAY * x)


def mars_lion(x, g, state, t):
    state["m"] = 0.95 * state["m"] + 0.05 * corrected(g, state, t)
    return x - 0.02 * (np.sign(state["m"]) + DECAY * x)


CASES = {
    "LAMB": (mdbopt.LAMB(0.01, weight_decay=DECAY), lamb),
    "LARS": (mdbopt.LARS(0.5, trust_coefficient=1e-2, weight_decay=DECAY), lars),
    "StableAdamW": (mdbopt.StableAdamW(0.05, beta2=0.6, weight_decay=DECAY), stable_adamw),
    "NormalizedGD": (mdbopt.NormalizedGD(0.05, per_array=True), normalised),
    "AGC": (mdbopt.AGC(0.05, clipping=0.05), agc),
    "MARSAdamW": (mdbopt.MARSAdamW(0.02, weight_decay=DECAY), mars_adamw),
    "MARSLion": (mdbopt.MARSLion(0.02, weight_decay=DECAY), mars_lion),
}


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_that_of_the_papers_formula(name):
    problem = Problem("float64")
    ours, one = CASES[name]
    assert largest_difference(problem, ours, Papers(problem.start(), one).step) <= CLOSE


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("LAMB", mdbopt.LAMB(0.1, weight_decay=0.0)),
        ("LARS", mdbopt.LARS(0.1)),
    ],
)
def test_zeros_move_as_if_their_norm_were_that_of_the_step(name, optimizer):
    x, g = [np.zeros(3), np.ones(3)], [np.full(3, 2.0), np.zeros(3)]
    optimizer.step(x, g, optimizer.init(x))
    np.testing.assert_allclose(x[0], -0.1 if name == "LAMB" else -0.2, rtol=1e-6)
    assert np.array_equal(x[1], np.ones(3))


def test_a_nan_stays_in_its_array():
    for optimizer, _ in CASES.values():
        x, g = [np.ones(2000), np.ones(3)], [np.ones(2000), np.ones(3)]
        g[0][1500] = np.nan
        optimizer.step(x, g, optimizer.init(x))
        assert np.all(np.isnan(x[0][1500])), optimizer
        assert np.all(np.isfinite(x[1])), optimizer


def test_a_spike_shortens_the_step_of_its_array_alone():
    optimizer = mdbopt.StableAdamW(0.1, beta1=0.0, weight_decay=0.0)
    x = [np.zeros(50), np.zeros(50)]
    state = optimizer.init(x)
    for scale in (1.0, 1.0, 100.0):
        before = [each.copy() for each in x]
        optimizer.step(x, [np.full(50, scale), np.ones(50)], state)
    np.testing.assert_allclose(before[0] - x[0], 0.1, rtol=1e-6)
    plain = mdbopt.AdamW(0.1, beta1=0.0, beta2=0.99, weight_decay=0.0)
    y = np.zeros(50)
    other = plain.init(y)
    for _ in range(3):
        plain.step(y, np.ones(50), other)
    np.testing.assert_allclose(x[1], y, rtol=1e-12)  # rms is 1 but for rounding
