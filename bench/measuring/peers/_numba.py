"""The formulas as loops that numba compiles, parallel over the elements."""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import numpy as np

from measuring.clock import Call
from measuring.methods import ADAM_BETAS, EPS, LION_BETAS, Method


def set_threads(count: int) -> bool:
    """Hold numba's parallel loops to so many threads."""
    importlib.import_module("numba").set_num_threads(count)
    return True


@cache
def _loops() -> dict[str, tuple[Any, int]]:
    """Compile lazily; each loop with the number of its state arrays."""
    numba = importlib.import_module("numba")
    prange, parallel = numba.prange, numba.njit(parallel=True, error_model="numpy")

    @parallel
    def adamw(x, g, m, v, keep, lr, b1, a1, b2, a2, c1, c2, eps):  # type: ignore[no-untyped-def]
        for i in prange(x.size):
            m[i] = b1 * m[i] + a1 * g[i]
            v[i] = b2 * v[i] + a2 * g[i] * g[i]
            x[i] = keep * x[i] - lr * (c1 * m[i]) / (np.sqrt(c2 * v[i]) + eps)

    @parallel
    def lion(x, g, m, keep, lr, b1, a1, b2, a2):  # type: ignore[no-untyped-def]
        for i in prange(x.size):
            x[i] = keep * x[i] - lr * np.sign(b1 * m[i] + a1 * g[i])
            m[i] = b2 * m[i] + a2 * g[i]

    @parallel
    def signum(x, g, m, lr, b, a):  # type: ignore[no-untyped-def]
        for i in prange(x.size):
            m[i] = b * m[i] + a * g[i]
            x[i] -= lr * np.sign(m[i])

    @parallel
    def sign_descent(x, g, lr):  # type: ignore[no-untyped-def]
        for i in prange(x.size):
            x[i] -= lr * np.sign(g[i])

    return {
        "adamw": (adamw, 2),
        "adam": (adamw, 2),
        "lion": (lion, 1),
        "signum": (signum, 1),
        "sign_descent": (sign_descent, 0),
    }


def _numbers(method: Method, t: int) -> list[float]:
    """List what the loop takes besides arrays."""
    lr, beta = method["lr"], method["momentum"]
    keep = 1 - lr * method["weight_decay"]
    if method.name in ("adam", "adamw"):
        b1, b2 = ADAM_BETAS
        corrections = [1 / (1 - b1**t), 1 / (1 - b2**t)]
        return [keep, lr, b1, 1 - b1, b2, 1 - b2, *corrections, EPS]
    if method.name == "lion":
        b1, b2 = LION_BETAS
        return [keep, lr, b1, 1 - b1, b2, 1 - b2]
    return [lr, beta, 1 - beta] if method.name == "signum" else [lr]


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give a step over all arrays; None in half precision, which numba does not know."""
    del name
    found = _loops().get(method.name)
    if found is None or params[0].dtype.itemsize < 4:
        return None
    loop, states = found
    arrays = [
        (
            x.reshape(-1),
            g.reshape(-1),
            *(np.zeros(math.prod(x.shape), x.dtype) for _ in range(states)),
        )
        for x, g in zip(params, grads, strict=True)
    ]
    real = params[0].dtype.type
    taken = 0

    def call() -> None:
        nonlocal taken
        taken += 1
        numbers = [real(number) for number in _numbers(method, taken)]
        for each in arrays:
            loop(*each, *numbers)

    return call
