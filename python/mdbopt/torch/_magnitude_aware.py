"""Adam without eps on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class MAdam(Update):
    """Adam without eps, for gradients of any size; see `mdbopt.MAdam`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v, times 2**scale_log2) and
    ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    scale_log2 : int, default 64
        Even, from 0 to 128.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    NVIDIA 2025, "Emerging-Optimizers", ``calculate_madam_update``.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.MAdam([x], lr=0.5)
    >>> (5 * x[0] - 1e-25 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.5000, -1.5000])
    """

    _OPTIMIZER: ClassVar = optimizers.MAdam
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        weight_decay: float = 0.0,
        *,
        scale_log2: int = 64,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "scale_log2": scale_log2,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
