"""Blocks of the softmax Hessian by pairs of classes: those on the diagonal dominate.

Block (k, l) has the trace mean(p_k (1[k = l] - p_l) |x|^2), ones included.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449.
"""

from __future__ import annotations

import numpy as np

import mdbopt
from mdbopt import problems
from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

CLASSES, FEATURES, ROWS = 40, 80, 2000
TIMES = (0, 10, 50, 100)
LR = 10.0**-1.5


def block_traces(fun: problems.Softmax, w: Array) -> Array:
    """Return the traces of all blocks, shape (classes, classes), float64."""
    p = fun.probabilities(w).astype(np.float64)
    squares = np.einsum("ij,ij->i", fun.design.X, fun.design.X) + 1.0
    traces: Array = -(p * squares[:, None]).T @ p / fun.n
    traces[np.diag_indices_from(traces)] += squares @ p / fun.n
    return traces


def run(_quick: bool, _table: None) -> Outcome:
    """Follow Adam on normal features and Zipf's labels."""
    generator = np.random.default_rng(0)
    y = problems.zipf_labels(ROWS, CLASSES)
    fun = problems.softmax(generator.standard_normal((ROWS, FEATURES)), y)
    w = np.zeros(fun.d)
    optimizer = mdbopt.Adam(lr=LR)
    state = optimizer.init(w)
    outcome, medians = Outcome(), []
    apart = ~np.eye(CLASSES, dtype=bool)
    for step in range(max(TIMES) + 1):
        if step in TIMES:
            traces = block_traces(fun, w)
            own = np.diag(traces)
            ratios = np.sort((np.abs(traces) / np.sqrt(np.outer(own, own)))[apart])
            medians.append(float(np.median(ratios)))
            share = np.arange(1, len(ratios) + 1) / len(ratios)
            outcome.add("ratios", f"t = {step}", share[::20], ratios[::20])
        optimizer.step(w, fun(w)[1], state)
    shown = ", ".join(f"{median:.3f}" for median in medians)
    outcome.sentences = (
        f"At the start every block off the diagonal is 1/(c - 1) of those on it: {medians[0]:.3f}.",
        (
            f"During training the median pair stays there or falls: {shown} at t = "
            f"{', '.join(map(str, TIMES))}."
        ),
        ("So a step size for each class, which Adam's coordinates give, sees most of the Hessian."),
    )
    outcome.claim(
        "median over pairs of |trace off the diagonal| / trace on it is at most 0.1 at every t",
        shown,
        max(medians) <= 0.1,
    )
    return outcome


STUDY = Study(
    "Blocks of the softmax Hessian off the diagonal are far smaller than those on it, all along.",
    {"ratios": Panel("pairs of classes", "share of the pairs", "off-diagonal / diagonal", "y")},
    run,
)
