"""Steps of GD and sign descent on the quadratic whose curvatures are class frequencies.

f(x) = sum_k pi_k (x_k - 1)^2 / 2 from x = 0: the simplest function in which a rare class has a
small gradient and a small curvature together. Beside it the smallest model that has a softmax, one
logit a class, f(z) = log sum exp(z) - pi.z.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449.
R. Yadav, S. Xie, T. Wang, Z. Li, arXiv:2512.00763 (the softmax).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

TOLERANCE = 0.01  # of each class's own loss at the start
MOST_STEPS = 200_000
NATS = 0.1


def steps_until(fun: problems.Problem, optimizer: Any, reached: Callable[[Array], bool]) -> int:
    """Count steps from `x0` until every class is where it has to be."""
    w = fun.x0
    state = optimizer.init(w)
    for step in range(MOST_STEPS):
        if reached(w):
            return step
        optimizer.step(w, fun(w)[1], state)
    raise ValueError(f"steps: expected the tolerance within {MOST_STEPS:,}")


def is_near_one(w: Array) -> bool:
    """Say whether every class has lost all but TOLERANCE of its loss on the quadratic."""
    return bool(np.abs(w - 1.0).max() ** 2 <= TOLERANCE)


def knows(pi: Array, z: Array) -> bool:
    """Say whether the log-probability of every class is right to NATS."""
    logs = z - z.max()
    logs -= np.log(np.exp(logs).sum())
    return bool(np.abs(logs - np.log(pi)).max() <= NATS)


def exponent_of(rarity: Sequence[float], steps: Sequence[int]) -> float:
    """Return a of steps ~ rarity^a, by least squares on the logarithms."""
    return float(np.polyfit(np.log(rarity), np.log(steps), 1)[0])


def run(quick: bool, _table: None) -> Outcome:
    """Count steps for 2 to 2^k classes under Zipf's law."""
    counts = [2**k for k in range(1, 8 if quick else 11)]
    rarity, gd, sign, softmax_gd, softmax_sign = [], [], [], [], []
    for count in counts:
        pi = problems.zipf_frequencies(count)
        fun = problems.quadratic(pi, pi, 0.5)
        rarity.append(1.0 / float(pi[-1]))
        # 1 is the largest step size that is stable whatever the frequencies: they sum to 1.
        gd.append(steps_until(fun, mdbopt.SGD(lr=1.0), is_near_one))
        sign.append(steps_until(fun, mdbopt.SignDescent(lr=0.99 * TOLERANCE**0.5), is_near_one))
        unigram, known = problems.softmax_unigram(pi), partial(knows, pi)
        largest = mdbopt.SGD(lr=1.0 / unigram.smoothness)
        softmax_gd.append(steps_until(unigram, largest, known))
        softmax_sign.append(steps_until(unigram, mdbopt.SignDescent(lr=NATS / 2.0), known))
    outcome = Outcome()
    outcome.add("steps", "GD", rarity, gd)
    outcome.add("steps", "sign descent", rarity, sign)
    outcome.add("softmax", "GD", rarity, softmax_gd)
    outcome.add("softmax", "sign descent", rarity, softmax_sign)
    exponent = exponent_of(rarity, gd)
    # The first classes are too few to show how steps grow.
    late = [exponent_of(rarity[2:], steps[2:]) for steps in (softmax_gd, softmax_sign)]
    outcome.sentences = (
        (
            f"Gradient descent needs {gd[0]} steps for {counts[0]} classes and {gd[-1]:,} for "
            f"{counts[-1]:,}: it waits for the rarest."
        ),
        (
            f"Sign descent needs {sign[0]} and {sign[-1]}; on a softmax it is "
            f"{softmax_sign[0]} and {softmax_sign[-1]}, of gradient descent {softmax_gd[0]} and "
            f"{softmax_gd[-1]:,}."
        ),
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
    outcome.claim(
        "softmax of single words: GD's steps grow like 1 / pi_min (exponent 1 ± 0.1), sign "
        "descent's hardly (at most 0.3)",
        f"exponents {late[0]:.3f} and {late[1]:.3f}",
        abs(late[0] - 1.0) <= 0.1 and late[1] <= 0.3,
    )
    return outcome


STUDY = Study(
    "Steps of GD and sign descent on a quadratic whose curvatures are class frequencies.",
    {
        "steps": Panel(
            "until each class has 1 % of its loss", "1 / frequency of the rarest", "steps", "xy"
        ),
        "softmax": Panel("softmax of single words", "1 / frequency of the rarest", "steps", "xy"),
    },
    run,
)
