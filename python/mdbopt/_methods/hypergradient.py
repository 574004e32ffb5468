"""Step sizes that follow their own gradient, -⟨g, g₋⟩ for one and -g∘g₋ for each coordinate's.

    additive         α ← α + hyper_lr·⟨g, g₋⟩                        Baydin et al. 2018, eq. 5
    multiplicative   α ← α·(1 + hyper_lr·⟨g, g₋⟩/(‖g‖‖g₋‖))          eq. 8
    per coordinate   the rules `diagonal_hypergradient` and `diagonal_hypergradient_log`

A step size that came to 0 or below is halved instead: the papers would climb.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Descent, Pair
from mdbopt._methods._iteration import LEAST_POSITIVE, MOST, Iteration, Limit
from mdbopt._methods._options import number, word

FORMS = ("multiplicative", "additive")
SHAPES = ("scalar", "coordinate")
# Relative to the first step; of the additive form also to the first gradient's square.
DEFAULT_RATE = 2e-2


@dataclass(frozen=True, kw_only=True)
class Hypergradient(Descent):
    """Gradient descent whose step sizes are learned by hypergradients.

    Parameters
    ----------
    form : {"multiplicative", "additive"}
        How a step size changes.
    shape : {"scalar", "coordinate"}
        Whether there is one step size, or one for each coordinate.
    hyper_lr : float, optional
        How fast. Dimensionless for the multiplicative form, 0.02 by default; of the additive one in
        units of x over the cube of g, by default 0.02 α₀/‖g₀‖² (for each coordinate d times that).
    """

    form: str = word(FORMS)
    shape: str = word(SHAPES)
    hyper_lr: float | None = number(None, least=0.0, strict=True, below=80.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        if self.shape == "scalar":
            return {}
        return {"g_before": (size, False), "p": (size, False)}

    def first_numbers(self) -> dict[str, float]:
        return {"rate": 0.0, "first_g2": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_first_g2": (LEAST_POSITIVE, math.inf), "number_rate": (0.0, MOST)}

    def start(self, run: Iteration) -> None:
        run.numbers["first_g2"] = run.g2
        if self.shape == "coordinate":
            run.arrays["p"].fill(1.0)

    def begin(self, run: Iteration) -> None:
        additive, coordinate = self.form == "additive", self.shape == "coordinate"
        if self.hyper_lr is not None:
            rate = self.hyper_lr / run.scale**3 if additive else self.hyper_lr
        elif additive:
            rate = DEFAULT_RATE * run.step / run.numbers["first_g2"]
            rate *= run.points["x"].size if coordinate else 1
        else:
            rate = DEFAULT_RATE
        run.numbers["rate"] = rate
        if coordinate:
            run.arrays["p"].fill(run.step)
            run.step = 1.0

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        if self.shape == "coordinate":
            return
        rate = run.numbers["rate"]
        if self.form == "additive":
            new = run.step + rate * sums.gg_trial
        else:
            norms = math.sqrt(_square(run, before)) * math.sqrt(sums.g2_trial)
            new = run.step * (1.0 + rate * (sums.gg_trial / norms if norms > 0.0 else 0.0))
        run.step = new if new > 0.0 else 0.5 * run.step

    def direct(self, run: Iteration) -> None:
        if self.shape == "scalar":
            run.along_gradient()
            return
        additive = self.form == "additive"
        run.along_update(
            "diagonal_hypergradient" if additive else "diagonal_hypergradient_log",
            run.arrays["g_before"], run.arrays["p"], hyper_lr=run.numbers["rate"],
        )  # fmt: skip

    def follow(self, run: Iteration, moved: bool) -> None:
        if moved:
            if self.shape == "coordinate":
                run.step = 1.0
            self.direct(run)

    def hole(self, run: Iteration) -> None:
        run.step *= 0.1
        if self.shape == "coordinate":
            run.arrays["p"] *= 0.1


def _square(run: Iteration, before: Pair) -> float:
    return float(run.walk("norm", before[1], scale=run.scale).norm2)
