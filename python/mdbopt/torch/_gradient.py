"""Steps along the gradient on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class SGD(Update):
    """Gradient descent, with momentum; see `mdbopt.SGD`.

    With momentum the state of a parameter has ``momentum_buffer`` (m), or ``x_prev`` with
    ``heavy_ball``; and always ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, parameters over gradients.
    momentum : float in [0, 1), default 0
        Dimensionless.
    dampening : float in [0, 1], default 0
        Dimensionless; only with plain momentum.
    weight_decay : float, default 0
        L2, or in units of 1/lr where it is decoupled.
    nesterov, heavy_ball : bool, default False
        At most one of them; both need momentum. The heavy ball keeps the lengths of old steps when
        lr changes.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in deep
    learning", eq. 1-4.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.SGD([x], lr=0.5, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x @ x / 2).backward()
    ...     optimizer.step()
    >>> x.detach(), optimizer.state[x]["momentum_buffer"]
    (tensor([-0.2000, -0.4000]), tensor([1.4000, 2.8000]))
    """

    _OPTIMIZER: ClassVar = optimizers.SGD
    _NAMES: ClassVar = {"m": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        heavy_ball: bool = False,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "heavy_ball": heavy_ball,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class NormalizedGD(Update):
    """Steps of one length along the gradient; see `mdbopt.NormalizedGD`.

    The norm is that of all gradients of groups with the same options; ``lr`` and ``weight_decay``
    may differ; with ``per_array`` it is that of each tensor. With momentum the state of a
    parameter has ``x_prev``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Length of a step, in units of the parameters.
    momentum : float in [0, 1), default 0
        Dimensionless; outside the normalisation.
    per_array : bool, default False
        Whether each tensor has a norm, and a step of length lr, of its own.
    weight_decay : float, default 0
        In units of 1/lr, or L2 where it is not decoupled.
    decoupled_weight_decay : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        As for `SGD`.

    References
    ----------
    Kunstner, Chen, Lavington, Schmidt 2023, "Noise is not the main factor behind the gap between
    SGD and Adam on transformers, but sign descent might be", section 3.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.NormalizedGD([x], lr=1.0)
    >>> (x @ x / 2).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([2.4000, 3.2000])
    """

    _OPTIMIZER: ClassVar = optimizers.NormalizedGD

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        per_array: bool = False,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "per_array": per_array,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
