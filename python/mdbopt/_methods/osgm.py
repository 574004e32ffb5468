"""Online scaled gradient methods: step sizes learned by AdaGrad on the hypergradient.

x½ = x - p∘g, h = g½∘g/‖g‖² (⟨g½, g⟩/‖g‖² for one step size), S ← S + h², p ← max(p + η·h/√S, 0).
Source: Gao, Chu, Ye, Udell 2025, arXiv 2505.23081, with hypergradient
feedback; η and the first p are the first step size found, where the authors take multiples of 1/L.

`osgm`: the next iterate is x½ if f fell, else x (monotone: a null step, from which p still learns),
or x½ - g½/L (lookahead), L the largest ‖y‖/‖s‖ seen. Where p is 0 and so x½ = x, p learns from
h = g∘g/‖g‖² without an evaluation.

`osgm-best` adds a heavy ball whose β is learned in the same way: x½ = x - p∘g + β·m, m = x - x₋,
0 after a null step, β ← clip(β - momentum_lr·k/√Σk², 0, 0.9995), k = ⟨g½, m⟩/‖g‖². The authors'
code learns p at multiples of 1/L, the best of a grid of 20, L the largest eigenvalue. Here
coordinate i learns at the rate hyper_lr·D_i/L_D. b_i ← min(b_i, ⟨s, y⟩/y_i²) over all evaluated
pairs (the box of docs/searches.md, grown after each accepted step); D is 1, √b or b, whichever
explains the last pair, as `guarded` chooses (csrc/search/metric.h); and L_D is the largest
⟨y, D∘y⟩/⟨s, y⟩ seen, a tenth less of it after each pair. Where D is 1 that is 1/L, as the authors
have it, of the curvature near x. From the third null step in a row on, p is halved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdbopt._methods._descent import Descent, Pair
from mdbopt._methods._iteration import MOST, Array, Iteration, Limit
from mdbopt._methods._options import number, word

SHAPES = ("diagonal", "scalar")
ACTIONS = ("monotone", "lookahead")
# Keeps a first division by a root of 0 finite, as in the authors' code.
EPS = 1e-12
# Below it the inverse leaves the range of a double.
LEAST_DIVISOR = 1e-300
# Of the heavy ball's β, as in the authors' code.
MOST_MOMENTUM = 0.9995
# The widest edge of the box that counts, over the least 1/L; and null steps in a row before p is
# halved.
WIDEST = 1e12
MOST_NULLS = 3
# By how much D = √b or b has to explain a pair better than D = 1, as in csrc/search/metric.h.
MARGIN = 3.0
# What is left of the curvatures L_D after each pair.
KEPT = 0.9
METRICS = ("one", "root", "box")
# A set that no pair has cut yet.
OPEN = 1e290


@dataclass(frozen=True, kw_only=True)
class Learned(Descent):
    """A method that learns p, an array or a number, from pairs.

    Parameters
    ----------
    hyper_lr : float, default 1
        η over the first step size; of `osgm-best` over D/L_D.
    """

    hyper_lr: float = number(1.0, least=0.0, strict=True)

    @property
    def scalar(self) -> bool:
        """Whether all coordinates have one step size."""
        return False

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        learned = 1 if self.scalar else size
        return {"p": (learned, True), "squares": (learned, True)}

    def first_numbers(self) -> dict[str, float]:
        return {"rate": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"array_squares": (0.0, math.inf)}

    def start(self, run: Iteration) -> None:
        run.arrays["p"].fill(1.0)

    def begin(self, run: Iteration) -> None:
        run.arrays["p"].fill(run.step)
        run.numbers["rate"] = self.hyper_lr * run.step
        run.step = 1.0

    def learn_from(self, run: Iteration, g: Array, g_trial: Array, gg: float, g2: float) -> None:
        """Take AdaGrad's step for h = g∘g_trial/‖g‖²; gg is their inner product, g2 ‖g‖²."""
        p, squares, rate = run.arrays["p"], run.arrays["squares"], run.numbers["rate"]
        if g2 < LEAST_DIVISOR:
            return
        if self.scalar:
            h = gg / g2
            squares[0] += h * h
            p[0] = max(0.0, p[0] + rate * h / (math.sqrt(squares[0]) + EPS))
            return
        run.walk(
            "osgm_learn", g, g_trial, p, squares, inverse=1.0 / g2, hyper_lr=rate, eps=EPS,
            scale=run.scale,
        )  # fmt: skip

    def learn_here(self, run: Iteration) -> None:
        """Learn from x itself as the trial."""
        g = run.points["g"]
        self.learn_from(run, g, g, run.g2, run.g2)

    def trial(self, run: Iteration) -> float:
        moved = super().trial(run)
        if moved == 0.0 and run.walk("norm", run.points["direction"]).max == 0.0:
            self.learn_here(run)
            self.direct(run)
            moved = super().trial(run)
        return moved

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

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {
            **super().limits(size), "number_rate": (0.0, MOST),
            "number_curvature": (0.0, math.inf),
        }  # fmt: skip

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        run.numbers["curvature"] = max(run.numbers["curvature"], math.sqrt(sums.yy / sums.ss))

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        points = run.points
        self.learn(run, (points["x"], points["g"]), (points["x_trial"], g), sums)
        if run.numbers["ahead"] == 0.0:
            self.learn_from(run, points["g"], g, sums.gg_trial, run.g2)
        return self.action == "lookahead" or run.change(f, sums) <= 0.0

    def direct(self, run: Iteration) -> None:
        if run.numbers["ahead"] == 0.0 or run.numbers["curvature"] == 0.0:
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


