"""A step with its arguments bound."""

from __future__ import annotations

from typing import Any


class Plan:
    """A step with its arguments bound; see `Optimizer.plan`.

    Pickled or copied, it takes what it binds along: a deep copy has arrays and a state of its own.

    Parameters
    ----------
    optimizer : Optimizer or Groups
        Its hyperparameters.
    params, grads, state
        What is stepped.
    direct : bool
        Whether the optimizer's `step` is one call of the core, and adds nothing of its own.
    """

    __slots__ = ("_arguments", "_core_step", "_direct", "_optimizer", "_state", "_trees")

    def __init__(self, optimizer: Any, params: Any, grads: Any, state: Any, direct: bool) -> None:
        self._optimizer = optimizer
        self._state = state
        self._trees = params, grads
        self._direct = direct
        if direct:
            self._core_step = state._core.step
            self._arguments = (params, grads, optimizer.lr, 1.0, False, 0.0, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan, (self._optimizer, *self._trees, self._state, self._direct)

    def step(self, **options: Any) -> Any:
        """Take a step; options are those of `Optimizer.step`."""
        state = self._state
        if (
            options
            or not self._direct
            or state._optimizer is not self._optimizer
            or state._row_t  # rows that have missed steps
        ):
            return self._optimizer.step(*self._trees, state, **options)
        return self._core_step(*self._arguments)
