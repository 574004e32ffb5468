"""DoG and DoWG beside their papers' formulas, and as methods that need no step size."""

import numpy as np
import pytest

import mdbopt

SHAPES = [(40, 5), (7,)]


def gradient(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=shape) for shape in SHAPES]


def norm(arrays):
    return np.sqrt(sum(float(np.sum(a * a)) for a in arrays))


@pytest.mark.parametrize("weighted", [False, True])
def test_follows_the_paper(weighted):
    start = gradient(100)
    x = [a.copy() for a in start]
    ours = [a.copy() for a in start]
    optimizer = (mdbopt.DoWG if weighted else mdbopt.DoG)(0.7, initial=1e-3)
    state = optimizer.init(ours)
    farthest, total = 1e-3 * (1.0 + norm(start)), 0.0
    for step in range(200):
        g = gradient(step)
        optimizer.step(ours, g, state)
        farthest = max(farthest, norm([a - b for a, b in zip(x, start, strict=True)]))
        total += (farthest**2 if weighted else 1.0) * norm(g) ** 2
        root = np.sqrt(total if weighted else total + 1e-8)
        rate = 0.7 * (farthest**2 if weighted else farthest) / root
        x = [a - rate * b for a, b in zip(x, g, strict=True)]
    for a, b in zip(ours, x, strict=True):
        assert np.allclose(a, b, rtol=1e-10)
    assert np.isclose(state.farthest, farthest, rtol=1e-10)
    assert np.isclose(state.sum_of_squares, total, rtol=1e-10)


@pytest.mark.parametrize("make", [mdbopt.DoG, mdbopt.DoWG])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_any_scale_of_x_and_of_f_is_minimised(make, scale):
    # f = scale · |x/scale − 1|²/2, from far off what it takes.
    x = np.full(5, 3.0 * scale)
    optimizer = make(eps=0.0)
    state = optimizer.init(x)
    for _ in range(3000):
        optimizer.step(x, (x / scale - 1.0), state)
    assert np.abs(x / scale - 1.0).max() < 1e-2


def test_a_step_without_gradient_and_distance_moves_nothing():
    x = np.ones(3)
    for optimizer in (mdbopt.DoG(eps=0.0), mdbopt.DoWG(), mdbopt.DoG(initial=0.0)):
        state = optimizer.init(x)
        optimizer.step(x, np.zeros(3), state)
        assert np.array_equal(x, np.ones(3))
    optimizer = mdbopt.DoG(initial=0.0)
    state = optimizer.init(x)
    optimizer.step(x, np.ones(3), state)
    assert np.array_equal(x, np.ones(3))
