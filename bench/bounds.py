"""Evaluations of (f, g) within bounds until f - f* <= tau (f0 - f*), beside SciPy's L-BFGS-B.

Families: every table with weights >= 0 and with two-sided bounds around the minimiser, raw and
other columns apart; functions of Moré, Garbow and Hillstrom, with bounds of the literature's kind
and in boxes drawn at random; nonnegative least squares. Nobody gets more than 3000 evaluations, and
a goal that is not reached counts as 3000. f* is the least value that anybody saw, L-BFGS-B with 80
pairs from our end included. --seconds asks instead what a step takes at 1e6 variables, with bounds,
with l1 and without either.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import _common
import numpy as np
from _bounded import Bounded, of_boxes, of_functions, of_least_squares, of_tables
from _solvers import CAP, lbfgsb, ours
from scipy.optimize import Bounds

import mdbopt

TAUS = (1e-4, 1e-8)
SIZE = 1_000_000
STEPS = 40


def problems(args: Any) -> Iterator[Bounded]:
    """Give all problems of the families asked for."""
    if not args.without_tables:
        yield from of_tables(_common.Data(args.data))
    yield from itertools.chain(of_functions(), of_boxes(), of_least_squares())


def compare(args: Any) -> list[dict[str, Any]]:
    """Run both on every problem."""
    rows = []
    for problem in problems(args):
        mine = ours(problem, args.method, {}, bounds=problem.bounds)
        theirs = lbfgsb(problem, bounds=problem.bounds)
        end = mdbopt.minimize(problem, problem.x0, jac=True, bounds=problem.bounds).x
        polished = lbfgsb(
            Bounded(problem.name, problem.family, problem.fun, end, problem.bounds),
            80,
            bounds=problem.bounds,
        )
        f0 = problem(problem.x0)[0]
        best = min(float(np.nanmin(run.values)) for run in (mine, theirs, polished))
        row: dict[str, Any] = {"problem": problem.name, "family": problem.family}
        row["active"] = float(np.mean((end <= problem.bounds.lb) | (end >= problem.bounds.ub)))
        for tau in TAUS:
            goal = best + tau * (f0 - best)
            counts = [run.first_below(goal) for run in (mine, theirs)]
            row[f"{tau:.0e}"] = {"evaluations": counts, "ratio": counts[0] / counts[1]}
        rows.append(row)
    return rows


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Print a row per problem, then a row per family."""
    keys = [f"{tau:.0e}" for tau in TAUS]
    lines = [
        [row["problem"], row["family"], f"{row['active']:.2f}"]
        + ["{} : {}  {:5.2f}".format(*row[k]["evaluations"], row[k]["ratio"]) for k in keys]
        for row in rows
    ]
    _common.print_table(
        ["problem", "family", "active", *(f"ours : L-BFGS-B {k}" for k in keys)], lines
    )
    summary = {}
    for family in dict.fromkeys(row["family"] for row in rows):
        chosen = [row[keys[-1]] for row in rows if row["family"] == family]
        solved = [sum(row["evaluations"][k] < CAP for row in chosen) for k in (0, 1)]
        mean = _common.geometric_mean(row["ratio"] for row in chosen)
        worst = max(row["ratio"] for row in chosen)
        summary[family] = {"problems": len(chosen), "solved": solved, "mean": mean, "worst": worst}
    print()
    _common.print_table(
        ["family", "problems", "solved : L-BFGS-B's", f"mean {keys[-1]}", "worst"],
        [
            [name, s["problems"], "{} : {}".format(*s["solved"]), f"{s['mean']:.3f}",
             f"{s['worst']:.2f}"]
            for name, s in summary.items()
        ],
    )  # fmt: skip
    return summary


def seconds() -> dict[str, float]:
    """Time steps of `Guarded` alone on a quadratic, with bounds or l1 that hold and without.

    The three searches take turns, so that what else the machine does is shared between them.
    """
    h = np.logspace(0, 4, SIZE)
    options = {
        "without": {},
        "bounds": {"bounds": Bounds(-np.inf, np.where(h < 2, 0.5, 2.0))},
        "l1": {"l1": np.where(h < 2, 2.0, 1e-3) * h},
    }

    def told(x: Any) -> tuple[float, Any]:
        away = np.asarray(x) - 1
        return 0.5 * float(h @ away**2), h * away

    x = np.zeros(SIZE)
    searches = {name: mdbopt.Guarded(**given) for name, given in options.items()}
    states = {name: search.init(x, *told(x)) for name, search in searches.items()}
    taken: dict[str, list[float]] = {name: [] for name in options}
    for _ in range(STEPS):
        for name, search in searches.items():
            f, g = told(search.propose(states[name], copy=False))
            begin = time.perf_counter()
            search.judge(states[name], f, g)
            taken[name].append(time.perf_counter() - begin)
    found = {name: float(np.median(times[STEPS // 2 :])) for name, times in taken.items()}
    print(f"ms a step at {SIZE:,} variables: {1e3 * found['without']:.1f} without; ", end="")
    print(
        ", ".join(
            f"with {name} {1e3 * found[name]:.1f}, ratio {found[name] / found['without']:.2f}"
            for name in ("bounds", "l1")
        )
    )
    return found


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True)
    parser.add_argument("--method", default="guarded", help="default guarded")
    parser.add_argument("--seconds", action="store_true", help="see above")
    parser.add_argument("--without-tables", action="store_true", help="needs no --data")
    args = parser.parse_args()
    _common.print_machine()
    if args.seconds:
        _common.write_json(args.json, {"seconds": seconds()})
        return
    rows = compare(args)
    _common.write_json(args.json, {"rows": rows, "summary": report(rows)})


if __name__ == "__main__":
    _common.run_main(main)
