"""Ask-and-tell searches: for loops that own the evaluation of the objective.

A search is a frozen set of options. Its `init` makes a `State`, which holds the point, the set of
step sizes and the counters; `propose` asks for the next point, `judge` takes what the objective
gave there.

Examples
--------
>>> import numpy as np, mdbopt
>>> h = np.array([1.0, 100.0])
>>> def evaluate(x):
...     return 0.5 * float(h @ x**2), h * x
>>> search = mdbopt.Box()
>>> x = np.ones(2)
>>> state = search.init(x, *evaluate(x))
>>> while not search.converged(state, gtol=1e-8):
...     y = search.propose(state)
...     moved = search.judge(state, *evaluate(y))
>>> bool(np.abs(state.x).max() < 1e-8), state.status
(True, -1)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdbopt import _checks, _core
from mdbopt._arrays import Library

CUTS = ("cocoercive", "hypergradient")
CANDIDATES = ("gradient", "plain")
PROPOSERS = ("lbfgs", "heavy-ball", "nesterov", "cg")


class State(Mapping[str, Any]):
    """A search at work: the current point, the set of step sizes, and counters.

    It is a mapping of names to plain arrays and numbers, so ``numpy.savez(file, **state)`` saves it
    and ``search.restore(numpy.load(file))`` continues to the same bits; it can be pickled and
    copied. Arrays are copies in the mapping; `x` and `g` are views of the search's own memory
    (NumPy, read-only, valid until the next `judge`) or copies in the caller's library.
    """

    def __init__(self, search: _Search, core: _core.State, library: Library) -> None:
        self._search = search
        self._core = core
        self._library = library

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._search, dict(self), self._library.name)

    def __copy__(self) -> State:
        return _restored(self._search, dict(self), self._library.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self.__copy__()

    def _give(self, view: Any) -> Any:
        return view if self._library.is_numpy else self._library.from_numpy(view.copy())

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
        return self._core.save()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.save())

    def __len__(self) -> int:
        return len(self._core.save())

    def __repr__(self) -> str:
        return (
            f"<State f={self.f:.6g} max|g|={self.gmax:.3g} nfev={self.nfev} "
            f"accepted={self.accepted} ncut={self.ncut}>"
        )


@dataclass(frozen=True, kw_only=True)
class _Search:
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

    def _new(self) -> _core.State:
        return _core.State(method=self.method, **self._options())

    def init(self, x: Any, f: float, g: Any) -> State:
        """Start at a point where the objective was evaluated.

        Parameters
        ----------
        x : array, shape (d,), float64 or float32
            The start; copied.
        f : float
            The objective there.
        g : array like x
            Its gradient there; copied.

        Returns
        -------
        State
            Status 3 when f or g is not finite.

        Raises
        ------
        TypeError
            When x or g is no array of float64 or float32, or g's dtype is not x's.
        ValueError
            When x is empty, holds NaN or inf, or g's size is not x's.
        """
        library = Library(x)
        core = self._new()
        core.init(library.to_numpy(x, "x"), float(f), library.to_numpy(g, "g"))
        return State(self, core, library)

    def propose(self, state: State) -> Any:
        """Give the point to evaluate next: read-only, valid until `judge`.

        Raises
        ------
        ValueError
            When the search has ended (`converged` is true).
        """
        return state._give(state._core.propose())

    def judge(self, state: State, f: float, g: Any) -> bool:
        """Take the objective and gradient at the proposed point.

        Parameters
        ----------
        state : State
            Changed in place.
        f : float
            The objective at the proposed point; need not be finite.
        g : array, shape (d,), dtype of x
            Its gradient; read, never kept.

        Returns
        -------
        bool
            True when ``state.x`` moved to the proposed point, False when the search learnt from it.

        Raises
        ------
        ValueError
            When no point is proposed, or g's size is not x's.
        TypeError
            When g's dtype is not x's.
        """
        if type(g) is not np.ndarray:
            g = state._library.to_numpy(g, "g")
        return state._core.judge(f if type(f) is float else float(f), g)

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
            An array of the library that results are given in; NumPy by default.

        Returns
        -------
        State
            Independent of ``saved``.

        Raises
        ------
        ValueError, TypeError
            When an entry is missing or does not fit this search.
        """
        return self._restore(saved, Library(np.empty(0) if like is None else like))

    def _restore(self, saved: Mapping[str, Any], library: Library) -> State:
        core = self._new()
        core.load({name: saved[name] for name in saved})
        return State(self, core, library)


def _restored(search: _Search, saved: dict[str, Any], library: str | None) -> State:
    return search._restore(saved, Library.named(library))


def _common(search: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if search.gamma is not None:
        options["gamma"] = _checks.real("gamma", search.gamma, least=0.0, strict=True)
    if search.initial_scale != "auto":
        scale = search.initial_scale
        if isinstance(scale, str):
            raise ValueError(f'initial_scale: expected a number or "auto", got {scale!r}')
        options["initial_scale"] = _checks.real("initial_scale", scale, least=0.0, strict=True)
    if search.forward is not None:
        options["forward"] = _checks.real("forward", search.forward, least=1.0)
    options["cocoercive"] = _checks.choice("cut", search.cut, CUTS) == "cocoercive"
    return options


def _groups(groups: ArrayLike | None) -> list[int]:
    if groups is None:
        return []
    labels = np.asarray(groups)
    if labels.dtype.kind not in "iu" or labels.size == 0:
        raise TypeError(
            f"groups: expected one whole number per coordinate, got dtype {labels.dtype} "
            f"of shape {labels.shape}"
        )
    return [int(label) for label in labels.ravel()]


@dataclass(frozen=True, kw_only=True)
class Backtracking(_Search):
    """Classic backtracking: one step size for all coordinates.

    The interval {0 <= q <= b} is the set; the candidate is ``gamma * b``; a rejection cuts b to
    ν/Σu (see `Box`), at least by half.

    Parameters
    ----------
    gamma : float, default 1/2
        Candidate over b, dimensionless.
    initial_scale : float or "auto", default "auto"
        b at the start, in units of x over g; "auto" finds the scale by trial.
    forward : float, default 1.1
        Growth of b after an accepted step, dimensionless.
    cut : {"cocoercive", "hypergradient"}
        Which half-space a rejection cuts by; see `Box`.
    backend, threads
        As for `mdbopt.kernels`.

    See Also
    --------
    Box : with ``groups`` of one label it is this search in exact arithmetic.

    References
    ----------
    Armijo (1966); section 2 of Kunstner et al., arXiv 2306.02527.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Backtracking(initial_scale=1.0).forward is None
    True
    """

    method: ClassVar[str] = "backtracking"
    gamma: float | None = None
    initial_scale: float | str = "auto"
    forward: float | None = None
    cut: str = "cocoercive"

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), **_common(self)}


