"""Evaluations of (f, g) with an l1 penalty, beside SciPy's L-BFGS-B on the split problem.

Every table, with a penalty of each column's weight by the column's spread, which is the
standardised lasso on raw columns, at 0.01 and at 0.1 of what takes all weights to 0; the intercept
is free. L-BFGS-B minimises over u, v >= 0 with w = u - v, the form in which it takes an l1 penalty.
Counted is until F - F* <= tau (F0 - F*). Nobody gets more than 3000 evaluations, and a goal that is
not reached counts as 3000. F* is the least value that anybody saw, L-BFGS-B with 80 pairs from our
end included.

--seconds asks instead what `mdbopt.sklearn` takes until F - F* <= 1e-6 (F0 - F*), beside
scikit-learn's coordinate descent (Lasso), saga and liblinear (logistic), and skglm's working sets
where that is installed, with one penalty for all columns of the table, which these estimators ask
for.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

import _common
import numpy as np
from _solvers import CAP, lbfgsb
from scipy.optimize import Bounds

import mdbopt

TAUS = (1e-4, 1e-6, 1e-8)
GOAL = "1e-06"
SHARES = (0.01, 0.1)
TABLES = ("australian", "breast-cancer", "heart", "diabetes", "california-housing", "housing",
          "concrete", "cpusmall", "bodyfat", "ionosphere", "splice", "sonar", "phishing",
          "mushrooms", "a9a")  # fmt: skip
LEAST_SPREAD = 1e-12
ROUNDS = 3
PATIENCE = 20.0  # seconds of one fit after which no longer one is tried
# liblinear refuses 0, and penalises the intercept, divided by the other number.
SMALLEST_TOL = 1e-12
INTERCEPT_SCALING = 100.0
# tol of estimators that keep it; max_iter of scikit-learn's. The first that is enough is taken.
TOLERANCES = {
    "mdbopt": (1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10),
    "skglm": tuple(10.0**-k for k in range(1, 13)),
}
ITERATIONS = tuple(int(10 ** (k / 4)) for k in range(2, 21))


class Problem:
    """A table's loss without a penalty, and the penalty beside it."""

    def __init__(self, data: _common.Data, name: str, share: float) -> None:
        X, y, self.labels = data.rows(name)
        make = mdbopt.problems.logistic if self.labels else mdbopt.problems.least_squares
        self.smooth = make(X.astype(np.float64), y, l2=0.0)
        self.name, self.x0 = name, self.smooth.x0
        squares = X.power(2) if hasattr(X, "power") else X**2
        means = np.asarray(X.mean(axis=0)).ravel()
        spreads = np.sqrt(np.maximum(np.asarray(squares.mean(axis=0)).ravel() - means**2, 0))
        spreads = spreads + LEAST_SPREAD
        slopes = np.abs(self.smooth(self.x0)[1][:-1]) / spreads
        self.l1 = np.append(share * slopes.max() * spreads, 0.0)

    def __call__(self, w: Any) -> tuple[float, Any]:
        return self.smooth(w)

    def whole(self, w: Any) -> float:
        """Return F."""
        return float(self.smooth(w)[0] + self.l1 @ np.abs(w))


class Split:
    """The same over positive parts, w = u - v."""

    def __init__(self, problem: Problem, w: Any) -> None:
        self._problem = problem
        self.x0 = np.concatenate([np.maximum(w, 0), np.maximum(-w, 0)])

    def __call__(self, z: Any) -> tuple[float, Any]:
        u, v = np.split(z, 2)
        f, g = self._problem(u - v)
        l1 = self._problem.l1
        return float(f + l1 @ (u + v)), np.concatenate([g + l1, l1 - g])


def compare(data: _common.Data) -> list[dict[str, Any]]:
    """Run both on every table, at each penalty."""
    rows = []
    for share in SHARES:
        for name in TABLES:
            problem = Problem(data, name, share)
            seen: list[float] = []

            def watched(w: Any, problem: Any = problem, seen: Any = seen) -> tuple[float, Any]:
                f, g = problem(w)
                seen.append(float(f + problem.l1 @ np.abs(w)))
                return f, g

            options = {"gtol": 0.0, "maxfun": CAP, "maxiter": CAP}
            end = mdbopt.minimize(watched, problem.x0, jac=True, l1=problem.l1, options=options).x
            theirs = lbfgsb(Split(problem, problem.x0), bounds=Bounds(0.0, np.inf)).values
            polished = lbfgsb(Split(problem, end), 80, bounds=Bounds(0.0, np.inf)).values
            best = min(min(seen), float(theirs.min()), float(polished.min()))
            row: dict[str, Any] = {"table": name, "share": share}
            row["nonzero"] = float(np.mean(end[:-1] != 0))
            for tau in TAUS:
                goal = best + tau * (seen[0] - best)
                counts = [_first(np.array(seen), goal), _first(theirs, goal)]
                row[f"{tau:.0e}"] = {"evaluations": counts, "ratio": counts[0] / counts[1]}
            rows.append(row)
    return rows


