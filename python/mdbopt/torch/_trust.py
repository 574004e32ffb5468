"""Steps of each of PyTorch's parameters in proportion to its norm."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class LAMB(Update):
    """AdamW's step, in proportion to the norm of each tensor; see `mdbopt.LAMB`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Length of a step over the norm of the tensor.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-6
        Added to the root, in units of the gradient.
    weight_decay : float, default 0.01
        Part of the step whose norm is taken, dimensionless.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.LAMB` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    You, Li, Reddi et al. 2020, "Large batch optimization for deep learning: training BERT in 76
    minutes", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.LAMB([x], lr=0.1, weight_decay=0.0)
    >>> x.sum().backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.6464, 3.6464])
    """

    _OPTIMIZER: ClassVar = optimizers.LAMB
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class LARS(Update):
    """Momentum's step, in proportion to the norm of each tensor; see `mdbopt.LARS`.

    The state of a parameter has ``momentum_buffer`` (m) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 0.1
        Factor of all steps.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    trust_coefficient : float, default 1e-3
        Dimensionless, > 0.
    weight_decay : float, default 0
        In units of gradients over parameters.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.LARS` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    You, Gitman, Ginsburg 2017, "Large batch training of convolutional networks", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.LARS([x], lr=1.0, trust_coefficient=0.1)
    >>> (7 * x[0]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.5000, 4.0000])
    """

    _OPTIMIZER: ClassVar = optimizers.LARS
    _NAMES: ClassVar = {"m": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: Any = 0.1,
        momentum: float = 0.9,
        trust_coefficient: float = 1e-3,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "trust_coefficient": trust_coefficient,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
