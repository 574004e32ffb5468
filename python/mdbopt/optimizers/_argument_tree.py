"""Nested lists, tuples and dicts of arrays: every leaf with the keys that lead to it.

None below the root is no leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Keys = tuple[Any, ...]


class FrozenDict(dict[Any, Any]):
    """A dict that cannot be changed and so can be hashed."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this dict belongs to a frozen optimizer and cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def text(keys: Keys) -> str:
    """Write keys as ``['layer'][0]``; those of a bare array are empty."""
    return "".join(f"[{key!r}]" for key in keys)


def leaves(tree: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Give each leaf behind its keys."""
    if isinstance(tree, (list, tuple, dict)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, item in items:
            yield from leaves(item, (*keys, key))
    elif tree is not None or not keys:
        yield keys, tree


def leaf_at(tree: Any, keys: Keys) -> Any:
    """Return the leaf that the keys lead to."""
    for key in keys:
        tree = tree[key]
    return tree


def mapped(function: Callable[[Keys, Any], Any], tree: Any, keys: Keys = ()) -> Any:
    """Return a tree of the same structure made by ``function(keys, leaf)``; tuples are plain."""
    if isinstance(tree, dict):
        return {key: mapped(function, item, (*keys, key)) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [mapped(function, item, (*keys, k)) for k, item in enumerate(tree)]
        return items if isinstance(tree, list) else tuple(items)
    return None if tree is None and keys else function(keys, tree)


def frozen(tree: Any) -> Any:
    """Return a tree whose lists are tuples and whose dicts cannot be changed."""
    if isinstance(tree, dict):
        return FrozenDict({key: frozen(item) for key, item in tree.items()})
    if isinstance(tree, (list, tuple)):
        return tuple(frozen(item) for item in tree)
    return tree
