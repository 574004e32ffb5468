"""Checks of arguments, worded alike: the name, what was expected, what came."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from mdbopt._arrays import real_value

# Of a number that is written out.
MOST_BITS = 1000


def real(name: str, value: Any, *, least: float = -math.inf, strict: bool = False) -> float:
    """Return a finite number not below (``strict``: above) ``least``, or raise."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    number = real_value(name, value, "a number")
    if not math.isfinite(number) or number < least or (strict and number == least):
        bound = "" if least == -math.inf else f" {'>' if strict else '>='} {least:g}"
        raise ValueError(f"{name}: expected a finite number{bound}, got {number}")
    return number


def whole(name: str, value: Any, *, least: int, below: float = math.inf) -> int:
    """Return a whole number not below ``least`` and less than ``below``, or raise."""
    if getattr(value, "shape", None) == ():  # a scalar of NumPy or of another library
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__} {value!r}")
    if not least <= int(value) < below:
        bound = f">= {least}" if int(value) < least else f"< {below}"
        raise ValueError(f"{name}: expected a whole number {bound}, got {_digits(int(value))}")
    return int(value)


def _digits(value: int) -> str:
    """Write a whole number, of which Python refuses to write more than some thousand digits."""
    return str(value) if value.bit_length() <= MOST_BITS else f"one of {value.bit_length()} bits"


def threads(name: str, value: Any) -> int:
    """Return how many threads a call may run on, or raise."""
    return whole(name, value, least=1, below=2**31)


def steps(name: str, value: Any) -> int:
    """Return a number of steps, which are counted in doubles, or raise."""
    return whole(name, value, least=0, below=2**53 + 1)


# More than any run takes.
NO_LIMIT = sys.maxsize


def limit(name: str, value: Any, *, least: int, default: int) -> int:
    """Return a whole number as `whole` does, the default for None, and NO_LIMIT for inf."""
    if value is None:
        return default
    if isinstance(value, float) and value == math.inf:
        return NO_LIMIT
    return min(whole(name, value, least=least), NO_LIMIT)


def truth(name: str, value: Any) -> bool:
    """Return what counts as true or false, or raise."""
    try:
        return bool(value)
    except (TypeError, ValueError, RuntimeError):  # an array of several elements, say
        raise TypeError(f"{name}: expected True or False, got {type(value).__name__}") from None


def function(name: str, value: Any) -> Any:
    """Return what can be called, or raise."""
    if not callable(value):
        raise TypeError(f"{name}: expected a callable, got {type(value).__name__}")
    return value


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return one of the given words, or raise."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected one of {_listed(choices)}, got {type(value).__name__}")
    if value not in choices:
        raise ValueError(f"{name}: expected one of {_listed(choices)}, got {value!r}")
    return value


def _listed(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)
