"""Loss per frequency group under GD, normalised GD, sign descent and Adam: rare classes wait.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449.
"""

from __future__ import annotations

import numpy as np

from mdbopt import problems
from mdbopt.studies._descents import METHODS, Descent, best_stable, half_decades
from mdbopt.studies._study import Outcome, Panel, Study

M = 7
STEPS = 200
# Above the loss of the start by this factor, a run is not stable: with a step of 10 to 100 gradient
# descent would reach a loss of 0 as a perceptron does.
CEILING = 1.2
# The powers of ten among which the best stable rate is, without momentum and with it: always the
# one before the last.
RATES = {
    "GD": ((-3.0, -0.5), (-4.0, -1.5)),
    "normalised GD": ((-1.5, 0.0), (-2.5, -1.0)),
    "sign": ((-4.5, -3.0), (-5.0, -3.5)),
    "Adam": ((-4.0, -2.0), (-4.0, -2.0)),
}
MOMENTUM = 0.9


def run_of(fun: problems.Softmax, method: str, momentum: float, quick: bool) -> Descent:
    """Return the best stable run of a method over its rates; two of them if quick."""
    rates = half_decades(*RATES[method][momentum > 0.0])
    ceiling = CEILING * float(np.log(len(fun.classes)))
    return best_stable(
        fun, method, rates[-3:-1] if quick else rates, STEPS, momentum=momentum, ceiling=ceiling
    )


def run(quick: bool, _table: None) -> Outcome:
    """Find the best stable run of each method."""
    fun = problems.heavy_tailed(M)
    groups = problems.frequency_groups(fun.class_index, M)
    outcome = Outcome()
    loss, rare = {}, {}
    for method in METHODS:
        best = run_of(fun, method, 0.0, quick)
        outcome.add("loss", method, range(STEPS + 1), best.losses)
        own = fun.losses(best.w)
        each = [float(own[groups == group].mean()) for group in range(M)]
        outcome.add("groups", method, range(1, M + 1), each)
        loss[method], rare[method] = float(best.losses[-1]), each[-1]
    momentum = {}
    if not quick:
        for method in METHODS:
            best = run_of(fun, method, MOMENTUM, quick)
            outcome.add("loss", f"{method}, momentum", range(STEPS + 1), best.losses)
            momentum[method] = float(best.losses[-1])
    closed = ", ".join(f"{method} {value:.3g}" for method, value in momentum.items())
    outcome.sentences = (
        (
            f"After {STEPS} steps gradient descent stands at {loss['GD']:.2f} and Adam at "
            f"{loss['Adam']:.2f}, each at its best stable rate."
        ),
        (
            "Gradient descent has learnt the frequent classes alone: its loss on the rarest "
            "group is "
            f"{rare['GD']:.2f}, Adam's {rare['Adam']:.3f}, that of sign descent {rare['sign']:.2f}."
        ),
        f"With momentum the gap closes at this size: {closed}."
        if momentum
        else "With momentum the gap closes at this size (run without --quick to see the numbers).",
    )
    for words, seen, holds in (
        ("GD's loss is at least 3 times Adam's", loss["GD"] / loss["Adam"], 3.0),
        ("GD's loss is at least twice that of sign descent", loss["GD"] / loss["sign"], 2.0),
        ("normalised GD's is at least 3 times Adam's", loss["normalised GD"] / loss["Adam"], 3.0),
    ):
        outcome.claim(words, f"{seen:.2f} times", seen >= holds)
    outcome.claim("rarest group: GD at least 3.5", f"{rare['GD']:.2f}", rare["GD"] >= 3.5)
    outcome.claim("rarest group: Adam at most 0.2", f"{rare['Adam']:.3f}", rare["Adam"] <= 0.2)
    outcome.claim("rarest group: sign at most 0.5", f"{rare['sign']:.3f}", rare["sign"] <= 0.5)
    return outcome


STUDY = Study(
    "Loss per frequency group under heavy-tailed classes: GD leaves the rare ones, Adam and sign "
    "do not.",
    {
        "loss": Panel("best stable rate", "steps", "loss", "y"),
        "groups": Panel("at the end, by group", "group, frequent to rare", "loss", "y"),
    },
    run,
)
