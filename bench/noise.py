"""What is left of f - f* where f and its gradient have noise, beside SciPy's L-BFGS-B and BFGS.

Every table with normal noise of known levels: of f by a share of f(x0) - f*, of the gradient, in
the 2-norm, by a share of that at x0; a level is twice the standard deviation. Ours is told of them,
measures them ("estimate"), or is not told. All end by themselves, L-BFGS-B and BFGS where their
line searches fail, after 3000 evaluations or iterations at most. Shown are medians of three draws:
the exact f - f* of the result over that of x0, and evaluations, those that measure included.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import _common
import numpy as np
import scipy.optimize
from _solvers import CAP, LARGEST_MATRIX, Array

import mdbopt

LEVELS = ((1e-3, 0.0), (1e-3, 1e-3), (1e-6, 1e-3), (1e-3, 1e-6), (1e-6, 1e-6))
TABLES = ("australian", "breast-cancer", "heart", "diabetes", "california-housing", "housing",
          "concrete", "cpusmall", "bodyfat", "ionosphere", "splice", "sonar", "phishing",
          "mushrooms")  # fmt: skip
DRAWS = 3
SMALLEST = 1e-16  # a share that is less counts as this
METHODS = ("told", "estimate", "untold", "L-BFGS-B", "BFGS")
PEERS = METHODS[2:]

Objective = Callable[[Array], tuple[float, Array]]


class Noisy:
    """A problem with normal noise whose standard deviations are half of the levels."""

    def __init__(self, fun: Objective, levels: tuple[float, float], seed: int) -> None:
        self._fun, self._levels = fun, levels
        self._draw = np.random.default_rng(seed)
        self.calls = 0

    def __call__(self, x: Array) -> tuple[float, Array]:
        self.calls += 1
        f, g = self._fun(x)
        of_f, of_g = (0.5 * level for level in self._levels)
        off = self._draw.normal(size=g.size) / np.sqrt(g.size)
        return float(f + of_f * self._draw.normal()), g + of_g * off


def end_of(method: str, noisy: Noisy, x0: Array, levels: tuple[float, float]) -> Array:
    """Return where a method ends."""
    if method in ("told", "estimate", "untold"):
        noise = {"told": levels, "estimate": "estimate", "untold": None}[method]
        result = mdbopt.minimize(noisy, x0, jac=True, noise=noise, options={"maxfun": CAP})
    else:
        limits = {"maxiter": CAP, "maxfun": CAP} if method == "L-BFGS-B" else {"maxiter": CAP}
        tight = {"ftol": 0.0, "gtol": 1e-8} if method == "L-BFGS-B" else {"gtol": 1e-8}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = scipy.optimize.minimize(
                noisy, x0, jac=True, method=method, options={**limits, **tight}
            )
    return np.asarray(result.x)


def compare(data: _common.Data) -> list[dict[str, Any]]:
    """Run all on every table, at each pair of levels."""
    rows = []
    for name in TABLES:
        problem = data.problem(name)
        f, g = problem(problem.x0)
        best = mdbopt.minimize(problem, problem.x0, jac=True, options={"gtol": 0.0}).fun
        for shares in LEVELS:
            levels = shares[0] * (f - best), shares[1] * float(np.linalg.norm(g))
            row: dict[str, Any] = {"table": name, "f": shares[0], "g": shares[1]}
            for method in METHODS:
                if method == "BFGS" and problem.x0.size > LARGEST_MATRIX:
                    row[method] = None
                    continue
                ends = []
                for seed in range(DRAWS):
                    noisy = Noisy(problem, levels, seed)
                    x = end_of(method, noisy, problem.x0, levels)
                    ends.append(((problem(x)[0] - best) / (f - best), noisy.calls))
                row[method] = [max(float(np.median([gap for gap, _ in ends])), SMALLEST),
                               float(np.median([calls for _, calls in ends]))]  # fmt: skip
            rows.append(row)
    return rows


def report(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print a row per table and levels, then one per levels."""
    _common.print_table(
        ["table", "noise of f", "of g", *METHODS],
        [
            [row["table"], f"{row['f']:.0e}", f"{row['g']:.0e}", *(_shown(row[m]) for m in METHODS)]
            for row in rows
        ],
    )
    summary = []
    for of_f, of_g in LEVELS:
        chosen = [row for row in rows if (row["f"], row["g"]) == (of_f, of_g)]
        line: dict[str, Any] = {"f": of_f, "g": of_g}
        for method in METHODS:
            pairs = [(row["told"], row[method]) for row in chosen if row[method] is not None]
            line[method] = {
                "share": _common.geometric_mean(theirs[0] for _, theirs in pairs),
                "gap": _common.geometric_mean(ours[0] / theirs[0] for ours, theirs in pairs),
                "evaluations": _common.geometric_mean(
                    ours[1] / theirs[1] for ours, theirs in pairs
                ),
                "lower": sum(ours[0] < theirs[0] for ours, theirs in pairs),
                "tables": len(pairs),
            }
        summary.append(line)
    print("\nGeometric means: what is left; told over others, of what is left and of evaluations.")
    _common.print_table(
        ["noise of f", "of g", *METHODS, *(f"told : {m}" for m in METHODS[1:])],
        [
            [f"{line['f']:.0e}", f"{line['g']:.0e}"]
            + [f"{line[m]['share']:.1e}" for m in METHODS]
            + [
                "{gap:.1e} {evaluations:.2f} ({lower} of {tables})".format(**line[m])
                for m in METHODS[1:]
            ]
            for line in summary
        ],
    )
    return summary


def _shown(found: list[float] | None) -> str:
    return "-" if found is None else f"{found[0]:.1e} {found[1]:.0f}"


def main() -> None:
    """Read the command line and run."""
    args = _common.parser(__doc__, data=True).parse_args()
    _common.print_machine()
    rows = compare(_common.Data(args.data))
    _common.write_json(args.json, {"rows": rows, "summary": report(rows)})


if __name__ == "__main__":
    _common.run_main(main)
