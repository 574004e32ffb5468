"""Gradient steps whose size follows from how far the parameters have come."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class DoG(Optimizer):
    """Gradient steps as long as the distance that was covered, over the gradients met: no tuning.

    r ← max(r, ‖x − x0‖, initial·(1 + ‖x0‖)), S ← S + ‖g‖², x ← x − lr·r·g/√(S + eps), with x0 the
    first parameters and norms over all arrays. r is the number ``state.farthest``, S
    ``state.sum_of_squares``. It costs one more reading of parameters and gradients, and x0. What is
    proved holds of averages of the parameters, which are the caller's.

    Parameters
    ----------
    lr : float, default 1
        Dimensionless; 1 is the method, less is more careful.
    initial : float, default 1e-6
        The first distance over 1 + ‖x0‖, ≥ 0, dimensionless: small enough not to leave x0 at once.
        Its authors take 1e-4 for networks with batch normalisation. With 0 nothing moves.
    eps : float, default 1e-8
        Added inside the root, ≥ 0, in units of the gradient squared.
    **common
        See `mdbopt.optimizers`. Decay is by 1 − lr·weight_decay, whatever r is.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Ivgi, Hinder, Carmon 2023, "DoG is SGD's best friend: a parameter-free dynamic step size
    schedule", equation (DoG).

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([4.0, -2.0])
    >>> optimizer = mdbopt.DoG()
    >>> state = optimizer.init(x)
    >>> for _ in range(500):
    ...     _ = optimizer.step(x, np.array([1.0, 5.0]) * x, state)
    >>> bool(np.abs(x).max() < 1e-3)
    True
    """

    lr: float = field(default=1.0, kw_only=False)
    initial: float = 1e-6
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("initial", least=0.0)
        self._check("eps", least=0.0)

    def _rule(self) -> str:
        return "distance_over_gradients"

    def _scalars(self) -> dict[str, float]:
        return {"initial": self.initial, "eps": self.eps}


@dataclass(frozen=True, kw_only=True)
class DoWG(DoG):
    """DoG whose squared gradients weigh by the squared distance, and so forgets those at the start.

    S ← S + r²·‖g‖², x ← x − lr·r²·g/√(S + eps), with r as `DoG` has it.

    Parameters
    ----------
    lr : float, default 1
        Dimensionless; 1 is the method.
    initial : float, default 1e-6
        The first distance over 1 + ‖x0‖, ≥ 0, dimensionless. The paper leaves it open; optax takes
        a distance of 1e-2.
    eps : float, default 0
        Added inside the root, ≥ 0, in units of S. The paper has none; optax adds 1e-4 outside.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Khaled, Mishchenko, Jin 2023, "DoWG unleashed: an efficient universal parameter-free gradient
    descent method", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([4.0, -2.0])
    >>> optimizer = mdbopt.DoWG()
    >>> state = optimizer.init(x)
    >>> for _ in range(200):
    ...     _ = optimizer.step(x, np.array([1.0, 5.0]) * x, state)
    >>> bool(np.abs(x).max() < 1e-3)
    True
    """

    eps: float = 0.0

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), "weighted": 1.0}
