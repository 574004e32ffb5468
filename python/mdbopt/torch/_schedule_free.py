"""Steps whose average takes the place of a schedule, on PyTorch's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from mdbopt import optimizers
from mdbopt.optimizers._base import Optimizer
from mdbopt.torch._update import Update


class ScheduleFree(Update):
    """What takes gradients between z and its average, and can show the average."""

    def _momentum(self, group: dict[str, Any]) -> float:
        raise NotImplementedError

    def _averages(self) -> bool:
        return True

    def _check_point(self) -> None:
        if any(group.get("averaged") for group in self.param_groups):
            raise ValueError(
                f"{self._label}: params: expected the point where gradients are taken, got the "
                "average; train() goes back"
            )

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        self._check_point()
        return super()._step(closure)

    def eval(self) -> None:
        """Make the parameters the average, which is what has been learnt, in one pass over memory.

        Each group says by ``averaged`` whether it is; nothing is done where it is.
        """
        self._swap(True)

    def train(self) -> None:
        """Take the average back to the point where gradients are taken, but for rounding."""
        self._swap(False)

    @torch.no_grad()
    def _swap(self, averaged: bool) -> None:
        for group in self.param_groups:
            if group.get("averaged", False) == averaged:
                continue
            momentum = self._momentum(group)
            share = 1.0 - 1.0 / momentum if averaged else 1.0 - momentum
            for param in group["params"]:
                z = self.state[param].get("z") if param in self.state else None
                if z is None:
                    continue
                if z.dtype == param.dtype:
                    param.lerp_(z, share)
                else:
                    param.copy_(torch.lerp(param.to(z.dtype), z, share))
            group["averaged"] = averaged


class ScheduleFreeSGD(ScheduleFree):
    """Gradient steps whose average takes the place of a schedule; see `mdbopt.ScheduleFreeSGD`.

    The state of a parameter has ``z``, ``weight_sum`` and ``step``. Call `eval` before the model is
    evaluated or saved, and `train` before it is trained on.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1
        Step size, parameters over gradients; one for all steps.
    momentum : float in (0, 1), default 0.9
        Share of the average in the point where gradients are taken.
    weight_decay : float, default 0
        A part of the step, or L2 where it is not decoupled.
    warmup : int, default 0
        Steps in which the step size grows linearly to lr.
    decoupled_weight_decay : bool, default True
        Whether decay is a part of the step instead of being added to the gradient: the same, here.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky 2024, "The road less scheduled", eq. 3-5.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.ScheduleFreeSGD([x], lr=0.5)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (x - 0.3).abs().sum().backward()
    ...     optimizer.step()
    >>> optimizer.eval()
    >>> bool((x - 0.3).abs().max() < 0.05)
    True
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.ScheduleFreeSGD

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup: int = 0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    def _momentum(self, group: dict[str, Any]) -> float:
        return float(group["momentum"])


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW's steps whose average takes the place of a schedule; see `mdbopt.ScheduleFreeAdamW`.

    The state of a parameter has ``z``, ``exp_avg_sq`` (v), ``weight_sum`` and ``step``. Call `eval`
    before the model is evaluated or saved, and `train` before it is trained on.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 2.5e-3
        Step size, in units of the parameters; one for all steps.
    betas : (float, float), default (0.9, 0.999)
        The share of the average in the point where gradients are taken, in (0, 1), and the decay
        rate of averaged squares, in [0, 1).
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    warmup : int, default 0
        Steps in which the step size grows linearly to lr.
    decoupled_weight_decay : bool, default True
        Whether decay is a part of the step instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky 2024, "The road less scheduled", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.ScheduleFreeAdamW([x], lr=0.1)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (x - 0.3).abs().sum().backward()
    ...     optimizer.step()
    >>> optimizer.eval()
    >>> bool((x - 0.3).abs().max() < 0.05)
    True
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.ScheduleFreeAdamW
    _NAMES: ClassVar[Mapping[str, str]] = {"v": "exp_avg_sq"}

    def __init__(
        self,
        params: Any,
        lr: Any = 2.5e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup: int = 0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    def _momentum(self, group: dict[str, Any]) -> float:
        return float(group["betas"][0])
