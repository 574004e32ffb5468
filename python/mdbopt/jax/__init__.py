"""mdbopt's optimizers and searches for JAX, as transformations of optax.

A program that uses optax needs one changed line: ``mdbopt.jax.adamw(lr)`` in the place of
``optax.adamw(lr)``, ``mdbopt.jax.guarded()`` in that of ``optax.lbfgs()``. What optax does around
a transformation (``chain``, schedules, ``inject_hyperparams``, ``MultiSteps``, ``apply_updates``)
works with these, and so do ``jax.jit``, ``jax.lax.while_loop``, ``jax.lax.scan`` and ``jax.vmap``.

Each step is one call of the compiled core through XLA's FFI, on the CPU, over all arrays of the
parameters. Its results alias what they replace: where XLA owns the memory, because it was donated
or is carried in a loop, the core writes in place; elsewhere XLA copies first. States are pytrees of
JAX's arrays, and every call is a function of its operands alone.

==========================  ======================================================================
updates                     `sgd`, `normalized_gd`, `sign_sgd`, `signum`, `lion`, `adam`, `adamw`,
                            `amsgrad`, `nadam`, `nadamw`, `radam`, `madam`, `adamax`, `adabelief`,
                            `yogi`, `adan`, `ademamix`, `laprop`, `adopt`, `schedule_free_sgd`,
                            `schedule_free_adamw`, `stable_adamw`, `lamb`, `lars`, `novograd`,
                            `mars_adamw`, `mars_lion`, `agc`, `adagrad`, `adagrad_norm`, `adadelta`,
                            `rmsprop`, `rprop`, `ftrl`, `dog`, `dowg`, `prodigy`,
                            `hypergradient_sgd`, `hypergradient_adam`, `diagonal_hypergradient`,
                            `osgm`
averages                    `average_eval_params`, `schedule_free_eval_params`
searches                    `guarded`, `box`, `ellipsoid`, `simplex`, `backtracking`
==========================  ======================================================================

Importing it raises ImportError where JAX or optax is missing, or where mdbopt was built without the
headers of jaxlib; the message says how to get them.

Examples
--------
>>> import jax, jax.numpy as jnp, optax, mdbopt.jax
>>> transformation = optax.chain(optax.clip_by_global_norm(1.0), mdbopt.jax.adamw(0.1))
>>> params = jnp.array([1.0, -2.0])
>>> state = transformation.init(params)
>>> @jax.jit
... def train(params, state):
...     updates, state = transformation.update(2 * params, state, params)
...     return optax.apply_updates(params, updates), state
>>> for _ in range(200):
...     params, state = train(params, state)
>>> bool(jnp.abs(params).max() < 0.01)
True
"""

from typing import Any

from mdbopt.jax import _ffi  # noqa: F401  (it says what is missing, before that is asked for)
from mdbopt.jax._searches import SearchState, backtracking, box, ellipsoid, guarded, simplex
from mdbopt.jax._updates import (
    FACTORIES,
    UpdateState,
    UpdateTransformation,
    average_eval_params,
    schedule_free_eval_params,
)

__all__ = [
    "SearchState",
    "UpdateState",
    "UpdateTransformation",
    "average_eval_params",
    "backtracking",
    "box",
    "ellipsoid",
    "guarded",
    "schedule_free_eval_params",
    "simplex",
    *FACTORIES,
]


def __getattr__(name: str) -> Any:
    if name in FACTORIES:
        return FACTORIES[name]
    raise AttributeError(f"module 'mdbopt.jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
