"""Adam with other measures of how large gradients are."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._adam import AdamAverages
from mdbopt.optimizers._cautious import HeldBack


@dataclass(frozen=True, kw_only=True)
class AdaBelief(AdamAverages, HeldBack):
    """Adam divided by how far gradients are from what was expected of them.

    m ← β₁·m + (1 − β₁)·g and v ← β₂·v + (1 − β₂)·(g − m)² + eps_root, with the new m; with m̂ and v̂
    as for `Adam`, x ← x − lr·m̂/(√v̂ + eps).

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-16
        Added outside the root, in units of the gradient.
    eps_root : float, default 1e-16
        Added to v in each step, in units of the gradient squared.
    bias_correction : bool, default True
        Whether averages are corrected for their start at 0.
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
    The defaults are those of its authors' code and of optax. The paper has one ε in both places.
    Where gradients hardly vary, v is hardly above eps_root and steps are long: up to
    lr·√((1 − β₂)/eps_root) times the gradient.

    References
    ----------
    Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris, Duncan 2020, "AdaBelief optimizer:
    adapting stepsizes by the belief in observed gradients", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.AdaBelief(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(6), state.v.round(9)
    (array([ 0.888889, -1.888889]), array([2.025e-02, 8.100e-08]))
    """

    eps: float = 1e-16
    eps_root: float = 1e-16
    decoupled: bool = True

    def _rule(self) -> str:
        return "adam_second_moment"

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), "belief": 1.0}


@dataclass(frozen=True, kw_only=True)
class Yogi(AdamAverages, HeldBack):
    """Adam whose v grows and falls by (1 − β₂)·g² a step, and so forgets large gradients slowly.

    v ← v − (1 − β₂)·sign(v − g²)·g² takes the place of the average in `Adam`.

    Parameters
    ----------
    lr : float, default 1e-2
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-3
        Added outside the root, in units of the gradient.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    initial : float, default 1e-6
        What v is at first, >= 0, in units of the gradient squared; at most 1e38 but for float64.
    bias_correction : bool, default True
        Whether averages are corrected as if they had started at 0.
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
    The paper has no correction (``bias_correction=False``) and starts v with the square of a first
    gradient; corrections and start are optax's, which also starts m at 1e-6, where it is 0 here.

    References
    ----------
    Zaheer, Reddi, Sachan, Kale, Kumar 2018, "Adaptive methods for nonconvex optimization",
    algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([0.0])
    >>> optimizer = mdbopt.Yogi(beta2=0.9, initial=1.0)
    >>> state = optimizer.init(x)
    >>> for g in (2.0, 0.1):  # v grows by 0.4, then falls by 0.001
    ...     _ = optimizer.step(x, np.array([g]), state)
    >>> state.v
    array([1.399])
    """

    lr: float = field(default=1e-2, kw_only=False)
    eps: float = 1e-3
    initial: float = 1e-6
    decoupled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("initial", least=0.0)

    def _arrays(self) -> dict[str, float | None]:
        return {**super()._arrays(), "v": self.initial}

    def _rule(self) -> str:
        return "adam_second_moment"

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), "additive": 1.0}
