"""Descent along the sign of the gradient, and along the gradient over its norm.

x⁺ = x - α·n + β(x - x₋), n = sign(g), ‖g‖₁·sign(g) or g/‖g‖: momentum outside the map (Kunstner et
al. 2023, "Noise is not the main factor", section 2). α = α₀/√(t + 1) after t steps, as for
subgradients (Nesterov 2018, section 3.2.3), or α₀ throughout, where f ends at a level that falls
with α₀, as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Iteration, Limit
from mdbopt._methods._options import number, word

SCALES = ("none", "l1")
SCHEDULES = ("sqrt", "constant")


@dataclass(frozen=True, kw_only=True)
class Normalized(Descent):
    """A map of the gradient, and momentum.

    Parameters
    ----------
    momentum : float, default 0
        β of the heavy ball.
    schedule : {"sqrt", "constant"}
        Whether the step size falls.
    """

    rule: ClassVar[str]
    in_gradients: ClassVar[bool] = False

    momentum: float = number(0.0, least=0.0, below=1.0)
    schedule: str = word(SCHEDULES)

    def first_numbers(self) -> dict[str, float]:
        return {"first": 0.0, "t": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_t": (0.0, 2.0**53)}

    def begin(self, run: Iteration) -> None:
        run.numbers["first"] = run.step
        run.numbers["t"] = float(run.accepted > 0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"n": (size, False), "m": (size, False)}

    def factor(self, run: Iteration) -> float:
        """Return what the mapped gradient, now the negative direction, is multiplied by."""
        return 1.0

    def direct(self, run: Iteration) -> None:
        run.along_update(self.rule)
        direction, n = run.points["direction"], run.arrays["n"]
        run.walk("scaled", direction, n, scale=-self.factor(run))
        direction.fill(0.0)
        # t = 2, since the first step needs no exception: m is 0.
        run.walk(
            "sgd_momentum", direction, n, run.arrays["m"], lr=1.0, t=2.0, momentum=self.momentum
        )
        if not run.searching and self.schedule == "sqrt":
            run.step = run.numbers["first"] / math.sqrt(1.0 + run.numbers["t"])

    def follow(self, run: Iteration, moved: bool) -> None:
        run.numbers["t"] += 1.0
        self.direct(run)

    def hole(self, run: Iteration) -> None:
        run.step *= 0.1
        run.numbers["first"] *= 0.1


@dataclass(frozen=True, kw_only=True)
class NormalizedGD(Normalized):
    """Normalised gradient descent with a heavy ball."""

    rule: ClassVar[str] = "normalized_gd"


@dataclass(frozen=True, kw_only=True)
class SignDescent(Normalized):
    """Sign descent.

    Parameters
    ----------
    scale : {"none", "l1"}
        "l1" multiplies the sign by ‖g‖₁: steepest descent in the maximum norm.
    """

    rule: ClassVar[str] = "sign_descent"

    scale: str = word(SCALES)

    def first_step(self, run: Iteration) -> float | None:
        if self.lr is not None and self.scale == "l1":
            return self.lr / run.scale
        return super().first_step(run)

    def factor(self, run: Iteration) -> float:
        if self.scale == "none":
            return 1.0
        product: Any = run.walk("dot", run.points["g"], run.points["direction"])
        return float(-product.dot * run.scale)
