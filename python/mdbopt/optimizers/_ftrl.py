"""Steps that follow the regularised leader."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class FTRL(Optimizer):
    """AdaGrad for l1 penalties: parameters that gradients do not hold are exactly 0.

    sum_of_squares ← sum_of_squares + g² and c = beta + √sum_of_squares; with z = pull + lr·g − c·x,
    x ← −(z − lr·l1·sign(z))/(c + lr·weight_decay), 0 where |z| ≤ lr·l1, and pull ← z + c·x. That is
    FTRL-proximal: x minimises the sum of all gradients' linear models, of squared distances from
    the points where they were taken, and of the penalties l1·‖x‖₁ + ½·weight_decay·‖x‖², once.

    Parameters
    ----------
    lr : float, default 0.1
        α of the paper, in units of the parameters.
    beta : float, default 1
        Added to the root, ≥ 0, in units of the gradient. With 0 (and no weight decay) a coordinate
        that never had a gradient becomes NaN, 0/0.
    l1 : float, default 0
        Weight of ‖x‖₁, ≥ 0, in units of the gradient.
    weight_decay : float, default 0
        λ₂ of the paper, in units of the gradient over parameters; as L2 part of the gradient unless
        ``decoupled``.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper's z is (pull − c·x)/lr, and begins at 0 with x. Here pull begins at 0 wherever x does.
    lr may change: each gradient counts by the lr of its step, and where that is 0, x stays.
    Penalties count once, where a soft threshold after each step adds up.

    References
    ----------
    McMahan, Holt, Sculley et al. 2013, "Ad click prediction: a view from the trenches",
    algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([0.0, 0.0])
    >>> optimizer = mdbopt.FTRL(lr=1.0, l1=1.0)
    >>> state = optimizer.init(x)
    >>> for _ in range(3):
    ...     _ = optimizer.step(x, np.array([-2.0, -0.3]), state)
    >>> x.round(2), state.pull.round(2)
    (array([1.3, 0. ]), array([-1. , -0.9]))
    """

    lr: float = field(default=0.1, kw_only=False)
    beta: float = 1.0
    l1: float = 0.0

    _DECAYS: ClassVar = ("adamw",)

    _MAKES_UP: ClassVar = False

    _SHRINKS: ClassVar = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("beta", least=0.0)
        self._check("l1", least=0.0)

    def _rule(self) -> str:
        return "ftrl"

    def _scalars(self) -> dict[str, float]:
        return {"beta": self.beta, "l1": self.l1}
