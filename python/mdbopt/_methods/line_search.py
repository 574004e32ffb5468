"""Armijo's line search, monotone and not, and gradient descent by the latter.

A trial x + t·δ is accepted when f(x + tδ) <= C + armijo·t⟨g, δ⟩, else t ← factor·t; after an
accepted one t ← forward·t. C is f(x) (Armijo 1966), the largest f of the last ``window`` iterates
(Grippo, Lampariello, Lucidi 1986, eq. 2.4), or an average of all of them (Zhang, Hager 2004, eq.
1.6 and 1.7): Q ← eta·Q + 1, C ← C + (f - C)/Q.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Iteration, Limit
from mdbopt._methods._options import number, whole, word

REFERENCES = ("grippo", "zhang-hager")
# Their f are kept, and looked through at each judgement.
MOST_REMEMBERED = 2**20


@dataclass(frozen=True, kw_only=True)
class LineSearch(Descent):
    """A method whose step length is found by Armijo's rule along a direction of its own.

    Parameters
    ----------
    armijo : float, default 1/2
        The share of t⟨g, δ⟩ by which f must fall.
    factor : float, default 1/2
        By what a rejected step is multiplied.
    forward : float, default 1.1
        By what a step is multiplied after it was accepted.
    """

    monotone: ClassVar[bool] = True

    armijo: float = number(0.5, least=0.0, strict=True, below=1.0)
    factor: float = number(0.5, least=0.0, strict=True, below=1.0)
    forward: float = number(1.1, least=1.0)

    def accepts(self, run: Iteration, f: float, sums: Any) -> bool:
        # Within the rounding of f slopes decide, and f may rise by that.
        if self.monotone and f > run.f_first:
            return False
        return bool(run.change(f, sums) <= self.armijo * sums.gs + self.slack(run))

    def slack(self, run: Iteration) -> float:
        """Return (C - f(x))·scale."""
        return 0.0

    def follow(self, run: Iteration, moved: bool) -> None:
        if moved:
            run.step *= self.forward
            self.direct(run)
        else:
            run.step *= self.factor


@dataclass(frozen=True, kw_only=True)
class NonmonotoneSearch(LineSearch):
    """A line search that lets f rise, as long as it stays below a reference value C.

    Parameters
    ----------
    reference : {"grippo", "zhang-hager"}
        The largest f of the last iterates, or an average of all of them.
    window : int, default 10
        How many iterates the first of these looks at, at most 2²⁰.
    eta : float, default 0.85
        How much the second remembers: 0 is Armijo's rule, 1 the mean of all.
    """

    monotone: ClassVar[bool] = False

    reference: str = word(REFERENCES)
    window: int = whole(10, least=1, below=MOST_REMEMBERED + 1)
    eta: float = number(0.85, least=0.0, below=1.0 + 2.0**-52)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"recent": (self.window, True)}

    def first_numbers(self) -> dict[str, float]:
        return {"weight": 1.0, "average": 0.0, "iterates": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_weight": (0.0, math.inf), "number_iterates": (0.0, 2.0**53)}

    def start(self, run: Iteration) -> None:
        run.numbers["average"] = run.f
        run.arrays["recent"].fill(run.f)

    def slack(self, run: Iteration) -> float:
        if self.reference == "grippo":
            reference = float(run.arrays["recent"].max())
        else:
            reference = run.numbers["average"]
        return max(0.0, reference - run.f) * run.scale

    def remember(self, run: Iteration) -> None:
        """Take f of a new iterate into the reference value."""
        numbers = run.numbers
        numbers["iterates"] += 1.0
        run.arrays["recent"][int(numbers["iterates"]) % self.window] = run.f
        numbers["weight"] = self.eta * numbers["weight"] + 1.0
        numbers["average"] += (run.f - numbers["average"]) / numbers["weight"]

    def follow(self, run: Iteration, moved: bool) -> None:
        if moved:
            self.remember(run)
        super().follow(run, moved)

    def begin(self, run: Iteration) -> None:
        if run.accepted:
            self.remember(run)


class Nonmonotone(NonmonotoneSearch):
    """Gradient descent with a line search that lets f rise."""
