"""Loss per class over time, under GD and sign descent, where classes have orthogonal features.

Softmax regression on X = I, row k of weight pi_k: classes do not meet, and each has its own rate.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449: by
gradient flow the loss of class k is Θ(1 / (pi_k t)), by sign flow Θ(exp(-c t)).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

CLASSES = 10
SIGN_LR = 0.02
SIGN_STEPS = 600


def losses_per_class(optimizer: Any, at: Array) -> Array:
    """Return the losses of all classes after each number of steps in `at`, an array each."""
    pi = problems.zipf_frequencies(CLASSES)
    fun = problems.softmax(np.eye(CLASSES), np.arange(CLASSES), intercept=False, sample_weight=pi)
    w = fun.x0
    state = optimizer.init(w)
    found, wanted = [], set(at.tolist())
    for step in range(int(at[-1]) + 1):
        if step in wanted:
            found.append(fun.losses(w))
        optimizer.step(w, fun(w)[1], state)
    return np.array(found)


def run(quick: bool, _table: None) -> Outcome:
    """Follow both flows, GD with step 1."""
    pi = problems.zipf_frequencies(CLASSES)
    last = 10_000 if quick else 50_000
    times = np.unique(np.geomspace(10, last, 30).astype(int))
    gd = losses_per_class(mdbopt.SGD(lr=1.0), times)
    at = np.arange(0, SIGN_STEPS + 1, 20)
    sign = losses_per_class(mdbopt.SignDescent(lr=SIGN_LR), at)
    outcome = Outcome()
    for k in (0, 2, CLASSES - 1):
        label = f"class {k + 1}, frequency {pi[k]:.3f}"
        outcome.add("gd", label, times, gd[:, k])
        outcome.add("sign", label, at * SIGN_LR, sign[:, k])
    scaled = (gd * pi * times[:, None])[times >= last / 10]
    spread = float(scaled.max() / scaled.min())
    # The start, where the loss is near log(c), is no part of the rate.
    late = sign.max(axis=1) < 0.1
    fits = [np.polyfit(at[late] * SIGN_LR, np.log(sign[late, k]), 1) for k in range(CLASSES)]
    slopes = np.array([fit[0] for fit in fits])
    least = min(
        float(np.corrcoef(at[late], np.log(sign[late, k]))[0, 1] ** 2) for k in range(CLASSES)
    )
    apart = float(slopes.min() / slopes.max()) - 1.0
    outcome.sentences = (
        (
            "Under gradient descent a class that is ten times as rare is ten times as late: the "
            "lines are "
            "one line, moved."
        ),
        f"Under sign descent all classes fall along one line, like exp({slopes.mean():.2f} t).",
        "One is a power of t for each class, the other exponential for all of them.",
    )
    outcome.claim(
        "GD: loss_k pi_k t stays within a factor 3 over classes and the last decade of t",
        f"{scaled.min():.3f} to {scaled.max():.3f}, a factor {spread:.2f}",
        spread <= 3.0,
    )
    outcome.claim(
        "sign: log loss_k is linear in t (R² >= 0.99)", f"least R² {least:.5f}", least >= 0.99
    )
    outcome.claim("sign: slopes equal over classes within 1 %", f"{apart:.1e} apart", apart <= 0.01)
    return outcome


STUDY = Study(
    "Loss per class over time: Θ(1/(pi t)) under GD, the same exponential for all under sign "
    "descent.",
    {
        "gd": Panel("gradient descent", "time t", "loss of the class", "xy"),
        "sign": Panel("sign descent", "time t", "loss of the class", "y"),
    },
    run,
)
