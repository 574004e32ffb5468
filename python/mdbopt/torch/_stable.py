"""Adam that shortens steps where its averages are behind, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._adam import _MOMENTS
from mdbopt.torch._update import Update


class StableAdamW(Update):
    """AdamW that shortens steps where its averages are behind; see `mdbopt.StableAdamW`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.99)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0.01
        In units of 1/lr.
    decoupled_weight_decay : bool, default True
        Whether decay is that of `mdbopt.StableAdamW` instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Wortsman, Dettmers, Zettlemoyer et al. 2023, "Stable and low-precision training for large-scale
    vision-language models", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.StableAdamW([x], lr=0.1, weight_decay=0.0)
    >>> x.sum().backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.9000, 3.9000])
    """

    _OPTIMIZER: ClassVar = optimizers.StableAdamW
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.99),
        eps: float = 1e-8,
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
