"""Steps along gradients corrected by their change, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class MARSAdamW(Update):
    """AdamW along gradients corrected by their change; see `mdbopt.MARSAdamW`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v), ``g_prev`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 3e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.95, 0.99)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0.01
        In units of 1/lr.
    gamma : float, default 0.025
        Weight of the correction, ≥ 0.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.MARSAdamW` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Yuan, Liu, Wu, Zhou, Gu 2025, "MARS: unleashing the power of variance reduction for training
    large models", MARS-AdamW in its approximate form.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.MARSAdamW([x], lr=0.1, weight_decay=0.0)
    >>> x.sum().backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.9000, 3.9000])
    """

    _OPTIMIZER: ClassVar = optimizers.MARSAdamW
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 3e-3,
        betas: Any = (0.95, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        gamma: float = 0.025,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "gamma": gamma,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class MARSLion(Update):
    """The sign of averaged gradients corrected by their change; see `mdbopt.MARSLion`.

    The state of a parameter has ``exp_avg`` (m), ``g_prev`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-4
        Step of each coordinate, in units of the parameters.
    beta1 : float in [0, 1), default 0.95
        Dimensionless.
    gamma : float, default 0.025
        Weight of the correction, ≥ 0.
    weight_decay : float, default 0
        In units of 1/lr.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.MARSLion` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Yuan, Liu, Wu, Zhou, Gu 2025, "MARS: unleashing the power of variance reduction for training
    large models", MARS-Lion in its approximate form.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.MARSLion([x], lr=0.5)
    >>> (x @ x / 2).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 2.5000, -3.5000])
    """

    _OPTIMIZER: ClassVar = optimizers.MARSLion
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        beta1: float = 0.95,
        gamma: float = 0.025,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta1": beta1,
            "gamma": gamma,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
