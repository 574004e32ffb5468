"""Steps divided by the root of summed or averaged squares on PyTorch's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mdbopt import _checks, optimizers
from mdbopt.optimizers._base import Optimizer
from mdbopt.torch._update import Update


class AdaGrad(Update):
    """Steps divided by the root of the sum of squared gradients; see `mdbopt.AdaGrad`.

    The state of a parameter has ``sum`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-2
        Step size, in units of the parameters.
    lr_decay : float, default 0
        The step size after t steps is lr/(1 + t·lr_decay), ≥ 0.
    weight_decay : float, default 0
        L2, or in units of 1/lr where it is decoupled.
    initial_accumulator_value : float, default 0
        The sum at the start, in units of the gradient squared.
    eps : float, default 1e-10
        Added to the root, in units of the gradient.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization", section 1.3.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.AdaGrad([x], lr=0.5)
    >>> (100 * x[0] + 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach(), optimizer.state[x]["sum"]
    (tensor([0.5000, 0.5000]), tensor([1.0000e+04, 1.0000e-04]))
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.AdaGrad
    _NAMES: ClassVar[Mapping[str, str]] = {"sum_of_squares": "sum"}
    _OWN: ClassVar[tuple[str, ...]] = ("lr_decay",)

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    def _optimizer_of(self, group: dict[str, Any]) -> Optimizer:
        _checks.real(f"{self._label}: lr_decay", group["lr_decay"], least=0.0)
        return super()._optimizer_of(group)

    def _counts(self, optimizer: Any, group: dict[str, Any]) -> bool:
        return group["lr_decay"] != 0.0 or super()._counts(optimizer, group)

    def _rate(self, group: dict[str, Any], t: int) -> float:
        return super()._rate(group, t) / (1.0 + t * float(group["lr_decay"]))


class AdaGradNorm(Update):
    """AdaGrad with one sum for all coordinates; see `mdbopt.AdaGradNorm`.

    The sum is over all parameters of groups with the same options, whose ``lr`` and
    ``weight_decay`` may differ; each of these groups has it as ``sum_of_squares``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-2
        Step size, in units of the parameters.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    initial_accumulator_value, eps
        As for `AdaGrad`.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        As for `AdaGrad`.

    References
    ----------
    Ward, Wu, Bottou 2019, "AdaGrad stepsizes: sharp convergence over nonconvex landscapes",
    algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.AdaGradNorm([x], lr=0.5)
    >>> (3 * x[0] + 4 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach(), optimizer.param_groups[0]["sum_of_squares"]
    (tensor([0.7000, 0.6000]), 25.0)
    """

    _OPTIMIZER: ClassVar = optimizers.AdaGradNorm

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class RMSProp(Update):
    """Steps divided by the root of an average of squared gradients; see `mdbopt.RMSProp`.

    The state of a parameter has ``square_avg`` (v), centred ``grad_avg`` (a), with momentum
    ``momentum_buffer`` (m), and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-2
        Step size, in units of the parameters.
    alpha : float in [0, 1), default 0.99
        Dimensionless.
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0
        L2, or in units of 1/lr where it is decoupled.
    momentum : float in [0, 1), default 0
        Dimensionless.
    centered : bool, default False
        Whether the squared average is subtracted. Where rounding takes the difference below 0 it
        counts as 0; in torch.optim it becomes NaN.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        As for `AdaGrad`.

    References
    ----------
    Tieleman, Hinton 2012, lecture 6.5; Graves 2013, "Generating sequences with recurrent neural
    networks", eq. 38-45.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.RMSProp([x], lr=0.1)
    >>> (100 * x[0] + 0.5 * x[1]).backward()
    >>> optimizer.step()
    >>> bool(x.abs().max() < 1e-6)
    True
    """

    _OPTIMIZER: ClassVar = optimizers.RMSProp
    _NAMES: ClassVar = {"v": "square_avg", "a": "grad_avg", "m": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class Adadelta(Update):
    """Steps as long as those of late; see `mdbopt.Adadelta`.

    The state of a parameter has ``square_avg`` (v), ``acc_delta`` (squared_steps) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1
        Factor of the steps, dimensionless.
    rho : float in [0, 1), default 0.9
        Dimensionless.
    eps : float, default 1e-6
        Added inside both roots.
    weight_decay : float, default 0
        L2, or in units of 1/lr where it is decoupled.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Adadelta([x], lr=1.0)
    >>> (100 * x[0] - x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9968, -1.9968])
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.Adadelta
    _NAMES: ClassVar[Mapping[str, str]] = {"v": "square_avg", "squared_steps": "acc_delta"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
