"""SGD with adaptive gradient clipping on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class AGC(Update):
    """SGD with adaptive gradient clipping, by the norms of whole tensors; see `mdbopt.AGC`.

    The state of a parameter has ``momentum_buffer`` (m) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, parameters over gradients.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    nesterov : bool, default True
        Whether the step looks ahead.
    clipping : float, default 0.01
        The largest norm of a gradient over that of its tensor, > 0.
    eps : float, default 1e-3
        The least that the norm of a tensor counts for, > 0.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.AGC` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Brock, De, Smith, Simonyan 2021, "High-performance large-scale image recognition without
    normalization", eq. 3.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.AGC([x], lr=1.0, momentum=0.0, clipping=0.1)
    >>> (30 * x[0] + 40 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.7000, 3.6000])
    """

    _OPTIMIZER: ClassVar = optimizers.AGC
    _NAMES: ClassVar = {"m": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0.9,
        nesterov: bool = True,
        clipping: float = 0.01,
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "clipping": clipping,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
