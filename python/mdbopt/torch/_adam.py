"""Adam and its nearest relatives on PyTorch's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.optimizers._base import Optimizer
from mdbopt.torch._update import Update

_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}


class Adam(Update):
    """Steps divided by the root of an average of squared gradients; see `mdbopt.Adam`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v), ``step`` and, with amsgrad,
    ``max_exp_avg_sq``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters.
    betas : (float, float), default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    weight_decay : float, default 0
        L2, or in units of 1/lr where it is decoupled.
    amsgrad : bool, default False
        Whether the largest average so far takes the place of the average; see `mdbopt.AMSGrad`.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Adam([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9000, -1.9000])
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.Adam
    _NAMES: ClassVar[Mapping[str, str]] = _MOMENTS
    _OWN: ClassVar = ("amsgrad",)

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    def _class(self, group: dict[str, Any]) -> type[Optimizer]:
        amsgrad = group["amsgrad"]
        if not isinstance(amsgrad, bool):
            raise TypeError(
                f"{self._label}: amsgrad: expected a bool, got {type(amsgrad).__name__}"
            )
        return optimizers.AMSGrad if amsgrad else self._OPTIMIZER


class AdamW(Adam):
    """Adam with decoupled weight decay; see `mdbopt.AdamW`.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr, betas, eps, amsgrad
        As for `Adam`.
    weight_decay : float, default 1e-2
        In units of 1/lr.

    Raises
    ------
    TypeError, ValueError
        As for `Adam`.

    References
    ----------
    Loshchilov, Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (0 * x).sum().backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.9500, -1.9000])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True, **common
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # also one of Adam's, which may have said otherwise
            group["decoupled_weight_decay"] = True


class AMSGrad(Adam):
    """Adam divided by the largest average so far; see `mdbopt.AMSGrad`.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr, betas, eps, weight_decay, decoupled_weight_decay
        As for `Adam`.

    Raises
    ------
    TypeError, ValueError
        As for `Adam`.

    References
    ----------
    Reddi, Kale, Kumar 2018, "On the convergence of Adam and beyond", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> optimizer = mdbopt.torch.AMSGrad([x], lr=0.1)
    >>> for slope in (10.0, 0.0):
    ...     optimizer.zero_grad()
    ...     (slope * x).sum().backward()
    ...     optimizer.step()
    >>> bool(optimizer.state[x]["max_exp_avg_sq"] > optimizer.state[x]["exp_avg_sq"])
    True
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad=True,
            decoupled_weight_decay=decoupled_weight_decay,
            **common,
        )


class NAdam(Update):
    """Adam with Nesterov's look ahead, by a momentum that warms up; see `mdbopt.NAdam`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v), ``mu_product`` and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 2e-3
        Step size, in units of the parameters.
    betas, eps, weight_decay, decoupled_weight_decay
        As for `Adam`.
    momentum_decay : float, default 4e-3
        How fast the momentum grows, ≥ 0, per step.

    Raises
    ------
    TypeError, ValueError
        As for `Adam`.

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.NAdam([x], lr=0.1, momentum_decay=0.0)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (5 * x[0] - 0.01 * x[1]).backward()
    ...     optimizer.step()
    >>> optimizer.state[x]["step"], round(float(optimizer.state[x]["mu_product"]), 6)
    (tensor(2.), 0.2025)
    """

    _OPTIMIZER: ClassVar = optimizers.NAdam
    _NAMES: ClassVar = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class RAdam(Update):
    """Adam that waits until its divisor can be trusted; see `mdbopt.RAdam`.

    The state of a parameter has ``exp_avg`` (m), ``exp_avg_sq`` (v) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 1e-3
        Step size, in units of the parameters; in the first steps over gradients.
    betas, eps, weight_decay, decoupled_weight_decay
        As for `Adam`.

    Raises
    ------
    TypeError, ValueError
        As for `Adam`.

    References
    ----------
    Liu, Jiang, He, Chen, Liu, Gao, Han 2020, "On the variance of the adaptive learning rate and
    beyond", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.RAdam([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach()
    tensor([ 0.5000, -1.9990])
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.RAdam
    _NAMES: ClassVar[Mapping[str, str]] = _MOMENTS

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
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


class Adamax(Update):
    """Adam divided by the largest gradient of late in place of a root; see `mdbopt.Adamax`.

    The state of a parameter has ``exp_avg`` (m), ``exp_inf`` (u) and ``step``.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`.
    lr : float or tensor of one number, default 2e-3
        Step size, in units of the parameters.
    betas, weight_decay, decoupled_weight_decay
        As for `Adam`.
    eps : float, default 1e-8
        Added to the gradient's size, in its units.

    Raises
    ------
    TypeError, ValueError
        As for `Adam`.

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 2.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mdbopt.torch.Adamax([x], lr=0.1)
    >>> (5 * x[0] - 0.01 * x[1]).backward()
    >>> optimizer.step()
    >>> x.detach(), optimizer.state[x]["exp_inf"]
    (tensor([ 0.9000, -1.9000]), tensor([5.0000, 0.0100]))
    """

    _OPTIMIZER: ClassVar[type[Optimizer]] = optimizers.Adamax
    _NAMES: ClassVar[Mapping[str, str]] = {"m": "exp_avg", "u": "exp_inf"}

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
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
