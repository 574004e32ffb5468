"""Step sizes that follow their own gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mdbopt import _checks
from mdbopt._arrays import real_value
from mdbopt.optimizers._adam import AdamAverages
from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._state import OptimizerState

MODES = ("additive", "multiplicative")
LARGEST_EXPONENT = 80.0
DIAGONAL_RULES = {
    "additive": "diagonal_hypergradient",
    "log": "diagonal_hypergradient_log",
    "weights": "diagonal_hypergradient_weights",
}


def _check_additive(optimizer: Any) -> None:
    """Raise where a learned factor of lr is to be added to, and lr is 0."""
    if optimizer.mode == "additive" and optimizer.lr == 0.0:
        raise ValueError(
            f"{optimizer._where('lr')}: expected a number > 0 with mode='additive', of which the "
            "learned step size is a multiple, got 0.0"
        )


def _learned_rate(optimizer: Any) -> dict[str, float]:
    """Scalars of the learned factor of lr; the additive form adds to lr itself."""
    multiplicative = optimizer.mode == "multiplicative"
    return {
        "hyper_lr": optimizer.hyper_lr if multiplicative else optimizer.hyper_lr / optimizer.lr,
        "multiplicative": float(multiplicative),
    }


@dataclass(frozen=True, kw_only=True)
class HypergradientSGD(Optimizer):
    """SGD whose step size follows its own gradient.

    With d the last direction, the step size a = lr·alpha becomes a + hyper_lr·⟨g, d⟩ (additive) or
    a·(1 + hyper_lr·⟨g, d⟩/(‖g‖‖d‖)) (multiplicative); then m ← momentum·m + g, x ← x − a·m. The
    products run over all arrays of a step, and cost one more reading. ``state.alpha`` is relative
    to lr and 1 at first.

    Parameters
    ----------
    lr : float, default 1e-3
        The first step size, parameters over gradients. An ``lr`` given to `step` replaces this
        factor of a.
    hyper_lr : float, default 0.02
        Multiplicative: dimensionless, how much of the step size one step may change. Additive: step
        size over squared gradients.
    mode : {"multiplicative", "additive"}
        The second is the original; the first does not depend on the scale of f.
    momentum : float in [0, 1), default 0
        Dimensionless.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Almeida, Langlois, Amaral, Plakhov 1999, "Parameter adaptation in stochastic optimization";
    Baydin, Cornish, Martínez Rubio, Schmidt, Wood 2018, "Online learning rate adaptation with
    hypergradient descent", algorithms 4 and 5, eq. 5 and 8.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.HypergradientSGD(lr=0.1, hyper_lr=0.5)
    >>> state = optimizer.init(x)
    >>> for _ in range(2):
    ...     _ = optimizer.step(x, x.copy(), state)
    >>> round(state.alpha, 6), x.round(6)
    (1.5, array([0.765, 0.765]))
    """

    hyper_lr: float = 0.02
    mode: str = "multiplicative"
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("hyper_lr", least=0.0)
        _checks.choice(self._where("mode"), self.mode, MODES)
        _check_additive(self)
        self._check_fraction("momentum")

    def _rule(self) -> str:
        return "hypergradient_sgd"

    def _scalars(self) -> dict[str, float]:
        return {**_learned_rate(self), "momentum": self.momentum}


@dataclass(frozen=True, kw_only=True)
class HypergradientAdam(AdamAverages):
    """Adam whose step size follows its own gradient.

    As `HypergradientSGD`, with d Adam's last direction m̂/(√(v̂ + eps_root) + eps), made anew from
    m and v: it costs one more reading of g, m and v, and no array.

    Parameters
    ----------
    lr : float, default 1e-3
        The first step size, in units of the parameters.
    hyper_lr, mode
        As for `HypergradientSGD`.
    beta1, beta2, eps, eps_root, bias_correction, decoupled
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Baydin, Cornish, Martínez Rubio, Schmidt, Wood 2018, "Online learning rate adaptation with
    hypergradient descent", algorithm 6.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.HypergradientAdam(lr=0.1, hyper_lr=0.5)
    >>> state = optimizer.init(x)
    >>> for _ in range(2):
    ...     _ = optimizer.step(x, x.copy(), state)
    >>> round(state.alpha, 6)
    1.5
    """

    hyper_lr: float = 0.02
    mode: str = "multiplicative"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("hyper_lr", least=0.0)
        _checks.choice(self._where("mode"), self.mode, MODES)
        _check_additive(self)

    def _rule(self) -> str:
        return "hypergradient_adam"

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), **_learned_rate(self)}


@dataclass(frozen=True, kw_only=True)
class DiagonalHypergradient(Optimizer):
    """Gradient steps with a step size per coordinate that follows its own gradient.

    x ← x − lr·p∘g after one of

    * ``"additive"``: lr·p ← max(lr·p + hyper_lr·g∘g_prev, 0);
    * ``"log"``: p ← p·exp(hyper_lr·r), r = g·g_prev/max(g², g_prev²), between −1 and 1;
    * ``"weights"``: the same, then divided by its mean over all coordinates of all arrays.

    ``state.p`` is relative to lr and 1 at first.

    Parameters
    ----------
    lr : float, default 1e-3
        The first step size, parameters over gradients.
    hyper_lr : float, default 0.05
        Dimensionless, at most 80; additive: step size over squared gradients.
    mode : {"log", "weights", "additive"}
        See above. "weights" costs one more reading.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The papers normalise the exponent by running averages of squares; r needs none, is free of
    units, and reduces to the agreement of signs where gradients keep their size. The maximum with 0
    is ours, too: a negative step size climbs.

    References
    ----------
    Almeida, Langlois, Amaral, Plakhov 1999 (additive); Sutton 1992, "Adapting bias by gradient
    descent" and Schraudolph 1999, "Local gain adaptation in stochastic gradient descent" (log);
    Amid, Anil, Fifty, Warmuth 2022, "Step-size adaptation using exponentiated gradient updates"
    (weights).

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> h = np.array([1.0, 100.0])
    >>> x = np.ones(2)
    >>> optimizer = mdbopt.DiagonalHypergradient(lr=0.019, hyper_lr=0.1)
    >>> state = optimizer.init(x)
    >>> for _ in range(60):
    ...     _ = optimizer.step(x, h * x, state)
    >>> bool(np.abs(x).max() < 1e-3), bool(state.p[0] > 20 * state.p[1])
    (True, True)
    """

    hyper_lr: float = 0.05
    mode: str = "log"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("hyper_lr", least=0.0)
        _checks.choice(self._where("mode"), self.mode, list(DIAGONAL_RULES))
        _check_additive(self)
        if self.mode != "additive" and self.hyper_lr > LARGEST_EXPONENT:
            raise ValueError(
                f"{self._where('hyper_lr')}: expected at most {LARGEST_EXPONENT}, the largest "
                f"exponent, got {self.hyper_lr}"
            )

    def _rule(self) -> str:
        return DIAGONAL_RULES[self.mode]

    def _scalars(self) -> dict[str, float]:
        return {"hyper_lr": self.hyper_lr / (self.lr if self.mode == "additive" else 1.0)}


@dataclass(frozen=True, kw_only=True)
class OSGM(Optimizer):
    """Online scaled gradient method: hypergradients of a step size per coordinate, by AdaGrad.

    With g_prev the gradient at the last point that was kept, h = g∘g_prev/‖g_prev‖²,
    S ← S + h², p ← max(p + hyper_lr·h/(√S + eps), 0) and x ← x − lr·p∘g. When the objective's value
    is given and did not decrease, the point is dropped (the paper's null step): the next one is
    made from the last one kept, x ← x_prev − lr·p∘g_prev, with the p that this failure taught.
    ``state.p`` is relative to lr and 1 at first.

    Parameters
    ----------
    lr : float, default 1e-3
        The first step size, parameters over gradients.
    hyper_lr : float, default 0.5
        Step size of p, relative to lr, dimensionless.
    eps : float, default 1e-12
        Added to the root, dimensionless.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    One array pair more than the paper's (x_prev, g_prev) makes the null step part of the same pass.
    The maximum with 0 is ours: the paper projects on a set of the user's.

    References
    ----------
    Gao, Chu, Ye, Udell 2024, "Gradient methods with online scaling", and 2025, part I (arXiv
    2505.23081) and II (arXiv 2509.11007).

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> h = np.array([1.0, 100.0])
    >>> x = np.ones(2)
    >>> optimizer = mdbopt.OSGM(lr=0.01)
    >>> state = optimizer.init(x)
    >>> for _ in range(100):
    ...     _ = optimizer.step(x, h * x, state, value=0.5 * float(h @ x**2))
    >>> bool(state.value < 1e-6)
    True
    """

    lr: float = field(default=1e-3, kw_only=False)
    hyper_lr: float = 0.5
    eps: float = 1e-12

    _NOT_FINISHED: ClassVar = "since a step may be taken back"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("hyper_lr", least=0.0)
        self._check("eps", least=0.0)

    def _rule(self) -> str:
        return "osgm"

    def _scalars(self) -> dict[str, float]:
        return {"hyper_lr": self.hyper_lr, "eps": self.eps}

    def _extra(self) -> dict[str, float]:
        return {"value": math.inf}

    def step(
        self, params: Any, grads: Any, state: OptimizerState, *, value: Any = None, **options: Any
    ) -> Any:
        """Update parameters and state in place; see `Optimizer.step`.

        Parameters
        ----------
        params, grads, state, **options
            As for the other optimizers.
        value : float, optional
            The objective at ``params``, where ``grads`` was taken. When it is not below that of the
            last point kept, ``state.value``, the point is dropped. Without it every point is kept.

        Returns
        -------
        bool or float
            As for the other optimizers.
        """
        now = None if value is None else real_value(self._where("value"), value)
        kept = getattr(state, "_extra", {}).get("value", math.inf)
        moved = now is None or now < kept
        scalars = {"moved": float(moved)}
        taken = self._take_step(params, grads, state, **options, scalars=scalars)
        if taken is not False and moved and now is not None:
            state._extra["value"] = now
        return taken
