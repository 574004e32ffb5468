"""PyTorch's own optimizers: fused, foreach, and the function that the fused one calls.

It has no LAMB: torch-foreach is one that is written here with its foreach functions.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

from measuring.clock import Call
from measuring.methods import ADAM_BETAS, EPS, Method


def set_threads(count: int) -> bool:
    """Hold PyTorch, and what shares its OpenMP, to so many threads."""
    importlib.import_module("torch").set_num_threads(count)
    return True


def trainable(params: list[Any], grads: list[Any]) -> list[Any]:
    """Make parameters of the tensors, on their memory, with their gradients."""
    torch = importlib.import_module("torch")
    made = [torch.nn.Parameter(param) for param in params]
    for param, grad in zip(made, grads, strict=True):
        param.grad = grad
    return made


def step(name: str, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give one of PyTorch's steps."""
    if name == "torch-functional":
        return _functional(method, params, grads)
    if method.name == "lamb":
        return _lamb(method, params, grads) if name == "torch-foreach" else None
    made = optimizer(method, trainable(params, grads), fused=name == "torch")
    call: Call | None = None if made is None else made.step
    return call


def optimizer(method: Method, params: list[Any], *, fused: bool) -> Any:
    """Build PyTorch's optimizer; None when it has none of this form."""
    optim = importlib.import_module("torch").optim
    lr, decay = method["lr"], method["weight_decay"]
    form = {"fused": True} if fused else {"foreach": True}
    if method.name in ("adam", "adamw", "amsgrad"):
        made = optim.AdamW if method.name == "adamw" else optim.Adam
        form["amsgrad"] = method.name == "amsgrad"
        return made(params, lr=lr, betas=ADAM_BETAS, eps=EPS, weight_decay=decay, **form)
    if method.name in ("sgd", "sgd_momentum"):
        return optim.SGD(params, lr=lr, momentum=method["momentum"], **form)
    if method.name == "adagrad":
        return optim.Adagrad(params, lr=lr, **form)
    if method.optimizer == "RMSProp" and not fused:
        form["centered"] = bool(method["centered"])
        return optim.RMSprop(params, lr=lr, momentum=method["momentum"], **form)
    if method.name == "rprop" and not fused:
        return optim.Rprop(params, lr=lr, **form)
    return None


def _functional(method: Method, params: list[Any], grads: list[Any]) -> Call | None:
    """Give the function under the fused AdamW, which leaves counting the steps to its caller."""
    torch = importlib.import_module("torch")
    if method.name != "adamw" or not hasattr(torch, "_fused_adamw_"):
        return None
    first, second = ([torch.zeros_like(param) for param in params] for _ in range(2))
    counts = [torch.tensor(1.0) for _ in params]
    lists: Any = (params, grads, first, second, [], counts)
    keywords = {
        "lr": method["lr"],
        "beta1": ADAM_BETAS[0],
        "beta2": ADAM_BETAS[1],
        "weight_decay": method["weight_decay"],
        "eps": EPS,
        "amsgrad": False,
        "maximize": False,
    }
    return lambda: torch._fused_adamw_(*lists, **keywords)


def _lamb(method: Method, params: list[Any], grads: list[Any]) -> Call:
    """Give LAMB in as few foreach functions as it can be written in."""
    torch = importlib.import_module("torch")
    first, second = ([torch.zeros_like(param) for param in params] for _ in range(2))
    beta1, beta2 = ADAM_BETAS
    t = 0

    def call() -> None:
        nonlocal t
        t += 1
        root_correction = math.sqrt(1.0 - beta2**t)
        torch._foreach_lerp_(first, grads, 1.0 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, grads, grads, value=1.0 - beta2)
        divisors = torch._foreach_sqrt(second)
        torch._foreach_add_(divisors, EPS * root_correction)
        steps = torch._foreach_mul(params, method["weight_decay"])
        torch._foreach_addcdiv_(steps, first, divisors, value=root_correction / (1.0 - beta1**t))
        lengths = torch.stack(torch._foreach_norm(params))
        ratios = -method["lr"] * lengths / torch.stack(torch._foreach_norm(steps))
        torch._foreach_mul_(steps, ratios.tolist())
        torch._foreach_add_(params, steps)

    return call
