"""EM of a Gaussian mixture as mirror descent: KL per step, under two parametrisations.

The complete-data model p(x, k) is an exponential family with statistics 1[k = j] (1, x, x^2) and
mean parameters m. EM's step is m ← m - dL/dtheta, theta the natural parameters and L the mean
negative log-likelihood: mirror descent with step 1.

References
----------
F. Kunstner, R. Kumar, M. Schmidt, "Homeomorphic-invariance of EM: non-asymptotic convergence in KL
divergence for exponential families via mirror descent", AISTATS 2021, arXiv:2011.01170: the least
KL of T steps is at most (L(theta_1) - L*) / T.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt import problems
from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

STEPS = 200
IMAGINARY = 1e-30  # of the complex step, exact for analytic functions


def points() -> Array:
    """Return 600 points of three normal distributions that overlap, by Zipf's law."""
    variances = [1.0, 0.49, 1.44]
    return problems.zipf_mixture(600, [[-2.0], [0.5], [3.0]], variances)[0][:, 0]


def mean_parameters(weights: Array, centres: Array, variances: Array) -> Array:
    """Return E[1[k = j] (1, x, x^2)], shape (3, components)."""
    return np.array([weights, weights * centres, weights * (variances + centres**2)])


def components(means: Array) -> tuple[Array, Array, Array]:
    """Return weights, centres and variances of the components from the mean parameters."""
    weights = means[0]
    centres = means[1] / weights
    return weights, centres, means[2] / weights - centres**2


def em_step(x: Array, means: Array) -> Array:
    """Return the mean parameters after a step of EM on weights, centres and variances."""
    weights, centres, variances = components(means)
    logs = np.log(weights / np.sqrt(variances)) - (x[:, None] - centres) ** 2 / (2.0 * variances)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    counts = shares.sum(axis=0)
    new = (shares * x[:, None]).sum(axis=0) / counts
    spread = (shares * (x[:, None] - new) ** 2).sum(axis=0) / counts
    return mean_parameters(counts / len(x), new, spread)


def natural_parameters(means: Array) -> Array:
    """Return theta with log p(x, k) = theta_k . (1, x, x^2) - A(theta), shape (3, components)."""
    weights, centres, variances = components(means)
    return np.array(
        [
            np.log(weights) - 0.5 * np.log(variances) - centres**2 / (2.0 * variances),
            centres / variances,
            -0.5 / variances,
        ]
    )


def loss(x: Array, theta: Any) -> Any:
    """Return the mean negative log-likelihood at natural parameters; theta may be complex."""
    scores = theta[0] + x[:, None] * theta[1] + x[:, None] ** 2 * theta[2]
    largest = scores.real.max(axis=1)
    inside = np.log(np.exp(scores - largest[:, None]).sum(axis=1)) + largest
    masses = theta[0] - theta[1] ** 2 / (4.0 * theta[2]) + 0.5 * np.log(-np.pi / theta[2])
    return np.log(np.exp(masses).sum()) - inside.mean()


def mirror_step(x: Array, means: Array) -> Array:
    """Return the mean parameters after a step of mirror descent, by the derivative of L."""
    theta = natural_parameters(means).astype(complex)
    slope = np.empty_like(means)
    for place in np.ndindex(theta.shape):
        moved = theta.copy()
        moved[place] += 1j * IMAGINARY
        slope[place] = loss(x, moved).imag / IMAGINARY
    return means - slope


def divergence(new: Array, old: Array) -> float:
    """Return KL(p_new(x, k) || p_old(x, k)) in nats."""
    (a, c, v), (b, e, u) = components(new), components(old)
    # r - 1 - log(r), of r = v / u, without a difference of numbers that are near each other
    ratio = (v - u) / u
    normal = 0.5 * (ratio - np.log1p(ratio) + (c - e) ** 2 / u)
    classes = a * np.log1p((a - b) / b) - (a - b)
    return float(np.sum(classes + a * normal))


def run(_quick: bool, _table: None) -> Outcome:
    """Follow both from one start."""
    x = points()
    start = mean_parameters(
        np.full(3, 1.0 / 3.0), np.array([-1.0, 0.0, 1.0]), np.full(3, float(np.var(x)))
    )
    ways = {"EM": em_step, "mirror descent": mirror_step}
    found: dict[str, list[float]] = {}
    losses: list[float] = []
    for name, advance in ways.items():
        means, found[name] = start, []
        for _ in range(STEPS):
            if name == "EM":
                losses.append(float(loss(x, natural_parameters(means))))
            new = advance(x, means)
            found[name].append(divergence(new, means))
            means = new
    em, mirror = np.array(found["EM"]), np.array(found["mirror descent"])
    times = np.arange(1, STEPS + 1)
    # L* is at most the last loss, so that this is at most the theorem's bound.
    bound = (losses[0] - losses[-1]) / times
    outcome = Outcome()
    outcome.add("divergence", "EM", times, em)
    outcome.add("divergence", "mirror descent", times, mirror)
    outcome.add("divergence", "(L₁ - L*) / t", times, bound)
    outcome.add("loss", "EM", times, np.array(losses) - min(losses[-1], losses[-2]) + 1e-16)
    least = np.minimum.accumulate(em)
    apart = float(np.max(np.abs(em - mirror) / em[0]))
    outcome.sentences = (
        (
            f"EM's steps shrink from {em[0]:.2e} to {em[-1]:.2e} nats of KL divergence in {STEPS} "
            "steps."
        ),
        (
            "Mirror descent on the natural parameters, whose gradient is that of the likelihood, "
            "walks the "
            f"same path ({apart:.1e} apart, of the first step)."
        ),
        (
            "The least step so far stays below (L₁ - L*) / t, by a factor "
            f"{float(np.max(least / bound)):.2f} "
            "at most."
        ),
    )
    outcome.claim(
        "the least KL of t steps is at most (L₁ - L*) / t",
        f"{float(np.max(least / bound)):.3f} of it at most",
        bool(np.all(least <= bound)),
    )
    outcome.claim(
        "KL is the same under both parametrisations to rounding (1e-10 of the first)",
        f"{apart:.1e}",
        apart <= 1e-10,
    )
    return outcome


STUDY = Study(
    "EM of a Gaussian mixture is mirror descent: KL per step falls like 1/t in any "
    "parametrisation.",
    {
        "divergence": Panel("KL of a step", "step", "nats", "xy"),
        "loss": Panel("above the last", "step", "negative log-likelihood", "xy"),
    },
    run,
)
