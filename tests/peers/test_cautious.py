"""Cautious updates and decays beside their papers' own lines."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference

import mdbopt

LR, DECAY = 0.01, 0.3


def adams_direction(g, moments, t):
    m, v = moments
    m[...] = 0.9 * m + 0.1 * g
    v[...] = 0.999 * v + 0.001 * g * g
    return (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def lions_direction(g, moments, _t):
    m = moments[0]
    direction = np.sign(0.9 * m + 0.1 * g)
    m[...] = 0.99 * m + 0.01 * g
    return direction


@pytest.mark.parametrize("cautious", [None, "mask", "scaled"])
@pytest.mark.parametrize("weight_decay", [False, True])
@pytest.mark.parametrize(
    ("kind", "along"), [(mdbopt.AdamW, adams_direction), (mdbopt.Lion, lions_direction)]
)
def test_steps_are_those_of_the_papers(kind, along, cautious, weight_decay):
    """Liang et al. 2025, algorithm 1: φ dim(φ)/(‖φ‖₁ + 1); Chen et al. 2026: 1[u x ≥ 0]."""
    problem = Problem("float64")
    optimizer = kind(LR, weight_decay=DECAY, cautious=cautious, cautious_weight_decay=weight_decay)
    params, theta = problem.start(), problem.start()
    state = optimizer.init(params)
    moments = [(np.zeros_like(x), np.zeros_like(x)) for x in theta]
    held, spared = 0, 0
    for t in range(STEPS):
        optimizer.step(params, problem.gradients(params, t), state)
        for k, g in enumerate(problem.gradients(theta, t)):
            u = along(g, moments[k], t + 1)
            phi = u * g > 0
            decays = u * theta[k] >= 0 if weight_decay else np.ones_like(phi)
            held, spared = held + np.sum(~phi), spared + np.sum(~decays)
            scale = phi.size / (np.sum(phi) + 1) if cautious == "scaled" else 1.0
            kept = u if cautious is None else u * phi * scale
            theta[k] = theta[k] - LR * (kept + DECAY * decays * theta[k])
        assert difference(params, theta) <= 1e-12
    assert held > 0
    assert (spared > 0) == weight_decay


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_too_small_for_a_product_are_kept_where_steps_grow(dtype):
    tiny = np.finfo(dtype).smallest_normal * dtype(1e10)
    x = np.zeros(7, dtype)
    optimizer = mdbopt.Lion(1.0, cautious="scaled", flush_subnormals=False)
    optimizer.step(x, np.full(7, tiny), optimizer.init(x))
    assert np.all(x == dtype(-7 / 8))
