"""Adam with other measures of how large gradients are, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class AdaBelief(Update):
    """Adam divided by how far gradients are from what was expected; see `mdbopt.AdaBelief`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-16
        Added to the root, in units of the gradient.
    eps_root : float, default 1e-16
        Added to v in each step, in units of the gradient squared.
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
    Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris, Duncan 2020, "AdaBelief optimizer:
    adapting stepsizes by the belief in observed gradients", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.AdaBelief([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.8889, -1.8889])
    """

    _OPTIMIZER: ClassVar = optimizers.AdaBelief
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
        eps_root: float = 1e-16,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "eps_root": eps_root,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class Yogi(Update):
    """Adam whose v changes by a share of g² at most; see `mdbopt.Yogi`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-2
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-3
        Added to the root, in units of the gradient.
    initial_accumulator_value : float, default 1e-6
        What v is at first, in units of the gradient squared.
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
    Zaheer, Reddi, Sachan, Kale, Kumar 2018, "Adaptive methods for nonconvex optimization",
    algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Yogi([x], lr=0.1, initial_accumulator_value=0.0)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9000, -1.9091])
    """

    _OPTIMIZER: ClassVar = optimizers.Yogi
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 1e-6,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
