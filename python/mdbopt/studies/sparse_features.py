"""SGD, AdaGrad and Adam where the telling columns are rare, and where all are dense.

References
----------
J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
optimization", JMLR 12 (2011), section 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt.studies._descents import descend, half_decades
from mdbopt.studies._study import Outcome, Panel, Study

L2 = 1e-4
GAP = 0.05  # of the start's distance to the minimum
OPTIMIZERS = {"SGD": mdbopt.SGD, "AdaGrad": mdbopt.AdaGrad, "Adam": mdbopt.Adam}
RATES = {"SGD": (-0.5, 2.0), "AdaGrad": (-1.5, 0.5), "Adam": (-2.0, 0.0)}


def curves(fun: Any, steps: int) -> dict[str, tuple[int, Any]]:
    """Return, of each method at its best rate, steps to the gap and gaps over the steps."""
    least = mdbopt.minimize(fun, fun.x0, jac=True, options={"gtol": 1e-9}).fun
    start = np.zeros(fun.d)
    first = fun(start)[0] - least
    found = {}
    for name, optimizer in OPTIMIZERS.items():
        tried = []
        for lr in half_decades(*RATES[name]):
            run = descend(fun, start, optimizer(lr=lr), steps)
            if run is not None:
                gaps = (run.losses - least) / first
                # It has to stay there.
                above = np.flatnonzero(gaps > GAP)
                tried.append((int(above[-1]) + 1 if above.size else 0, gaps))
        found[name] = min(tried, key=lambda entry: (entry[0], float(entry[1][-1])))
    return found


def run(quick: bool, _table: None) -> Outcome:
    """Count full-batch steps to a twentieth of the gap."""
    steps = 1000 if quick else 4000
    outcome, counts = Outcome(), {}
    for panel, density in (("rare", 0.005), ("dense", 1.0)):
        fun = problems.sparse_features(2000, 100, density, l2=L2)
        found = curves(fun, steps)
        counts[panel] = {name: count for name, (count, _) in found.items()}
        for name, (_, gaps) in found.items():
            outcome.add(panel, name, range(1, steps + 2), gaps)
    rare, dense = counts["rare"], counts["dense"]
    shown = {
        panel: ", ".join(f"{name} {count:,}" for name, count in steps_of.items())
        for panel, steps_of in counts.items()
    }
    outcome.sentences = (
        f"Where telling columns are rare, steps to {GAP:.0%} of the gap are {shown['rare']}.",
        f"Where all columns are dense and of one scale, they are {shown['dense']}.",
        (
            "A column that is seldom there has a small gradient and a small curvature: one step "
            "size for "
            "all is too short for it."
        ),
    )
    worst = max(rare["AdaGrad"], rare["Adam"])
    outcome.claim(
        "rare: AdaGrad and Adam need at most a third of SGD's steps",
        shown["rare"],
        3 * worst <= rare["SGD"],
    )
    outcome.claim(
        "dense: no gap, SGD needs at most twice the steps of the better of the two",
        shown["dense"],
        dense["SGD"] <= 2 * min(dense["AdaGrad"], dense["Adam"]),
    )
    return outcome


STUDY = Study(
    "SGD, AdaGrad and Adam where the telling features are rare, and where all are dense.",
    {
        "rare": Panel("telling columns in 0.5 % of the rows", "steps", "gap", "xy"),
        "dense": Panel("all columns dense", "steps", "gap", "xy"),
    },
    run,
)
