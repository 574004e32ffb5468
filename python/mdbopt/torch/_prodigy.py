"""Adam whose step size follows from how far a solution is, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class Prodigy(Update):
    """Adam whose step size is an estimate of the distance to a solution; see `mdbopt.Prodigy`.

    Sums are over all parameters of groups with the same options, whose ``lr`` and ``weight_decay``
    may differ; each of these groups has ``d``, ``d_max`` and ``numerator``. The state of a
    parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v), ``s``, ``x0`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1
        Dimensionless; 1 is the method, and what a schedule multiplies.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the averages, in [0, 1).
    beta3 : float, optional
        Decay rate of s and the numerator; the root of the second of ``betas`` unless given.
    eps : float, default 1e-8
        Times d, added to the root, in units of the gradient.
    weight_decay : float, default 0
        In units of 1/(d·lr), or L2 where it is not decoupled.
    d0 : float, default 1e-6
        The first d, in units of the parameters.
    d_coef : float, default 1
        Factor of the estimate, dimensionless.
    growth_rate : float, optional
        The most that d grows by in a step; None sets no bound.
    bias_correction, safeguard_warmup : bool, default False
        As for `mdbopt.Prodigy`.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Mishchenko, Defazio 2024, "Prodigy: an expeditiously adaptive parameter-free learner",
    algorithm 4.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([4.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Prodigy([x])
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     x.square().sum().backward()
    ...     optimizer.step()
    >>> bool(x.detach().abs().max() < 1e-2), 0.5 < optimizer.param_groups[0]["d"] < 5.0
    (True, True)
    """

    _OPTIMIZER: ClassVar = optimizers.Prodigy
    _NAMES: ClassVar = {"m": "exp_avg", "v": "exp_avg_sq"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        betas: Any = (0.9, 0.999),
        beta3: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float | None = None,
        *,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "beta3": beta3,
            "eps": eps,
            "weight_decay": weight_decay,
            "d0": d0,
            "d_coef": d_coef,
            "growth_rate": growth_rate,
            "bias_correction": bias_correction,
            "safeguard_warmup": safeguard_warmup,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
