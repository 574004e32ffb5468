"""The state of a method at work: points, gradients, counters, and when a run ends by itself.

It has the interface of the core's searches, so that the loop of `minimize`, its trace and its
checkpoints see no difference. What a method is, its `Formula` says.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mdbopt.kernels import _internal as walks

RUNNING, PRECISION, NOT_FINITE = -1, 2, 3
# Rejections in a row after which no step is expected to help: 60 halvings leave no digit.
MOST_FAILURES = 60
# Evaluations of -inf, or of what is as low as a double gets, or of less than before with a gradient
# beyond LARGEST, after which the objective counts as unbounded; and a value at the end, over that
# at the start, that says so, too.
MOST_BOTTOMS = 30
LOWEST = -1e300
BOTTOM = -1e30
# A gradient beyond this, relative to the first one, is no gradient to step along: sums of its
# squares, which methods keep in its own type, have to stay finite.
LARGEST = {np.dtype(np.float64): 1e30, np.dtype(np.float32): 1e18}
# |Δf| below this share of |f| is rounding, and the slopes at both ends say more.
NOISE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-5}
# The share of its first-order promise that a first step must win.
FIRST_ARMIJO = 0.5

POINTS = ("x", "g", "x_trial", "direction", "x_origin", "g_origin", "x_least", "g_least")
NUMBERS = (
    "f", "f_first", "f_origin", "f_least", "gmax", "gmax_least", "trial_gmax", "step", "scale",
    "g2", "held_step",
)  # fmt: skip
COUNTERS = (
    "status", "evaluations", "accepted", "ncut", "failures", "bottoms", "stale", "searching",
    "probing", "held",
)  # fmt: skip

MOST_COUNTED = 2**53
LEAST_POSITIVE = 5e-324
MOST = sys.float_info.max
# Whole numbers, or a least and a largest number.
Limit = range | tuple[float, float]
# What may be saved of these; a method has limits of its own.
LIMITS: dict[str, Limit] = {
    "scale": (2.0**-1000, 2.0**1000),
    "step": (LEAST_POSITIVE, MOST),
    "held_step": (LEAST_POSITIVE, MOST),
    "g2": (0.0, math.inf),
    "evaluations": (1, MOST_COUNTED),
    **dict.fromkeys(("accepted", "ncut", "failures", "bottoms", "stale"), (0, MOST_COUNTED)),
    **dict.fromkeys(("searching", "probing", "held"), range(2)),
}

Array = NDArray[Any]


class Formula(Protocol):
    """What a state asks of its method; `mdbopt._methods._descent.Descent` says what each is."""

    @property
    def monotone(self) -> bool: ...
    @property
    def patience(self) -> int: ...
    @property
    def backend(self) -> str | None: ...
    @property
    def threads(self) -> int | None: ...

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]: ...
    def first_numbers(self) -> dict[str, float]: ...
    def limits(self, size: int) -> Mapping[str, Limit]: ...
    def first_step(self, run: Iteration) -> float | None: ...
    def start(self, run: Iteration) -> None: ...
    def begin(self, run: Iteration) -> None: ...
    def direct(self, run: Iteration) -> None: ...
    def trial(self, run: Iteration) -> float: ...
    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None: ...
    def learn(
        self, run: Iteration, before: tuple[Array, Array], after: tuple[Array, Array], sums: Any
    ) -> None: ...
    def follow(self, run: Iteration, moved: bool) -> None: ...
    def hole(self, run: Iteration) -> None: ...


class HalfJudged(RuntimeError):
    """An interrupt came in the middle of a judgement, so that the state cannot be gone on with."""


class Iteration:
    """A method at work.

    Gradients are read times ``scale``, a power of two near 1/max|g| at the start: that keeps
    squares within range and changes no bit of the path. A trial is x + step·direction.

    Attributes
    ----------
    numbers : dict of str to float
        What the method keeps from one trial to the next.
    arrays : dict of str to array
        Likewise.
    """

    device = None

    def __init__(self, method: Formula) -> None:
        self._method = method
        self._whole = True
        self.numbers: dict[str, float] = {}
        self.arrays: dict[str, Array] = {}
        self.points: dict[str, Array] = {}
        self.status = RUNNING
        self.f = self.f_first = self.f_origin = self.f_least = math.nan
        self.gmax = self.gmax_least = self.trial_gmax = self.g2 = math.nan
        self.step = self.scale = self.held_step = 1.0
        self.evaluations = self.accepted = self.ncut = 0
        self.failures = self.bottoms = self.stale = 0
        self.searching = self.probing = self.held = 0

    def init(self, x: Array, f: float, g: Array) -> None:
        """Start at x, where f and g were evaluated."""
        self.points = {name: np.zeros(x.size, x.dtype) for name in POINTS}
        np.copyto(self.points["x"], x)
        np.copyto(self.points["g"], g)
        self.evaluations = 1
        norm = self.walk("norm", g)
        self.f = self.f_first = self.f_least = f
        self.gmax = self.gmax_least = self.trial_gmax = norm.max
        if not (math.isfinite(f) and math.isfinite(norm.max)):
            self.status = NOT_FINITE
            return
        if norm.max > 0.0:
            # At both ends of the range a factor of 2**1000 is as near as a double can bring it.
            self.scale = 2.0 ** min(1000, max(-1000, 1 - math.frexp(norm.max)[1]))
        self.g2 = self.walk("norm", g, scale=self.scale).norm2
        self._keep_least()
        method = self._method
        self.arrays = {
            name: np.zeros(size, np.float64 if wide else x.dtype)
            for name, (size, wide) in method.shapes(x.size).items()
        }
        self.numbers = method.first_numbers()
        first = method.first_step(self)
        method.start(self)
        if first is None:
            self.searching = self.probing = 1
            self._set_origin()
            self.step = 1.0
            method.direct(self)
            length = self.walk("norm", self.points["direction"]).norm2
            self.step = 1.0 / math.sqrt(length) if length > 0.0 else 1.0
        else:
            self.step = first
            method.begin(self)
            method.direct(self)
        self._prepare()

    def walk(self, rule: str, *streams: Array, **scalars: float) -> Any:
        """Run a rule of the core with this method's backend and threads."""
        method = self._method
        return getattr(walks, rule)(
            *streams, backend=method.backend, threads=method.threads, **scalars
        )

    def along_gradient(self) -> None:
        """Set the direction to the negative gradient."""
        self.walk("scaled", self.points["g"], self.points["direction"], scale=-self.scale)

    def along_scaled_gradient(self, p: Array) -> None:
        """Set the direction to -p∘g."""
        self.points["direction"].fill(0.0)
        self.walk(
            "momentum_step", self.points["g"], p, self.points["direction"], scale=self.scale,
            box=1.0,
        )  # fmt: skip

    def along_update(self, rule: str, *state: Array, **scalars: float) -> Any:
        """Set the direction to the step of a first-order update with a learning rate of 1."""
        direction = self.points["direction"]
        direction.fill(0.0)
        scalars = {"grad_scale": self.scale} | scalars
        return self.walk(rule, direction, self.points["g"], *state, lr=1.0, **scalars)

    def change(self, f: float, sums: Any) -> float:
        """Return the change of f to the trial, times ``scale``, from slopes where f is rounding."""
        before = self.f_origin if self.probing else self.f
        difference = f - before
        if abs(difference) <= NOISE[self.points["x"].dtype] * max(abs(f), abs(before)):
            return 0.5 * float(sums.gs + sums.gs_trial)
        return difference * self.scale

    def _set_origin(self) -> None:
        np.copyto(self.points["x_origin"], self.points["x"])
        np.copyto(self.points["g_origin"], self.points["g"])
        self.f_origin = self.f

    def set_origin(self) -> None:
        """Let all trials start from the current point until told otherwise."""
        self.probing = 1
        self._set_origin()

    def propose(self, copied: bool = False) -> Array:
        """Give the point to evaluate next."""
        return self.points["x_trial"].copy() if copied else _read_only(self.points["x_trial"])

    def judge(self, f: float, g: Array) -> bool:
        """Take f and g at the proposed point; return whether x moved there."""
        self._whole = False
        moved = self._judged(f, g)
        self._whole = True
        return moved

    def _judged(self, f: float, g: Array) -> bool:
        self.evaluations += 1
        points = self.points
        origin = ("x_origin", "g_origin") if self.probing else ("x", "g")
        sums = self.walk(
            "pair_sums", points[origin[0]], points["x_trial"], points[origin[1]], g,
            scale=self.scale,
        )  # fmt: skip
        self.trial_gmax = sums.gmax
        self._count(f)
        gmax, largest = sums.gmax * self.scale, LARGEST[self.points["x"].dtype]
        if not LOWEST < f < math.inf or not gmax < largest:
            moved = self._fall(f <= LOWEST or (f < self.f_least and gmax >= largest))
        elif self.searching:
            moved = self._search(f, g, sums)
        elif sums.ss == 0.0:  # the square of the step has left the range of a double
            moved = False
            self.end(PRECISION)
        else:
            moved = self._decide(f, g, sums)
        if self.status == RUNNING and self.stale >= self._method.patience:
            self.end(PRECISION)
        self._prepare()
        return moved

    def _count(self, f: float) -> None:
        """Count evaluations that lowered neither the least f nor the least max|g|."""
        gain = f < self.f_least or (math.isfinite(f) and self.trial_gmax < self.gmax_least)
        self.stale = 0 if gain else self.stale + 1
        if math.isfinite(f) and self.trial_gmax < self.gmax_least:
            self.gmax_least = self.trial_gmax

    def _fall(self, bottom: bool) -> bool:
        """Go on from a trial that is not finite or at the bottom: nearer to where it came from."""
        if bottom:
            self.bottoms += 1
            if self.bottoms >= MOST_BOTTOMS:
                self.end(NOT_FINITE)
                return False
        self._fail()
        if not self.searching:
            self._method.hole(self)
        elif self.held:
            self._end_search()
        else:
            self.step *= 0.1
        return False

    def _fail(self) -> None:
        self.failures += 1
        self.ncut += 1
        if self.failures >= MOST_FAILURES:
            self.end(PRECISION)

    def _search(self, f: float, g: Array, sums: Any) -> bool:
        """Double the first step while that lowers f as Armijo asks, or halve it until it does."""
        wins = self.change(f, sums) <= FIRST_ARMIJO * sums.gs and sums.gs < 0.0
        if wins and not (self.held and f >= self.f):
            halved = self.failures > 0
            self.move(f, g, sums)
            self.held, self.held_step = 1, self.step
            if halved:
                self._end_search()
            else:
                self.step *= 2.0
            return True
        if self.held:
            self.ncut += 1
            self._end_search()
            return False
        self._fail()
        self.step *= 0.5
        return False

    def _end_search(self) -> None:
        if self.status != RUNNING:
            return
        points = self.points
        self.searching = self.probing = 0
        sums = self.walk(
            "pair_sums", points["x_origin"], points["x"], points["g_origin"], points["g"],
            scale=self.scale,
        )  # fmt: skip
        self.step = self.held_step
        method = self._method
        method.begin(self)
        # As of any step that was held; a state that was changed may say other things.
        if sums.ss > 0.0:
            method.learn(
                self, (points["x_origin"], points["g_origin"]), (points["x"], points["g"]), sums
            )
        method.direct(self)

    def _decide(self, f: float, g: Array, sums: Any) -> bool:
        moved = self._method.judge(self, f, g, sums)
        if moved:
            self.move(f, g, sums)
        elif moved is False:
            self._fail()
        if self.status == RUNNING:
            self._method.follow(self, bool(moved))
        return bool(moved)

    def move(self, f: float, g: Array, sums: Any) -> None:
        """Make the trial the current point."""
        points = self.points
        points["x"], points["x_trial"] = points["x_trial"], points["x"]
        np.copyto(points["g"], g)
        self.f, self.gmax, self.g2 = f, sums.gmax, sums.g2_trial
        self.accepted += 1
        self.failures = 0
        if not self._is_bottom():
            self.bottoms = 0
        if f < self.f_least:
            self.f_least = f
            self._keep_least()

    def _keep_least(self) -> None:
        if not self._method.monotone:
            np.copyto(self.points["x_least"], self.points["x"])
            np.copyto(self.points["g_least"], self.points["g"])

    def settle(self) -> None:
        """Go back to the point with the least f, where a method that may climb has left it."""
        if not self._method.monotone and self.f_least < self.f:
            np.copyto(self.points["x"], self.points["x_least"])
            np.copyto(self.points["g"], self.points["g_least"])
            self.f = self.f_least
            norm = self.walk("norm", self.points["g"])
            self.gmax = norm.max

    def end(self, status: int) -> None:
        """End by itself."""
        unbounded = self.bottoms > 0 or self._is_bottom()
        self.status = NOT_FINITE if unbounded else status

    def _is_bottom(self) -> bool:
        return self.f < BOTTOM * max(1.0, abs(self.f_first))

    def _prepare(self) -> None:
        """Write the next trial, finite and other than x, or end."""
        while self.status == RUNNING:
            finite = math.isfinite(self.step)
            moved = self._method.trial(self) if finite else math.inf
            if moved == 0.0 or self.step == 0.0:
                self.end(PRECISION)
            elif math.isfinite(moved):
                return
            elif self.searching and self.held:
                self._end_search()
            elif finite:
                self.step *= 0.1
            else:
                self.end(PRECISION)

    def from_point(self) -> Array:
        """Return the point that trials start from."""
        return self.points["x_origin" if self.probing else "x"]

    @property
    def x(self) -> Array:
        """The current point, shape (d,)."""
        return _read_only(self.points["x"])

    @property
    def g(self) -> Array:
        """The gradient there, shape (d,)."""
        return _read_only(self.points["g"])

    def converged(self, gtol: float) -> bool:
        """Whether max|g| <= gtol, or the method has ended by itself."""
        return self.gmax <= gtol or self.status != RUNNING

    def step_sizes(self) -> NDArray[np.float64]:
        """Return p of the next step x - p∘g, 0 where that does not follow the gradient."""
        g = self.points["g"].astype(np.float64)
        direction = self.points["direction"].astype(np.float64)
        sizes = np.zeros_like(g)
        if self.status == NOT_FINITE and self.evaluations == 1:
            return sizes
        with np.errstate(all="ignore"):
            np.divide(-self.step * direction, g, out=sizes, where=g != 0.0)
        return np.where(np.isfinite(sizes) & (sizes > 0.0), sizes, 0.0)

    def save(self) -> dict[str, Any]:
        """Return the state as plain arrays and numbers."""
        if not self._whole:
            raise HalfJudged("the state cannot be saved in the middle of a judgement")
        saved: dict[str, Any] = {name: self.points[name].copy() for name in POINTS}
        saved |= {name: float(getattr(self, name)) for name in NUMBERS}
        saved |= {name: int(getattr(self, name)) for name in COUNTERS}
        saved |= {f"number_{name}": float(value) for name, value in self.numbers.items()}
        saved |= {f"array_{name}": array.copy() for name, array in self.arrays.items()}
        return saved

    def entry(self, name: str) -> Any:
        """Return one entry of what `save` returns."""
        return self.save()[name]

    def names(self) -> list[str]:
        """Return the names of what `save` returns."""
        return list(self.save())

    def load(self, saved: Mapping[str, Any], device: int | None = None) -> None:
        """Continue from what `save` returned, or raise naming the entry that does not fit."""
        if device is not None:
            raise ValueError("device: expected none, as this method works on the CPU only")
        x = _array(saved, "x", None, None)
        points = {name: _array(saved, name, x.size, x.dtype) for name in POINTS}
        arrays = {
            name: _array(saved, f"array_{name}", size, np.dtype(np.float64) if wide else x.dtype)
            for name, (size, wide) in self._method.shapes(x.size).items()
        }
        numbers = {
            name: _number(saved, f"number_{name}", float) for name in self._method.first_numbers()
        }
        common = {name: _number(saved, name, float) for name in NUMBERS}
        counters = {name: _number(saved, name, int) for name in COUNTERS}
        if counters["status"] not in (RUNNING, PRECISION, NOT_FINITE):
            raise ValueError(f"saved: 'status' is {counters['status']}, expected -1, 2 or 3")
        if counters["status"] == RUNNING:
            kept = {f"number_{name}": value for name, value in numbers.items()}
            kept |= {f"array_{name}": array for name, array in arrays.items()}
            limits = {**LIMITS, **self._method.limits(x.size)}
            _check_limits({**common, **counters, **kept}, limits)
        self.points, self.arrays, self.numbers = points, arrays, numbers
        for name, value in {**common, **counters}.items():
            setattr(self, name, value)


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _array(saved: Mapping[str, Any], name: str, size: int | None, dtype: Any) -> Array:
    if name not in saved:
        raise ValueError(f"saved: {name!r} is missing")
    array = np.array(saved[name])
    if array.ndim != 1 or (dtype is None and array.dtype not in NOISE):
        raise ValueError(f"saved: {name!r} has dtype {array.dtype} and shape {array.shape}")
    if dtype is not None and (array.dtype != dtype or array.size != size):
        raise ValueError(
            f"saved: {name!r} has dtype {array.dtype} and shape {array.shape}, expected {dtype} "
            f"and ({size},)"
        )
    return array


def _check_limits(saved: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
    """Raise for a number, or an element of an array, with which no step can be taken."""
    for name, limit in limits.items():
        value = saved[name]
        if isinstance(limit, range):
            if value not in limit:
                expected = f"a whole number in [{limit[0]}, {limit[-1]}]"
                raise ValueError(f"saved: {name!r} is {value}, expected {expected}")
        elif not np.all((limit[0] <= value) & (value <= limit[1])):
            raise ValueError(f"saved: {name!r} is {value}, expected numbers in {list(limit)}")


def _number(saved: Mapping[str, Any], name: str, kind: type) -> Any:
    if name not in saved:
        raise ValueError(f"saved: {name!r} is missing")
    value = np.asarray(saved[name])
    if value.ndim != 0 or value.dtype.kind not in ("i" if kind is int else "fi"):
        raise ValueError(f"saved: {name!r} is {value!r}, expected one number")
    return kind(value.item())
