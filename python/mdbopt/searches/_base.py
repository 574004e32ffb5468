"""What all searches share: the options of a set of step sizes, and the four verbs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdbopt import _checks, _core
from mdbopt._arrays import Library, device_of, is_device, real_array, real_value
from mdbopt._bounds import bounds_rows
from mdbopt._penalty import penalty_numbers
from mdbopt._shards import telling
from mdbopt.searches import _warm_start
from mdbopt.searches._state import SearchState, loaded

CUTS = ("cocoercive", "hypergradient")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Search:
    """What all searches share: the four verbs, and that they are their options.

    Two of one class are equal, with equal hashes, where all options are.
    """

    method: ClassVar[str]
    # Whether f never rises, but for its rounding, and whether it works on a CUDA device.
    monotone: ClassVar[bool] = True
    on_devices: ClassVar[bool] = True
    backend: str | None = None
    threads: int | None = None
    gamma: float | None = None
    initial_scale: float | str = "auto"
    forward: float | None = None
    cut: str = "cocoercive"
    groups: ArrayLike | None = None
    bounds: Any = None
    l1: Any = None
    reducer: Callable[[NDArray[np.float64]], ArrayLike] | None = None

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self.gamma is not None:
            options["gamma"] = _checks.real("gamma", self.gamma, least=0.0, strict=True)
        scale = self.initial_scale
        if not isinstance(scale, str):
            options["initial_scale"] = _checks.real("initial_scale", scale, least=0.0, strict=True)
        elif scale != "auto":
            raise ValueError(f'initial_scale: expected a number or "auto", got {scale!r}')
        if self.forward is not None:
            options["forward"] = _checks.real("forward", self.forward, least=1.0)
        options["cocoercive"] = _checks.choice("cut", self.cut, CUTS) == "cocoercive"
        if self.groups is not None:
            options["groups"] = self.groups
        if self.bounds is not None:
            rows = self.bounds if len(self.bounds) > 0 else [(-math.inf, math.inf)]
            options["lower"], options["upper"] = np.ascontiguousarray(np.transpose(rows))
        if self.l1 is not None:
            # An empty piece has one number for all of none, as it is not without a penalty.
            options["l1"] = np.atleast_1d(np.asarray(self.l1 if np.size(self.l1) > 0 else 0.0))
        if self.backend is not None:
            options["backend"] = _checks.choice(
                "backend", self.backend, [name for name, *_ in _core.backends()]
            )
        if self.threads is not None:
            options["threads"] = _checks.threads("threads", self.threads)
        if self.reducer is not None:
            options["reducer"] = _checks.function("reducer", self.reducer)
        return options

    def __post_init__(self) -> None:
        if self.groups is not None:
            object.__setattr__(self, "groups", _labels(self.groups))
        sharded = self.reducer is not None
        object.__setattr__(self, "bounds", _kept(bounds_rows(self.bounds, sharded=sharded)))
        l1 = penalty_numbers(self.l1, sharded=sharded)
        object.__setattr__(self, "l1", _kept(l1) if isinstance(l1, np.ndarray) else l1)
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
        """Raise when the options do not fit a problem of this size."""
        if self.groups is not None and np.size(self.groups) != size:
            raise ValueError(
                f"groups: expected one label per coordinate, {size}, got {np.size(self.groups)}"
            )
        if self.bounds is not None and len(self.bounds) not in (1, size):
            raise ValueError(
                f"bounds: expected one pair per coordinate, {size}, or one for all, got "
                f"{len(self.bounds)}"
            )
        penalty_numbers(self.l1, size, sharded=self.reducer is not None)

    def _core_method(self) -> str:
        """Name the core's search that does it."""
        return self.method

    def _new(self) -> _core.SearchState:
        return _core.SearchState(method=self._core_method(), **self._options())

    def init(self, x: Any, f: float, g: Any, *, warm_start: Any = None) -> SearchState:
        """Start at a point where the objective was evaluated.

        Parameters
        ----------
        x : array, shape (d,), float64 or float32
            The start; copied. Whole numbers become float64. On a CUDA device, the search stays
            there, and so do all its arrays.
        f : float
            The objective there; with l1 without the penalty, as its gradient.
        g : array, shape (d,)
            Its gradient there; copied. On the CPU in any form whose numbers x's dtype holds:
            integers, lists, narrower floats, any strides.
        warm_start : WarmStart, SearchState or OptimizeResult, optional
            An earlier search of the same method, size, dtype, device and groups, whose set of step
            sizes and pairs this one starts with; see `WarmStart`.

        Returns
        -------
        SearchState
            Status 3 when f or g is not finite.

        Raises
        ------
        TypeError
            When x or g is no array of real numbers, or x's dtype does not hold those of g.
        ValueError
            When x is empty, holds NaN or inf, lies outside of the bounds, or g's size or device is
            not x's; when an earlier search does not fit.
        RuntimeError
            When x lives on a device that cannot be used.
        """
        library = Library(x)
        core = self._new()
        with telling(core):
            begin(core, x, real_value("f", f), g, warm_start)
        return SearchState(self, core, library)

    def propose(self, state: SearchState, *, copy: bool = True) -> Any:
        """Give the point to evaluate next.

        Parameters
        ----------
        state : SearchState
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

    def judge(self, state: SearchState, f: Any, g: Any, *, wait: bool = True) -> bool | None:
        """Take the objective and gradient at the proposed point.

        Parameters
        ----------
        state : SearchState
            Changed in place.
        f : float
            The objective at the proposed point, as for `init`; need not be finite.
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
            state._core.judge_async(f if is_device(f) else real_value("f", f), g)
            return None
        if type(f) is not float:
            with telling(state._core):
                f = real_value("f", f)
        return state._core.judge(f, g)

    def converged(self, state: SearchState, gtol: float = 0.0) -> bool:
        """Whether max|g| <= gtol, or the search has ended by itself (see ``state.status``).

        With bounds or l1 it is not max|g|; see `SearchState.gmax`.
        """
        return state._core.converged(gtol)

    def restore(self, saved: Mapping[str, Any], like: Any = None) -> SearchState:
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
        SearchState
            Independent of ``saved``.

        Raises
        ------
        ValueError, TypeError
            When an entry is missing or does not fit this search.
        """
        library = Library(np.empty(0) if like is None else like)
        return loaded(self, saved, library, device_of(like))


def begin(core: Any, x: Any, f: float, g: Any, warm_start: Any) -> None:
    """Start the core's search at x, from what an earlier one has learnt where there is one."""
    if warm_start is None:
        core.init(x, f, g)
        return
    if not isinstance(core, _core.SearchState):
        raise ValueError(
            "warm_start: expected None for a method that carries nothing over; those that do are "
            + ", ".join(_warm_start.CARRIED)
        )
    start = _warm_start.warm_start(warm_start)
    core.init_from(x, f, g, start.earlier._core, start.coefficients(math.prod(np.shape(x))))


def _remade(kind: type[Search], options: dict[str, Any]) -> Search:
    return kind(**options)


def _short(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.size <= 8:
        return repr(value.tolist())
    if value.ndim == 2:
        return f"<{len(value)} pairs>"
    if value.dtype.kind == "f":
        return f"<{value.size} numbers>"
    return f"<{value.size} labels, {np.unique(value).size} groups>"


def _kept(rows: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Copy numbers into memory that nobody can write to."""
    return None if rows is None else np.frombuffer(rows.tobytes()).reshape(rows.shape)


def _labels(groups: ArrayLike) -> NDArray[np.int64]:
    """Copy one whole number per coordinate into memory that nobody can write to."""
    labels = real_array("groups", groups)
    if labels.dtype.kind not in "iu" or labels.size == 0:
        raise TypeError(
            f"groups: expected one whole number per coordinate, got dtype {labels.dtype} "
            f"of shape {labels.shape}"
        )
    if labels.max() > np.iinfo(np.int64).max:
        raise ValueError(f"groups: expected labels below 2**63, got {labels.max()}")
    return np.frombuffer(labels.astype(np.int64).tobytes(), np.int64)
