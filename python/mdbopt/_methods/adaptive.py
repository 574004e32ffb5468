"""AdaGrad, RMSProp, Adam and Rprop in a full batch: directions scaled coordinate by coordinate.

The updates are those of `mdbopt.kernels`: `adagrad` (Duchi, Hazan, Singer 2011, section 1.3),
`rmsprop` (Tieleman, Hinton 2012, lecture 6.5), `adam` (Kingma, Ba 2015, algorithm 1) and `rprop`
(Riedmiller, Braun 1993; Igel, Hüsken 2003, iRprop-). The first two take their step length from
Armijo's line search, as in the code of Kunstner et al. 2023, or keep the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt._methods._descent import Descent
from mdbopt._methods._iteration import Iteration, Limit
from mdbopt._methods._options import number, switch
from mdbopt._methods.line_search import LineSearch


@dataclass(frozen=True, kw_only=True)
class Searched(LineSearch):
    """A scaled direction whose step length is searched for, or kept.

    Parameters
    ----------
    line_search : bool, default True
        False takes every trial, at the first step size.
    """

    monotone: ClassVar[bool] = False
    in_gradients: ClassVar[bool] = False

    line_search: bool = switch(True)

    def accepts(self, run: Iteration, f: float, sums: Any) -> bool:
        return not self.line_search or super().accepts(run, f, sums)

    def follow(self, run: Iteration, moved: bool) -> None:
        if self.line_search:
            super().follow(run, moved)
        else:
            self.direct(run)


@dataclass(frozen=True, kw_only=True)
class AdaGrad(Searched):
    """AdaGrad along a line search.

    Parameters
    ----------
    eps : float, default 1e-10
        Added to the root, in units of the gradient.
    """

    eps: float = number(1e-10, least=0.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"sum_of_squares": (size, False)}

    def direct(self, run: Iteration) -> None:
        run.along_update("adagrad", run.arrays["sum_of_squares"], eps=self.eps * run.scale)


@dataclass(frozen=True, kw_only=True)
class RMSProp(Searched):
    """RMSProp along a line search.

    Parameters
    ----------
    decay : float, default 0.9
        What stays of the average of squares in a step.
    eps : float, default 1e-6
        Added to the root, in units of the gradient.
    """

    decay: float = number(0.9, least=0.0, below=1.0)
    eps: float = number(1e-6, least=0.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"v": (size, False)}

    def direct(self, run: Iteration) -> None:
        run.along_update("rmsprop", run.arrays["v"], alpha=self.decay, eps=self.eps * run.scale)


@dataclass(frozen=True, kw_only=True)
class Adam(Descent):
    """Adam with one step size throughout.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        What stays of the averages of g and g² in a step.
    eps : float, default 1e-8
        Added to the root, in units of the gradient.
    """

    in_gradients: ClassVar[bool] = False

    beta1: float = number(0.9, least=0.0, below=1.0)
    beta2: float = number(0.999, least=0.0, below=1.0)
    eps: float = number(1e-8, least=0.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"m": (size, False), "v": (size, False)}

    def first_numbers(self) -> dict[str, float]:
        return {"t": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_t": (0.0, 2.0**53)}

    def direct(self, run: Iteration) -> None:
        run.numbers["t"] += 1.0
        run.along_update(
            "adam", run.arrays["m"], run.arrays["v"], t=run.numbers["t"], beta1=self.beta1,
            beta2=self.beta2, eps=self.eps * run.scale,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rprop(Descent):
    """Rprop: step sizes by the sign of the gradient alone.

    Parameters
    ----------
    grow, shrink : float, default 1.2 and 0.5
        Factors of a step size where the sign stayed, and where it changed.
    least, most : float, default 1e-12 and 1e12
        Limits of a step size, relative to the first one (in the paper 1e-6 and 50, absolute).
    """

    in_gradients: ClassVar[bool] = False

    grow: float = number(1.2, least=1.0)
    shrink: float = number(0.5, least=0.0, strict=True, below=1.0)
    least: float = number(1e-12, least=0.0)
    most: float = number(1e12, least=1.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"g_before": (size, False), "eta": (size, False)}

    def start(self, run: Iteration) -> None:
        run.arrays["eta"].fill(1.0)

    def direct(self, run: Iteration) -> None:
        run.along_update(
            "rprop", run.arrays["g_before"], run.arrays["eta"], grow=self.grow,
            shrink=self.shrink, least=self.least, most=self.most,
        )  # fmt: skip

    def trial(self, run: Iteration) -> float:
        moved = super().trial(run)
        if moved == 0.0 and run.walk("norm", run.points["direction"]).max == 0.0:
            # Every sign has changed, so that no coordinate moves: the paper's next step is from
            # the same point, by the signs there.
            self.direct(run)
            moved = super().trial(run)
        return moved
