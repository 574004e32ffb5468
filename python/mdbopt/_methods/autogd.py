"""AutoGD: a step size that is multiplied by 1, c or 1/c, whichever lowers f most.

At each point the steps γ, cγ and γ/c are tried; the one of the least f among those that satisfy
Armijo's rule gives the next point and the next γ. Where none does, x stays and γ ← γ/c², a step
shorter than all that failed. Source: Surjanovic, Bouchard-Côté, Campbell 2025, arXiv 2510.09923;
c = 2 is recommended in their arXiv 2505.21651, which treats the same method beside its stochastic
one. Armijo's 1e-4 and the square are those of a program, github.com/Roth-Lab/cfclone, that extends
it: no text of the authors that could be read states theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Array, Iteration
from mdbopt._methods._options import number

CANDIDATES = 3


@dataclass(frozen=True, kw_only=True)
class AutoGD(Descent):
    """Gradient descent that tries a longer and a shorter step at each point.

    Parameters
    ----------
    c : float, default 2
        The factor between candidates.
    armijo : float, default 1e-4
        The share of γ‖g‖² by which f must fall.
    """

    monotone: ClassVar[bool] = True

    c: float = number(2.0, least=1.0, strict=True)
    armijo: float = number(1e-4, least=0.0, below=1.0)

    def first_numbers(self) -> dict[str, float]:
        return {"gamma": 0.0, "candidate": 0.0, "chosen": 0.0}

    def direct(self, run: Iteration) -> None:
        if not run.searching:
            if run.numbers["gamma"] == 0.0:
                run.numbers["gamma"] = run.step
            run.set_origin()
            run.step = run.numbers["gamma"]
        run.along_gradient()

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        enough = run.change(f, sums) <= self.armijo * sums.gs and f <= run.f_first
        won = enough and (run.numbers["chosen"] == 0.0 or f < run.f)
        if won:
            run.numbers["chosen"] = run.step
        return won

    def follow(self, run: Iteration, moved: bool) -> None:
        numbers = run.numbers
        numbers["candidate"] = (numbers["candidate"] + 1.0) % CANDIDATES
        if numbers["candidate"] == 1.0:
            run.step = numbers["gamma"] * self.c
        elif numbers["candidate"] == 2.0:
            run.step = numbers["gamma"] / self.c
        else:
            chosen = numbers["chosen"]
            numbers["gamma"] = chosen if chosen > 0.0 else numbers["gamma"] / self.c**2
            numbers["chosen"] = 0.0
            self.direct(run)

    def hole(self, run: Iteration) -> None:
        self.follow(run, False)
