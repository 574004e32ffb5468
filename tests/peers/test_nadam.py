"""NAdam beside the formula of torch.optim.NAdam, written out here with the library's power."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, largest_difference

import mdbopt

BETA2, EPS = 0.999, 1e-8


class Torchs:
    """What torch.optim.NAdam does in a step, for a list of arrays."""

    def __init__(self, params, lr, beta1, psi, decay, decoupled):
        self.params, self.lr, self.beta1, self.psi = params, lr, beta1, psi
        self.decay, self.decoupled = decay, decoupled
        self.moments = [(np.zeros_like(x), np.zeros_like(x)) for x in params]
        self.mu_product = 1.0

    def step(self, gradients, t):
        if gradients is None:
            return self.params
        mu = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * self.psi))
        mu_next = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 2) * self.psi))
        self.mu_product *= mu
        for k, (x, g) in enumerate(zip(self.params, gradients, strict=True)):
            m, v = self.moments[k]
            kept = 1.0 - self.lr * self.decay if self.decoupled else 1.0
            g = g if self.decoupled else g + self.decay * x
            m = m + (g - m) * (1.0 - self.beta1)
            v = BETA2 * v + (1.0 - BETA2) * g * g
            self.moments[k] = m, v
            denominator = np.sqrt(v / (1.0 - BETA2 ** (t + 1))) + EPS
            x = kept * x - self.lr * (1.0 - mu) / (1.0 - self.mu_product) * g / denominator
            ahead = self.lr * mu_next / (1.0 - self.mu_product * mu_next)
            self.params[k] = x - ahead * m / denominator
        return self.params


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(("beta1", "psi"), [(0.9, 4e-3), (0.5, 0.3), (0.99, 0.0)])
def test_every_step_is_that_of_torchs_formula(beta1, psi, decoupled):
    problem = Problem("float64")
    options = {"weight_decay": 0.2, "decoupled": decoupled}
    ours = mdbopt.NAdam(0.05, beta1=beta1, momentum_decay=psi, **options)
    theirs = Torchs(problem.start(), 0.05, beta1, psi, 0.2, decoupled)
    assert largest_difference(problem, ours, theirs.step) <= 1e-13
    assert theirs.mu_product < 1.0


def test_the_product_goes_with_the_state():
    x, g = np.ones(3), np.ones(3)
    optimizer = mdbopt.NAdam(momentum_decay=0.3)
    state = optimizer.init(x)
    assert state.mu_product == 1.0
    expected = 1.0
    for t in range(1, STEPS + 1):
        optimizer.step(x, g, state)
        expected *= 0.9 * (1.0 - 0.5 * 0.96 ** (0.3 * t))
        assert state.mu_product == pytest.approx(expected, rel=1e-13)
        if t % 50 == 0:
            state = optimizer.restore(x, dict(state))


def test_a_skipped_step_leaves_the_product():
    x, g = np.ones(3), np.ones(3)
    optimizer = mdbopt.NAdam()
    state = optimizer.init(x)
    optimizer.step(x, g, state)
    before = state.mu_product
    assert not optimizer.step(x, g, state, found_inf=True)
    assert (state.t, state.mu_product) == (1, before)


def test_the_kernel_refuses_a_momentum_that_would_fall():
    x, states = np.ones(3), (np.zeros(3), np.zeros(3))
    sums = mdbopt.kernels.nadam(x, x + 1.0, *states, lr=0.1, t=1, momentum_decay=-0.1)
    assert not sums.applied
    assert np.array_equal(x, np.ones(3))
    assert not np.any(states)
