"""Saved states of shards as one, and that one cut anew for another number of shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mdbopt import _rules, optimizers
from mdbopt.distributed._reducer import piece

# Tables of a search that every shard holds whole.
_TABLES = ("pairs_", "lbfgs_")


def merge(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the saved states of all shards to that of the whole.

    Parameters
    ----------
    states : sequence of mapping
        ``dict(state)`` of a search or an optimizer from each shard, in their order, or what
        `numpy.load` gives of a file of one. Pieces of arrays with several axes are pieces of their
        first.

    Returns
    -------
    dict
        What one process that holds everything would have saved, but for a search with ``groups=``.

    Raises
    ------
    ValueError
        When there is none, or they are not of one run: names or numbers differ.

    See Also
    --------
    split : cuts it for another number of shards.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt.distributed import merge
    >>> merge([{"x": np.zeros(2), "f": 1.0}, {"x": np.ones(1), "f": 1.0}])
    {'x': array([0., 0., 1.]), 'f': 1.0}
    """
    if not states:
        raise ValueError("states: expected those of at least one shard, got none")
    plain = [{name: state[name] for name in state} for state in states]
    names = _names(plain)
    whole = _whole(plain[0])
    return {name: _merged(name, [state[name] for state in plain], name in whole) for name in names}


def split(state: Mapping[str, Any], shards: int) -> list[dict[str, Any]]:
    """Cut the saved state of the whole for some shards, as `piece` cuts.

    Parameters
    ----------
    state : mapping
        What `merge` returned, or ``dict(state)`` of a run on one process.
    shards : int
        How many.

    Returns
    -------
    list of dict
        For ``search.restore`` or ``optimizer.restore`` on each shard.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt.distributed import split
    >>> [part["x"].size for part in split({"x": np.zeros(3000), "f": 1.0}, 2)]
    [1024, 1976]
    """
    whole = _whole(state)
    return [
        {name: state[name] if name in whole else _cut(state[name], shard, shards) for name in state}
        for shard in range(shards)
    ]


def _names(states: list[dict[str, Any]]) -> list[str]:
    for shard, state in enumerate(states):
        if differing := sorted(set(states[0]) ^ set(state)):
            raise ValueError(
                f"states: expected the same names on every shard, got {differing[0]!r} on shard 0 "
                f"or on shard {shard} alone"
            )
    return list(states[0])


def _whole(state: Mapping[str, Any]) -> set[str]:
    """Name what every shard holds whole: numbers, tables, and numbers of each array."""
    whole = {name for name in state if name.startswith(_TABLES) or np.ndim(state[name]) == 0}
    for name in tuple(whole):
        group, dot, own = name.rpartition(".")  # of several optimizers
        if own == "optimizer":
            whole.update(f"{group}{dot}{each}" for each in _numbers_of_arrays(str(state[name])))
    return whole


def _numbers_of_arrays(label: str) -> set[str]:
    """Name the numbers that an optimizer keeps of each array: sums that a step takes back."""
    if label not in optimizers.__all__:
        return set()
    rule = _rules.described()[getattr(optimizers, label)()._rule()]
    returned, taken = ({each for each, _ in rule[part]} for part in ("sums", "scalars"))
    return returned & taken if rule["per_array"] else set()


def _merged(name: str, parts: list[Any], whole: bool) -> Any:
    first = parts[0]
    if not whole:
        return np.concatenate([np.asarray(part) for part in parts])
    wanted = np.asarray(first)
    for shard, part in enumerate(parts):
        if not np.array_equal(wanted, np.asarray(part), equal_nan=wanted.dtype.kind == "f"):
            raise ValueError(
                f"states: {name}: expected the same on every shard, got {first!r} on shard 0 and "
                f"{part!r} on shard {shard}"
            )
    return first


def _cut(value: Any, shard: int, shards: int) -> Any:
    return value[piece(len(value), shard, shards)]
