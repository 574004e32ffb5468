"""Adam with a second, slower average of gradients."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt import _checks
from mdbopt.optimizers._cautious import HeldBack


@dataclass(frozen=True, kw_only=True)
class AdEMAMix(HeldBack):
    """AdamW whose numerator has a second average of gradients, of a much longer memory.

    m, v, m̂ and v̂ as for `Adam`, and m_slow ← β₃·m_slow + (1 − β₃)·g, which is not corrected; then
    x ← (1 − lr·weight_decay)·x − lr·(m̂ + alpha·m_slow)/(√(v̂ + eps_root) + eps).

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2, beta3 : float in [0, 1), default 0.9, 0.999, 0.9999
        Of the fast average, the squares and the slow average; dimensionless.
    alpha : float, default 5
        Weight of the slow average, ≥ 0, dimensionless.
    warmup : int, default 0
        While t is below it, with τ = t/warmup, alpha counts τ times, and β₃ is at most
        exp(ln β₁·ln β₃/((1 − τ)·ln β₃ + τ·ln β₁)): the half-life of the slow average grows linearly
        from that of the fast one. The paper takes the number of all steps.
    eps, eps_root
        As for `Adam`.
    weight_decay : float, default 1e-2
        In units of 1/lr.
    cautious : {"mask"}, optional
        As for `Adam`, on the CPU.
    cautious_weight_decay : bool, default False
        As for `Adam`, on the CPU.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    alpha and β₃ have a warm-up each in the paper, of one length in its experiments. Where it is 0
    they are constant, as in optax.

    References
    ----------
    Pagliardini, Ablin, Grangier 2024, "The AdEMAMix optimizer: better, faster, older", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.AdEMAMix(lr=0.1, weight_decay=0.0, warmup=1000)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(4), state.m_slow.round(4)
    (array([ 0.9, -1.9]), array([ 0.2502, -0.0005]))
    """

    weight_decay: float = 1e-2
    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float = 0.9999
    alpha: float = 5.0
    warmup: int = 0
    eps: float = 1e-8
    eps_root: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2", "beta3"):
            self._check_fraction(name)
        for name in ("alpha", "eps", "eps_root"):
            self._check(name, least=0.0)
        self._set("warmup", _checks.steps(self._where("warmup"), self.warmup))

    def _rule(self) -> str:
        return "ademamix"

    def _scalars(self) -> dict[str, float]:
        names = ("beta1", "beta2", "beta3", "alpha", "eps", "eps_root")
        return {name: getattr(self, name) for name in names} | {"warmup": float(self.warmup)}
