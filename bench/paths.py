"""Evaluations of (f, g) over a path of 17 values of l2, beside SciPy's L-BFGS-B.

l2 falls from 100/n to 0.01/n, and the penalty counts the intercept. Each value is solved until
f - f* <= 1e-6 (f(x0) - f*), x0 the problem's own start. Both solvers begin each value where they
ended the one before. Ours also begins as three others do: cold (at x0), with x alone, and with its
box and pairs, which `mdbopt.path` carries over. L-BFGS-B has m = 10, ftol = gtol = 0; nobody gets
more than 3000 evaluations a value, and a value that is not reached counts as 3000. f* is the least
value that a run of guarded found, down to the rounding of f.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import _common
import numpy as np
from _solvers import CAP

import mdbopt

RAW = (
    "australian", "breast-cancer", "diabetes", "heart", "california-housing", "housing",
    "concrete", "power-plant", "yacht",
)  # fmt: skip
OTHER = ("ionosphere", "splice", "sonar", "phishing", "mushrooms", "mg_scale", "svmguide1")
VALUES = np.logspace(2, -2, 17)
GAP = 1e-6
STARTS = ("cold", "x", "x, box, pairs")


def guarded(
    fun: Any, x: Any, goal: float, memory: Any, earlier: mdbopt.WarmStart | None = None
) -> tuple[int, mdbopt.SearchState]:
    """Return the evaluations until f <= goal, at most CAP, and the search."""
    search = mdbopt.Guarded(memory=memory)
    state = search.init(x, *fun(x), warm_start=earlier)
    while state.f > goal and state.nfev < CAP and not search.converged(state):
        search.judge(state, *fun(search.propose(state)))
    return (state.nfev if state.f <= goal else CAP), state


class _ReachedError(Exception):
    """The goal, or CAP evaluations, for a solver that has neither limit."""


def lbfgsb(fun: Any, x: Any, goal: float) -> tuple[int, Any]:
    """Return the evaluations of L-BFGS-B until f <= goal, and its best point."""
    import scipy.optimize

    best: dict[str, Any] = {"count": 0, "f": np.inf, "x": x}

    def recorded(w: Any) -> tuple[float, Any]:
        f, g = fun(w)
        best["count"] += 1
        if f < best["f"]:
            best.update(f=f, x=w.copy())
        if f <= goal or best["count"] >= CAP:
            raise _ReachedError
        return f, g

    limits = {"maxcor": 10, "ftol": 0.0, "gtol": 0.0, "maxfun": 10 * CAP, "maxiter": 10 * CAP}
    with contextlib.suppress(_ReachedError):
        scipy.optimize.minimize(recorded, x, jac=True, method="L-BFGS-B", options=limits)
    return (best["count"] if best["f"] <= goal else CAP), best["x"]


def compare(problem: Any, memory: Any) -> dict[str, int]:
    """Count the evaluations of all values by each way to begin, and by L-BFGS-B."""
    counts = dict.fromkeys(("L-BFGS-B", *STARTS), 0)
    at: dict[str, Any] = dict.fromkeys(("f*", "L-BFGS-B", *STARTS), problem.x0)
    before: tuple[Any, Any] | None = None
    for value in VALUES / problem.n:
        fun = problem.with_l2(value)
        least = mdbopt.minimize(
            fun, at["f*"], jac=True, options={"gtol": 0.0, "maxfun": CAP, "maxiter": CAP}
        )
        at["f*"] = least.x
        goal = least.fun + GAP * (fun(problem.x0)[0] - least.fun)
        count, at["L-BFGS-B"] = lbfgsb(fun, at["L-BFGS-B"], goal)
        counts["L-BFGS-B"] += count
        for start in STARTS:
            x = problem.x0 if start == "cold" else at[start]
            earlier = None
            if start == STARTS[-1] and before is not None:
                earlier = mdbopt.WarmStart(before[0], l2=(before[1], float(value)))
            count, state = guarded(fun, x, goal, memory, earlier)
            counts[start] += count
            at[start] = state.x.copy()
            if start == STARTS[-1]:
                before = state, float(value)
    return counts


def main() -> None:
    """Read the command line, run all tables, and print the ratios."""
    parser = _common.parser(__doc__, data=True)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="tables, all by default")
    parser.add_argument("--memory", default="auto", help='secant pairs, or "auto" (the default)')
    args = parser.parse_args()
    memory = args.memory if args.memory == "auto" else int(args.memory)
    data = _common.Data(args.data)
    _common.print_machine()
    found: dict[str, dict[str, int]] = {}
    for name in (*RAW, *OTHER):
        if not args.only or name in args.only:
            found[name] = compare(data.problem(name), memory)
            print(f"{name:20s} {found[name]}", flush=True)
    means: dict[str, dict[str, float]] = {}
    for kind, names in (("raw", RAW), ("other", OTHER)):
        logs = [
            [np.log(found[name][start] / found[name]["L-BFGS-B"]) for start in STARTS]
            for name in names
            if name in found
        ]
        if logs:
            means[kind] = dict(zip(STARTS, np.exp(np.mean(logs, axis=0)).tolist(), strict=True))
            told = ", ".join(f"{start} {mean:.3f}" for start, mean in means[kind].items())
            print(f"{kind}, over warm-started L-BFGS-B: {told}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"counts": found, "means": means}, indent=1))


if __name__ == "__main__":
    main()
