"""The state of a search: the current point, the set of step sizes, and counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from mdbopt import _core
from mdbopt._arrays import Library


class Opens(Protocol):
    """What a state asks of its search."""

    def _new(self) -> _core.SearchState:
        """Make the core's search with these options, not started yet."""


class SearchState(Mapping[str, Any]):
    """A search at work: the current point, the set of step sizes, and counters.

    It is a mapping of names to plain arrays and numbers, so ``numpy.savez(file, **state)`` saves it
    and ``search.restore(numpy.load(file))`` continues to the same bits; it can be pickled and
    copied, and equals another one where search and entries are the same, bit for bit. Arrays are
    NumPy copies in the mapping; `x` and `g` are views of the search's own memory
    (NumPy, read-only, valid until the next `judge`) or copies in the caller's library, where the
    search began. Whatever is read of it waits for the device once `judge` was told not to.
    """

    # A state changes with every judgement.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, search: Opens, core: _core.SearchState, library: Library) -> None:
        self._search = search
        self._core = core
        self._library = library

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchState):
            return NotImplemented
        if self._search != other._search:
            return False
        mine, theirs = self._core.save(), other._core.save()
        return all(_same_bits(value, theirs[name]) for name, value in mine.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._search, *self._parts())

    def __copy__(self) -> SearchState:
        return _restored(self._search, *self._parts())

    def __deepcopy__(self, memo: dict[int, Any]) -> SearchState:
        return self.__copy__()

    def _parts(self) -> tuple[dict[str, Any], str | None, int | None]:
        return self._core.save(), self._library.name, self._core.device

    def _give(self, array: Any, *, copied: bool = False) -> Any:
        if self._library.is_numpy:
            return array
        if self._core.device is not None:
            return self._library.from_device(array)
        return self._library.from_numpy(array if copied else array.copy())

    @property
    def x(self) -> Any:
        """The current point, shape (d,)."""
        return self._give(self._core.x)

    @property
    def g(self) -> Any:
        """The gradient at `x`, shape (d,)."""
        return self._give(self._core.g)

    @property
    def f(self) -> float:
        """The objective at `x`, as it was told; with l1 and the penalty."""
        return self._core.f

    @property
    def gmax(self) -> float:
        """max|g| at `x`, in units of the gradient.

        With bounds it is max|projected g|: of each coordinate min(|g|, the room to the bound that
        -g leads to), as in SciPy's L-BFGS-B. With l1 g is the subgradient of least norm of the
        objective with its penalty.
        """
        return self._core.gmax

    @property
    def active(self) -> Any:
        """Where `x` is at a bound: -1 the lower, 1 the upper, else 0; int8, shape (d,), NumPy."""
        return self._core.active()

    @property
    def step_sizes(self) -> Any:
        """The step size of each coordinate that a plain step would use now, float64, shape (d,)."""
        return self._give(self._core.step_sizes())

    @property
    def ncut(self) -> int:
        """How many rejected candidates have cut the set."""
        return self._core.ncut

    @property
    def accepted(self) -> int:
        """How many candidates were accepted."""
        return self._core.accepted

    @property
    def nfev(self) -> int:
        """How many evaluations the search was told of, the one at the start included."""
        return self._core.evaluations

    @property
    def status(self) -> int:
        """-1 running, 2 no further progress in this precision, 3 f or g not finite.

        4: none that noise does not hide.
        """
        return self._core.status

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise KeyError(name)
        return self._core.entry(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.names())

    def __len__(self) -> int:
        return len(self._core.names())

    def __repr__(self) -> str:
        return (
            f"<SearchState f={self.f:.6g} max|g|={self.gmax:.3g} nfev={self.nfev} "
            f"accepted={self.accepted} ncut={self.ncut}>"
        )


def _same_bits(first: Any, second: Any) -> bool:
    a, b = np.asarray(first), np.asarray(second)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _restored(
    search: Opens, saved: dict[str, Any], library: str | None, device: int | None = None
) -> SearchState:
    return loaded(search, saved, Library.named(library), device)


def loaded(
    search: Opens,
    saved: Any,
    library: Library,
    device: int | None,
    core: _core.SearchState | None = None,
) -> SearchState:
    """Make a state from what was saved of one, or raise; ``library`` says whose arrays it gives."""
    core = core or search._new()
    if isinstance(saved, SearchState):
        saved = saved._core.save()
    elif not isinstance(saved, Mapping):
        raise TypeError(
            f"saved: expected a mapping of names to arrays and numbers, got {type(saved).__name__}"
        )
    core.load(saved, device)
    return SearchState(search, core, library)
