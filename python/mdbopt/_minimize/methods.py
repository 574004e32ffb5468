"""The methods of `minimize`: a name, a sentence, and the search it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mdbopt import _checks
from mdbopt.searches import Backtracking, Box, Ellipsoid, Guarded, Simplex
from mdbopt.searches._base import Search


@dataclass(frozen=True)
class Method:
    """A method of `minimize`: its sentence, its search, and the options it fixes."""

    summary: str
    search: type[Search]
    fixed: Mapping[str, Any]

    def options(self) -> tuple[str, ...]:
        """Names of the search options that a user may set."""
        return tuple(f.name for f in fields(self.search) if f.name not in self.fixed)

    def build(self, options: Mapping[str, Any]) -> Search:
        """Make the search from the user's options."""
        return self.search(**{**options, **self.fixed})


_METHODS = {
    "guarded": Method(
        "A quasi-Newton direction proposes, the box of multidimensional backtracking guards it.",
        Guarded,
        {},
    ),
    "box": Method("Multidimensional backtracking over a box of step sizes.", Box, {}),
    "ellipsoid": Method(
        "Multidimensional backtracking over an ellipsoid of step sizes.", Ellipsoid, {}
    ),
    "simplex": Method("Multidimensional backtracking over a simplex of step sizes.", Simplex, {}),
    "backtracking": Method(
        "Gradient descent with one step size, found by backtracking and grown after each step.",
        Backtracking,
        {},
    ),
    "gd": Method(
        "Gradient descent with one step size, found by backtracking and never grown.",
        Backtracking,
        {"forward": 1.0},
    ),
    "nesterov": Method(
        "Nesterov's accelerated gradient proposes, the box guards it.",
        Guarded,
        {"proposer": "nesterov"},
    ),
}


def methods() -> dict[str, str]:
    """List the methods of `minimize` with a sentence each.

    Returns
    -------
    dict of str to str
        The default first.

    Examples
    --------
    >>> import mdbopt
    >>> list(mdbopt.methods())
    ['guarded', 'box', 'ellipsoid', 'simplex', 'backtracking', 'gd', 'nesterov']
    """
    return {name: method.summary for name, method in _METHODS.items()}


def method_name(name: Any) -> str:
    """Return the name of a method in small letters, or raise naming the argument."""
    if isinstance(name, str) and name.lower() in _METHODS:
        return name.lower()
    return _checks.choice("method", name, tuple(_METHODS))


def find_method(name: Any) -> Method:
    """Return a method by its name, or raise naming the argument."""
    return _METHODS[method_name(name)]
