"""The descriptions of the core's rules: streams, scalars, sums, bytes per element."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mdbopt import _rules
from mdbopt.kernels._descriptions import DESCRIPTIONS


@dataclass(frozen=True)
class Stream:
    """One flat array that a rule reads or writes.

    Parameters
    ----------
    name : str
        Its name in formulas and messages.
    role : str
        ``"in"``, ``"out"`` or ``"inout"``.
    dtypes : dict
        Its dtype by the dtype of the call: the same, "float64" always for step sizes of a search,
        "float32" always for secant pairs, float32 for the state of half-precision parameters.
    gathered : bool
        Whether a rule that sums first reads it for that.
    """

    name: str
    role: str
    dtypes: dict[str, str] = field(hash=False)
    gathered: bool

    @property
    def fixed(self) -> str:
        """The one dtype it has whatever the dtype of the call, else empty."""
        found = set(self.dtypes.values())
        return found.pop() if len(found) == 1 else ""

    @property
    def wide(self) -> bool:
        """Whether it is float64 always."""
        return self.fixed == "float64"

    def dtype(self, call: str) -> str:
        """Return its dtype in a call of that dtype."""
        return self.dtypes[call]


@dataclass(frozen=True)
class Rule:
    """The description of one rule of the core.

    Parameters
    ----------
    name : str
        The name under `mdbopt.kernels`.
    summary : str
        One sentence with the formula.
    streams : tuple of Stream
        The arrays, in the order of the call.
    scalars : tuple of (str, float)
        Keyword arguments and their defaults; NaN marks one that must be given.
    sums : tuple of (str, str)
        What the call returns: a name, and ``"add"`` or ``"max"``.
    walks : int
        Passes over memory.
    bytes : dict
        Bytes read and written per element, all walks together, by dtype; its keys are the dtypes
        that the rule takes.
    update : bool
        Whether it is a first-order update of parameters by their gradient, which takes ``lr`` and
        its other keywords; see `mdbopt.kernels`.
    per_array : bool
        Whether sums are of each array, where an optimizer steps several.
    """

    name: str
    summary: str
    streams: tuple[Stream, ...]
    scalars: tuple[tuple[str, float], ...]
    sums: tuple[tuple[str, str], ...]
    walks: int
    bytes: dict[str, int] = field(hash=False)
    update: bool
    per_array: bool

    def __reduce__(self) -> tuple[Any, ...]:
        return _rule_named, (self.name,)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Describe every rule of the core, those that searches alone use among them."""
    return tuple(
        Rule(
            name=rule["name"],
            summary=rule["summary"],
            streams=tuple(Stream(*stream) for stream in rule["streams"]),
            scalars=tuple(rule["scalars"]),
            sums=tuple(rule["sums"]),
            walks=rule["walks"],
            bytes=rule["bytes"],
            update=rule["update"],
            per_array=rule["per_array"],
        )
        for rule in _rules.described().values()
    )


def _rule_named(name: str) -> Rule:
    return next(rule for rule in all_rules() if rule.name == name)


def rules() -> tuple[Rule, ...]:
    """Describe the rules of `mdbopt.kernels`: streams with roles, scalars, sums, bytes per element.

    Returns
    -------
    tuple of Rule
        In the order of the core's tables.

    Examples
    --------
    >>> import mdbopt
    >>> dot = next(rule for rule in mdbopt.rules() if rule.name == "dot")
    >>> [stream.name for stream in dot.streams], dot.bytes["float64"]
    (['a', 'b'], 16)
    """
    return tuple(rule for rule in all_rules() if rule.update or rule.name in DESCRIPTIONS)
