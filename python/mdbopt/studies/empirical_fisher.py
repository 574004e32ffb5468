"""Steps preconditioned by the Fisher and the empirical Fisher matrix, on a line fitted to points.

f(w) = sum (y_i - w.x_i)^2 / 2 with x = (feature, 1): the Fisher matrix sum x x^T is the Hessian,
the empirical one sum r_i^2 x x^T with the residuals r_i is not, unless the model is right and w its
optimum.

References
----------
F. Kunstner, L. Balles, P. Hennig, "Limitations of the empirical Fisher approximation for natural
gradient descent", NeurIPS 2019, arXiv:1905.12558.
"""

from __future__ import annotations

import numpy as np

from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

ROWS = 1000
TRUE = np.array([2.0, 2.0])  # slope and intercept
STARTS = (np.array([2.0, 4.5]), np.array([1.0, 0.0]), np.array([4.5, 3.0]), np.array([-0.5, 3.0]))
STEPS = 20
REACH = 2.5  # of the grid, to each side of the optimum


def rows() -> tuple[Array, Array]:
    """Return x, ones in its second column, and y = 2 + 2 x + noise of variance 1."""
    generator = np.random.default_rng(0)
    feature = generator.lognormal(0.0, 0.75, ROWS)
    X = np.column_stack([feature, np.ones(ROWS)])
    return X, X @ TRUE + generator.standard_normal(ROWS)


def step(X: Array, y: Array, w: Array, empirical: bool) -> Array:
    """Return minus the preconditioned gradient."""
    residuals = X @ w - y
    weights = residuals**2 if empirical else np.ones_like(residuals)
    direction: Array = np.linalg.solve((X.T * weights) @ X, -(X.T @ residuals))
    return direction


def angle(a: Array, b: Array) -> float:
    """Return the angle between two directions in degrees."""
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def run(_quick: bool, _table: None) -> Outcome:
    """Measure angles on a grid, and follow both from four starts."""
    X, y = rows()
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    offsets = np.linspace(-REACH, REACH, 20)
    angles: dict[bool, list[float]] = {False: [], True: []}
    for a in offsets:
        for b in offsets:
            w = best + np.array([a, b])
            newton = best - w
            for empirical, found in angles.items():
                found.append(angle(step(X, y, w, empirical), newton))
    outcome = Outcome()
    share = np.arange(1, len(angles[True]) + 1) / len(angles[True])
    labels = {False: "Fisher", True: "empirical Fisher"}
    for empirical, label in labels.items():
        outcome.add("angles", label, share, np.sort(angles[empirical]))
    left: dict[bool, list[float]] = {False: [], True: []}
    for empirical, label in labels.items():
        for number, start in enumerate(STARTS, 1):
            w, path = start, [start]
            for _ in range(STEPS):
                w = w + step(X, y, w, empirical)
                path.append(w)
            places = np.array(path)
            outcome.add("paths", f"{label}, start {number}", places[:, 0], places[:, 1])
            far = [float((p - best) @ X.T @ X @ (p - best)) for p in (path[0], path[1])]
            left[empirical].append(far[1] / far[0])
    bad = float(np.mean(np.array(angles[True]) >= 45.0))
    outcome.sentences = (
        (
            f"The Fisher's steps go straight to the optimum (at most {max(angles[False]):.1e}° "
            "from "
            "Newton's)."
        ),
        (
            f"The empirical Fisher's lie up to {max(angles[True]):.0f}° from it, and more than "
            "45° on "
            f"{bad:.0%} of the grid."
        ),
        (
            f"Its first step leaves {min(left[True]):.0%} to {max(left[True]):.0%} of the gap, "
            "the Fisher's "
            "none: far from the optimum residuals are large, and so the matrix is too."
        ),
    )
    outcome.claim(
        "Fisher: at most 5° from the Newton step everywhere on the grid",
        f"{max(angles[False]):.1e}°",
        max(angles[False]) <= 5.0,
    )
    outcome.claim(
        "empirical Fisher: at least 45° from it on part of the grid", f"{bad:.1%} of it", bad > 0.0
    )
    outcome.claim(
        "it crawls: after a step at least a tenth of the gap is left from every start",
        f"{min(left[True]):.3f} at least",
        min(left[True]) >= 0.1,
    )
    return outcome


STUDY = Study(
    "Steps by the Fisher and by the empirical Fisher matrix on a line fitted to points.",
    {
        "paths": Panel("paths", "slope", "intercept"),
        "angles": Panel("angle to the Newton step", "share of the grid", "degrees"),
    },
    run,
)
