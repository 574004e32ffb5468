"""Steps by signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mdbopt import _checks
from mdbopt.optimizers._base import HeavyBall
from mdbopt.optimizers._cautious import Cautious, HeldBack


@dataclass(frozen=True, kw_only=True)
class SignDescent(HeavyBall):
    """Steps of one length in every coordinate: x ← x − lr·sign(g) + momentum·(x − x_prev).

    sign(0) = 0, and NaN stays NaN. The momentum is outside the sign; `Signum` has it inside. With
    ``scale="l1"`` steps are ‖g‖₁ times as long, the norm over all arrays of a step, at the cost of
    one more reading of the gradients: the steepest descent in the largest absolute value.

    Parameters
    ----------
    lr : float, default 1e-3
        Step of each coordinate, in units of the parameters; with a scale over those of ‖g‖₁.
    momentum : float in [0, 1), default 0
        Dimensionless.
    scale : "l1", optional
        What the sign is multiplied by; None is 1.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Kunstner, Chen, Lavington, Schmidt 2023, "Noise is not the main factor behind the gap between
    SGD and Adam on transformers, but sign descent might be", section 3; the scale is that of
    ``RescaledSignDescent`` in its code, and its momentum is this one where lr stays and nothing
    decays.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([3.0, -4.0, 0.0])
    >>> optimizer = mdbopt.SignDescent(lr=1.0)
    >>> optimizer.step(x, x.copy(), optimizer.init(x))
    True
    >>> x
    array([ 2., -3.,  0.])
    >>> optimizer = mdbopt.SignDescent(lr=0.1, scale="l1")
    >>> optimizer.step(x, x.copy(), optimizer.init(x))
    True
    >>> x
    array([ 1.5, -2.5,  0. ])
    """

    scale: str | None = None

    _RULE: ClassVar = "sign_descent"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale is not None:
            _checks.choice(self._where("scale"), self.scale, ("l1",))

    def _rule(self) -> str:
        rule = super()._rule()
        return rule.replace("_descent", "_descent_l1") if self.scale == "l1" else rule


@dataclass(frozen=True, kw_only=True)
class Signum(HeldBack):
    """The sign of averaged gradients: m ← momentum·m + (1 − momentum)·g, x ← x − lr·sign(m).

    Parameters
    ----------
    lr : float, default 1e-3
        Step of each coordinate, in units of the parameters.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    cautious : {"mask"}, optional
        As for `Adam`.
    cautious_weight_decay : bool, default False
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Bernstein, Wang, Azizzadenesheli, Anandkumar 2018, "signSGD: compressed optimisation for
    non-convex problems", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = mdbopt.Signum(lr=1.0)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([1.0, -1.0]), state), optimizer.step(x, np.zeros(2), state)
    (True, True)
    >>> x, state.m
    (array([ 1., -2.]), array([ 0.09, -0.09]))
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("momentum")

    def _rule(self) -> str:
        return "signum"

    def _scalars(self) -> dict[str, float]:
        return {"momentum": self.momentum}


@dataclass(frozen=True, kw_only=True)
class Lion(Cautious):
    """Evolved sign momentum: two averages of gradients in one array.

    x ← (1 − lr·weight_decay)·x − lr·sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g.

    Parameters
    ----------
    lr : float, default 1e-4
        Step of each coordinate, in units of the parameters; a third to a tenth of Adam's.
    beta1, beta2 : float in [0, 1), default 0.9, 0.99
        Dimensionless.
    cautious, cautious_weight_decay
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = mdbopt.Lion(lr=0.5)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, x.copy(), state)
    True
    >>> x, state.m
    (array([ 2.5, -3.5]), array([ 0.03, -0.04]))
    """

    lr: float = field(default=1e-4, kw_only=False)
    beta1: float = 0.9
    beta2: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")

    def _rule(self) -> str:
        return self._holding_back("lion")

    def _scalars(self) -> dict[str, float]:
        return {"beta1": self.beta1, "beta2": self.beta2}
