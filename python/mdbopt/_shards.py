"""Telling the other shards of a problem that this one ends, so that none waits for it for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from mdbopt import _core


def words_of(error: BaseException) -> str:
    """Say which error it is, as other shards are told."""
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def telling(core: _core.SearchState) -> Iterator[None]:
    """Tell the other shards, if there are any, of an error inside."""
    try:
        yield
    except Exception as error:
        core.fail(words_of(error))
        raise


class Meeting:
    """A run that may be one of several shards, which are told how it ends.

    Where all of them end alike, that takes one more message. An interrupt is not told, since it
    would have to wait for the others.

    Parameters
    ----------
    reducer : callable, optional
        None where there are no shards.
    """

    def __init__(self, reducer: Callable[..., Any] | None) -> None:
        self._reducer = reducer
        self.core: _core.SearchState | None = None
        self.outcome = ""

    def __enter__(self) -> Meeting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reducer is None or (error is not None and not isinstance(error, Exception)):
            return
        core = self.core or _core.SearchState(method="backtracking", reducer=self._reducer)
        core.fail(words_of(error) if error is not None else f"it ended: {self.outcome}")
