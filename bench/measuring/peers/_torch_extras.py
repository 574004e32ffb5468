"""Optimizers for PyTorch in packages of their own: lion-pytorch and pytorch_optimizer."""

from __future__ import annotations

import importlib
from typing import Any

from measuring.clock import Call
from measuring.methods import LION_BETAS, Method
from measuring.peers._torch import set_threads, trainable

__all__ = ["set_threads", "step"]


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give a step in foreach form, which is the fastest that they have on a CPU."""
    made = _lion_pytorch if name == "lion-pytorch" else _pytorch_optimizer
    optimizer = made(method, trainable(params, grads))
    call: Call | None = None if optimizer is None else optimizer.step
    return call


def _lion_pytorch(method: Method, params: list[Any]) -> Any:
    if method.name != "lion":
        return None
    lion = importlib.import_module("lion_pytorch.foreach").Lion
    return lion(params, lr=method["lr"], betas=LION_BETAS, weight_decay=method["weight_decay"])


def _pytorch_optimizer(method: Method, params: list[Any]) -> Any:
    library = importlib.import_module("pytorch_optimizer")
    lr, decay = method["lr"], method["weight_decay"]
    if method.name == "lion":
        return library.Lion(params, lr=lr, betas=LION_BETAS, weight_decay=decay, foreach=True)
    if method.name in ("signum", "sign_descent"):
        return library.SignSGD(params, lr=lr, momentum=method["momentum"], foreach=True)
    return None
