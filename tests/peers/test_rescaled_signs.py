"""SignDescent with a scale beside the lines of its authors' code."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference

import mdbopt


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_those_of_rescaled_sign_descent(momentum):
    """The buffer takes in sign(g)‖g‖₁, the norm of all gradients, and lr multiplies it."""
    problem, lr = Problem("float64"), 1e-4
    optimizer = mdbopt.SignDescent(lr, momentum=momentum, scale="l1")
    params, theta = problem.start(), problem.start()
    state = optimizer.init(params)
    buffers = [np.zeros_like(x) for x in theta]
    for t in range(STEPS):
        optimizer.step(params, problem.gradients(params, t), state)
        gradients = problem.gradients(theta, t)
        norm = sum(np.sum(np.abs(g)) for g in gradients)
        for k, g in enumerate(gradients):
            buffers[k] = momentum * buffers[k] + np.sign(g) * norm
            theta[k] = theta[k] - lr * buffers[k]
        assert difference(params, theta) <= 1e-11
