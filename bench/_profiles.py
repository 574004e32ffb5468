"""Costs of methods on problems, and what follows: shares near the best, and profiles.

Profiles are those of E. D. Dolan, J. J. Moré, "Benchmarking optimization software with performance
profiles", Mathematical Programming 91 (2002), and the data profiles of J. J. Moré, S. M. Wild,
"Benchmarking derivative-free optimization algorithms", SIAM J. Optim. 20 (2009), over evaluations
of f and its gradient rather than in units of d + 1 values.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from _solvers import TAUS

from mdbopt import plot

# Cost by method, by problem; infinite where it did not get there, absent where it took no part.
Costs = dict[str, dict[str, float]]
GOALS = tuple(f"{tau:.0e}" for tau in TAUS)
# A picture of all methods shows none.
LINES = 12
# The factor of the best cost to which methods are ranked and performance profiles drawn.
FARTHEST = 100.0
UNITS = {"evaluations": "evaluations of f and its gradient", "seconds": "seconds"}


def costs_of(rows: Iterable[dict[str, Any]], goal: str, what: str) -> Costs:
    """Return what each method took to a goal: ``what`` is "evaluations" or "seconds".

    A problem on which no method lowered f says nothing, and is left out. Methods whose evaluations
    are not counted have seconds alone.
    """
    found: Costs = {}
    for row in rows:
        if not row["best"] < row["f0"]:
            continue
        for method, run in row["methods"].items():
            if what == "seconds" or run["counted"]:
                took = run[what][goal]
                name = f"{row['stage']}/{row['problem']}"
                found.setdefault(method, {})[name] = math.inf if took is None else took
    return found


def least_of(costs: Costs) -> dict[str, tuple[str, float]]:
    """Return by problem the best method and what it took."""
    names = dict.fromkeys(name for each in costs.values() for name in each)
    found = {}
    for name in names:
        took = {method: each[name] for method, each in costs.items() if name in each}
        method = min(took, key=lambda one: took[one])
        found[name] = method, took[method]
    return found


def is_near(took: float, least: float, within: float) -> bool:
    """Tell whether a method got there, and within a factor of the best."""
    return math.isfinite(took) and took <= within * least


def shares(costs: Costs, within: float) -> dict[str, float]:
    """Return by method the share of its problems that it solves within a factor of the best."""
    least = {name: took for name, (_, took) in least_of(costs).items()}
    return {
        method: float(np.mean([is_near(took, least[name], within) for name, took in each.items()]))
        for method, each in costs.items()
    }


def farther(costs: Costs, named: dict[str, str | None], within: float) -> dict[str, dict[str, Any]]:
    """Return by problem where the method named for it is not within a factor of the best."""
    found = {}
    for name, (best, least) in least_of(costs).items():
        choice = named[name]
        mine = math.inf if choice is None else costs.get(choice, {}).get(name, math.inf)
        if not is_near(mine, least, within):
            found[name] = {"named": choice, "took": mine, "best": best, "best took": least}
    return found


def table_of(costs: Costs) -> dict[str, list[float]]:
    """Return costs as rows over the same problems, infinite where a method took no part."""
    names = list(least_of(costs))
    return {method: [each.get(name, math.inf) for name in names] for method, each in costs.items()}


def foremost(costs: Costs, count: int) -> list[str]:
    """Return the methods with the most area under the performance profile to `FARTHEST`."""
    least = least_of(costs)
    areas = {
        method: sum(
            max(0.0, 1.0 - math.log(each[name] / least[name][1], FARTHEST))
            for name in each
            if math.isfinite(each[name])
        )
        for method, each in costs.items()
    }
    return sorted(areas, key=lambda method: -areas[method])[:count]


def draw(rows: list[dict[str, Any]], what: str, path: pathlib.Path) -> None:
    """Draw performance profiles above, data profiles below, a column for each goal.

    Shown are the methods that are foremost at the closest goal.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(GOALS), 7.2), dpi=110, layout="constrained")
    axes = figure.subplots(2, len(GOALS), squeeze=False)
    # the same methods in all, so that each has one colour
    names = foremost(costs_of(rows, GOALS[-1], what), LINES)
    for k, goal in enumerate(GOALS):
        table = table_of(costs_of(rows, goal, what))
        chosen = {method: table[method] for method in names}
        for above, kind in enumerate(("performance", "data")):
            ax = plot.profile(chosen, kind=kind, ax=axes[above][k], x=UNITS[what])
            if kind == "performance":
                ax.set_xlim(0.95, FARTHEST)
            ax.set_title(f"to {goal}", fontsize=9)
    plot.save_picture(path, figure)