@dataclass(frozen=True, kw_only=True)
class Box(Backtracking):
    """Multidimensional backtracking over the box {0 <= q <= b}.

    Candidate p = gamma b, accepted when f(x - p∘g) <= f(x) - ½⟨g², p⟩. A rejection cuts
    b <- min(b, ν/u); with ``cut="hypergradient"`` u = max(0, ½g² - g∘g⁺) and ν = D(x, x⁺), the
    paper's; with "cocoercive" u = (g - g⁺)² and ν = 2 min(D(x, x⁺), D(x⁺, x)), deeper in every
    coordinate and as safe. The rate is (1 - 1/(2 d κ̃))ᵏ.

    Parameters
    ----------
    gamma : float, default 1/(2d)
        Candidate over b, dimensionless.
    initial_scale : float or "auto", default "auto"
        b = initial_scale·d at the start, in units of x over g.
    forward : float, default 1.1
        Growth of b after an accepted step; 1 keeps the guarantee as proved.
    cut : {"cocoercive", "hypergradient"}
        See above.
    groups : array of int, shape (d,), optional
        One label per coordinate; coordinates of one label share a step size, and d above is the
        number of labels.
    backend, threads
        As for `mdbopt.kernels`.

    References
    ----------
    Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527, section 4.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Box(groups=[0, 0, 1], cut="hypergradient").cut
    'hypergradient'
    """

    method: ClassVar[str] = "box"
    groups: ArrayLike | None = None

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "groups": _groups(self.groups)}

    def _check_size(self, size: int) -> None:
        if self.groups is not None and np.size(self.groups) != size:
            raise ValueError(
                f"groups: expected one label per coordinate, {size}, got {np.size(self.groups)}"
            )


@dataclass(frozen=True, kw_only=True)
class Simplex(Box):
    """Multidimensional backtracking over the simplex {q >= 0 : Σ q/b <= d}.

    Candidate p = gamma b. A rejection cuts 1/b <- λ/b + (1 - λ) d u/ν with λ = (d - 1)/(d - ½).
    Parameters are those of `Box`, with gamma ½ and b = initial_scale at the start.

    References
    ----------
    The authors' published code of arXiv 2306.02527; the paper does not treat it.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Simplex().initial_scale
    'auto'
    """

    method: ClassVar[str] = "simplex"


@dataclass(frozen=True, kw_only=True)
class Ellipsoid(Box):
    """Multidimensional backtracking over the ellipsoid {q >= 0 : Σ q²/a <= 1}.

    Candidate: the point of the set that maximises ⟨g², q⟩, times gamma:
    p = gamma · a∘g²/‖√a∘g²‖. A rejection cuts a <- 1/(λ/a + (1 - λ)(u/ν)²) with
    λ = (ℓ/d)(d - 1)/(ℓ - 1) and ℓ = Σ (u/ν)² a. The rate is (1 - 1/(√(2d) κ̃))ᵏ.

    Parameters
    ----------
    gamma : float, default 1/√(2d)
        How far the candidate is drawn in from the boundary, dimensionless.
    initial_scale : float or "auto", default "auto"
        a = (initial_scale·d)² at the start.
    candidate : {"gradient", "plain"}
        "plain" takes the point √(a/d) of the boundary whatever the gradient.
    refine : int, default 0
        Newton steps by which λ is improved to the smallest ellipsoid of the family.
    forward, cut, groups, backend, threads
        As for `Box`.

    References
    ----------
    Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527, section 5.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Ellipsoid(candidate="plain", refine=2).refine
    2
    """

    method: ClassVar[str] = "ellipsoid"
    candidate: str = "gradient"
    refine: int = 0

    def _options(self) -> dict[str, Any]:
        return {
            **super()._options(),
            "gradient_direction": _checks.choice("candidate", self.candidate, CANDIDATES)
            == "gradient",
            "refine": _checks.whole("refine", self.refine, least=0),
        }


@dataclass(frozen=True, kw_only=True)
class Guarded(Box):
    """A fast direction proposes, the box of multidimensional backtracking guards: the default.

    Parameters
    ----------
    memory : int, default 10
        Secant pairs that the direction remembers.
    proposer : {"lbfgs", "heavy-ball", "nesterov", "cg"}
        Where directions come from.
    gamma, initial_scale, forward, cut, groups, backend, threads
        Of the guarding box, as for `Box`.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Guarded().memory
    10
    """

    method: ClassVar[str] = "guarded"
    memory: int = 10
    proposer: str = "lbfgs"

    def _options(self) -> dict[str, Any]:
        return {
            **super()._options(),
            "memory": _checks.whole("memory", self.memory, least=1),
            "proposer": _checks.choice("proposer", self.proposer, PROPOSERS),
        }
