"""Step sizes that follow their own gradient, on PyTorch's parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt._arrays import real_value
from mdbopt.optimizers._base import Optimizer
from mdbopt.torch._update import Update


class _Learning(Update):
    """What learns a factor of lr, for which the core has to know lr itself."""

    def _hyperparameters(self) -> tuple[str, ...]:
        return (*super()._hyperparameters(), "lr")

    def _unit(self, group: dict[str, Any]) -> float:
        return float(group["lr"])


class HypergradientSGD(_Learning):
    """SGD whose step size follows its own gradient; see `mdbopt.HypergradientSGD`.

    Groups with the same options share one learned factor of their lr, ``alpha``, which each of them
    has. The state of a parameter has ``momentum_buffer`` (m) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        The first step size, parameters over gradients.
    hyper_lr, mode
        As for `mdbopt.HypergradientSGD`.
    momentum : float in [0, 1), default 0
        Dimensionless.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Baydin, Cornish, Martínez Rubio, Schmidt, Wood 2018, "Online learning rate adaptation with
    hypergradient descent", algorithms 4 and 5.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.HypergradientSGD([x], lr=0.1, hyper_lr=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x @ x / 2).backward()
    ...     optimizer.step()
    >>> round(optimizer.param_groups[0]["alpha"], 4), x.detach()
    (1.5, tensor([0.7650, 0.7650]))
    """

    _OPTIMIZER: ClassVar = optimizers.HypergradientSGD
    _NAMES: ClassVar = {"m": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        hyper_lr: float = 0.02,
        mode: str = "multiplicative",
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "hyper_lr": hyper_lr,
            "mode": mode,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class HypergradientAdam(_Learning):
    """Adam whose step size follows its own gradient; see `mdbopt.HypergradientAdam`.

    Groups with the same options share one learned factor of their lr, ``alpha``, which each of them
    has. The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        The first step size, in units of the parameters.
    hyper_lr, mode
        As for `mdbopt.HypergradientAdam`.
    betas, eps, weight_decay, decoupled_weight_decay
        As for `mdbopt.torch.Adam`.

    Raises
    ------
    TypeError, ValueError
        As for `HypergradientSGD`.

    References
    ----------
    Baydin, Cornish, Martínez Rubio, Schmidt, Wood 2018, "Online learning rate adaptation with
    hypergradient descent", algorithm 6.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.HypergradientAdam([x], lr=0.1, hyper_lr=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x @ x / 2).backward()
    ...     optimizer.step()
    >>> round(optimizer.param_groups[0]["alpha"], 4)
    1.5
    """

    _OPTIMIZER: ClassVar = optimizers.HypergradientAdam
    _NAMES: ClassVar = {"m": "exp_avg", "v": "exp_avg_sq"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        hyper_lr: float = 0.02,
        mode: str = "multiplicative",
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "hyper_lr": hyper_lr,
            "mode": mode,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class DiagonalHypergradient(_Learning):
    """A step size per coordinate that follows its own gradient; see `mdbopt.DiagonalHypergradient`.

    The state of a parameter has ``g_prev``, ``p``, relative to lr, and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        The first step size, parameters over gradients.
    hyper_lr, mode
        As for `mdbopt.DiagonalHypergradient`.
    weight_decay, decoupled_weight_decay
        As for `HypergradientSGD`.

    Raises
    ------
    TypeError, ValueError
        As for `HypergradientSGD`.

    References
    ----------
    Those of `mdbopt.DiagonalHypergradient`.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> h = torch.tensor([1.0, 100.0])
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.DiagonalHypergradient([x], lr=0.019, hyper_lr=0.1)
    >>> for _ in range(60):
    ...     optimizer.zero_grad()
    ...     (h @ x**2 / 2).backward()
    ...     optimizer.step()
    >>> bool(x.abs().max() < 1e-3)
    True
    """

    _OPTIMIZER: ClassVar = optimizers.DiagonalHypergradient

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        hyper_lr: float = 0.05,
        mode: str = "log",
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "hyper_lr": hyper_lr,
            "mode": mode,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class OSGM(Update):
    """Online scaled gradient method; see `mdbopt.OSGM`.

    With a closure, a point where the loss is not below that of the last point kept is dropped, and
    the step is made from that one; without, every point is kept. The state of a parameter has
    ``x_prev``, ``g_prev``, ``p``, relative to lr, ``sum_of_squares`` and ``step``; each group has
    the ``value`` of the last point kept.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        The first step size, parameters over gradients.
    hyper_lr, eps
        As for `mdbopt.OSGM`.
    weight_decay, decoupled_weight_decay
        As for `HypergradientSGD`.

    Raises
    ------
    TypeError, ValueError
        As for `HypergradientSGD`.

    References
    ----------
    Gao, Chu, Ye, Udell 2024, "Gradient methods with online scaling".

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> h = torch.tensor([1.0, 100.0])
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.OSGM([x], lr=0.01)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = h @ x**2 / 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(100):
    ...     _ = optimizer.step(closure)
    >>> optimizer.param_groups[0]["value"] < 1e-6
    True
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.OSGM
    _NAMES: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        hyper_lr: float = 0.5,
        eps: float = 1e-12,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "hyper_lr": hyper_lr,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    def _update(self, loss: Any) -> bool:
        now = None if loss is None else real_value(f"{self._label}: closure", loss)
        kept = self.param_groups[0].get("value", math.inf)
        moved = now is None or now < kept
        taken = self._take({"moved": float(moved)})
        if taken and moved and now is not None:
            for group in self.param_groups:
                group["value"] = now
        return taken
