"""Part solvers: minimize beside SciPy's L-BFGS-B on a table that needs no file."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np

from mdbopt import data, problems

REPEATS = 3
GTOL, MAXFUN = 1e-8, 3000
ROWS, COLUMNS = 500, 20


def _table() -> tuple[str, Any, Any]:
    """Return scikit-learn's breast-cancer table, or one made up where that is not installed."""
    try:
        table = data.breast_cancer()
    except ImportError:
        draw = np.random.default_rng(0)
        X = draw.standard_normal((ROWS, COLUMNS))
        y = (X @ draw.standard_normal(COLUMNS) + draw.standard_normal(ROWS) > 0).astype(float)
        return "made-up", X * np.geomspace(1e-2, 1e3, COLUMNS), y
    return table.name, table.X, table.y


def tables() -> Iterator[tuple[str, problems.Problem]]:
    """Give logistic regression on the raw table, and on its columns standardised."""
    name, X, y = _table()
    l2 = 1.0 / len(y)
    yield f"{name}, raw", problems.logistic(X, y, l2=l2, penalize_intercept=True)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    yield f"{name}, standardised", problems.logistic(standard, y, l2=l2, penalize_intercept=True)


def measure(name: str, fun: problems.Problem) -> list[dict[str, Any]]:
    """Solve a problem by both, in turn; one row each."""
    from mdbopt.cli import _runs

    methods = ("guarded", _runs.LBFGS)
    runs: dict[str, list[Any]] = {method: [] for method in methods}
    for _ in range(REPEATS):
        for method in methods:
            runs[method].append(_runs.fit(fun, method, _runs.Limits(GTOL, MAXFUN), show=False))
    counts = _runs.evaluations_to_gap([runs[method][0] for method in methods])
    rows = []
    for method, to_gap in zip(methods, counts, strict=True):
        spent = statistics.median(float(run.trace["seconds"][-1]) for run in runs[method])
        evaluations = runs[method][0].nfev
        rows.append(
            {
                "problem": name,
                "method": method,
                "evaluations": evaluations,
                "to_gap": to_gap,
                "seconds": spent,
                "loss": float(runs[method][0].fun),
            }
        )
    theirs = rows[-1]
    for row in rows:
        row["ratio_seconds"] = theirs["seconds"] / row["seconds"]
        known = row["to_gap"] is not None and theirs["to_gap"] is not None
        row["ratio_to_gap"] = theirs["to_gap"] / row["to_gap"] if known else None
    return rows
