"""The four verbs of a search, and the state they work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from mdbopt import _checks, _core
from mdbopt._arrays import Library, device_of, is_device, real_value


class State(Mapping[str, Any]):
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

    def __init__(self, search: Search, core: _core.State, library: Library) -> None:
        self._search = search
        self._core = core
        self._library = library

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        if self._search != other._search:
            return False
        mine, theirs = self._core.save(), other._core.save()
        return all(_same_bits(value, theirs[name]) for name, value in mine.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._search, *self._parts())

    def __copy__(self) -> State:
        return _restored(self._search, *self._parts())

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
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
        """The objective at `x`, as it was told."""
        return self._core.f

    @property
    def gmax(self) -> float:
        """max|g| at `x`, in units of the gradient."""
        return self._core.gmax

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
        """-1 running, 2 no further progress in this precision, 3 f or g not finite."""
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
            f"<State f={self.f:.6g} max|g|={self.gmax:.3g} nfev={self.nfev} "
            f"accepted={self.accepted} ncut={self.ncut}>"
        )


def _same_bits(first: Any, second: Any) -> bool:
    a, b = np.asarray(first), np.asarray(second)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Search:
    """What all searches share: the four verbs, and that they are their options.

    Two of one class are equal, with equal hashes, where all options are.
    """

    method: ClassVar[str]
    backend: str | None = None
    threads: int | None = None

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self.backend is not None:
            options["backend"] = _checks.choice(
                "backend", self.backend, [name for name, *_ in _core.backends()]
            )
        if self.threads is not None:
            options["threads"] = _checks.whole("threads", self.threads, least=1)
        return options

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if getattr(value, "shape", None) == ():  # a scalar of NumPy or of another library
                object.__setattr__(self, field.name, value.item())
        self._options()

    def _given(self) -> tuple[tuple[str, Any], ...]:
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))

    def _key(self) -> tuple[Any, ...]:
        return tuple(
            value.tobytes() if isinstance(value, np.ndarray) else value
            for _, value in self._given()
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={_short(value)}" for name, value in self._given())
        return f"{type(self).__name__}({given})"

    # Neither a pickle nor a deep copy keeps an array from being written to.
    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), dict(self._given()))

    def _check_size(self, size: int) -> None:
        """Raise when an option does not fit a problem of this size."""

    def _core_method(self) -> str:
        """Name the core's search that does it."""
        return self.method

    def _new(self) -> _core.State:
        return _core.State(method=self._core_method(), **self._options())

    def init(self, x: Any, f: float, g: Any) -> State:
        """Start at a point where the objective was evaluated.

        Parameters
        ----------
        x : array, shape (d,), float64 or float32
            The start; copied. Whole numbers become float64. On a CUDA device, the search stays
            there, and so do all its arrays.
        f : float
            The objective there.
        g : array, shape (d,)
            Its gradient there; copied. On the CPU in any form whose numbers x's dtype holds:
            integers, lists, narrower floats, any strides.

        Returns
        -------
        State
            Status 3 when f or g is not finite.

        Raises
        ------
        TypeError
            When x or g is no array of real numbers, or x's dtype does not hold those of g.
        ValueError
            When x is empty, holds NaN or inf, or g's size or device is not x's.
        RuntimeError
            When x lives on a device that cannot be used.
        """
        library = Library(x)
        core = self._new()
        core.init(x, real_value("f", f), g)
        return State(self, core, library)

    def propose(self, state: State, *, copy: bool = True) -> Any:
        """Give the point to evaluate next.

        Parameters
        ----------
        state : State
            A search at work.
        copy : bool, default True
            False gives the search's own array instead, without a copy: it is only to be read
            (NumPy's is read-only), and only until `judge`. On a CUDA device, once `judge` was told
            not to wait, every next point is written to that same array, and asking for it neither
            waits nor says when the search has ended. Other libraries' arrays on the CPU are copies
            always.

        Raises
        ------
        ValueError
            When the search has ended (`converged` is true).
        """
        return state._give(state._core.propose(copy), copied=copy)

    def judge(self, state: State, f: Any, g: Any, *, wait: bool = True) -> bool | None:
        """Take the objective and gradient at the proposed point.

        Parameters
        ----------
        state : State
            Changed in place.
        f : float
            The objective at the proposed point; need not be finite.
        g : array, shape (d,), on the device of x
            Its gradient; read, never kept. As for `init`.
        wait : bool, default True
            False decides on the CUDA device, in the order of its stream and without waiting for
            it; f may be an array of one number there, of any float dtype.

        Returns
        -------
        bool or None
            True when ``state.x`` moved to the proposed point, False when the search learnt from it;
            None without waiting.

        Raises
        ------
        ValueError
            When no point is proposed, or g's size or device is not x's; or when arrays are on the
            CPU and wait is False.
        TypeError
            When x's dtype does not hold the numbers of g.
        RuntimeError
            When a CUDA graph is being recorded, and the judgement is to wait.
        """
        if not wait:
            if hasattr(f, "detach"):  # PyTorch lends no tensor that requires a gradient
                f = f.detach()
            state._core.judge_later(f if is_device(f) else real_value("f", f), g)
            return None
        return state._core.judge(f if type(f) is float else real_value("f", f), g)

    def converged(self, state: State, gtol: float = 0.0) -> bool:
        """Whether max|g| <= gtol, or the search has ended by itself (see ``state.status``)."""
        return state._core.converged(gtol)

    def restore(self, saved: Mapping[str, Any], like: Any = None) -> State:
        """Continue from a saved state, to the same bits.

        Parameters
        ----------
        saved : mapping of str to array or number
            A state, a dict of one, or what ``numpy.load`` gives of a file of one.
        like : array, optional
            An array of the library that results are given in, on the device where the search goes
            on; NumPy by default.

        Returns
        -------
        State
            Independent of ``saved``.

        Raises
        ------
        ValueError, TypeError
            When an entry is missing or does not fit this search.
        """
        library = Library(np.empty(0) if like is None else like)
        return self._restore(saved, library, device_of(like))

    def _restore(self, saved: Mapping[str, Any], library: Library, device: int | None) -> State:
        core = self._new()
        if isinstance(saved, State):
            saved = saved._core.save()
        elif not isinstance(saved, Mapping):
            raise TypeError(
                "saved: expected a mapping of names to arrays and numbers, got "
                f"{type(saved).__name__}"
            )
        core.load(saved, device)
        return State(self, core, library)


def _remade(kind: type[Search], options: dict[str, Any]) -> Search:
    return kind(**options)


def _short(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.size <= 8:
        return repr(value.tolist())
    return f"<{value.size} labels, {np.unique(value).size} groups>"


def _restored(
    search: Search, saved: dict[str, Any], library: str | None, device: int | None = None
) -> State:
    return search._restore(saved, Library.named(library), device)
