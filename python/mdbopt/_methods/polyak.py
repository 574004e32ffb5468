"""Polyak's step size, with the least value known or estimated.

x⁺ = x - α·g, α = (f(x) - f*)/‖g‖² (Polyak 1969). Where f* is not known, the level f_least - δ takes
its place (Brännlund 1993; Goffin, Kiwiel 1999): δ ← 2δ where the step lowered the least f by half
of δ at least, δ ← δ/2 where it did not (the two-sided rule of Nedić, Bertsekas 2001; they let f
reach the level itself, which no step along -g does for a convex f). δ at the start is what the
search for a first step won, or ``lr``·‖g‖².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Array, Iteration
from mdbopt._methods._options import number


@dataclass(frozen=True, kw_only=True)
class Polyak(Descent):
    """Gradient descent with Polyak's step size.

    Parameters
    ----------
    f_star : float, optional
        The least value of f, or a bound below it.
    """

    f_star: float | None = number(None)

    def first_numbers(self) -> dict[str, float]:
        return {"gap": 0.0}

    def first_step(self, run: Iteration) -> float | None:
        given = super().first_step(run)
        return 1.0 if given is None and self.f_star is not None else given

    def begin(self, run: Iteration) -> None:
        won = (run.f_first - run.f) * run.scale
        run.numbers["gap"] = won if run.accepted else run.step * run.g2

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        numbers = run.numbers
        won = (f - run.f_least) * run.scale <= -0.5 * numbers["gap"]
        numbers["gap"] *= 2.0 if won else 0.5
        return True

    def direct(self, run: Iteration) -> None:
        run.along_gradient()
        if run.searching or run.g2 == 0.0:
            return
        if self.f_star is not None:
            run.step = (run.f - self.f_star) * run.scale / run.g2
        else:
            run.step = ((run.f - run.f_least) * run.scale + run.numbers["gap"]) / run.g2
        run.step = max(run.step, 0.0)
