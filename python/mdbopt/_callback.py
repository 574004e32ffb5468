"""Callbacks in SciPy's two manners: ``callback(x)`` and ``callback(intermediate_result)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np


class Callback:
    """Calls the user's callback and tells whether it asked to stop.

    A callback whose only parameter is named ``intermediate_result`` gets an OptimizeResult by that
    name; any other gets a copy of x. Returning True or raising StopIteration stops the run.
    """

    def __init__(self, callback: Callable[..., Any]) -> None:
        if not callable(callback):
            raise TypeError(f"callback: expected a callable, got {type(callback).__name__}")
        self._callback = callback
        try:
            names = tuple(inspect.signature(callback).parameters)
        except (TypeError, ValueError):
            names = ()
        self._rich = names == ("intermediate_result",)

    def stops(self, result: Callable[[], Any], x: Callable[[], Any]) -> bool:
        """Call it; ``result`` and ``x`` make what it is given."""
        try:
            if self._rich:
                answer = self._callback(intermediate_result=result())
            else:
                answer = self._callback(x())
        except StopIteration:
            return True
        return isinstance(answer, (bool, np.bool_)) and bool(answer)
