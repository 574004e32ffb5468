"""GD on the loss whose classes are weighed by 1/pi or 1/sqrt(pi): it then reaches the rare classes.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449.
"""

from __future__ import annotations

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt.studies._descents import best_stable, half_decades
from mdbopt.studies._study import Outcome, Panel, Study

STEPS = 200
CEILING = 1.2
POWERS = {"plain": 0.0, "1/√π": 0.5, "1/π": 1.0}
L2 = 1e-3


def plain_losses(m: int, outcome: Outcome) -> dict[str, float]:
    """Return the plain loss that GD reaches on each weighting, at its best stable rate."""
    plain = problems.heavy_tailed(m)
    groups = problems.frequency_groups(plain.class_index, m)
    ceiling = CEILING * float(np.log(len(plain.classes)))
    found = {}
    for name, power in POWERS.items():
        best = best_stable(
            problems.heavy_tailed(m, weight_power=power),
            "GD",
            half_decades(-3.0, 0.0),
            STEPS,
            ceiling=ceiling,
            measure=lambda w: float(plain.losses(w).mean()),
        )
        own = plain.losses(best.w)
        each = [float(own[groups == group].mean()) for group in range(m)]
        outcome.add(f"m = {m}", name, range(1, m + 1), each)
        found[name] = float(own.mean())
    return found


def minimum_moves(power: float) -> tuple[float, float]:
    """Return the plain loss at the plain minimum and at that of the reweighted loss, with L2."""
    plain = problems.heavy_tailed(4, L2)
    reweighted = problems.heavy_tailed(4, L2, weight_power=power)
    at = [
        mdbopt.minimize(fun, np.zeros(fun.d, fun.dtype), jac=True).x for fun in (plain, reweighted)
    ]
    own, other = (float(plain.losses(w).mean()) for w in at)
    return own, other


def run(quick: bool, _table: None) -> Outcome:
    """Run GD on the three losses."""
    outcome = Outcome()
    seen = {m: plain_losses(m, outcome) for m in ((6,) if quick else (6, 7))}
    last = max(seen)
    own, other = minimum_moves(1.0)
    outcome.sentences = (
        (
            f"After {STEPS} steps GD's plain loss is {seen[last]['plain']:.2f}, on the loss "
            "weighed by "
            f"1/√π {seen[last]['1/√π']:.2f}, by 1/π {seen[last]['1/π']:.2f} (m = {last})."
        ),
        (
            "Weights make the curvature of rare classes as large as that of frequent ones: "
            "reweighting "
            "lets GD reach the rare classes."
        ),
        (
            f"It is another loss: with L2 its minimum has the plain loss {other:.4f}, the plain "
            "one's "
            f"{own:.4f}."
        ),
    )
    for m, losses in seen.items():
        for name, bound in (("1/√π", 0.6), ("1/π", 0.4)):
            ratio = losses[name] / losses["plain"]
            outcome.claim(
                f"m = {m}: with {name} the plain loss falls to at most {bound} of GD's",
                f"{losses[name]:.3f} / {losses['plain']:.3f} = {ratio:.3f}",
                ratio <= bound,
            )
    outcome.claim(
        "with L2 the minimum of the loss weighed by 1/π has a larger plain loss",
        f"{other:.4f} against {own:.4f}",
        other > own,
    )
    return outcome


STUDY = Study(
    "GD on class-reweighted losses reaches the rare classes, at the price of another minimum.",
    {"m = 6": Panel("m = 6, plain loss by group", "group, frequent to rare", "loss", "y")},
    run,
)
