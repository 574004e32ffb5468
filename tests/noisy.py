"""Objectives whose noise is known: its level, its law, and what they are without it."""

import numpy as np


class Noisy:
    """fun with noise of f up to f_error, and of its gradient up to g_error in the 2-norm.

    "uniform" noise keeps to these; "normal" noise has them as twice its standard deviation, and may
    exceed them. Every call counts in `calls`.
    """

    def __init__(self, fun, f_error, g_error, seed=0, law="uniform"):
        self.fun, self.f_error, self.g_error, self.law = fun, f_error, g_error, law
        self.draw = np.random.default_rng(seed)
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        f, g = self.fun(np.asarray(x, np.float64))
        direction = self.draw.normal(size=g.size)
        if self.law == "uniform":
            off = self.draw.uniform(-1, 1)
            length = self.draw.uniform() / np.linalg.norm(direction)
        else:
            off, length = 0.5 * self.draw.normal(), 0.5 / np.sqrt(g.size)
        told = g + self.g_error * length * direction
        return float(f + self.f_error * off), told.astype(np.asarray(x).dtype)


def quadratic(size, decades, seed):
    """Return ½ (x − c)ᵀH(x − c), its least curvature, and where to start; its least value is 0."""
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.normal(size=(size, size)))[0]
    curvatures = 10.0 ** draw.uniform(-decades / 2, decades / 2, size)
    hessian, centre = (turn * curvatures) @ turn.T, draw.normal(size=size)

    def fun(x):
        g = hessian @ (x - centre)
        return 0.5 * float((x - centre) @ g), g

    return fun, curvatures.min(), np.zeros(size)
