"""The four verbs of a search, and the state they work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mdbopt import _checks, _core
from mdbopt._arrays import Library, device_of, is_device, real_value


class State(Mapping[str, Any]):
    """A search at work: the current point, the set of step sizes, and counters.

    It is a mapping of names to plain arrays and numbers, so ``numpy.savez(file, **state)`` saves it
    and ``search.restore(numpy.load(file))`` continues to the same bits; it can be pickled and
    copied. Arrays are NumPy copies in the mapping; `x` and `g` are views of the search's own memory
    (NumPy, read-only, valid until the next `judge`) or copies in the caller's library, where the
    search began. Whatever is read of it waits for the device once `judge` was told not to.
    """

    # By identity: arrays have no truth value that a mapping's comparison could use.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, search: Search, core: _core.State, library: Library) -> None:
        self._search = search
        self._core = core
        self._library = library

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._search, *self._parts())

    def __copy__(self) -> State:
        return _restored(self._search, *self._parts())

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self.__copy__()

    def _parts(self) -> tuple[dict[str, Any], str | None, int | None]:
        return self._core.save(), self._library.name, self._core.device

    def _give(self, view: Any) -> Any:
        if self._library.is_numpy:
            return view
        if self._core.device is not None:
            return self._library.from_device(view)
        return self._library.from_numpy(view.copy())

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


@dataclass(frozen=True, kw_only=True)
class Search:
    """What all searches share: the four verbs."""

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
        self._options()

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
        """Give the point to evaluate next: read-only, valid until `judge`.

        Parameters
        ----------
        state : State
            A search at work.
        copy : bool, default True
            On a CUDA device, False gives the search's own array, which is only to be read. Once
            `judge` was told not to wait, every next point is written to that same array, and asking
            for it neither waits nor says when the search has ended.

        Raises
        ------
        ValueError
            When the search has ended (`converged` is true).
        """
        return state._give(state._core.propose(copy))

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
            it; f may be an array of one number there, of any float dtype. Not with groups or
            refine > 0, nor for `Guarded` with another proposer than "lbfgs" or with
            cut="hypergradient", nor before the first set of the others is found: as long as
            ``state["seeking"]`` is 1, unless initial_scale is given.

        Returns
        -------
        bool or None
            True when ``state.x`` moved to the proposed point, False when the search learnt from it;
            None without waiting.

        Raises
        ------
        ValueError
            When no point is proposed, or g's size or device is not x's; or when this search cannot
            judge without waiting.
        TypeError
            When x's dtype does not hold the numbers of g.
        RuntimeError
            When a CUDA graph records the first judgement that does not wait.
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
        core.load({name: saved[name] for name in saved}, device)
        return State(self, core, library)


def _restored(
    search: Search, saved: dict[str, Any], library: str | None, device: int | None = None
) -> State:
    return search._restore(saved, Library.named(library), device)
