"""Momentum along gradients that are divided by a norm of late, one for each array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class NovoGrad(Optimizer):
    """Momentum along gradients divided by the root of an average of their squared norm.

    In each array v ← β₂·v + (1 − β₂)·‖g‖², one number, which begins as the first ‖g‖² that is not
    0; m ← β₁·m + g/(√(v + eps_root) + eps) + weight_decay·x, x ← x − lr·m. ``state.v`` has the
    numbers of all arrays in their order; beside them m is all that is stored.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1 : float in [0, 1), default 0.9
        Decay rate of m, dimensionless.
    beta2 : float in [0, 1), default 0.25
        Decay rate of v, dimensionless.
    eps : float, default 1e-6
        Added outside the root, in units of the gradient.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    weight_decay : float, default 0
        In units of 1/parameters: part of m, as in the paper.
    decoupled : bool, default True
        Whether the decay is added after the division, as in the paper, or to the gradient (L2).
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    As optax and NVIDIA's code without its ``grad_averaging``: m is a sum, whose steps are up to
    1/(1 − β₁) long. They take ‖g‖² for v in the first step even where it is 0, and 0.95 and 0.98
    are the paper's β₁ and β₂. v has one number an array, whatever its dimensions.

    References
    ----------
    Ginsburg, Castonguay, Hrinchuk et al. 2020, "Stochastic gradient methods with layer-wise
    adaptive moments for training of deep networks", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> params = [np.array([1.0, 1.0]), np.array([1.0])]
    >>> optimizer = mdbopt.NovoGrad(lr=0.1, eps=0.0)
    >>> state = optimizer.init(params)
    >>> optimizer.step(params, [np.array([3.0, 4.0]), np.array([1e-3])], state)
    True
    >>> [x.round(9).tolist() for x in params], state.v
    ([[0.94, 0.92], [0.9]], (25.0, 1e-06))
    """

    beta1: float = 0.9
    beta2: float = 0.25
    eps: float = 1e-6
    eps_root: float = 0.0

    # Decay is a part of what is summed.
    _DECAYS: ClassVar = ("adamw",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        self._check("eps", least=0.0)
        self._check("eps_root", least=0.0)

    def _rule(self) -> str:
        return "novograd"

    def _scalars(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("beta1", "beta2", "eps", "eps_root")}
