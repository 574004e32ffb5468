"""Prodigy beside its authors' algorithm written out, and as a method that needs no step size."""

import math

import numpy as np
import pytest

import mdbopt

SHAPES = [(40, 5), (7,)]


def gradient(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=shape) for shape in SHAPES]


class Written:
    """The algorithm, array by array, in the order of its authors' code."""

    def __init__(self, start, lr, betas, d0, beta3=None, eps=1e-8, decay=0.0, **options):
        self.x = [a.copy() for a in start]
        self.first = [a.copy() for a in start]
        self.m, self.v, self.s = ([np.zeros_like(a) for a in start] for _ in range(3))
        self.lr, self.betas, self.d0, self.eps, self.decay = lr, betas, d0, eps, decay
        self.beta3 = math.sqrt(betas[1]) if beta3 is None else beta3
        self.d = self.d_max = d0
        self.numerator, self.k = 0.0, 0
        self.coef = options.get("d_coef", 1.0)
        self.growth = options.get("growth_rate", math.inf)
        self.corrects = options.get("bias_correction", False)
        self.guards = options.get("safeguard_warmup", False)

    def step(self, grads):
        (beta1, beta2), d = self.betas, self.d
        correction = 1.0
        if self.corrects:
            correction = math.sqrt(1 - beta2 ** (self.k + 1)) / (1 - beta1 ** (self.k + 1))
        dlr = d * self.lr * correction
        self.numerator *= self.beta3
        total = 0.0
        for i, g in enumerate(grads):
            self.numerator += (d / self.d0) * dlr * float(np.sum(g * (self.first[i] - self.x[i])))
            self.m[i] = beta1 * self.m[i] + d * (1 - beta1) * g
            self.v[i] = beta2 * self.v[i] + d * d * (1 - beta2) * g * g
            self.s[i] = self.beta3 * self.s[i] + (d / self.d0) * (d if self.guards else dlr) * g
            total += float(np.abs(self.s[i]).sum())
        estimate = self.coef * self.numerator / total
        if self.d == self.d0:
            self.d = max(self.d, estimate)
        self.d_max = max(self.d_max, estimate)
        self.d = min(self.d_max, self.d * self.growth)
        for i, x in enumerate(self.x):
            step = dlr * self.m[i] / (np.sqrt(self.v[i]) + self.d * self.eps)
            self.x[i] = x - self.decay * dlr * x - step
        self.k += 1


VARIANTS = {
    "plain": {},
    "corrected": {"bias_correction": True},
    "guarded": {"safeguard_warmup": True},
    "slow": {"growth_rate": 1.02, "d_coef": 2.0},
    "beta3": {"beta3": 0.9, "eps": 1e-3},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_follows_its_authors(variant, decay):
    options = VARIANTS[variant]
    start = gradient(1000)
    other = Written(start, 0.7, (0.8, 0.95), 1e-3, decay=decay, **options)
    ours = [a.copy() for a in start]
    optimizer = mdbopt.Prodigy(0.7, beta1=0.8, beta2=0.95, d0=1e-3, weight_decay=decay, **options)
    state = optimizer.init(ours)
    for step in range(200):
        g = [a + x for a, x in zip(gradient(step), ours, strict=True)]
        optimizer.step(ours, g, state)
        other.step(g)
    for a, b in zip(ours, other.x, strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-12)
    for name in ("d", "d_max", "numerator"):
        assert np.isclose(getattr(state, name), getattr(other, name), rtol=1e-9)
    assert state.d > 1e-3


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_any_scale_of_x_is_minimised(scale):
    # From 2·scale off, which is what d has to find.
    x = np.full(5, 3.0 * scale)
    optimizer = mdbopt.Prodigy(bias_correction=True)
    state = optimizer.init(x)
    for step in range(1000):
        optimizer.step(x, x / scale - 1.0, state, lr=0.5 * (1 + math.cos(math.pi * step / 1000)))
    assert np.abs(x / scale - 1.0).max() < 1e-2
    assert 0.1 * scale < state.d < 100 * scale


def test_a_step_without_gradient_moves_nothing():
    x = np.ones(3)
    optimizer = mdbopt.Prodigy(weight_decay=0.5)
    state = optimizer.init(x)
    optimizer.step(x, np.zeros(3), state)
    assert np.array_equal(x, np.ones(3))
    assert (state.d, state.d_max, state.numerator) == (1e-6, 1e-6, 0.0)


def test_step_sizes_of_coordinates_count_in_the_estimate():
    # Coordinates without a step size are as if they were not there.
    x = np.linspace(1.0, 2.0, 3000).astype(np.float32)
    rates = np.zeros(3000, np.float32)
    rates[:1700] = 0.5
    alone = x[:1700].copy()
    optimizer = mdbopt.Prodigy(d0=1e-3)
    state, other = optimizer.init(x), optimizer.init(alone)
    for step in range(5):
        g = np.random.default_rng(step).normal(size=3000).astype(np.float32)
        optimizer.step(x, g, state, lr=rates)
        optimizer.step(alone, g[:1700], other, lr=0.5)
    assert np.allclose(x[:1700], alone, rtol=1e-6)
    assert np.array_equal(x[1700:], np.linspace(1.0, 2.0, 3000).astype(np.float32)[1700:])
    assert np.isclose(state.d, other.d, rtol=1e-9)


def test_step_sizes_of_any_strides_count_in_the_estimate():
    x = np.linspace(1.0, 2.0, 3000).astype(np.float32)
    rates = np.linspace(0.1, 1.0, 3000).astype(np.float32)
    optimizer = mdbopt.Prodigy(d0=1e-3)
    view = np.repeat(x, 2).reshape(3000, 2)[:, 0]
    spread = np.repeat(rates, 2).reshape(3000, 2)[:, 1]
    state, kept = optimizer.init(x), optimizer.init(view)
    for step in range(5):
        g = np.random.default_rng(step).normal(size=3000).astype(np.float32)
        optimizer.step(x, g, state, lr=rates)
        optimizer.step(view, g, kept, lr=spread)
    assert np.array_equal(view, x)
    assert kept.d == state.d
