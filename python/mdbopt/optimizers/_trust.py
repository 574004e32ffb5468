"""Steps of each array in proportion to the norm of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mdbopt.optimizers._adam import AdamAverages
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class LAMB(AdamAverages):
    """AdamW whose step in each array is lr times as long as the array's parameters.

    With m̂, v̂ as for `Adam`, d = m̂/(√(v̂ + eps_root) + eps) + weight_decay·x, and
    x ← x − lr·(‖x‖/‖d‖)·d with the norms of each array. Where one of them is 0, their ratio is 1.

    Parameters
    ----------
    lr : float, default 1e-3
        Length of a step over the norm of the array.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-6
        Added outside the root, in units of the gradient.
    eps_root, bias_correction
        As for `Adam`.
    weight_decay : float, default 1e-2
        Dimensionless.
    decoupled : bool, default True
        Whether the decay is part of d, as in the paper, or of the gradient (L2).
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper's φ(‖x‖) is ‖x‖ here, as in its authors' code and in optax. Arrays that share a scale,
    such as biases and gains, are often left without decay and ratio: step them by an `AdamW`.

    References
    ----------
    You, Li, Reddi et al. 2020, "Large batch optimization for deep learning: training BERT in 76
    minutes", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> params = [np.array([3.0, 4.0]), np.array([0.3, 0.4])]
    >>> optimizer = mdbopt.LAMB(lr=0.1, weight_decay=0.0, eps=0.0)
    >>> optimizer.step(params, [np.ones(2), np.ones(2)], optimizer.init(params))
    True
    >>> [(np.linalg.norm(x - y) / np.linalg.norm(y)).round(9) for x, y in zip(
    ...     params, ([3.0, 4.0], [0.3, 0.4]))]
    [np.float64(0.1), np.float64(0.1)]
    """

    weight_decay: float = 1e-2
    eps: float = 1e-6
    decoupled: bool = True

    # In both, decay is a part of what a norm is taken of.
    _DECAYS: ClassVar = ("adamw",)

    def _rule(self) -> str:
        return "lamb"


@dataclass(frozen=True, kw_only=True)
class LARS(Optimizer):
    """Momentum whose steps in each array are in proportion to the norm of its parameters.

    rate = trust_coefficient·‖x‖/(‖g‖ + weight_decay·‖x‖) with the norms of each array, or 1 where
    one of them is 0; m ← momentum·m + lr·rate·(g + weight_decay·x), x ← x − m.

    Parameters
    ----------
    lr : float, default 0.1
        Factor of all steps; their lengths before momentum are lr·trust_coefficient over the norm of
        the array.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    trust_coefficient : float, default 1e-3
        Dimensionless, > 0.
    weight_decay : float, default 0
        In units of gradients over parameters: part of the step, as in the paper.
    decoupled : bool, default True
        Whether the norms of gradient and decay are added, as in the paper, or that of their sum is
        taken: False adds the decay to the gradient first, as optax does.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    lr is inside the momentum, as in the paper: steps taken keep their length when lr changes.

    References
    ----------
    You, Gitman, Ginsburg 2017, "Large batch training of convolutional networks", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> params = [np.array([3.0, 4.0]), np.array([0.3, 0.4])]
    >>> optimizer = mdbopt.LARS(lr=1.0, trust_coefficient=0.1)
    >>> optimizer.step(params, [np.array([5.0, 0.0]), np.array([0.0, 7.0])], optimizer.init(params))
    True
    >>> [x.round(9).tolist() for x in params]
    [[2.5, 4.0], [0.3, 0.35]]
    """

    lr: float = field(default=0.1, kw_only=False)
    momentum: float = 0.9
    trust_coefficient: float = 1e-3

    _DECAYS: ClassVar = ("adamw",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("momentum")
        self._check("trust_coefficient", least=0.0, strict=True)

    def _rule(self) -> str:
        return "lars"

    def _scalars(self) -> dict[str, float]:
        return {"momentum": self.momentum, "trust_coefficient": self.trust_coefficient}
