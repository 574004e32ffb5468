"""Callbacks in SciPy's two manners: ``callback(x)`` and ``callback(intermediate_result)``."""

from __future__ import annotations

import inspect
import sys
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
            names = tuple(_signature(callback).parameters)
        except (TypeError, ValueError):
            names = ()
        self._rich = names == ("intermediate_result",)
        self.message = ""

    def stops(self, result: Callable[[], Any], x: Callable[[], Any]) -> bool:
        """Call it; ``result`` and ``x`` make what it is given, ``message`` says why it stopped."""
        try:
            if self._rich:
                answer = self._callback(intermediate_result=result())
            else:
                answer = self._callback(x())
        except StopIteration:
            self.message = "`callback` raised `StopIteration`."
            return True
        if isinstance(answer, (bool, np.bool_)) and answer:
            self.message = "`callback` returned True."
            return True
        return False


def _signature(callback: Callable[..., Any]) -> inspect.Signature:
    # Since Python 3.14 annotations are evaluated here, and need not name anything that exists.
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(callback, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(callback)
