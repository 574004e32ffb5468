"""Momentum along gradients that are bounded by the norm of their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class AGC(Optimizer):
    """SGD with adaptive gradient clipping: a gradient's norm is bounded by a share of its array's.

    g ← g·min(1, clipping·max(‖x‖, eps)/‖g‖) with the norms of each array; then m ← momentum·m + g
    and x ← x − lr·m, or x ← x − lr·(g + momentum·m) with ``nesterov``.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, parameters over gradients.
    momentum : float in [0, 1), default 0.9
        Dimensionless.
    nesterov : bool, default True
        Whether the step looks ahead, as in the paper's training.
    clipping : float, default 0.01
        The largest ‖g‖/‖x‖, in units of gradients over parameters, > 0.
    eps : float, default 1e-3
        The least that ‖x‖ counts for, so that zeros can leave their place; > 0.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The norms are of whole arrays. The paper takes them of each unit, a row of a matrix, which is
    the same for biases and gains; to have it for a matrix, pass its rows as arrays.

    References
    ----------
    Brock, De, Smith, Simonyan 2021, "High-performance large-scale image recognition without
    normalization", eq. 3.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> params = [np.array([3.0, 4.0]), np.array([3.0, 4.0])]
    >>> optimizer = mdbopt.AGC(lr=1.0, momentum=0.0, clipping=0.1)
    >>> gradients = [np.array([0.3, 0.4]), np.array([30.0, 40.0])]
    >>> optimizer.step(params, gradients, optimizer.init(params))
    True
    >>> [x.round(9).tolist() for x in params]
    [[2.7, 3.6], [2.7, 3.6]]
    """

    momentum: float = 0.9
    nesterov: bool = True
    clipping: float = 0.01
    eps: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("momentum")
        self._check_bool("nesterov")
        self._check("clipping", least=0.0, strict=True)
        self._check("eps", least=0.0, strict=True)

    def _rule(self) -> str:
        return "agc"

    def _scalars(self) -> dict[str, float]:
        return {
            "momentum": self.momentum,
            "nesterov": float(self.nesterov),
            "clipping": self.clipping,
            "eps": self.eps,
        }
