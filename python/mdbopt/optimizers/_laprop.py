"""Averages of gradients that were divided by the root of averaged squares before."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._adam import AdamAverages
from mdbopt.optimizers._cautious import HeldBack


@dataclass(frozen=True, kw_only=True)
class LaProp(AdamAverages, HeldBack):
    """Adam that averages gradients after they were divided by the root, not before.

    v ← β₂·v + (1 − β₂)·g² and m ← β₁·m + (1 − β₁)·g/(√(v̂ + eps_root) + eps); with m̂ and v̂ as for
    `Adam`, x ← x − lr·m̂. A gradient keeps the divisor of its own time.

    Parameters
    ----------
    lr : float, default 4e-4
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-15
        Added outside the root, in units of the gradient.
    eps_root, bias_correction
        As for `Adam`.
    decoupled : bool, default True
        Whether decay multiplies the parameters instead of being added to the gradient.
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

    Notes
    -----
    Its authors' code takes lr into the average, which is the same as long as lr is.

    References
    ----------
    Ziyin, Wang, Ueda 2020, "LaProp: separating momentum and adaptivity in Adam", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.LaProp(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(6), state.m.round(6)
    (array([ 0.9, -1.9]), array([ 0.1, -0.1]))
    """

    lr: float = field(default=4e-4, kw_only=False)
    eps: float = 1e-15
    decoupled: bool = True

    def _rule(self) -> str:
        return "laprop"


@dataclass(frozen=True, kw_only=True)
class ADOPT(HeldBack):
    """Averages of gradients that were divided by the root of the squares before them.

    In the first step v ← g², and x stays. Then m ← β₁·m + (1 − β₁)·s with s = g/max(√v, eps), kept
    within ±(t − 1)^¼; x ← x − lr·m; and last v ← β₂·v + (1 − β₂)·g². So v does not depend on the
    gradient that it divides, and any β₂ converges.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.9999
        Dimensionless.
    eps : float, default 1e-6
        The least divisor, in units of the gradient.
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

    Notes
    -----
    The paper counts steps from the second of these, and bounds s by t^¼ of its t. Decoupled decay
    begins with the first step, as in its authors' code.

    References
    ----------
    Taniguchi, Harada, Minegishi et al. 2024, "ADOPT: modified Adam can converge with any β₂ with
    the optimal rate", algorithm 2, with the clipping of its section on implementation.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.ADOPT(lr=0.1, beta1=0.0)
    >>> state = optimizer.init(x)
    >>> for g in ([5.0, -0.01], [2.5, -1.0]):
    ...     _ = optimizer.step(x, np.array(g), state)
    ...     print(x)
    [ 1. -2.]
    [ 0.95 -1.9 ]
    """

    beta1: float = 0.9
    beta2: float = 0.9999
    eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        self._check("eps", least=0.0)

    def _rule(self) -> str:
        return "laprop"

    def _scalars(self) -> dict[str, float]:
        return {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps, "delayed": 1.0}
