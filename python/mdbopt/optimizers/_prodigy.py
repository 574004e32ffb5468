"""Adam whose step size follows from an estimate of how far a solution is."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field

from mdbopt.optimizers._base import Optimizer

_UNBOUNDED = sys.float_info.max


@dataclass(frozen=True, kw_only=True)
class Prodigy(Optimizer):
    """Adam whose step size is an estimate d of the distance to a solution: no tuning.

    With c = √(1 − β₂ᵗ)/(1 − β₁ᵗ) or 1, and γ = lr·c: s ← β₃·s + (d/d0)·d·γ·g and r ← β₃·r +
    (d/d0)·d·Σ γ·g·(x0 − x), x0 the first parameters; m ← β₁·m + (1 − β₁)·d·g, v ← β₂·v +
    (1 − β₂)·(d·g)²; d_max ← max(d_max, d_coef·r/‖s‖₁) and d⁺ = min(d_max, growth_rate·d);
    x ← (1 − d·γ·weight_decay)·x − d·γ·m/(√v + d⁺·eps), d ← d⁺. Sums are over all arrays.

    d, d_max and r are the numbers ``state.d``, ``state.d_max`` and ``state.numerator``. In the
    first estimate, where d = d0, growth_rate multiplies the larger of d and the estimate. Where s
    is 0, as before the first gradient, no step is taken and d stays.

    Parameters
    ----------
    lr : float, default 1
        Dimensionless; 1 is the method, and what a schedule multiplies. Steps are d·lr long.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    beta3 : float in [0, 1), optional
        Decay rate of s and r; √beta2 unless given.
    eps : float, default 1e-8
        Times d, added to the root, in units of the gradient. With 0 a coordinate that never had a
        gradient becomes NaN, 0/0, as in Adam.
    d0 : float, default 1e-6
        The first d, > 0, in units of the parameters: below the distance to a solution.
    d_coef : float, default 1
        Factor of the estimate, > 0, dimensionless: what its authors change first, from 0.5 to 2.
    growth_rate : float, optional
        The most that d grows by in a step, ≥ 1, dimensionless; 1.02 warms up. None sets no bound.
    bias_correction : bool, default False
        Whether steps make up for averages that start at 0: c of the formula. With it the method is
        the paper's, without it its authors' default.
    safeguard_warmup : bool, default False
        Whether s takes in 1 for γ, so that a warm-up of lr cannot make the estimate too large.
    **common
        See `mdbopt.optimizers`. Decay is by d·γ·weight_decay.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    lr counts as each element has it; its authors' code takes the largest of all groups, and skips a
    step where that is 0, which here moves nothing but averages gradients.

    References
    ----------
    Mishchenko, Defazio 2024, "Prodigy: an expeditiously adaptive parameter-free learner",
    algorithm 4.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([4.0, -2.0])
    >>> optimizer = mdbopt.Prodigy()
    >>> state = optimizer.init(x)
    >>> for _ in range(300):
    ...     _ = optimizer.step(x, np.array([1.0, 5.0]) * x, state)
    >>> bool(np.abs(x).max() < 1e-2), 0.5 < state.d < 5.0
    (True, True)
    """

    lr: float = field(default=1.0, kw_only=False)
    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float | None = None
    eps: float = 1e-8
    d0: float = 1e-6
    d_coef: float = 1.0
    growth_rate: float | None = None
    bias_correction: bool = False
    safeguard_warmup: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2"):
            self._check_fraction(name)
        if self.beta3 is not None:
            self._check_fraction("beta3")
        self._check("eps", least=0.0)
        self._check("d0", least=0.0, strict=True)
        self._check("d_coef", least=0.0, strict=True)
        if self.growth_rate is not None:
            self._check("growth_rate", least=1.0)
        self._check_bool("bias_correction")
        self._check_bool("safeguard_warmup")

    def _rule(self) -> str:
        return "prodigy"

    def _scalars(self) -> dict[str, float]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "beta3": math.sqrt(self.beta2) if self.beta3 is None else self.beta3,
            "eps": self.eps,
            "d0": self.d0,
            "d_coef": self.d_coef,
            "growth_rate": _UNBOUNDED if self.growth_rate is None else self.growth_rate,
            "bias_correction": float(self.bias_correction),
            "safeguard_warmup": float(self.safeguard_warmup),
            "d": self.d0,
            "d_max": self.d0,
            "numerator": 0.0,
        }
