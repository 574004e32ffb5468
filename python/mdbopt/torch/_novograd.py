"""Momentum along gradients divided by a norm of late, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class NovoGrad(Update):
    """Momentum along gradients divided by the norm that each had of late; see `mdbopt.NovoGrad`.

    The state of a parameter has ``exp_avg`` (m), the number ``v`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.25)
        Decay rates of m and of v, in [0, 1).
    eps : float, default 1e-6
        Added outside the root, in units of the gradient.
    weight_decay : float, default 0
        In units of 1/parameters: part of m, or L2 where it is not decoupled.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    decoupled_weight_decay : bool, default True
        Whether the decay is added after the division, or to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Ginsburg, Castonguay, Hrinchuk et al. 2020, "Stochastic gradient methods with layer-wise
    adaptive moments for training of deep networks", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.NovoGrad([x], lr=0.1, eps=0.0)
    >>> (3 * x[0] + 4 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach(), float(optimizer.state[x]["v"])
    (tensor([0.9400, 0.9200]), 25.0)
    """

    _OPTIMIZER: ClassVar = optimizers.NovoGrad
    _NAMES: ClassVar = {"m": "exp_avg"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.25),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        eps_root: float = 0.0,
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
