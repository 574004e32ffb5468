"""The better of classic and multidimensional backtracking at each trial.

Both sets are kept: one step size α, and the box {0 <= q <= b} (Kunstner et al. 2023, section 4).
The one that promises the larger decrease tries: ½α‖g‖² or ½Σ b g²/(2d). A trial that breaks its
promise cuts the set it came from: α ← α/2; b ← min(b, ν/u), u = (g - g⁺)², ν = 2 min(D(x, x⁺),
D(x⁺, x)) (docs/searches.md), halved where that is no cut. One that keeps it lets its own set grow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Array, Iteration
from mdbopt._methods._options import number

# The box's first edge over d times the first step: the paper's code starts at 1e10 for any problem.
FIRST_BOX = 1e10


@dataclass(frozen=True, kw_only=True)
class BestOf(Descent):
    """Classic and multidimensional backtracking side by side.

    Parameters
    ----------
    forward : float, default 1.1
        Growth of a set after its trial was accepted.
    """

    monotone: ClassVar[bool] = True

    forward: float = number(1.1, least=1.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"b": (size, True), "u": (size, True)}

    def first_numbers(self) -> dict[str, float]:
        return {"alpha": 0.0, "box": 0.0}

    def begin(self, run: Iteration) -> None:
        run.numbers["alpha"] = run.step
        run.arrays["b"].fill(FIRST_BOX * run.arrays["b"].size * run.step)

    def direct(self, run: Iteration) -> None:
        if run.searching:
            run.along_gradient()
            return
        b, gamma = run.arrays["b"], 0.5 / run.arrays["b"].size
        promise = run.walk("decrease", run.points["g"], b, scale=run.scale).decrease
        box = gamma * promise > run.numbers["alpha"] * run.g2
        run.numbers["box"] = float(box)
        run.step = gamma if box else run.numbers["alpha"]
        if box:
            run.along_scaled_gradient(b)
        else:
            run.along_gradient()

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        change = run.change(f, sums)
        kept = bool(change <= 0.5 * sums.gs and f <= run.f_first)
        if run.numbers["box"] == 0.0:
            run.numbers["alpha"] *= self.forward if kept else 0.5
        elif kept:
            run.walk("rescale", run.arrays["b"], factor=self.forward)
        else:
            self._cut(run, g, sums, change)
        return kept

    def _cut(self, run: Iteration, g: Array, sums: Any, change: float) -> None:
        divergence = sums.gs_trial - change
        nu = 2.0 * min(divergence, sums.sy - divergence)
        b, u = run.arrays["b"], run.arrays["u"]
        # Near the end of the range 1/ν overflows.
        if nu > 0.0 and math.isfinite(1.0 / nu):
            run.walk("hypergradient", run.points["g"], g, u, scale=run.scale, cocoercive=1.0)
            run.walk("box_cut", u, b, cut=1.0 / nu)
        else:
            run.walk("rescale", b, factor=0.5)

    def follow(self, run: Iteration, moved: bool) -> None:
        self.direct(run)

    def hole(self, run: Iteration) -> None:
        if run.numbers["box"] == 0.0:
            run.numbers["alpha"] *= 0.1
        else:
            run.walk("rescale", run.arrays["b"], factor=0.1)
        self.direct(run)
