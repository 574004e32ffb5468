"""Steps as long as the parameters have come, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.optimizers._base import Optimizer
from mdbopt.torch._update import Update


class DoG(Update):
    """Gradient steps as long as the distance covered over the gradients met; see `mdbopt.DoG`.

    Norms are over all parameters of groups with the same options, whose ``lr`` and ``weight_decay``
    may differ; each of these groups has ``farthest`` and ``sum_of_squares``. The state of a
    parameter has ``x0``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1
        Dimensionless; 1 is the method.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    initial : float, default 1e-6
        The first distance over 1 + ‖x0‖, dimensionless.
    eps : float
        Added inside the root: 1e-8 in units of the gradient squared for `DoG`, 0 for `DoWG`.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Ivgi, Hinder, Carmon 2023, "DoG is SGD's best friend: a parameter-free dynamic step size
    schedule", equation (DoG).

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([4.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.DoG([x])
    >>> for _ in range(500):
    ...     optimizer.zero_grad()
    ...     x.square().sum().backward()
    ...     optimizer.step()
    >>> bool(x.detach().abs().max() < 1e-3)
    True
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.DoG
    _EPS: ClassVar = 1e-8

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        weight_decay: float = 0.0,
        initial: float = 1e-6,
        eps: float | None = None,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "initial": initial,
            "eps": self._EPS if eps is None else eps,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class DoWG(DoG):
    """`DoG` whose squared gradients weigh by the squared distance; see `mdbopt.DoWG`.

    Parameters
    ----------
    params, lr, weight_decay, initial, eps, decoupled_weight_decay, **common
        As for `DoG`.

    Raises
    ------
    TypeError, ValueError
        As for `DoG`.

    References
    ----------
    Khaled, Mishchenko, Jin 2023, "DoWG unleashed: an efficient universal parameter-free gradient
    descent method", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([4.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.DoWG([x])
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     x.square().sum().backward()
    ...     optimizer.step()
    >>> bool(x.detach().abs().max() < 1e-3)
    True
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.DoWG
    _EPS: ClassVar = 0.0
