"""A network on scikit-learn's digits, trained as with optax: mini-batches, then the whole data set.

    pip install 'mdbopt[jax,data]'
    python examples/optax_training.py

The two lines that name mdbopt are all that differs from a program for optax: ``optax.adamw(…)``
stood in the place of the first, ``optax.lbfgs()`` in that of the second.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import mdbopt.jax

HIDDEN, CLASSES, BATCH, EPOCHS, FULL_STEPS = 32, 10, 64, 10, 40


def start(inputs, key):
    first, second = jax.random.split(key)
    return {
        "hidden": {
            "w": jax.random.normal(first, (inputs, HIDDEN)) / np.sqrt(inputs),
            "b": jnp.zeros(HIDDEN),
        },
        "out": {
            "w": jax.random.normal(second, (HIDDEN, CLASSES)) / np.sqrt(HIDDEN),
            "b": jnp.zeros(CLASSES),
        },
    }


def loss(params, inputs, labels):
    hidden = jnp.tanh(inputs @ params["hidden"]["w"] + params["hidden"]["b"])
    logits = hidden @ params["out"]["w"] + params["out"]["b"]
    squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
    entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return entropy + 1e-4 * squares


def train_on_batches(params, inputs, labels):
    """Train by mini-batches, an epoch in one compiled scan."""
    batches = len(inputs) // BATCH
    schedule = optax.cosine_decay_schedule(1e-2, EPOCHS * batches)
    optimizer = mdbopt.jax.adamw(schedule, weight_decay=1e-4, max_norm=1.0)

    def step(carried, chosen):
        params, state = carried
        grads = jax.grad(loss)(params, inputs[chosen], labels[chosen])
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def epoch(carried, key):
        order = jax.random.permutation(key, len(inputs))[: batches * BATCH]
        return jax.lax.scan(step, carried, order.reshape(batches, BATCH))[0]

    carried = params, optimizer.init(params)
    for key in jax.random.split(jax.random.key(1), EPOCHS):
        carried = epoch(carried, key)
    return carried[0]


def train_on_all(params, inputs, labels):
    """Train on all rows at once: every update is a line search."""
    optimizer = mdbopt.jax.guarded()

    def objective(params):
        return loss(params, inputs, labels)

    value_and_grad = optax.value_and_grad_from_state(objective)

    @jax.jit
    def step(params, state):
        value, grad = value_and_grad(params, state=state)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=objective
        )
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(FULL_STEPS):
        params, state = step(params, state)
    return params, int(state.evaluations)


def main():
    digits = load_digits()
    inputs = jnp.asarray(digits.data / 16, jnp.float32)
    labels = jnp.asarray(digits.target, jnp.int32)
    params = start(inputs.shape[1], jax.random.key(0))
    print(f"start:         loss {loss(params, inputs, labels):.4f}")
    params = train_on_batches(params, inputs, labels)
    print(f"mini-batches:  loss {loss(params, inputs, labels):.4f}")
    params, evaluations = train_on_all(params, inputs, labels)
    print(f"all rows:      loss {loss(params, inputs, labels):.4f} ({evaluations} evaluations)")


if __name__ == "__main__":
    main()
