"""The optimizers that optax has, too, step by step beside it."""

import numpy as np
import pytest
from peer_runs import Problem, difference, largest_difference, stepped_by_optax

import mdbopt

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")

# Rounding alone, as in test_torch_optim.py.
CLOSE = {"float64": 1e-13, "float32": 1e-5}

# Without rprop: optax 0.2.8 moves by its former step, by 0 at first.
CASES = {
    "sgd": (mdbopt.SGD(0.05), optax.sgd(0.05)),
    "momentum": (mdbopt.SGD(0.05, momentum=0.9), optax.sgd(0.05, momentum=0.9)),
    "nesterov": (
        mdbopt.SGD(0.05, momentum=0.9, nesterov=True),
        optax.sgd(0.05, momentum=0.9, nesterov=True),
    ),
    "decayed": (
        mdbopt.SGD(0.05, momentum=0.9, weight_decay=0.2),
        optax.chain(
            optax.trace(0.9), optax.add_decayed_weights(0.2), optax.scale_by_learning_rate(0.05)
        ),
    ),
    "normalized": (
        mdbopt.NormalizedGD(0.05),
        optax.chain(optax.normalize_by_update_norm(eps=0.0), optax.scale_by_learning_rate(0.05)),
    ),
    "lamb": (
        mdbopt.LAMB(0.01, weight_decay=0.1),
        optax.lamb(0.01, weight_decay=0.1),
    ),
    "lars": (
        mdbopt.LARS(0.5, trust_coefficient=1e-2),
        optax.lars(0.5, trust_coefficient=1e-2),
    ),
    "lars_l2": (
        mdbopt.LARS(0.5, trust_coefficient=1e-2, weight_decay=0.2, decoupled=False),
        optax.lars(0.5, trust_coefficient=1e-2, weight_decay=0.2),
    ),
    "adam": (mdbopt.Adam(0.05), optax.adam(0.05)),
    "adam_eps": (
        mdbopt.Adam(0.05, beta1=0.8, beta2=0.95, eps=1e-3, eps_root=1e-2),
        optax.adam(0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-2),
    ),
    "adam_l2": (
        mdbopt.Adam(0.05, weight_decay=0.2),
        optax.chain(optax.add_decayed_weights(0.2), optax.adam(0.05)),
    ),
    # eps is beside the root of the corrected average there. With 0.999 the rectification of the
    # first steps is a difference of nearly equal numbers, of which float32 leaves little.
    "radam": (
        mdbopt.RAdam(0.05, beta2=0.95, eps=0.0),
        optax.radam(0.05, b2=0.95, eps=0.0),
    ),
    "adamax": (mdbopt.Adamax(0.05), optax.adamax(0.05)),
    "adabelief": (
        mdbopt.AdaBelief(0.05, eps_root=1e-6),
        optax.adabelief(0.05, eps_root=1e-6),
    ),
    "adadelta": (mdbopt.Adadelta(0.5), optax.adadelta(0.5)),
    "ademamix": (
        mdbopt.AdEMAMix(0.05, beta2=0.95, weight_decay=0.2),
        optax.contrib.ademamix(0.05, b2=0.95, weight_decay=0.2),
    ),
    "adopt": (mdbopt.ADOPT(0.05, beta2=0.95), optax.contrib.adopt(0.05, b2=0.95)),
    "adamw": (mdbopt.AdamW(0.05, weight_decay=0.2), optax.adamw(0.05, weight_decay=0.2)),
    "amsgrad_uncorrected": (
        mdbopt.AMSGrad(0.05, bias_correction=False),
        optax.amsgrad(0.05, bias_correction_mu=False, bias_correction_nu=False),
    ),
    "adagrad": (
        mdbopt.AdaGrad(0.3, initial=0.1, eps_root=1e-7, eps=0.0),
        optax.adagrad(0.3),
    ),
    "adagrad_initial": (
        mdbopt.AdaGrad(0.3, initial=0.5, eps_root=1e-2, eps=0.0),
        optax.adagrad(0.3, initial_accumulator_value=0.5, eps=1e-2),
    ),
    "rmsprop": (
        mdbopt.RMSProp(0.05, alpha=0.9, eps=0.0, eps_root=1e-8),
        optax.rmsprop(0.05),
    ),
    "rmsprop_outside": (
        mdbopt.RMSProp(0.05, alpha=0.95, eps=1e-3),
        optax.rmsprop(0.05, decay=0.95, eps=1e-3, eps_in_sqrt=False),
    ),
    "rmsprop_centered": (
        mdbopt.RMSProp(0.05, alpha=0.9, eps=0.0, eps_root=1e-4, centered=True),
        optax.rmsprop(0.05, eps=1e-4, centered=True),
    ),
    "rmsprop_momentum": (
        mdbopt.RMSProp(0.05, alpha=0.9, eps=0.0, eps_root=1e-8, momentum=0.9),
        optax.rmsprop(0.05, momentum=0.9),
    ),
    "novograd": (mdbopt.NovoGrad(0.01), optax.novograd(0.01)),
    "novograd_decay": (
        mdbopt.NovoGrad(0.01, beta1=0.95, beta2=0.9, eps=1e-3, eps_root=1e-2, weight_decay=0.2),
        optax.novograd(0.01, b1=0.95, b2=0.9, eps=1e-3, eps_root=1e-2, weight_decay=0.2),
    ),
    # optax always corrects.
    "prodigy": (
        mdbopt.Prodigy(0.5, beta2=0.95, d0=1e-2, bias_correction=True),
        optax.contrib.prodigy(0.5, betas=(0.9, 0.95), estim_lr0=1e-2),
    ),
    "prodigy_guarded": (
        mdbopt.Prodigy(
            0.5, beta2=0.95, d0=1e-2, d_coef=0.5, bias_correction=True, safeguard_warmup=True
        ),
        optax.contrib.prodigy(
            0.5, betas=(0.9, 0.95), estim_lr0=1e-2, estim_lr_coef=0.5, safeguard_warmup=True
        ),
    ),
    "sign_sgd": (mdbopt.SignDescent(0.01), optax.sign_sgd(0.01)),
    "signum": (mdbopt.Signum(0.01), optax.signum(0.01)),
    "lion": (
        mdbopt.Lion(0.01, weight_decay=0.1),
        optax.lion(0.01, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_optaxs(case, dtype):
    ours, other = CASES[case]
    problem = Problem(dtype)
    with jax.enable_x64(dtype == "float64"):
        worst = largest_difference(problem, ours, stepped_by_optax(other, problem))
    # See the next test for what optax loses in float32 where beta2 is nearly 1.
    lossy = dtype == "float32" and getattr(ours, "bias_correction", False) and ours.beta2 > 0.99
    assert worst <= (1e-4 if lossy else CLOSE[dtype])


def test_bias_corrections_are_taken_in_float64_also_for_float32():
    """The first step has length lr whatever the gradient; 1 - float32(0.999) is off by 1.3e-5."""
    optimizer, other = mdbopt.Adam(1.0), optax.adam(1.0)
    ours, g = np.zeros(1, np.float32), np.full(1, 3.0, np.float32)
    optimizer.step(ours, g, optimizer.init(ours))
    theirs, _ = other.update(g, other.init(np.zeros(1, np.float32)))
    assert abs(ours[0] + 1.0) <= 2e-7
    assert 2e-6 < abs(theirs[0] + 1.0) < 1e-4


@pytest.mark.parametrize("dtype", CLOSE)
def test_optax_corrects_the_averages_of_amsgrad_before_their_maximum(dtype):
    """The first averages are corrected upwards most, so optax remembers early gradients longer."""
    problem = Problem(dtype)
    with jax.enable_x64(dtype == "float64"):
        theirs = stepped_by_optax(optax.amsgrad(0.05), problem)
        assert largest_difference(problem, mdbopt.AMSGrad(0.05), theirs) > 0.01


def test_the_momentum_of_optaxs_rmsprop_keeps_the_old_steps_lengths():
    """It sums steps, lr included; ours sums directions, as PyTorch's."""
    problem = Problem("float32")
    theirs = stepped_by_optax(
        optax.rmsprop(lambda count: 0.05 / (1 + count), momentum=0.9), problem
    )
    worst = largest_difference(
        problem,
        mdbopt.RMSProp(alpha=0.9, eps=0.0, eps_root=1e-8, momentum=0.9),
        theirs,
        options=lambda t: {"lr": 0.05 / (1 + t)},
    )
    assert worst > 0.1


@pytest.mark.parametrize("dtype", CLOSE)
def test_max_norm_is_clip_by_global_norm_but_for_its_offset(dtype):
    """PyTorch's 1e-6 beside the norm makes clipped steps shorter: by 3e-7 each, here."""
    problem = Problem(dtype)
    other = optax.chain(optax.clip_by_global_norm(3.5), optax.sgd(0.05, momentum=0.9))
    ours = mdbopt.SGD(0.05, momentum=0.9)
    with jax.enable_x64(dtype == "float64"):
        theirs = stepped_by_optax(other, problem)
        worst = largest_difference(problem, ours, theirs, options=lambda t: {"max_norm": 3.5})
        unclipped = largest_difference(problem, ours, stepped_by_optax(other, problem))
    assert worst <= 1e-5
    assert unclipped > 1e-3
    if dtype == "float64":
        assert worst > 1e-10


def test_jax_gradients_step_numpy_parameters():
    """A pytree of them, with the loss compiled by JAX, beside optax."""
    rng = np.random.default_rng(2)
    params = {
        "hidden": {"w": rng.standard_normal((4, 8)).astype("f4"), "b": np.zeros(8, "f4")},
        "out": [rng.standard_normal((8, 1)).astype("f4")],
    }
    inputs = rng.standard_normal((32, 4)).astype("f4")

    @jax.jit
    def loss(at):
        hidden = jax.numpy.tanh(inputs @ at["hidden"]["w"] + at["hidden"]["b"])
        return ((hidden @ at["out"][0])[:, 0] - inputs[:, 0]).__pow__(2).mean()

    slope = jax.grad(loss)
    theirs = jax.tree.map(jax.numpy.array, params)
    other = optax.adamw(0.01, weight_decay=0.1)
    their_state = other.init(theirs)
    optimizer = mdbopt.AdamW(0.01, weight_decay=0.1)
    state = optimizer.init(params)
    first = float(loss(params))
    for _ in range(50):
        assert optimizer.step(params, slope(params), state)
        updates, their_state = other.update(slope(theirs), their_state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    assert float(loss(params)) < 0.5 * first
    assert difference(jax.tree.leaves(params), jax.tree.leaves(theirs)) < 1e-4
