"""Online scaled gradient methods: step sizes learned by AdaGrad on the hypergradient.

x½ = x - p∘g, h = g½∘g/‖g‖² (its mean over coordinates' sum for one step size), S ← S + h²,
p ← clip(p + η·h/√S, 0, ∞). Source: Gao, Chu, Ye, Udell 2025, arXiv 2505.23081, with hypergradient
feedback; η and the first p are the first step size found, where the authors take multiples of 1/L.

The next iterate is x½ if f fell, else x (monotone: a null step, from which p still learns), or
x½ - g½/L (lookahead), L the largest ‖y‖/‖s‖ seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Descent, Pair
from mdbopt._methods._iteration import Array, Iteration
from mdbopt._methods._options import number, word

SHAPES = ("diagonal", "scalar")
ACTIONS = ("monotone", "lookahead")
# Keeps a first division by a root of 0 finite, as in the authors' code.
EPS = 1e-12
# Below it the inverse leaves the range of a double.
LEAST_DIVISOR = 1e-300


@dataclass(frozen=True, kw_only=True)
class Learned(Descent):
    """A method that learns p, an array or a number, from pairs.

    Parameters
    ----------
    hyper_lr : float, default 1
        η over the first step size.
    """

    hyper_lr: float = number(1.0, least=0.0, strict=True)

    @property
    def scalar(self) -> bool:
        """Whether all coordinates have one step size."""
        return False

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"p": (1 if self.scalar else size, True), "squares": (1 if self.scalar else size, True)}

    def first_numbers(self) -> dict[str, float]:
        return {"rate": 0.0}

    def start(self, run: Iteration) -> None:
        run.arrays["p"].fill(1.0)

    def begin(self, run: Iteration) -> None:
        run.arrays["p"].fill(run.step)
        run.numbers["rate"] = self.hyper_lr * run.step
        run.step = 1.0

    def learn_from(self, run: Iteration, g: Array, g_trial: Array, gg: float, divisor: float) -> None:
        """Take AdaGrad's step for h = g∘g_trial/divisor; gg is their inner product."""
        p, squares, rate = run.arrays["p"], run.arrays["squares"], run.numbers["rate"]
        if divisor < LEAST_DIVISOR:
            return
        if self.scalar:
            h = gg / divisor
            squares[0] += h * h
            p[0] = max(0.0, p[0] + rate * h / (math.sqrt(squares[0]) + EPS))
            return
        run.walk(
            "osgm_learn", g, g_trial, p, squares, inverse=1.0 / divisor, lr=rate, eps=EPS,
            scale=run.scale,
        )  # fmt: skip

    def along_learned(self, run: Iteration) -> None:
        """Set the direction to -p∘g, and the step to 1."""
        if self.scalar:
            run.walk(
                "scaled", run.points["g"], run.points["direction"],
                scale=-run.scale * float(run.arrays["p"][0]),
            )  # fmt: skip
        else:
            run.along_scaled_gradient(run.arrays["p"])


@dataclass(frozen=True, kw_only=True)
class OSGM(Learned):
    """The online scaled gradient method with hypergradient feedback.

    Parameters
    ----------
    shape : {"diagonal", "scalar"}
        Whether each coordinate has a step size, or all have one.
    action : {"monotone", "lookahead"}
        What follows a trial.
    """

    shape: str = word(SHAPES)
    action: str = word(ACTIONS)

    @property
    def scalar(self) -> bool:
        return self.shape == "scalar"

    def first_numbers(self) -> dict[str, float]:
        return {**super().first_numbers(), "curvature": 0.0, "ahead": 0.0}

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        run.numbers["curvature"] = max(run.numbers["curvature"], math.sqrt(sums.yy / sums.ss))

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        points = run.points
        self.learn(run, (points["x"], points["g"]), (points["x_trial"], g), sums)
        if run.numbers["ahead"] == 0.0:
            self.learn_from(run, points["g"], g, sums.gg_trial, run.g2)
        return self.action == "lookahead" or run.change(f, sums) <= 0.0

    def direct(self, run: Iteration) -> None:
        if run.numbers["ahead"] == 0.0:
            self.along_learned(run)
            if not run.searching:
                run.step = 1.0
        else:
            run.along_gradient()
            run.step = 1.0 / run.numbers["curvature"]

    def follow(self, run: Iteration, moved: bool) -> None:
        numbers = run.numbers
        if self.action == "lookahead":
            curved = numbers["curvature"] > 0.0
            numbers["ahead"] = 1.0 if numbers["ahead"] == 0.0 and curved else 0.0
        self.direct(run)

    def hole(self, run: Iteration) -> None:
        run.step *= 0.1
        if run.numbers["ahead"] == 0.0:
            run.arrays["p"] *= 0.1
