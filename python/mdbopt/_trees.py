"""Nested lists, tuples and dicts of arrays: every leaf with the path that leads to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give each leaf behind its path, as ``['layer'][0]``; of a bare array the path is empty."""
    if isinstance(tree, (list, tuple)):
        for index, item in enumerate(tree):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(tree, dict):
        for key, item in tree.items():
            yield from leaves(item, f"{path}[{key!r}]")
    else:
        yield path, tree


def mapped(function: Callable[[str, Any], Any], tree: Any, path: str = "") -> Any:
    """Return a tree of the same structure made by ``function(path, leaf)``; tuples are plain."""
    if isinstance(tree, (list, tuple)):
        items = [mapped(function, item, f"{path}[{k}]") for k, item in enumerate(tree)]
        return items if isinstance(tree, list) else tuple(items)
    if isinstance(tree, dict):
        return {key: mapped(function, item, f"{path}[{key!r}]") for key, item in tree.items()}
    return function(path, tree)
