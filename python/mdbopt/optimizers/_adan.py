"""Adam with Nesterov's momentum, made of how gradients change."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class Adan(Optimizer):
    """Adam that looks ahead by an average of how gradients change from step to step.

    With c = g − g_prev, 0 in the first step, m ← β₁·m + (1 − β₁)·g,
    delta ← β₂·delta + (1 − β₂)·c and v ← β₃·v + (1 − β₃)·(g + β₂·c)². Each is divided by 1 − βᵗ of
    its own β; then x ← x − lr·(m̂ + β₂·δ̂)/(√(v̂ + eps_root) + eps) and g_prev ← g.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2, beta3 : float in [0, 1), default 0.98, 0.92, 0.99
        Of the averages of gradients, of their changes and of squares; dimensionless.
    eps : float, default 1e-8
        Added outside the root, in units of the gradient.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper's β are 1 − β here, as in its authors' code, whose corrections these are. Decay
    multiplies x by 1 − lr·weight_decay, where the paper divides by 1 + lr·weight_decay. optax
    weighs changes by 1 − β₂, 0.08, where the paper and its authors' code have 0.92.

    References
    ----------
    Xie, Zhou, Li, Lin, Yan 2022, "Adan: adaptive Nesterov momentum algorithm for faster optimizing
    deep models", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.Adan(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(6), state.g_prev
    (array([ 0.9, -1.9]), array([ 5.  , -0.01]))
    """

    beta1: float = 0.98
    beta2: float = 0.92
    beta3: float = 0.99
    eps: float = 1e-8
    eps_root: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2", "beta3"):
            self._check_fraction(name)
        self._check("eps", least=0.0)
        self._check("eps_root", least=0.0)

    def _rule(self) -> str:
        return "adan"

    def _scalars(self) -> dict[str, float]:
        names = ("beta1", "beta2", "beta3", "eps", "eps_root")
        return {name: getattr(self, name) for name in names}
