"""Steps of GD and sign descent on the quadratic whose curvatures are class frequencies.

f(x) = sum_k pi_k (x_k - 1)^2 / 2 from x = 0: the simplest function in which a rare class has a
small gradient and a small curvature together.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt.studies._study import Outcome, Panel, Study

TOLERANCE = 0.01  # of each class's own loss at the start
MOST_STEPS = 200_000


def steps_to(fun: problems.Quadratic, optimizer: Any) -> int:
    """Count steps until every class has lost all but TOLERANCE of its own loss."""
    w = fun.x0
    state = optimizer.init(w)
    for step in range(MOST_STEPS):
        if np.abs(w - 1.0).max() ** 2 <= TOLERANCE:
            return step
        optimizer.step(w, fun(w)[1], state)
    raise ValueError(f"steps: expected the tolerance within {MOST_STEPS:,}")


def run(quick: bool, _table: None) -> Outcome:
    """Count steps for 2 to 2^k classes under Zipf's law."""
    counts = [2**k for k in range(1, 8 if quick else 11)]
    rarity, gd, sign = [], [], []
    for count in counts:
        pi = problems.zipf_frequencies(count)
        fun = problems.quadratic(pi, pi, 0.5)
        rarity.append(1.0 / float(pi[-1]))
        # 1 is the largest step size that is stable whatever the frequencies: they sum to 1.
        gd.append(steps_to(fun, mdbopt.SGD(lr=1.0)))
        sign.append(steps_to(fun, mdbopt.SignDescent(lr=0.99 * TOLERANCE**0.5)))
    outcome = Outcome()
    outcome.add("steps", "GD", rarity, gd)
    outcome.add("steps", "sign descent", rarity, sign)
    exponent = float(np.polyfit(np.log(rarity), np.log(gd), 1)[0])
    outcome.sentences = (
        (
            f"Gradient descent needs {gd[0]} steps for {counts[0]} classes and {gd[-1]:,} for "
            f"{counts[-1]:,}: it waits for the rarest."
        ),
        f"Sign descent needs {sign[0]} and {sign[-1]}.",
        (
            "Gradient and curvature of a class are small together, so that a step in proportion "
            "to the "
            "gradient is too short by just this factor."
        ),
    )
    outcome.claim(
        "GD's steps grow like 1 / pi_min (exponent 1 ± 0.05)",
        f"exponent {exponent:.3f}",
        abs(exponent - 1.0) <= 0.05,
    )
    outcome.claim(
        "sign descent's steps do not change with the frequencies",
        f"{min(sign)} to {max(sign)}",
        min(sign) == max(sign),
    )
    return outcome


STUDY = Study(
    "Steps of GD and sign descent on a quadratic whose curvatures are class frequencies.",
    {
        "steps": Panel(
            "until each class has 1 % of its loss", "1 / frequency of the rarest", "steps", "xy"
        )
    },
    run,
)
