"""DeepSpeed's CPU optimizers: C++ with intrinsics and OpenMP, compiled when first asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

from measuring.clock import Call
from measuring.methods import ADAM_BETAS, EPS, LION_BETAS, Method
from measuring.peers._torch import set_threads, trainable

__all__ = ["set_threads", "step"]

DTYPES = ("float32", "bfloat16")


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give a step; the first one of a method compiles it, about a minute, and keeps it on disk."""
    del name
    if str(params[0].dtype).rpartition(".")[2] not in DTYPES:
        return None
    # Unset, it looks for devices and warns that there are none.
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    # Its build prints to where our table goes.
    with contextlib.redirect_stdout(sys.stderr):
        optimizer = _optimizer(method, trainable(params, grads))
    call: Call | None = None if optimizer is None else optimizer.step
    return call


def _optimizer(method: Method, params: list[Any]) -> Any:
    options = {"lr": method["lr"], "weight_decay": method["weight_decay"]}
    if method.name in ("adam", "adamw"):
        made = importlib.import_module("deepspeed.ops.adam").DeepSpeedCPUAdam
        decoupled = method.name == "adamw"
        return made(params, betas=ADAM_BETAS, eps=EPS, adamw_mode=decoupled, **options)
    if method.name == "lion":
        made = importlib.import_module("deepspeed.ops.lion").DeepSpeedCPULion
        return made(params, betas=LION_BETAS, **options)
    return None
