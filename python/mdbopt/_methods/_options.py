"""Options of a method: a default, and what a value must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from mdbopt import _checks

Check = Callable[[str, Any], Any]


def number(
    default: float | None,
    *,
    least: float = -math.inf,
    strict: bool = False,
    below: float = math.inf,
) -> Any:
    """Declare a finite number from ``least`` (``strict``: above it) to less than ``below``."""

    def check(name: str, value: Any) -> float | None:
        if value is None and default is None:
            return None
        given = _checks.real(name, value, least=least, strict=strict)
        if given >= below:
            raise ValueError(f"{name}: expected a number < {below:g}, got {given}")
        return given

    return field(default=default, metadata={"check": check})


def whole(default: int, *, least: int, below: float = math.inf) -> Any:
    """Declare a whole number from ``least`` to less than ``below``."""

    def check(name: str, value: Any) -> int:
        return _checks.whole(name, value, least=least, below=below)

    return field(default=default, metadata={"check": check})


def word(choices: Sequence[str]) -> Any:
    """Declare one of several words, the first by default."""
    return field(
        default=choices[0],
        metadata={"check": lambda name, value: _checks.choice(name, value, choices)},
    )


def switch(default: bool) -> Any:
    """Declare a bool."""

    def check(name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name}: expected a bool, got {type(value).__name__}")
        return value

    return field(default=default, metadata={"check": check})


def _callable(name: str, value: Any) -> Any:
    return None if value is None else _checks.function(name, value)


# Of a field that takes a callable, or None.
CALLABLE = {"check": _callable}
