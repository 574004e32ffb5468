"""NovoGrad beside its paper's algorithm written out; its numbers are those of each array."""

import numpy as np
import pytest

import mdbopt

SHAPES = [(40, 5), (7,), ()]


def gradients(step):
    rng = np.random.default_rng(step)
    return [np.asarray(rng.normal(size=shape) * 10.0**k) for k, shape in enumerate(SHAPES)]


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("betas", [(0.9, 0.25), (0.95, 0.98)])
def test_follows_the_paper(betas, decoupled):
    beta1, beta2 = betas
    lr, decay, eps = 0.1, 0.3, 1e-8
    x = gradients(1000)
    ours = [a.copy() for a in x]
    optimizer = mdbopt.NovoGrad(
        lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay, decoupled=decoupled
    )
    state = optimizer.init(ours)
    v, m = [0.0] * len(x), [np.zeros_like(a) for a in x]
    for step in range(50):
        grads = gradients(step)
        optimizer.step(ours, grads, state)
        for k, g in enumerate(grads):
            if not decoupled:
                g = g + decay * x[k]
            norm2 = float(np.sum(g * g))
            v[k] = norm2 if step == 0 else beta2 * v[k] + (1.0 - beta2) * norm2
            along = g / (np.sqrt(v[k]) + eps) + (decay * x[k] if decoupled else 0.0)
            m[k] = beta1 * m[k] + along
            x[k] = np.asarray(x[k] - lr * m[k])
    for a, b in zip(ours, x, strict=True):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)
    assert np.allclose(state.v, v, rtol=1e-12)


def test_an_array_without_gradient_keeps_its_number():
    params = {"a": np.ones(3), "b": np.ones(4), "c": np.ones(5)}
    optimizer = mdbopt.NovoGrad(0.1)
    state = optimizer.init(params)
    assert state.v == (0.0, 0.0, 0.0)
    optimizer.step(params, {"a": np.ones(3), "b": None, "c": np.full(5, 2.0)}, state)
    assert state.v == (3.0, 0.0, 20.0)
    optimizer.step(params, {"a": None, "b": np.ones(4), "c": None}, state)
    assert state.v == (3.0, 4.0, 20.0)


def test_a_saved_state_has_the_numbers_as_an_array(tmp_path):
    params = [np.ones(3), np.ones(4)]
    optimizer = mdbopt.NovoGrad(0.1)
    state = optimizer.init(params)
    optimizer.step(params, [np.ones(3), np.full(4, 2.0)], state)
    np.savez(tmp_path / "state.npz", **state)
    saved = np.load(tmp_path / "state.npz")
    assert saved["v"].tolist() == [3.0, 16.0]
    assert optimizer.restore(params, saved).v == state.v
    for given, text in (
        ([3.0], r"saved: 'v': has shape \(1,\), expected \(2,\)"),
        (np.ones((2, 1)), r"saved: 'v': has shape \(2, 1\), expected \(2,\)"),
        ([3.0, -1.0], "saved: 'v': expected values >= 0, got -1.0"),
        (np.array([3.0, np.nan]), "saved: 'v': expected finite values, got NaN or inf"),
    ):
        with pytest.raises(ValueError, match=text):
            optimizer.restore(params, {**saved, "v": given})


def test_the_first_gradient_that_is_not_zero_begins_the_average():
    x = np.ones(2)
    optimizer = mdbopt.NovoGrad(0.5, eps=0.0)
    state = optimizer.init(x)
    optimizer.step(x, np.zeros(2), state)
    assert state.v == (0.0,)
    assert np.array_equal(x, np.ones(2))
    optimizer.step(x, np.array([3.0, 4.0]), state)
    assert state.v == (25.0,)
    assert np.allclose(x, [0.7, 0.6])
