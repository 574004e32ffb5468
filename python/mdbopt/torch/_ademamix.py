"""Adam with a second, slower average of gradients, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class AdEMAMix(Update):
    """AdamW with a second average of gradients, of a longer memory; see `mdbopt.AdEMAMix`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_slow`` (m_slow), ``exp_avg_sq`` (v) and
    ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float, float), default (0.9, 0.999, 0.9999)
        Decay rates of the fast average, the squares and the slow average, in [0, 1).
    alpha : float, default 5
        Weight of the slow average.
    warmup : int, default 0
        Steps in which alpha and the slow rate grow.
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0.01
        In units of 1/lr, or L2 where it is not decoupled.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Pagliardini, Ablin, Grangier 2024, "The AdEMAMix optimizer: better, faster, older", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.AdEMAMix([x], lr=0.1, weight_decay=0.0, warmup=1000)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9000, -1.9000])
    """

    _OPTIMIZER: ClassVar = optimizers.AdEMAMix
    _NAMES: ClassVar = {"m": "exp_avg", "m_slow": "exp_avg_slow", "v": "exp_avg_sq"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999, 0.9999),
        alpha: float = 5.0,
        warmup: int = 0,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "alpha": alpha,
            "warmup": warmup,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
