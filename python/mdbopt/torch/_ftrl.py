"""Steps that follow the regularised leader on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class FTRL(Update):
    """AdaGrad for l1 penalties, whose parameters are exactly 0; see `mdbopt.FTRL`.

    The state of a parameter has ``pull`` and ``sum`` (of squares).

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 0.1
        In units of the parameters.
    beta : float, default 1
        Added to the root, in units of the gradient.
    l1 : float, default 0
        Weight of the sum of absolute values, in units of the gradient.
    weight_decay : float, default 0
        In units of the gradient over parameters; L2 where it is not decoupled.
    decoupled_weight_decay : bool, default True
        Whether decay is a penalty as ``l1`` is, instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    McMahan, Holt, Sculley et al. 2013, "Ad click prediction: a view from the trenches",
    algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.zeros(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.FTRL([x], lr=1.0, l1=1.0)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (-2 * x[0] - 0.3 * x[1]).backward()
    ...     optimizer.step()
    >>> x.detach().round(decimals=2)
    tensor([1.3000, 0.0000])
    """

    _OPTIMIZER: ClassVar = optimizers.FTRL
    _NAMES: ClassVar = {"sum_of_squares": "sum"}

    def __init__(
        self,
        params: Any,
        lr: Any = 0.1,
        beta: float = 1.0,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta": beta,
            "l1": l1,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
