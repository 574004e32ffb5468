"""A step with its arguments bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mdbopt._update_state import UpdateState

if TYPE_CHECKING:
    from mdbopt._optimizer import Optimizer


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
        self, optimizer: Optimizer, params: Any, grads: Any, state: UpdateState, direct: bool
    ) -> None:
        if state.__class__ is not UpdateState:
            raise TypeError(
                f"{optimizer._where('state')}: expected a state from init or restore, got "
                f"{type(state).__name__}"
            )
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