@dataclass(frozen=True, kw_only=True)
class OSGMBest(Learned):
    """The online scaled gradient method with a learned heavy ball, at rates from seen curvature.

    Parameters
    ----------
    momentum : float, default 0.95
        β at first.
    momentum_lr : float, default 3
        How fast β is learned.
    forward : float, default 1.1
        Growth of the box after an accepted step.
    """

    momentum: float = number(0.95, least=0.0, below=MOST_MOMENTUM)
    momentum_lr: float = number(3.0, least=0.0)
    forward: float = number(1.1, least=1.0)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {**super().shapes(size), "b": (size, True), "m": (size, False)}

    def first_numbers(self) -> dict[str, float]:
        curvatures = {f"curvature_{name}": 0.0 for name in METRICS}
        return {
            "beta": self.momentum, "momentum_squares": 0.0, "nulls": 0.0, "metric": 0.0,
            "largest_curvature": 0.0, **curvatures,
        }  # fmt: skip

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {
            **super().limits(size), "number_momentum_squares": (0.0, math.inf),
            "number_metric": range(len(METRICS)), "number_beta": (0.0, 1.0),
        }  # fmt: skip

    def start(self, run: Iteration) -> None:
        super().start(run)
        run.arrays["b"].fill(OPEN)

    def begin(self, run: Iteration) -> None:
        run.arrays["p"].fill(run.step)
        if run.accepted:
            run.walk("scaled", run.points["direction"], run.arrays["m"], scale=run.step)
        else:
            # The first step was given, and no pair has told of the curvature yet.
            run.numbers["curvature_one"] = run.numbers["largest_curvature"] = 1.0 / run.step
        run.step = 1.0

    def learn(self, run: Iteration, before: Pair, after: Pair, sums: Any) -> None:
        numbers = run.numbers
        if not sums.sy > LEAST_DIVISOR:
            return
        fit = run.walk(
            "learn_from_points", before[0], after[0], before[1], after[1], run.arrays["b"],
            cut=1.0 / sums.sy, scale=run.scale,
        )  # fmt: skip
        curvatures = [value / sums.sy for value in (fit.y1, fit.y_root, fit.y_b)]
        lengths = [value / sums.sy for value in (fit.s1, fit.s_root, fit.s_b)]
        ratios = [a * b for a, b in zip(curvatures, lengths, strict=True)]
        numbers["metric"] = float(_best_metric(ratios))
        numbers["largest_curvature"] = max(numbers["largest_curvature"], curvatures[0])
        for name, curvature in zip(METRICS, curvatures, strict=True):
            kept = KEPT * numbers[f"curvature_{name}"]
            numbers[f"curvature_{name}"] = max(kept, curvature)

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        points, arrays, numbers = run.points, run.arrays, run.numbers
        if run.g2 > LEAST_DIVISOR:
            self._learn_rates(run, g)
        won = run.change(f, sums) < 0.0
        if won:
            numbers["nulls"] = 0.0
            run.walk("scaled", points["direction"], arrays["m"], scale=run.step)
        else:
            numbers["nulls"] += 1.0
            arrays["m"].fill(0.0)
            if numbers["nulls"] >= MOST_NULLS:
                run.walk("rescale", arrays["p"], factor=0.5)
        self.learn(run, (points["x"], points["g"]), (points["x_trial"], g), sums)
        if won:
            run.walk("rescale", arrays["b"], factor=self.forward, most=OPEN)
        return won

    def learn_here(self, run: Iteration) -> None:
        if run.g2 > LEAST_DIVISOR:
            self._learn_rates(run, run.points["g"])

    def _learn_rates(self, run: Iteration, g: Array) -> None:
        arrays, numbers = run.arrays, run.numbers
        name = METRICS[int(numbers["metric"])]
        curvature = numbers[f"curvature_{name}"]
        if curvature > 0.0 and numbers["largest_curvature"] > 0.0:
            run.walk(
                "osgm_learn_in_metric", run.points["g"], g, arrays["b"], arrays["p"],
                arrays["squares"], inverse=1.0 / run.g2, hyper_lr=self.hyper_lr, eps=EPS,
                widest=min(OPEN, WIDEST / numbers["largest_curvature"]), scale=run.scale,
                **{name: min(OPEN, 1.0 / curvature)},
            )  # fmt: skip
        slope = run.walk("dot", g, arrays["m"]).dot * run.scale / run.g2
        numbers["momentum_squares"] += slope * slope
        # The slope has units, so that no fixed number could keep this division finite. Squares that
        # leave the range of numbers teach nothing.
        root = math.sqrt(numbers["momentum_squares"])
        if 0.0 < root < math.inf:
            beta = numbers["beta"] - self.momentum_lr * slope / root
            numbers["beta"] = min(max(beta, 0.0), MOST_MOMENTUM)

    def direct(self, run: Iteration) -> None:
        direction = run.points["direction"]
        direction[:] = run.arrays["m"]
        run.walk(
            "momentum_step", run.points["g"], run.arrays["p"], direction,
            beta=run.numbers["beta"], scale=run.scale, box=1.0,
        )  # fmt: skip
        if not run.searching:
            run.step = 1.0

    def follow(self, run: Iteration, moved: bool) -> None:
        self.direct(run)

    def hole(self, run: Iteration) -> None:
        run.arrays["p"] *= 0.1
        run.arrays["m"].fill(0.0)
        self.direct(run)


def _best_metric(ratios: Sequence[float]) -> int:
    """Say which D explains a pair: the place of the least ratio, 0 unless another is far below."""
    one, root, box = (ratio if math.isfinite(ratio) else math.inf for ratio in ratios)
    if MARGIN * box < one and box < root:
        return 2
    return 1 if MARGIN * root < one else 0
