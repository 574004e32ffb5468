"""Whether a closure still evaluates what it did."""

from __future__ import annotations

import dis
import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import torch

Seen = list[tuple[Any, int]]


def seen(closure: Callable[[], Any], own: Sequence[Any]) -> Seen:
    """Note the objects that a closure works with, and the versions of those that are tensors.

    Those of the search's own parameters do not count: where these are, it knows.

    They are its code, its object and arguments, what it captured from the functions around it, and
    the globals that it names, but for those that it assigns itself, such as a counter. What these
    objects hold is not followed.
    """
    known = set(map(id, own))
    return [(_kept(item), _version(item, known)) for item in _used_by(closure)]


def same(closure: Callable[[], Any], own: Sequence[Any], before: Seen) -> bool:
    """Tell whether a closure works with the same objects as when it was seen."""
    known = set(map(id, own))
    now = list(_used_by(closure))
    return len(now) == len(before) and all(
        _is(kept, item) and version == _version(item, known)
        for (kept, version), item in zip(before, now, strict=True)
    )


def _used_by(closure: Any) -> Iterator[Any]:
    if isinstance(closure, functools.partial):
        yield from closure.args
        for name, value in sorted(closure.keywords.items()):
            yield name
            yield value
        yield from _used_by(closure.func)
        return
    if hasattr(closure, "__wrapped__"):
        yield from _used_by(closure.__wrapped__)
        return
    function = getattr(closure, "__func__", closure)
    if function is not closure:
        yield closure.__self__
    code = getattr(function, "__code__", None)
    if code is None:
        yield function
        return
    yield code
    yield from function.__defaults__ or ()
    assigned = _assigned_by(code)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if name in assigned:
            continue
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            yield None
    names = function.__globals__
    for name in code.co_names:
        if name in names and name not in assigned:
            yield names[name]


@functools.lru_cache(maxsize=32)
def _assigned_by(code: CodeType) -> frozenset[str]:
    """Name the variables of others that a function assigns."""
    stores = ("STORE_DEREF", "STORE_GLOBAL")
    return frozenset(
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in stores
    )


# Numbers, texts and the like are compared by value: the same one may be another object each time.
_VALUES = (int, float, complex, str, bytes, type(None))


def _kept(item: Any) -> Any:
    """Keep an object without keeping it alive, where its kind allows that."""
    if isinstance(item, _VALUES):
        return item
    try:
        return weakref.ref(item)
    except TypeError:
        return [item]


def _is(kept: Any, item: Any) -> bool:
    if isinstance(item, _VALUES):
        return type(kept) is type(item) and kept == item
    if isinstance(kept, weakref.ref):
        return kept() is item
    return isinstance(kept, list) and kept[0] is item


def _version(item: Any, own: set[int]) -> int:
    return item._version if isinstance(item, torch.Tensor) and id(item) not in own else 0
