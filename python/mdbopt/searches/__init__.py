"""Ask-and-tell searches: for loops that own the evaluation of the objective.

A search is a frozen set of options. Its `init` makes a `SearchState`, which holds the point, the
set of step sizes and the counters; `propose` asks for the next point, `judge` takes what the
objective gave there.

Started from arrays on a CUDA device, a search works and stays there: it proposes points on it, in
the library of those arrays, and takes gradients on it; only a few sums cross to the host. The path
has the same bits as on the CPU.

With ``judge(..., wait=False)`` not even those cross: decisions are taken on the device, and a CUDA
graph may record the objective and the judgement together::

    search = mdbopt.Guarded()
    state = search.init(x, *evaluate(x))
    y = search.propose(state, copy=False)  # every next point is written here
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        search.judge(state, *evaluate(y), wait=False)
    while not search.converged(state, gtol=1e-8):  # reading waits, so not at every step
        for _ in range(50):
            graph.replay()

The path is the same, but for one thing: a trial that is not finite stays until the next judgement,
which tries a shorter step whatever it is told. Once the search has ended, judgements do nothing.

With ``reducer=`` x is one piece of a vector that several threads, processes or machines hold, each
with a search of its own: ``reducer(values)`` gives float64 values of shape (n,) to all of them and
returns what all gave, shape (shards, n), in one order of the shards. All make the same calls with
the same f, and take the same decisions; cut at multiples of 1024 elements, they have the bits of
the whole. What does not agree is a RuntimeError on every shard, and so is what another one raised.

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

from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt import _checks
from mdbopt._noise import noise_levels
from mdbopt.searches._base import Search
from mdbopt.searches._state import SearchState
from mdbopt.searches._warm_start import WarmStart

__all__ = ["Backtracking", "Box", "Ellipsoid", "Guarded", "SearchState", "Simplex", "WarmStart"]

CANDIDATES = ("gradient", "plain")
PROPOSERS = ("lbfgs", "heavy-ball", "nesterov", "cg")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Backtracking(Search):
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
    groups : array of int, shape (d,), optional
        One label per coordinate and one step size per label: the same as `Box` with these groups.
        Kept as a copy, int64, that cannot be written to.
    bounds : scipy.optimize.Bounds or sequence of pairs (lower, upper), optional
        Within which x stays, one pair per coordinate or one for all; None in a pair is infinite,
        equal ones fix a coordinate. x at the start has to lie within. They need
        ``cut="cocoercive"``; see docs/bounds.md. Kept as rows, float64, that cannot be written to.
    l1 : float or array of shape (d,), optional
        Numbers >= 0, one for all coordinates or one for each: Σ l1 |x| is added to the objective,
        which is told without it; 0 exempts a coordinate. It goes with bounds, and needs
        ``cut="cocoercive"``; see docs/l1.md. Kept as float64 that cannot be written to.
    backend, threads
        As for `mdbopt.kernels`.
    reducer : callable, optional
        How this search meets the other shards where x is one piece of a vector; see
        `mdbopt.searches`.

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

    def _core_method(self) -> str:
        # One step size for each group is the box over groups.
        return self.method if self.groups is None else "box"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Box(Search):
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
        number of labels. Kept as a copy, int64, that cannot be written to.
    backend, threads
        As for `mdbopt.kernels`.
    bounds, l1, reducer
        As for `Backtracking`.

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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Simplex(Search):
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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Ellipsoid(Search):
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
        "plain" takes the point √(a/d) of the boundary whatever the gradient; bounds and l1 need it.
    refine : int, default 0
        Newton steps by which λ is improved to the smallest ellipsoid of the family; inf for all
        that change it.
    forward, cut, groups, bounds, l1, backend, threads, reducer
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
    refine: float | None = 0

    def _options(self) -> dict[str, Any]:
        return {
            **super()._options(),
            "gradient_direction": _checks.choice("candidate", self.candidate, CANDIDATES)
            == "gradient",
            "refine": min(_checks.limit("refine", self.refine, least=0, default=0), 2**31 - 1),
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Guarded(Search):
    """A fast direction proposes, the box of multidimensional backtracking guards: the default.

    Parameters
    ----------
    memory : int or "auto", default "auto"
        Secant pairs that the direction remembers; each takes 8 bytes a coordinate once it is there.
        "auto" keeps as many as cost little beside an evaluation: min(80, max(10, 2¹⁹/d)), rounded
        down, and no more than 40 with bounds or l1. More pairs than variables still help; inf keeps
        all.
    proposer : {"lbfgs", "heavy-ball", "nesterov", "cg"}
        Where directions come from; with bounds or l1 from "lbfgs".
    noise : float or pair of float, optional
        How far what is told may be from the truth: f by that many of its units, and the gradient,
        in the 2-norm, by that many of f over x; a number alone stands for (number, 0). Steps are
        then accepted, pairs taken and the box cut only as far as that is certain, and the search
        ends with status 4 where noise hides all further progress: see docs/noise.md. It needs
        ``cut="cocoercive"``. Kept as a pair; (0, 0) as None.
    gamma, initial_scale, forward, cut, groups, bounds, l1, backend, threads, reducer
        Of the guarding box, as for `Box`.

    Examples
    --------
    >>> import mdbopt
    >>> mdbopt.Guarded().memory
    'auto'
    """

    method: ClassVar[str] = "guarded"
    memory: float | str | None = "auto"
    proposer: str = "lbfgs"
    noise: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", noise_levels(self.noise))
        super().__post_init__()

    def _options(self) -> dict[str, Any]:
        noise = {} if self.noise is None else {"noise": self.noise}
        return {
            **super()._options(),
            **noise,
            "memory": self._memory(),
            "proposer": _checks.choice("proposer", self.proposer, PROPOSERS),
        }

    def _memory(self) -> int:
        if isinstance(self.memory, str):
            if self.memory != "auto":
                raise ValueError(
                    f'memory: expected a whole number >= 1 or "auto", got {self.memory!r}'
                )
            return 0  # the core's word for it
        return _checks.limit("memory", self.memory, least=1, default=0)
