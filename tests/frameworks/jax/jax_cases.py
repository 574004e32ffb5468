"""Optimizers of mdbopt.jax beside those of optax that have the same rule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mdbopt.jax

# A decay multiplies parameters by 1 - lr·weight_decay, as PyTorch's does, where optax subtracts. Of
# these two float32 holds that factor, so that 1,000 steps do not add up what it would lose.
LR, DECAY = 2.0**-10, 2.0**-3

# Without rprop, whose updates optax 0.2.8 makes of the step sizes of the step before, and prodigy,
# which runs ever faster along gradients that do not depend on where it is.
SAME_RULES = {
    "sgd": (mdbopt.jax.sgd(0.01), optax.sgd(0.01)),
    "momentum": (mdbopt.jax.sgd(0.01, momentum=0.9), optax.sgd(0.01, momentum=0.9)),
    "nesterov": (
        mdbopt.jax.sgd(0.01, momentum=0.9, nesterov=True),
        optax.sgd(0.01, momentum=0.9, nesterov=True),
    ),
    "sign_sgd": (mdbopt.jax.sign_sgd(1e-3), optax.sign_sgd(1e-3)),
    "signum": (mdbopt.jax.signum(1e-3), optax.signum(1e-3)),
    "lion": (mdbopt.jax.lion(LR, weight_decay=DECAY), optax.lion(LR, weight_decay=DECAY)),
    "adam": (mdbopt.jax.adam(1e-3), optax.adam(1e-3)),
    "adamw": (mdbopt.jax.adamw(LR, weight_decay=DECAY), optax.adamw(LR, weight_decay=DECAY)),
    "amsgrad": (
        mdbopt.jax.amsgrad(1e-3, bias_correction=False),
        optax.amsgrad(1e-3, bias_correction_mu=False, bias_correction_nu=False),
    ),
    # Where the momentum does not warm up, it is beta1 from the start, as optax's.
    "nadam": (mdbopt.jax.nadam(1e-3, momentum_decay=1e6), optax.nadam(1e-3)),
    "nadamw": (
        mdbopt.jax.nadamw(LR, momentum_decay=1e6, weight_decay=DECAY),
        optax.nadamw(LR, weight_decay=DECAY),
    ),
    # optax has eps beside the root of the corrected average.
    "radam": (mdbopt.jax.radam(1e-3, beta2=0.95, eps=1e-14), optax.radam(1e-3, b2=0.95, eps=1e-14)),
    "adamax": (mdbopt.jax.adamax(1e-3), optax.adamax(1e-3)),
    "adabelief": (mdbopt.jax.adabelief(1e-3, eps_root=1e-6), optax.adabelief(1e-3, eps_root=1e-6)),
    "ademamix": (
        mdbopt.jax.ademamix(1e-3, weight_decay=0.0),
        optax.contrib.ademamix(1e-3),
    ),
    "adopt": (mdbopt.jax.adopt(1e-3), optax.contrib.adopt(1e-3)),
    "adadelta": (mdbopt.jax.adadelta(0.1), optax.adadelta(0.1)),
    "adagrad": (
        mdbopt.jax.adagrad(0.05, initial=0.1, eps=0.0, eps_root=1e-7),
        optax.adagrad(0.05),
    ),
    "rmsprop": (
        mdbopt.jax.rmsprop(1e-3, alpha=0.9, eps=0.0, eps_root=1e-8),
        optax.rmsprop(1e-3),
    ),
    "rmsprop_centered": (
        mdbopt.jax.rmsprop(1e-3, alpha=0.9, eps=0.0, eps_root=1e-4, centered=True, momentum=0.9),
        optax.rmsprop(1e-3, eps=1e-4, centered=True, momentum=0.9),
    ),
}


def tree_of(seed, dtype="float32"):
    """Make a tree of arrays: nested, with a number and an empty array."""
    rng = np.random.default_rng(seed)
    return {
        "hidden": [rng.standard_normal((6, 7)).astype(dtype), np.zeros((0, 3), dtype)],
        "out": {"w": rng.standard_normal(40).astype(dtype), "b": np.asarray(0.5, dtype)},
    }


def arrays(tree, dtype=None):
    return jax.tree.map(lambda x: jnp.array(x, dtype), tree)


def bits(array):
    """Give what NumPy's arrays hold for one of JAX's."""
    array = np.array(array)
    return array.view(np.uint16) if array.dtype.name in ("bfloat16", "float16") else array


def same(ours, theirs):
    pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    return all(np.array_equal(bits(a), bits(b)) for a, b in pairs)
