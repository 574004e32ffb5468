"""Barzilai and Borwein's step sizes, one for all coordinates or one for each.

α = ‖s‖²/⟨s, y⟩ (long) or ⟨s, y⟩/‖y‖² (short) (Barzilai, Borwein 1988, eq. 5 and 6), with a line
search that lets f rise (Raydan 1997). Each coordinate its own: see `diagonal-bb` in docs/methods.md
and the rule `barzilai_borwein`. Pairs with ⟨s, y⟩ <= 0 have no such step: the last one is doubled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Pair
from mdbopt._methods._iteration import Iteration
from mdbopt._methods._options import number, whole, word
from mdbopt._methods.line_search import MOST_REMEMBERED, NonmonotoneSearch

FORMS = ("long", "short")


@dataclass(frozen=True, kw_only=True)
class BarzilaiBorwein(NonmonotoneSearch):
    """Gradient descent with the step of Barzilai and Borwein.

    Parameters
    ----------
    form : {"long", "short"}
        Which of the two steps.
    """

    forward: float = number(2.0, least=1.0)

    form: str = word(FORMS)

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        if sums.sy > 0.0 and sums.yy > 0.0:
            long = self.form == "long"
            run.numbers["found"] = sums.ss / sums.sy if long else sums.sy / sums.yy
        else:
            run.numbers["found"] = self.forward * run.step

    def first_numbers(self) -> dict[str, float]:
        return super().first_numbers() | {"found": 0.0}

    def direct(self, run: Iteration) -> None:
        run.along_gradient()
        if run.numbers["found"] > 0.0:
            run.step = run.numbers["found"]


@dataclass(frozen=True, kw_only=True)
class DiagonalBarzilaiBorwein(NonmonotoneSearch):
    """A step of Barzilai and Borwein for each coordinate.

    Parameters
    ----------
    mu : float, default 1e-6
        How much the last matrix counts, in units of the square of x.
    window : int, default 15
        As for all non-monotone searches.
    """

    window: int = whole(15, least=1, below=MOST_REMEMBERED + 1)
    mu: float = number(1e-6, least=0.0, strict=True)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {**super().shapes(size), "p": (size, True)}

    def start(self, run: Iteration) -> None:
        super().start(run)
        run.arrays["p"].fill(1.0)

    def begin(self, run: Iteration) -> None:
        super().begin(run)
        run.arrays["p"].fill(run.step)
        run.step = 1.0

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        if not sums.sy > 0.0:
            return
        least, most = sums.sy / sums.ss, sums.yy / sums.sy
        if math.isfinite(least) and math.isfinite(most):  # else a square has left the range
            run.walk(
                "barzilai_borwein", before[0], after[0], before[1], after[1], run.arrays["p"],
                mu=self.mu, least=least, most=most, scale=run.scale,
            )  # fmt: skip

    def direct(self, run: Iteration) -> None:
        run.along_scaled_gradient(run.arrays["p"])

    def follow(self, run: Iteration, moved: bool) -> None:
        if moved:
            self.remember(run)
            run.step = 1.0
            self.direct(run)
        else:
            run.step *= self.factor
