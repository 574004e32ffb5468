"""Steps whose average takes the place of a schedule of step sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mdbopt import _checks, _foreign
from mdbopt._arrays import Library, dtype_name, is_device
from mdbopt.optimizers import _argument_tree
from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._state import OptimizerState


@dataclass(frozen=True, kw_only=True)
class ScheduleFree(Optimizer):
    """What steps z, takes gradients between z and its average, and can show the average."""

    warmup: int = 0

    _DECAYS: ClassVar = ("adamw",)  # there is no schedule
    _NOT_FINISHED: ClassVar = "since parameters lie between z and an average of their own"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("warmup", _checks.steps(self._where("warmup"), self.warmup))

    def _momentum(self) -> float:
        """Give the share of the average in the point where gradients are taken."""
        raise NotImplementedError

    def _check_momentum(self, name: str) -> None:
        self._check_fraction(name)
        self._check(name, least=0.0, strict=True)

    def _extra(self) -> dict[str, float]:
        return {"averaged": 0.0}

    def step(self, params: Any, grads: Any, state: OptimizerState, **options: Any) -> Any:
        """Update parameters and state in place; see `Optimizer.step`.

        Parameters
        ----------
        params, grads, state, **options
            As for the other optimizers. ``lr`` is meant to stay as it is.

        Returns
        -------
        bool or float
            As for the other optimizers.

        Raises
        ------
        ValueError
            When the parameters are the average; see `train`.
        """
        if getattr(state, "_extra", {}).get("averaged"):
            raise ValueError(
                f"{self._where('params')}: expected the point where gradients are taken, got the "
                "average; train() goes back"
            )
        return self._take_step(params, grads, state, **options, scalars={"toward": 0.0})

    def eval(self, params: Any, state: OptimizerState) -> None:
        """Make parameters the average, which is what has been learnt, in one pass over memory.

        Parameters
        ----------
        params
            As for `step`; written in place.
        state : OptimizerState
            Remembers it, as ``state.averaged``; nothing is done where it is 1.

        Raises
        ------
        TypeError, ValueError
            As `step`.
        """
        self._swap(params, state, 1.0 - 1.0 / self._momentum(), 1.0)

    def train(self, params: Any, state: OptimizerState) -> None:
        """Take the average back to the point where gradients are taken, but for rounding.

        Parameters
        ----------
        params
            As for `step`; written in place.
        state : OptimizerState
            Nothing is done where ``state.averaged`` is 0.

        Raises
        ------
        TypeError, ValueError
            As `step`.
        """
        self._swap(params, state, 1.0 - self._momentum(), 0.0)

    def _swap(self, params: Any, state: OptimizerState, share: float, averaged: float) -> None:
        self._take_over(state)
        if state._extra["averaged"] == averaged:
            return
        t = state.t
        zeros = _argument_tree.mapped(_zero_like, _foreign.plain(params))
        self._take_step(params, zeros, state, scalars={"toward": share})
        state._core.t = t
        state._extra["averaged"] = averaged


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD(ScheduleFree):
    """Gradient steps of one size whose average takes the place of a schedule.

    Gradients are taken at x, between z, which steps, and the average of all z so far. With
    d = g + weight_decay·x and c = 1/t, x ← x + c·(z − x) + lr·(momentum·(1 − c) − 1)·d and
    z ← z − lr·d. `eval` makes x the average, `train` goes back.

    Parameters
    ----------
    lr : float, default 1
        Step size, parameters over gradients; one for all steps.
    momentum : float in (0, 1), default 0.9
        Share of the average in the point where gradients are taken; dimensionless.
    warmup : int, default 0
        Steps in which the step size grows linearly to lr. Steps are averaged by the squares of
        their sizes then: c = (lr_t)²/Σ(lr_i)², and the sum of (lr_i/lr)² is ``state.weight_sum``.
    **common
        See `mdbopt.optimizers`. Decoupled decay is a part of d.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The form of its authors' code, which keeps the average in x and z. A change of ``lr`` does not
    count in the average.

    References
    ----------
    Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky 2024, "The road less scheduled", eq. 3-5.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.ScheduleFreeSGD(lr=0.5)
    >>> state = optimizer.init(x)
    >>> for _ in range(300):
    ...     _ = optimizer.step(x, np.sign(x - 0.3), state)
    >>> optimizer.eval(x, state)
    >>> x.round(1), state.averaged
    (array([0.3, 0.3]), 1.0)
    """

    lr: float = field(default=1.0, kw_only=False)
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_momentum("momentum")

    def _momentum(self) -> float:
        return self.momentum

    def _rule(self) -> str:
        return "schedule_free_sgd"

    def _scalars(self) -> dict[str, float]:
        return {"momentum": self.momentum, "warmup": float(self.warmup)}


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW(ScheduleFree):
    """AdamW's steps of one size whose average takes the place of a schedule.

    As `ScheduleFreeSGD`, with v ← β₂·v + (1 − β₂)·g², d = g/(√v + eps) + weight_decay·x, β₁ for
    momentum and lr·√(1 − β₂ᵗ) for lr, in the average, too.

    Parameters
    ----------
    lr : float, default 2.5e-3
        Step size, in units of the parameters; one for all steps.
    beta1 : float in (0, 1), default 0.9
        Share of the average in the point where gradients are taken; dimensionless.
    beta2 : float in [0, 1), default 0.999
        Dimensionless.
    eps : float, default 1e-8
        Added outside the root, in units of the gradient.
    weight_decay : float, default 0
        In units of 1/lr.
    warmup : int, default 0
        Steps in which the step size grows linearly to lr.
    **common
        See `mdbopt.optimizers`. Decoupled decay is a part of d.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky 2024, "The road less scheduled", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.ScheduleFreeAdamW(lr=0.1)
    >>> state = optimizer.init(x)
    >>> for _ in range(300):
    ...     _ = optimizer.step(x, np.sign(x - 0.3), state)
    >>> optimizer.eval(x, state)
    >>> x.round(1)
    array([0.3, 0.3])
    >>> optimizer.train(x, state)
    >>> optimizer.step(x, np.sign(x - 0.3), state)
    True
    """

    lr: float = field(default=2.5e-3, kw_only=False)
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_momentum("beta1")
        self._check_fraction("beta2")
        self._check("eps", least=0.0)

    def _momentum(self) -> float:
        return self.beta1

    def _rule(self) -> str:
        return "schedule_free_adam"

    def _scalars(self) -> dict[str, float]:
        own = {name: getattr(self, name) for name in ("beta1", "beta2", "eps")}
        return {**own, "warmup": float(self.warmup)}


def _zero_like(_: _argument_tree.Keys, leaf: Any) -> Any:
    """Make zeros in the shape of a parameter; on the CPU one zero stands for all."""
    if is_device(leaf):
        return Library(leaf).full_like(leaf, dtype_name(leaf), 0.0)
    return np.broadcast_to(np.int8(0), tuple(leaf.shape))
