"""What the core says of a rule, asked for once: it describes all of them anew at each call."""

from __future__ import annotations

from functools import cache
from typing import Any

from mdbopt import _core


@cache
def described() -> dict[str, dict[str, Any]]:
    """Describe every rule of the core by its name; not to be changed."""
    return {rule["name"]: rule for rule in _core.rules()}
