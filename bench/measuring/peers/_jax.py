"""optax, compiled whole by jax.jit with the old arrays donated to the new ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from measuring.clock import Call, all_threads
from measuring.methods import ADAM_BETAS, EPS, LION_BETAS, Method

DTYPES = ("float32", "bfloat16")


def set_threads(count: int) -> bool:
    """Say whether it is this number: XLA's pool has the size of the machine from its start on."""
    return count == all_threads()


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give a compiled step that waits for its result."""
    del name
    transformation = _transformation(importlib.import_module("optax"), method)
    if transformation is None or params[0].dtype.name not in DTYPES:
        return None
    return compiled(transformation, params, grads)


def compiled(transformation: Any, params: list[Any], grads: list[Any]) -> Call:
    """Give a compiled step of a transformation of gradients, which waits for its result."""
    optax = importlib.import_module("optax")

    def update(x: Any, g: Any, state: Any) -> tuple[Any, Any]:
        moves, state = transformation.update(g, state, x)
        return optax.apply_updates(x, moves), state

    return donated(update, transformation.init, params, grads)


def donated(
    step: Callable[[Any, Any, Any], tuple[Any, Any]],
    init: Callable[[Any], Any],
    params: list[Any],
    grads: list[Any],
) -> Call:
    """Give a function of parameters, gradients and state, compiled, which waits for its result."""
    jax = importlib.import_module("jax")
    jitted = jax.jit(step, donate_argnums=(0, 2))
    x, g = ([jax.numpy.array(array) for array in arrays] for arrays in (params, grads))
    kept = [x, init(x)]

    def call() -> None:
        kept[:] = jax.block_until_ready(jitted(kept[0], g, kept[1]))

    return call


def _transformation(optax: Any, method: Method) -> Any:
    lr, decay = method["lr"], method["weight_decay"]
    b1, b2 = LION_BETAS if method.name == "lion" else ADAM_BETAS
    makers = {
        "adamw": lambda: optax.adamw(lr, b1=b1, b2=b2, eps=EPS, weight_decay=decay),
        "adam": lambda: optax.adam(lr, b1=b1, b2=b2, eps=EPS),
        "lion": lambda: optax.lion(lr, b1=b1, b2=b2, weight_decay=decay),
        "signum": lambda: optax.signum(lr, beta=method["momentum"]),
        "sign_descent": lambda: optax.sign_sgd(lr),
        "sgd": lambda: optax.sgd(lr),
        "sgd_momentum": lambda: optax.sgd(lr, momentum=method["momentum"]),
        "adagrad": lambda: optax.adagrad(lr),
        "rmsprop": lambda: optax.rmsprop(lr),
    }
    try:
        return makers[method.name]()
    except (KeyError, AttributeError):  # an older optax
        return None
