"""Adam without eps, for gradients of any size."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt import _checks
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class MAdam(Optimizer):
    """Adam without eps, by averages of squares that tiny gradients do not leave.

    m ← β₁·m + (1 − β₁)·g and v ← β₂·v + (1 − β₂)·(√s·g)², with s = 2**scale_log2; m̂ = m/(1 − β₁ᵗ),
    v̂ = v/(1 − β₂ᵗ) and x ← x − lr·√s·m̂/√v̂, with no step where v = 0.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    bias_correction : bool, default True
        Whether averages are corrected for their start at 0.
    scale_log2 : int, default 64
        An even number from 0 to 128: √s is then a power of two, which rounds nothing. In float32
        and with β₂ = 0.999, gradients count from 3.4e-18/√s on, and may be 1.8e19/√s at most:
        8e-28 to 4.3e9.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    With eps a step follows the gradient instead of its sign where √v̂ is near it, and squares of
    float32 gradients below 1.1e-19 are 0. NVIDIA's step is 0 where m = 0, and infinite where v
    alone is. A state's v is s times Adam's: go on with the ``scale_log2`` that it began with.

    References
    ----------
    NVIDIA 2025, "Emerging-Optimizers", ``calculate_madam_update``.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0, 3.0], np.float32)
    >>> optimizer = mdbopt.MAdam(lr=0.5)
    >>> optimizer.step(x, np.array([5.0, -1e-25, 0.0], np.float32), optimizer.init(x))
    True
    >>> x
    array([ 0.5, -1.5,  3. ], dtype=float32)
    """

    beta1: float = 0.9
    beta2: float = 0.999
    bias_correction: bool = True
    scale_log2: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        self._check_bool("bias_correction")
        where = self._where("scale_log2")
        self._set("scale_log2", _checks.whole(where, self.scale_log2, least=0, below=129))
        if self.scale_log2 % 2 != 0:
            raise ValueError(f"{where}: expected an even number, got {self.scale_log2}")

    def _rule(self) -> str:
        return "madam"

    def _scalars(self) -> dict[str, float]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "bias_correction": float(self.bias_correction),
            "root_scale": 2.0 ** (self.scale_log2 // 2),
        }
