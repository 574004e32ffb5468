"""Averages of gradients that were divided by the root before, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class LaProp(Update):
    """Adam that averages gradients after they were divided by the root; see `mdbopt.LaProp`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 4e-4
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-15
        Added to the root, in units of the gradient.
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
    Ziyin, Wang, Ueda 2020, "LaProp: separating momentum and adaptivity in Adam", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.LaProp([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9000, -1.9000])
    """

    _OPTIMIZER: ClassVar = optimizers.LaProp
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 4e-4,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-15,
        weight_decay: float = 0.0,
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


class ADOPT(Update):
    """Averages of gradients divided by the root of the squares before them; see `mdbopt.ADOPT`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.9999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-6
        The least divisor, in units of the gradient.
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
    Taniguchi, Harada, Minegishi et al. 2024, "ADOPT: modified Adam can converge with any β₂ with
    the optimal rate", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.ADOPT([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()  # the first step only measures gradients
    tensor([ 1., -2.])
    """

    _OPTIMIZER: ClassVar = optimizers.ADOPT
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.9999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
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
