"""A step with its arguments bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mdbopt.optimizers._state import Hyperparameters, OptimizerState, not_a_state


class Steps(Hyperparameters, Protocol):
    """What a plan asks of its optimizer, beside what a state does."""

    @property
    def lr(self) -> float: ...

    @property
    def _each_decay(self) -> Any: ...

    @property
    def step(self) -> Callable[..., Any]: ...


class Plan:
    """A step with its arguments bound; see `Optimizer.plan`.

    Pickled or copied, it takes what it binds along: a deep copy has arrays and a state of its own.

    Parameters
    ----------
    optimizer : Optimizer
        Its hyperparameters.
    params, grads, state
        What is stepped.
    direct : bool
        Whether the optimizer's `step` adds nothing of its own.
    """

    __slots__ = ("_arguments", "_core_step", "_direct", "_optimizer", "_state")

    def __init__(
        self, optimizer: Steps, params: Any, grads: Any, state: OptimizerState, direct: bool
    ) -> None:
        if state.__class__ is not OptimizerState:
            raise not_a_state(optimizer, state)
        self._optimizer = optimizer
        self._state = state
        self._core_step = state._core.step
        self._direct = direct
        self._arguments = (params, grads, optimizer.lr, 1.0, False, 0.0, None)

    def __reduce__(self) -> tuple[Any, ...]:
        params, grads, *_ = self._arguments
        return Plan, (self._optimizer, params, grads, self._state, self._direct)

    def step(self, **options: Any) -> Any:
        """Take a step; options are those of `Optimizer.step`."""
        if options or not self._direct or self._state._optimizer is not self._optimizer:
            params, grads, *_ = self._arguments
            return self._optimizer.step(params, grads, self._state, **options)
        return self._core_step(*self._arguments)
