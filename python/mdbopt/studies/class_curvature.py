"""Gradient norm against Hessian trace, a dot for each class, along Adam's path and along -W.

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

M = 6
TIMES = (0, 1, 2, 5, 10, 20, 30, 50, 100)
LR = 10.0**-2.5
# As many as in the paper: exponents are means over starts.
SEEDS = (0, 1, 2)


def by_class(fun: problems.Softmax, w: Array) -> tuple[Array, Array]:
    """Return the norm of each class's gradient, and the trace of its block of the Hessian."""
    gradient = fun(w)[1].reshape(fun.shape).astype(np.float64)
    norms: Array = np.linalg.norm(gradient, axis=0)
    traces: Array = fun.hessian_diagonal(w).reshape(fun.shape).sum(axis=0)
    return norms, traces


def slope(norms: Array, traces: Array) -> float:
    """Return a of norms ~ traces^a, by least squares on the logarithms."""
    return float(np.polyfit(np.log(traces), np.log(norms), 1)[0])


def correlation(norms: Array, traces: Array) -> float:
    """Return the correlation of the two logarithms."""
    return float(np.corrcoef(np.log(traces), np.log(norms))[0, 1])


def path(fun: problems.Softmax, seed: int, outcome: Outcome) -> Array:
    """Follow Adam with momentum from small random weights, as PyTorch's linear layer has them.

    Return the exponents at W, those at -W and the correlations, each at all TIMES; the first start
    leaves its classes in ``outcome``.
    """
    bound = fun.design.features**-0.5
    w = np.random.default_rng(seed).uniform(-bound, bound, fun.d).astype(np.float32)
    optimizer = mdbopt.Adam(lr=LR)
    state = optimizer.init(w)
    rows = []
    for step in range(max(TIMES) + 1):
        if step in TIMES:
            found, mirror = by_class(fun, w), by_class(fun, -w)
            rows.append((slope(*found), slope(*mirror), correlation(*found)))
            if seed == SEEDS[0] and step in (0, 10, 100):
                outcome.add("classes", f"t = {step}", found[1], found[0])
        optimizer.step(w, fun(w)[1], state)
    return np.array(rows).T


def run(_quick: bool, _table: None) -> Outcome:
    """Take the mean of the exponents over starts."""
    fun = problems.heavy_tailed(M)
    outcome = Outcome()
    slopes, mirrored, correlations = np.mean([path(fun, seed, outcome) for seed in SEEDS], axis=0)
    outcome.add("slopes", "along Adam's path", TIMES, slopes)
    outcome.add("slopes", "along -W", TIMES, mirrored)
    outcome.add("slopes", "correlation along Adam's path", TIMES, correlations)
    outcome.sentences = (
        (
            f"At the start gradient and curvature of a class have little to do with each other "
            f"(correlation {correlations[0]:.2f})."
        ),
        (
            f"After {TIMES[-1]} steps of Adam they are nearly proportional (exponent "
            f"{slopes[-1]:.2f}, "
            f"correlation {correlations[-1]:.2f}): rare classes have little of both."
        ),
        f"At -W the exponent is {mirrored[-1]:.2f}: it is what training brings about, no identity.",
    )
    outcome.claim(
        "at t = 0 the exponent of gradient norm over Hessian trace is within ±0.3 of 0",
        f"{slopes[0]:.3f} (correlation {correlations[0]:.3f})",
        abs(slopes[0]) <= 0.3,
    )
    outcome.claim(
        "at t = 100 along Adam's path it is at least 0.7", f"{slopes[-1]:.3f}", slopes[-1] >= 0.7
    )
    outcome.claim("along -W it is at most 0.3", f"{mirrored[-1]:.3f}", mirrored[-1] <= 0.3)
    return outcome


STUDY = Study(
    "Gradient norm and Hessian trace of a class become proportional along Adam's path, not along "
    "-W.",
    {
        "classes": Panel(
            "a dot a class", "trace of the class's Hessian", "gradient norm", "xy", True
        ),
        "slopes": Panel("exponent over time", "steps", "exponent"),
    },
    run,
)
