"""FTRL beside algorithm 1 of its paper, and beside AdaGrad."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference

import mdbopt


class McMahans:
    """What the paper keeps of each coordinate, z and n, and w as it follows from them."""

    def __init__(self, params, alpha, beta, l1, l2):
        self.alpha, self.beta, self.l1, self.l2 = alpha, beta, l1, l2
        self.z = [-beta / alpha * x for x in params]
        self.n = [np.zeros_like(x) for x in params]
        self.w = params

    def step(self, gradients):
        for k, g in enumerate(gradients):
            grown = np.sqrt(self.n[k] + g * g)
            sigma = (grown - np.sqrt(self.n[k])) / self.alpha
            self.z[k] = self.z[k] + g - sigma * self.w[k]
            self.n[k] = self.n[k] + g * g
            z, divisor = self.z[k], (self.beta + grown) / self.alpha + self.l2
            self.w[k] = np.where(np.abs(z) <= self.l1, 0.0, -(z - np.sign(z) * self.l1) / divisor)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (3.0, 0.0), (0.0, 2.0), (3.0, 2.0)])
def test_steps_are_those_of_algorithm_1(l1, l2):
    problem = Problem("float64")
    optimizer = mdbopt.FTRL(0.3, beta=0.7, l1=l1, weight_decay=l2)
    params = problem.start()
    theirs = McMahans(problem.start(), 0.3, 0.7, l1, l2)
    state = optimizer.init(params)
    for t in range(STEPS):
        optimizer.step(params, problem.gradients(params, t), state)
        theirs.step(problem.gradients(theirs.w, t))
        assert difference(params, theirs.w) <= 1e-12
    for x, pull, z, n in zip(params, state.pull, theirs.z, theirs.n, strict=True):
        assert np.allclose(0.3 * z, pull - (0.7 + np.sqrt(n)) * x, rtol=1e-10, atol=1e-12)


def test_without_penalties_it_is_adagrad():
    """Whose eps is beta and, as here, outside the root."""
    problem = Problem("float64")
    ours, theirs = mdbopt.FTRL(0.3, beta=0.7), mdbopt.AdaGrad(0.3, eps=0.7)
    params, others = problem.start(), problem.start()
    state, other = ours.init(params), theirs.init(others)
    for t in range(STEPS):
        ours.step(params, problem.gradients(params, t), state)
        theirs.step(others, problem.gradients(others, t), other)
        assert difference(params, others) <= 1e-12


def test_what_gradients_do_not_hold_is_0_and_not_minus_0():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((2000, 20))
    held = features @ np.r_[3.0, -2.0, np.zeros(18)]
    x = np.zeros(20)
    optimizer = mdbopt.FTRL(0.5, l1=60.0)
    state = optimizer.init(x)
    for row, target in zip(features, held, strict=True):
        optimizer.step(x, (row @ x - target) * row, state)
    assert np.all(np.abs(x[:2] - [3.0, -2.0]) < 0.3)
    assert np.sum(x[2:] == 0.0) >= 12
    assert not np.any(np.signbit(x) & (x == 0.0))


def test_steps_of_size_0_in_between_change_nothing_of_x():
    x = np.array([0.5, -0.25, 0.0])
    optimizer = mdbopt.FTRL(0.5, l1=0.1)
    state = optimizer.init(x)
    optimizer.step(x, np.array([1.0, 2.0, 3.0]), state)
    kept, pull = x.copy(), state.pull.copy()
    optimizer.step(x, np.array([1.0, 2.0, 3.0]), state, lr=0.0)
    assert np.array_equal(x, kept)
    assert np.array_equal(state.pull, pull)
    assert np.array_equal(state.sum_of_squares, [2.0, 8.0, 18.0])
