"""What each cut of multidimensional backtracking removes from the box, in two dimensions.

The step sizes p that are valid for f(x) = x.H x / 2 are those with diag(1/p) - H positive
semidefinite. Of each rejected candidate both cuts are made on the same box; the run goes on with
the co-coercive one.

References
----------
F. Kunstner, V. S. Portella, M. Schmidt, N. Harvey, "Searching for optimal per-coordinate step-sizes
with multidimensional backtracking", NeurIPS 2023, arXiv:2306.02527, theorem 4.2.
"""

from __future__ import annotations

import numpy as np

from mdbopt import kernels, problems
from mdbopt._finite import Array
from mdbopt.studies._study import Outcome, Panel, Study

HESSIAN = np.array([[0.5, 0.1], [0.1, 1.0]])
START = np.array([1.0, -0.4])
FIRST_BOX = np.array([1e3, 1e3])
GROWTH = 1.1  # of the box after an accepted step, as in the paper's runs
LEAST = 0.01  # of a step size in the picture, whose axes are logarithmic
DRAWN = 5
CUTS = ("hypergradient", "cocoercive")
GRADIENT = 1e-6  # below, differences of f are rounding


def front() -> Array:
    """Return points of the Pareto front of the valid step sizes, shape (2, k).

    diag(1/p) - H is singular there: (1/p_1 - H_11) (1/p_2 - H_22) = H_12^2, both factors > 0.
    """
    first = np.geomspace(LEAST, 1.0, 200) * 0.9999 / HESSIAN[0, 0]
    margin = 1.0 / first - HESSIAN[0, 0]
    return np.array([first, 1.0 / (HESSIAN[1, 1] + HESSIAN[0, 1] ** 2 / margin)])


def cut_box(box: Array, step: Array, fall: float, g: Array, g_new: Array, cut: str) -> Array:
    """Return the box after a rejected candidate, cut at the half-space that it proves.

    Parameters
    ----------
    box, step : ndarray of shape (2,)
        The box, and the candidate p.
    fall : float
        f(x) - f(x⁺).
    g, g_new : ndarray of shape (2,)
        Gradients at x and x⁺.
    cut : {"hypergradient", "cocoercive"}
        Which half-space <u, q> <= 1.
    """
    divergence = fall - float(g_new @ (step * g))
    if cut == "hypergradient":
        u = np.maximum(0.5 * g**2 - g * g_new, 0.0) / divergence
    else:
        back = float(g @ (step * g)) - fall
        u = (g - g_new) ** 2 / (2.0 * min(divergence, back))
    result = box.copy()
    kernels.box_cut(u, result)
    return result


def run(_quick: bool, _table: None) -> Outcome:
    """Follow the box through all its cuts."""
    outcome = Outcome()
    outcome.add("set", "largest valid", *front())
    fun = problems.quadratic(HESSIAN)
    x, box = START, FIRST_BOX
    f, g = fun(x)
    left: dict[str, list[float]] = {cut: [] for cut in CUTS}
    shown = 0
    while np.abs(g).max() > GRADIENT:
        step = box / 4.0  # gamma b, gamma = 1 / (2 d)
        x_new = x - step * g
        f_new, g_new = fun(x_new)
        if f_new <= f - 0.5 * float(g**2 @ step):
            x, f, g, box = x_new, f_new, g_new, GROWTH * box
            continue
        boxes = {cut: cut_box(box, step, f - f_new, g, g_new, cut) for cut in CUTS}
        for cut in CUTS:
            left[cut].append(float(np.prod(boxes[cut]) / np.prod(box)))
        shown += 1
        box = boxes["cocoercive"]
        right, top = box
        if shown <= DRAWN:
            label = f"box after cut {shown}"
            outcome.add("set", label, [LEAST, right, right], [top, top, LEAST])
    for cut in CUTS:
        outcome.add("volume", cut, range(1, shown + 1), left[cut])
    paper, deeper = (np.array(left[cut]) for cut in CUTS)
    first = front()
    kept = bool(np.any(np.all(first <= box[:, None], axis=0)))
    outcome.sentences = (
        (
            f"A rejected step proves a half-space of step sizes invalid, and {shown} such cuts "
            "bring the "
            f"box from {FIRST_BOX[0]:g} by {FIRST_BOX[1]:g} to {box[0]:.3g} by {box[1]:.3g}."
        ),
        (
            f"The paper's cut leaves {paper.max():.3f} of the volume at most, the co-coercive one "
            f"{deeper.max():.3f}."
        ),
        (
            "The box need not hold all valid step sizes in the end, and holds those on the front "
            "that it "
            f"wants: {'some are inside' if kept else 'none is inside'}."
        ),
    )
    outcome.claim(
        "each cut removes at least half of the box's volume",
        f"left: at most {max(paper.max(), deeper.max()):.3f}",
        max(paper.max(), deeper.max()) <= 0.5,
    )
    outcome.claim(
        "the co-coercive cut removes at least as much as the paper's",
        f"largest ratio of what they leave: {float((deeper / paper).max()):.3f}",
        bool(np.all(deeper <= paper * (1.0 + 1e-12))),
    )
    return outcome


STUDY = Study(
    "What each cut removes from the box of step sizes in two dimensions: why the method works.",
    {
        "set": Panel("step sizes", "step size of x₁", "step size of x₂", "xy"),
        "volume": Panel("left by each cut", "cut", "share of the volume", "", True),
    },
    run,
)
