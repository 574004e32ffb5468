"""Adaptive gradient descent: a step size from the curvature between the last two points.

x⁺ = x - λ·g with L = ‖y‖/‖s‖, θ = λ/λ₋ and

    λ ← min(√(1 + θ)·λ, 1/(2L))                       Malitsky, Mishchenko 2020, algorithm 1
    λ ← min(√(2/3 + θ)·λ, λ/√max(2λ²L² - 1, 0))       the same 2024, algorithm 1

f is never compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Descent, Pair
from mdbopt._methods._iteration import Iteration, Limit
from mdbopt._methods._options import word

VERSIONS = ("2020", "2024")


@dataclass(frozen=True, kw_only=True)
class AdGD(Descent):
    """Gradient descent without a line search, by Malitsky and Mishchenko.

    Parameters
    ----------
    version : {"2020", "2024"}
        Which of the two rules.
    """

    version: str = word(VERSIONS)

    def first_numbers(self) -> dict[str, float]:
        # As in the papers: θ is infinite before the first step, and 1/3.
        return {"theta": math.inf if self.version == "2020" else 1.0 / 3.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_theta": (0.0, math.inf)}

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        step, theta = run.step, run.numbers["theta"]
        square = step * step * (sums.yy / sums.ss)
        if self.version == "2020":
            grown = math.sqrt(1.0 + theta) * step
            bounded = step / (2.0 * math.sqrt(square)) if square > 0.0 else math.inf
        else:
            grown = math.sqrt(2.0 / 3.0 + theta) * step
            bounded = step / math.sqrt(2.0 * square - 1.0) if square > 0.5 else math.inf
        new = min(grown, bounded)
        if math.isfinite(new):
            run.numbers["theta"] = new / step
            run.step = new
