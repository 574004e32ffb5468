"""Step sizes that follow the gradient's signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mdbopt import _checks
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class Rprop(Optimizer):
    """Resilient propagation: a step size per coordinate, by the signs of successive gradients.

    Where g·g_prev > 0 the step size grows by ``etas[1]``, where < 0 it shrinks by ``etas[0]`` and
    there is no step; it stays within ``step_sizes``. x ← x − lr·eta·sign(g), where ``state.eta`` is
    relative to lr and 1 at first.

    Parameters
    ----------
    lr : float, default 1e-2
        The first step size, in units of the parameters. An ``lr`` given to `step` scales all of
        them.
    etas : (float, float), default (0.5, 1.2)
        Factors below and above 1, dimensionless.
    step_sizes : (float, float), default (1e-6, 50)
        The least and the largest step size, in units of the parameters.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    PyTorch's Rprop, but for the scale: it keeps step sizes, this their ratio to lr.

    References
    ----------
    Riedmiller, Braun 1993, "A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm"; Igel, Hüsken 2003, "Empirical evaluation of the improved Rprop learning algorithms",
    algorithm iRprop−.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.Rprop(lr=0.1)
    >>> state = optimizer.init(x)
    >>> for g in (1.0, 3.0):
    ...     _ = optimizer.step(x, np.array([g, -g]), state)
    >>> x, state.eta
    (array([0.78, 1.22]), array([1.2, 1.2]))
    """

    lr: float = field(default=1e-2, kw_only=False)
    etas: Sequence[float] = (0.5, 1.2)
    step_sizes: Sequence[float] = (1e-6, 50.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        shrink, grow = self._pair("etas")
        if not shrink < 1.0 < grow:
            raise ValueError(f"Rprop: etas: expected 0 < etas[0] < 1 < etas[1], got {self.etas}")
        least, most = self._pair("step_sizes")
        if not least <= self.lr <= most:
            raise ValueError(
                f"Rprop: step_sizes: expected a range that holds lr={self.lr}, "
                f"got {self.step_sizes}"
            )

    def _pair(self, name: str) -> tuple[float, float]:
        pair = getattr(self, name)
        if isinstance(pair, np.ndarray):
            pair = pair.tolist()
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise TypeError(f"{self._where(name)}: expected two numbers, got {pair!r}")
        low, high = (
            _checks.real(f"{self._where(name)}[{k}]", pair[k], least=0.0, strict=True)
            for k in (0, 1)
        )
        self._set(name, (low, high))
        return low, high

    def _rule(self) -> str:
        return "rprop"

    def _scalars(self) -> dict[str, float]:
        return {
            "shrink": self.etas[0],
            "grow": self.etas[1],
            "least": self.step_sizes[0] / self.lr,
            "most": self.step_sizes[1] / self.lr,
        }
