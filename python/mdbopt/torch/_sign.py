"""Steps by signs on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class SignDescent(Update):
    """Steps of one length in every coordinate; see `mdbopt.SignDescent`.

    With momentum the state of a parameter has ``x_prev``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step of each coordinate, in units of the parameters.
    momentum : float in [0, 1), default 0
        Dimensionless; outside the sign.
    scale : "l1", optional
        What the sign is multiplied by: ‖g‖₁ of all gradients together; None is 1.
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
    Kunstner, Chen, Lavington, Schmidt 2023, "Noise is not the main factor behind the gap between
    SGD and Adam on transformers, but sign descent might be", section 3.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, -4.0, 0.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.SignDescent([x], lr=1.0)
    >>> (x @ x / 2).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 2., -3.,  0.])
    """

    _OPTIMIZER: ClassVar = optimizers.SignDescent

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        scale: str | None = None,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "scale": scale,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class Signum(Update):
    """The sign of averaged gradients; see `mdbopt.Signum`.

    The state of a parameter has ``exp_avg`` (m) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step of each coordinate, in units of the parameters.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    weight_decay, decoupled_weight_decay
        As for `SignDescent`.

    Raises
    ------
    TypeError, ValueError
        As for `SignDescent`.

    References
    ----------
    Bernstein, Wang, Azizzadenesheli, Anandkumar 2018, "signSGD: compressed optimisation for
    non-convex problems", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Signum([x], lr=1.0)
    >>> (x @ x / 2).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 2., -3.])
    """

    _OPTIMIZER: ClassVar = optimizers.Signum
    _NAMES: ClassVar = {"m": "exp_avg"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class Lion(Update):
    """Evolved sign momentum; see `mdbopt.Lion`.

    The state of a parameter has ``exp_avg`` (m) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-4
        Step of each coordinate, in units of the parameters; a third to a tenth of Adam's.
    betas : (float, float), default (0.9, 0.99)
        Dimensionless, in [0, 1).
    weight_decay, decoupled_weight_decay
        As for `SignDescent`.

    Raises
    ------
    TypeError, ValueError
        As for `SignDescent`.

    References
    ----------
    Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Lion([x], lr=0.5)
    >>> (x @ x / 2).backward()
    >>> optimizer.step()
    >>> x.detach(), optimizer.state[x]["exp_avg"]
    (tensor([ 2.5000, -3.5000]), tensor([ 0.0300, -0.0400]))
    """

    _OPTIMIZER: ClassVar = optimizers.Lion
    _NAMES: ClassVar = {"m": "exp_avg"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        betas: Any = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = True,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)
