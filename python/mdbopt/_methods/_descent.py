"""What all methods of this folder share: options, and the hooks in which one states its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from mdbopt import _checks, _core
from mdbopt._methods._iteration import Array, Iteration, Limit
from mdbopt._methods._options import number, whole

Pair = tuple[Array, Array]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """A method that steps from x to x + step·direction; a frozen set of options.

    The first step is found at x0, unless ``lr`` gives it: along the method's first direction, of
    length 1 at first, doubled while f falls by half of what the slope promises at least, or halved
    until it does. These points count as evaluations, and the best of them is the first iterate.

    Parameters
    ----------
    lr : float, optional
        The first step size in place of the search for one.
    patience : int, default 1000
        Evaluations in a row that lower neither the least f nor the least max|g| seen, after which
        a run ends with status 2.
    backend, threads
        As for `mdbopt.kernels`.
    """

    # Whether f never rises from one iterate to the next.
    monotone: ClassVar[bool] = False
    on_devices: ClassVar[bool] = False
    # Whether the direction has the units of the gradient, and the step size those of x over g.
    in_gradients: ClassVar[bool] = True

    lr: float | None = number(None, least=0.0, strict=True)
    patience: int = whole(1000, least=1)
    backend: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for option in fields(self):
            check = option.metadata.get("check")
            if check is not None:
                value = check(option.name, getattr(self, option.name))
                object.__setattr__(self, option.name, value)
        if self.backend is not None:
            _checks.choice("backend", self.backend, [name for name, *_ in _core.backends()])
        if self.threads is not None:
            threads = _checks.threads("threads", self.threads)
            object.__setattr__(self, "threads", threads)

    def _new(self) -> Any:
        return Iteration(self)

    def _check_size(self, size: int) -> None:
        """All sizes are welcome."""

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        """Return the arrays that are kept between trials: sizes, and whether always float64."""
        return {}

    def first_numbers(self) -> dict[str, float]:
        """Return the numbers that are kept between trials, as they are at the start."""
        return {}

    def limits(self, size: int) -> Mapping[str, Limit]:
        """Return what saved ``number_…`` and ``array_…`` have to be for a step to be taken."""
        return {}

    def first_step(self, run: Iteration) -> float | None:
        """Return the first step, None where it is to be searched for."""
        if self.lr is None:
            return None
        return self.lr / run.scale if self.in_gradients else self.lr

    def start(self, run: Iteration) -> None:
        """Fill the arrays."""

    def begin(self, run: Iteration) -> None:
        """Take up the first step, which is in ``run.step``."""

    def direct(self, run: Iteration) -> None:
        """Set direction and step at the current point."""
        run.along_gradient()

    def trial(self, run: Iteration) -> float:
        """Write the next trial; return the largest change of a coordinate."""
        points = run.points
        walk = run.walk(
            "along", run.from_point(), points["direction"], points["x_trial"], t=run.step
        )
        return float(walk.moved)

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        """Say whether the trial becomes the current point; None: neither that nor a failure."""
        if not self.accepts(run, f, sums):
            return False
        points = run.points
        self.learn(run, (points["x"], points["g"]), (points["x_trial"], g), sums)
        return True

    def accepts(self, run: Iteration, f: float, sums: Any) -> bool:
        """Say whether a trial is good enough."""
        return True

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        """Take in an accepted step, given by points and gradients at its ends."""

    def follow(self, run: Iteration, moved: bool) -> None:
        """Go on after a judgement."""
        if moved:
            self.direct(run)
        else:
            run.step *= 0.5

    def hole(self, run: Iteration) -> None:
        """Go on after a trial where f or g was not finite."""
        run.step *= 0.1
