"""The formulas in plain NumPy, as one writes them: in place where that is shorter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from measuring.clock import Call
from measuring.methods import ADAM_BETAS, EPS, LION_BETAS, Method

Update = Callable[..., None]


def set_threads(count: int) -> bool:
    """Say yes: these expressions run on one thread whatever is asked."""
    return count >= 1


def _adamw(o: Method, t: int, x: Any, g: Any, m: Any, v: Any) -> None:
    beta1, beta2 = ADAM_BETAS
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    x *= 1 - o["lr"] * o["weight_decay"]
    x -= o["lr"] * m_hat / (np.sqrt(v_hat) + EPS)


def _lion(o: Method, t: int, x: Any, g: Any, m: Any) -> None:
    beta1, beta2 = LION_BETAS
    x *= 1 - o["lr"] * o["weight_decay"]
    x -= o["lr"] * np.sign(beta1 * m + (1 - beta1) * g)
    m *= beta2
    m += (1 - beta2) * g


def _signum(o: Method, t: int, x: Any, g: Any, m: Any) -> None:
    m *= o["momentum"]
    m += (1 - o["momentum"]) * g
    x -= o["lr"] * np.sign(m)


def _sign_descent(o: Method, t: int, x: Any, g: Any) -> None:
    x -= o["lr"] * np.sign(g)


def _sgd(o: Method, t: int, x: Any, g: Any) -> None:
    x -= o["lr"] * g


def _sgd_momentum(o: Method, t: int, x: Any, g: Any, m: Any) -> None:
    m *= o["momentum"]
    m += g
    x -= o["lr"] * m


def _adagrad(o: Method, t: int, x: Any, g: Any, total: Any) -> None:
    total += g**2
    x -= o["lr"] * g / (np.sqrt(total) + 1e-10)


def _rmsprop(o: Method, t: int, x: Any, g: Any, v: Any) -> None:
    v *= 0.99
    v += 0.01 * g**2
    x -= o["lr"] * g / (np.sqrt(v) + EPS)


# Each with the number of its state arrays.
UPDATES: dict[str, tuple[Update, int]] = {
    "adamw": (_adamw, 2),
    "adam": (_adamw, 2),
    "lion": (_lion, 1),
    "signum": (_signum, 1),
    "sign_descent": (_sign_descent, 0),
    "sgd": (_sgd, 0),
    "sgd_momentum": (_sgd_momentum, 1),
    "adagrad": (_adagrad, 1),
    "rmsprop": (_rmsprop, 1),
}


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give a step over all arrays; None in half precision, where NumPy takes 100 times as long."""
    del name
    found = UPDATES.get(method.name)
    if found is None or params[0].dtype.itemsize < 4:
        return None
    update, states = found
    arrays = [
        (x, g, *(np.zeros_like(x) for _ in range(states)))
        for x, g in zip(params, grads, strict=True)
    ]
    taken = 0

    def call() -> None:
        nonlocal taken
        taken += 1
        for each in arrays:
            update(method, taken, *each)

    return call
