"""Steps along gradients that are corrected by how they have changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._adam import AdamAverages
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class MARSAdamW(AdamAverages):
    """AdamW along a gradient of less variance: corrected by its change, and bounded in each array.

    c = g + gamma·β₁/(1 − β₁)·(g − g_prev) is divided by max(1, ‖c‖), the norm of each array, and
    takes the place of g in `AdamW`; then g_prev ← g. In the first step c = g.

    Parameters
    ----------
    lr : float, default 3e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.95, 0.99
        Dimensionless.
    gamma : float, default 0.025
        Weight of the correction, ≥ 0.
    eps, eps_root, bias_correction
        As for `Adam`.
    weight_decay : float, default 1e-2
        In units of 1/lr.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper's approximate form: g_prev is the gradient of the last step, where the exact one takes
    that of its point on this batch. Its authors' code starts with g_prev = 0, and leaves arrays of
    one dimension to plain AdamW unless told otherwise.

    References
    ----------
    Yuan, Liu, Wu, Zhou, Gu 2025, "MARS: unleashing the power of variance reduction for training
    large models", MARS-AdamW in its approximate form.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.MARSAdamW(lr=0.1, weight_decay=0.0)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([3.0, -4.0]), state)
    True
    >>> x.round(6), state.m.round(6), state.g_prev
    (array([ 0.9, -1.9]), array([ 0.03, -0.04]), array([ 3., -4.]))
    """

    lr: float = field(default=3e-3, kw_only=False)
    weight_decay: float = 1e-2
    beta1: float = 0.95
    beta2: float = 0.99
    gamma: float = 0.025
    decoupled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("gamma", least=0.0)

    def _rule(self) -> str:
        return "mars_adam"

    def _scalars(self) -> dict[str, float]:
        return super()._scalars() | {"gamma": self.gamma}


@dataclass(frozen=True, kw_only=True)
class MARSLion(Optimizer):
    """The sign of an average of corrected gradients.

    m ← β₁·m + (1 − β₁)·c, x ← (1 − lr·weight_decay)·x − lr·sign(m), with the corrected and bounded
    gradient c of `MARSAdamW`.

    Parameters
    ----------
    lr : float, default 1e-4
        Step of each coordinate, in units of the parameters.
    beta1 : float in [0, 1), default 0.95
        Dimensionless.
    gamma : float, default 0.025
        Weight of the correction, ≥ 0.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Yuan, Liu, Wu, Zhou, Gu 2025, "MARS: unleashing the power of variance reduction for training
    large models", MARS-Lion in its approximate form.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = mdbopt.MARSLion(lr=0.5)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, x.copy(), state)
    True
    >>> x, state.m.round(6)
    (array([ 2.5, -3.5]), array([ 0.03, -0.04]))
    """

    lr: float = field(default=1e-4, kw_only=False)
    beta1: float = 0.95
    gamma: float = 0.025

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check("gamma", least=0.0)

    def _rule(self) -> str:
        return "mars_lion"

    def _scalars(self) -> dict[str, float]:
        return {"beta1": self.beta1, "gamma": self.gamma}
