"""Lion beside the paper's own lines."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference

import mdbopt


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lion_is_algorithm_2_of_its_paper(weight_decay):
    """Chen et al. 2023: c, then theta with the decoupled decay, then m."""
    problem = Problem("float64")
    lr, beta1, beta2 = 0.01, 0.9, 0.99
    params, theta = problem.start(), problem.start()
    m = [np.zeros_like(x) for x in theta]
    optimizer = mdbopt.Lion(lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay)
    state = optimizer.init(params)
    for t in range(STEPS):
        optimizer.step(params, problem.gradients(params, t), state)
        for k, g in enumerate(problem.gradients(theta, t)):
            c = beta1 * m[k] + (1 - beta1) * g
            theta[k] = theta[k] - lr * (np.sign(c) + weight_decay * theta[k])
            m[k] = beta2 * m[k] + (1 - beta2) * g
        # The decay is a factor of the parameters here: one rounding more or less.
        assert difference(params, theta) <= 1e-13
        assert difference(state.m, m) <= 1e-13
