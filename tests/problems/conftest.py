"""The problems as rows: how to build one, and its formula written a second time, naively."""

import numpy as np
import pytest

from mdbopt import problems

L2 = 0.3
LOSSES = ("logistic", "least_squares", "smoothed_svm", "softmax")


def targets(name, n, rng):
    """Return a y that suits the loss."""
    if name == "least_squares":
        return rng.standard_normal(n) * 3 + 2
    classes = 4 if name == "softmax" else 2
    return np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])


def naive_value(name, X, y, w, intercept=True, l2=L2, penalize_intercept=False):
    """Return f(w) straight from its definition; w may be complex."""
    X = np.column_stack([X, np.ones(len(X))]) if intercept else X
    weights = w.reshape(X.shape[1], -1)
    penalized = weights[:-1] if intercept and not penalize_intercept else weights
    penalty = l2 / 2 * np.sum(penalized * penalized)
    if name == "softmax":
        z = X @ weights
        losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), y]
        return losses.mean() + penalty
    z = X @ w
    if name == "logistic":
        losses = np.log(1 + np.exp(z)) - y * z
    elif name == "least_squares":
        losses = (z - y) ** 2 / 2
    else:
        m = np.where(y == 1, z, -z)
        losses = np.where(m.real >= 1, 0, np.where(m.real > 0, (1 - m) ** 2 / 2, 0.5 - m))
    return losses.mean() + penalty


def complex_step(value, w):
    """Return the gradient of an analytic function, with no cancellation."""
    gradient = np.empty(len(w))
    for j in range(len(w)):
        moved = w.astype(complex)
        moved[j] += 1e-30j
        gradient[j] = value(moved).imag / 1e-30
    return gradient


@pytest.fixture(params=LOSSES)
def loss(request):
    """Each loss over rows of X."""
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20240517)


@pytest.fixture
def build():
    """Build a problem by name."""

    def build(name, X, y, l2=L2, **options):
        return getattr(problems, name)(X, y, l2, **options)

    return build


@pytest.fixture
def targets_of():
    return targets


@pytest.fixture
def naive():
    return naive_value


@pytest.fixture
def derivative():
    return complex_step
