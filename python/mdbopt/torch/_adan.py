"""Adam with Nesterov's momentum, made of how gradients change, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class Adan(Update):
    """Adam that looks ahead by an average of how gradients change; see `mdbopt.Adan`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_diff`` (delta), ``exp_avg_sq`` (v),
    ``previous_grad`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float, float), default (0.98, 0.92, 0.99)
        Decay rates of the averages of gradients, changes and squares, in [0, 1).
    eps : float, default 1e-8
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
    Xie, Zhou, Li, Lin, Yan 2022, "Adan: adaptive Nesterov momentum algorithm for faster optimizing
    deep models", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Adan([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9000, -1.9000])
    """

    _OPTIMIZER: ClassVar = optimizers.Adan
    _NAMES: ClassVar = {
        "m": "exp_avg",
        "delta": "exp_avg_diff",
        "v": "exp_avg_sq",
        "g_prev": "previous_grad",
    }

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
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
