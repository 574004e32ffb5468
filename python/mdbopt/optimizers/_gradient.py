"""Steps along the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mdbopt.optimizers._base import HeavyBall, Optimizer


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Gradient descent, with momentum in three forms.

    Without momentum x ← x − lr·g. With it, m ← momentum·m + (1 − dampening)·g, m = g in the first
    step, and x ← x − lr·m; with ``nesterov`` x ← x − lr·(g + momentum·m). With ``heavy_ball`` the
    two-iterate form x ← x − lr·g + momentum·(x − x_prev).

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, parameters over gradients.
    momentum : float in [0, 1), default 0
        Dimensionless.
    dampening : float in [0, 1], default 0
        Dimensionless; only with plain momentum.
    nesterov, heavy_ball : bool
        At most one of them; both need momentum.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range, or ``nesterov``, ``heavy_ball`` and ``dampening``
        exclude each other.

    Notes
    -----
    Plain and Nesterov momentum are PyTorch's. The heavy ball equals plain momentum while ``lr``
    stays the same; when it changes, its inertia keeps the old steps' lengths. Weight decay is
    decoupled unless ``decoupled=False``, PyTorch's.

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods", eq. 9;
    Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in deep
    learning", eq. 1-4.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 2.0])
    >>> optimizer = mdbopt.SGD(lr=0.5, momentum=0.9)
    >>> state = optimizer.init(x)
    >>> for _ in range(2):
    ...     _ = optimizer.step(x, x.copy(), state)
    >>> x, state.m
    (array([-0.2, -0.4]), array([1.4, 2.8]))
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    heavy_ball: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("momentum")
        if self._check("dampening", least=0.0) > 1.0:
            raise ValueError(f"SGD: dampening: expected a number in [0, 1], got {self.dampening}")
        for name in ("nesterov", "heavy_ball"):
            self._check_bool(name)
            if getattr(self, name) and (self.momentum == 0.0 or self.dampening != 0.0):
                raise ValueError(f"SGD: {name}: expected momentum > 0 and dampening = 0 with it")
        if self.nesterov and self.heavy_ball:
            raise ValueError("SGD: heavy_ball: expected False with nesterov=True")

    def _rule(self) -> str:
        if self.heavy_ball:
            return "heavy_ball"
        return "sgd_momentum" if self.momentum > 0.0 else "sgd"

    def _scalars(self) -> dict[str, float]:
        if self.heavy_ball:
            return {"momentum": self.momentum}
        return {
            "momentum": self.momentum,
            "dampening": self.dampening,
            "nesterov": float(self.nesterov),
        }


@dataclass(frozen=True, kw_only=True)
class NormalizedGD(HeavyBall):
    """Steps of one length: x ← x − lr·g/‖g‖ + momentum·(x − x_prev).

    The norm is that of all arrays of a step together, or of each; where g = 0 there is no step. It
    costs one more reading of the gradients.

    Parameters
    ----------
    lr : float, default 1e-3
        Length of a step, in units of the parameters.
    momentum : float in [0, 1), default 0
        Dimensionless; the heavy ball's, outside the normalisation.
    per_array : bool, default False
        Whether each array has a norm, and a step of length lr, of its own.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Kunstner, Chen, Lavington, Schmidt 2023, "Noise is not the main factor behind the gap between
    SGD and Adam on transformers, but sign descent might be", section 3; per array: Yu, Huang, Lin,
    Salakhutdinov, Carbonell 2017, "Block-normalized gradient method", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([3.0, 4.0])
    >>> optimizer = mdbopt.NormalizedGD(lr=1.0)
    >>> optimizer.step(x, x.copy(), optimizer.init(x))
    True
    >>> x
    array([2.4, 3.2])
    """

    per_array: bool = False

    _RULE: ClassVar = "normalized_gd"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_bool("per_array")

    def _rule(self) -> str:
        return super()._rule().replace("_gd", "_gd_array") if self.per_array else super()._rule()