def _first(values: Any, goal: float) -> int:
    hit = np.flatnonzero(values <= goal)
    return int(hit[0]) + 1 if hit.size else CAP


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Print a row per table, then one per penalty."""
    keys = [f"{tau:.0e}" for tau in TAUS]
    _common.print_table(
        ["table", "penalty", "nonzero", *(f"ours : L-BFGS-B {k}" for k in keys)],
        [
            [row["table"], row["share"], f"{row['nonzero']:.2f}"]
            + ["{} : {}  {:5.2f}".format(*row[k]["evaluations"], row[k]["ratio"]) for k in keys]
            for row in rows
        ],
    )
    summary = {}
    for share in SHARES:
        chosen = [row[GOAL] for row in rows if row["share"] == share]
        summary[str(share)] = {
            "mean": _common.geometric_mean(row["ratio"] for row in chosen),
            "worst": max(row["ratio"] for row in chosen),
            "solved": [sum(row["evaluations"][k] < CAP for row in chosen) for k in (0, 1)],
        }
    print()
    _common.print_table(
        ["penalty", "solved : L-BFGS-B's", f"mean {GOAL}", "worst"],
        [
            [share, "{} : {}".format(*s["solved"]), f"{s['mean']:.3f}", f"{s['worst']:.2f}"]
            for share, s in summary.items()
        ],
    )
    return summary


# --- seconds -------------------------------------------------------------------------------------
def _fits(labels: bool, strength: float, rows: int) -> dict[str, Callable[[Any], Any]]:
    """Return estimators by name, made for one of `TOLERANCES`, or of `ITERATIONS`."""
    from sklearn import linear_model

    from mdbopt import sklearn as mine

    skglm = _skglm()
    if not labels:
        return {
            "mdbopt": lambda tol: mine.Lasso(strength, tol=tol),
            "coordinate descent": lambda k: linear_model.Lasso(strength, tol=0.0, max_iter=k),
        } | (
            {"skglm": lambda tol: skglm.Lasso(strength, tol=tol, max_iter=ITERATIONS[-1])}
            if skglm
            else {}
        )
    C = 1.0 / (strength * rows)

    def theirs(solver: str) -> Callable[[Any], Any]:
        return lambda k: linear_model.LogisticRegression(
            C=C, l1_ratio=1.0, solver=solver, tol=SMALLEST_TOL, max_iter=k, random_state=0,
            intercept_scaling=INTERCEPT_SCALING,
        )  # fmt: skip

    return {
        "mdbopt": lambda tol: mine.LogisticRegression(C=C, l1_ratio=1.0, tol=tol, max_iter=None),
        "saga": theirs("saga"),
        "liblinear": theirs("liblinear"),
    } | (
        {
            "skglm": lambda tol: skglm.SparseLogisticRegression(
                strength, tol=tol, max_iter=ITERATIONS[-1]
            )
        }
        if skglm
        else {}
    )


@functools.cache
def _skglm() -> Any:
    try:
        import skglm
    except ImportError as error:
        print(f"without skglm, which is not installed: {error}")
        return None
    return skglm


def seconds(data: _common.Data) -> list[dict[str, Any]]:
    """Time every estimator to the goal, on every table."""
    rows = []
    for name in TABLES:
        problem = Problem(data, name, SHARES[0])
        X, y, labels = data.rows(name)
        strength = SHARES[0] * float(np.abs(problem(problem.x0)[1][:-1]).max())
        problem.l1 = np.append(np.full(problem.x0.size - 1, strength), 0.0)
        if labels:
            y = (y == np.unique(y)[1]).astype(int)
        fits = _fits(labels, strength, len(y))
        best = mdbopt.minimize(
            problem, problem.x0, jac=True, l1=problem.l1, options={"gtol": 0.0}
        ).fun
        goal = best + float(GOAL) * (problem.whole(problem.x0) - best)
        row: dict[str, Any] = {"table": name}
        for method, make in fits.items():
            limits = TOLERANCES.get(method, ITERATIONS)
            row[method] = _time_to(problem, make, limits, X.astype(np.float64), y, goal)
        rows.append(row)
        print(name, *(f"{key} {_shown(row[key])}" for key in fits), sep=", ", flush=True)
    return rows


def _time_to(problem: Problem, make: Any, limits: Any, X: Any, y: Any, goal: float) -> Any:
    """Return the seconds of the shortest fit that comes to the goal; None where none does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(limits[0]).fit(X, y)  # what compiles itself does it now
    for limit in limits:
        taken = []
        for _ in range(ROUNDS):
            model = make(limit)
            begin = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, y)
            taken.append(time.perf_counter() - begin)
            if taken[0] > 1.0:
                break
        w = np.append(np.ravel(model.coef_), model.intercept_)
        if problem.whole(w) <= goal:
            return min(taken)
        if taken[0] > PATIENCE:
            return None
    return None


def _shown(found: float | None) -> str:
    return "not reached" if found is None else f"{1e3 * found:.1f} ms"


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True)
    parser.add_argument("--seconds", action="store_true", help="see above")
    args = parser.parse_args()
    _common.print_machine()
    data = _common.Data(args.data)
    if args.seconds:
        _common.write_json(args.json, {"seconds": seconds(data)})
        return
    rows = compare(data)
    _common.write_json(args.json, {"rows": rows, "summary": report(rows)})


if __name__ == "__main__":
    _common.run_main(main)
