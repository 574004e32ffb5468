"""MAdam beside the formula of NVIDIA's Emerging-Optimizers, and beside Adam without eps."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference

import mdbopt


@pytest.mark.parametrize("correct", [False, True])
def test_steps_are_those_of_the_formula(correct):
    problem = Problem("float64")
    optimizer = mdbopt.MAdam(0.01, bias_correction=correct)
    params, theta = problem.start(), problem.start()
    state = optimizer.init(params)
    moments = [(np.zeros_like(x), np.zeros_like(x)) for x in theta]
    for t in range(STEPS):
        optimizer.step(params, problem.gradients(params, t), state)
        for k, g in enumerate(problem.gradients(theta, t)):
            m, v = moments[k]
            m[...] = 0.9 * m + 0.1 * g
            v[...] = 0.999 * v + 0.001 * (2.0**32 * g) ** 2
            factors = (1 - 0.9 ** (t + 1), 1 - 0.999 ** (t + 1)) if correct else (1.0, 1.0)
            theta[k] = theta[k] - 0.01 * 2.0**32 * (m / factors[0]) / np.sqrt(v / factors[1])
        assert difference(params, theta) <= 1e-12


def test_a_scale_changes_no_bit_that_squares_can_hold():
    problem = Problem("float64")
    optimizers = [mdbopt.MAdam(0.01, scale_log2=k) for k in (0, 2, 64)]
    params = [problem.start() for _ in optimizers]
    states = [each.init(x) for each, x in zip(optimizers, params, strict=True)]
    for t in range(STEPS):
        for each, x, state in zip(optimizers, params, states, strict=True):
            each.step(x, problem.gradients(x, t), state)
    for other in params[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(params[0], other, strict=True))


def test_gradients_whose_squares_leave_float32_take_whole_steps():
    tiny = np.array([1e-25, -1e-27, 0.0, 1e9], np.float32)
    for kind, wanted in ((mdbopt.MAdam, [-1, 1, 0, -1]), (mdbopt.Adam, [0, 0, 0, -1])):
        x = np.zeros(4, np.float32)
        optimizer = kind(1.0)
        optimizer.step(x, tiny, optimizer.init(x))
        assert np.allclose(x, wanted, atol=1e-6)
