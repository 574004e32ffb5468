"""mdbopt.sklearn.LogisticRegression beside scikit-learn's, on the raw tables; a minute or two.

Tables of numbers become two classes: above the median, or not. Seconds are those of the processor
in `fit`, the least of the rounds, in which all take turns; one BLAS thread, so that on a machine at
rest they are those of the clock. All parameters but C are the defaults of each class. The loss is
what the estimators minimise over the raw columns, per row: the mean logarithmic loss, with C = 1
plus |w|^2 / 2n. The excess is (loss - least) / least, where the least is what any of them, or ours
with tol = 1e-12, reached.

Without a penalty (C = inf) scaling changes no minimum, so that lbfgs behind a StandardScaler has
the same loss to reach. With C = 1 the scaler, and liblinear, whose penalty counts the intercept,
solve other problems than the others: only their seconds compare.

    python bench/estimators.py --data DIR --rounds 15
    python bench/estimators.py --only heart --json estimators.json
"""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import _common
import numpy as np
from measuring.clock import blas_threads
from measuring.machine import Others, version
from scipy.linalg import LinAlgWarning
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mdbopt import problems
from mdbopt.sklearn import LogisticRegression

OURS, SCALED, RAW = "mdbopt", "scaler + lbfgs", "lbfgs"
GOAL = 10  # tables, of 13


def behind_scaler(C: float) -> Any:
    """Make lbfgs behind a StandardScaler."""
    return make_pipeline(StandardScaler(), linear_model.LogisticRegression(C=C))


ESTIMATORS: dict[str, Callable[..., Any]] = {
    OURS: LogisticRegression,
    SCALED: behind_scaler,
    RAW: linear_model.LogisticRegression,
    "newton-cholesky": functools.partial(linear_model.LogisticRegression, solver="newton-cholesky"),
    "liblinear": functools.partial(linear_model.LogisticRegression, solver="liblinear"),
}


def weights_of(model: Any) -> Any:
    """Return the weights of the raw columns and the intercept."""
    if not hasattr(model, "steps"):
        return np.append(model.coef_[0], model.intercept_)
    scaler, last = model[0], model[-1]
    slopes = last.coef_[0] / scaler.scale_
    return np.append(slopes, last.intercept_ - slopes @ scaler.mean_)


def seconds(model: Any, X: Any, y: Any) -> float:
    """Return what the processor spends on a fit."""
    begin = time.process_time()
    model.fit(X, y)
    return time.process_time() - begin


def measure(X: Any, y: Any, C: float, rounds: int) -> dict[str, Any]:
    """Fit with every estimator; give seconds, losses and iterations of each."""
    n = len(y)
    fun = problems.logistic(X, y, 0.0 if math.isinf(C) else 1.0 / (C * n))
    models = {
        name: make(C=C)
        for name, make in ESTIMATORS.items()
        if name != "liblinear" or math.isfinite(C)
    }
    least = dict.fromkeys(models, math.inf)
    for _ in range(rounds):
        for name, model in models.items():
            least[name] = min(least[name], seconds(model, X, y))
    losses = {name: fun(weights_of(model))[0] for name, model in models.items()}
    exact = LogisticRegression(C=C, tol=1e-12, max_iter=None).fit(X, y)
    return {
        "seconds": least,
        "loss": losses,
        "least": min(fun(weights_of(exact))[0], *losses.values()),
        "iterations": {
            name: int((model[-1] if hasattr(model, "steps") else model).n_iter_[0])
            for name, model in models.items()
        },
    }


def excess(row: dict[str, Any], name: str) -> float:
    """Return (loss - least) / least."""
    return float((row["loss"][name] - row["least"]) / row["least"])


def report(rows: list[dict[str, Any]], C: float) -> None:
    """Print a line per table."""
    print("\nno penalty (C = inf)" if math.isinf(C) else f"\nC = {C:g}")
    names = list(rows[0]["seconds"])
    head = ["table", "n", "d", "least loss"]
    for name in names:
        head += [f"{name} ms", "excess"]
    lines = []
    for row in rows:
        line = [row["table"], row["n"], row["d"], f"{row['least']:.6g}"]
        for name in names:
            line += [f"{1e3 * row['seconds'][name]:.2f}", f"{max(excess(row, name), 0.0):.0e}"]
        lines.append(line)
    _common.print_table(head, lines)


def won(rows: list[dict[str, Any]], rival: str, *, time: bool) -> list[str]:
    """Name the tables on which ours has no higher (`time`: and is quicker), or a lower loss."""
    found = []
    for row in rows:
        mine, theirs = row["loss"][OURS], row["loss"][rival]
        quicker = row["seconds"][OURS] < row["seconds"][rival]
        if (mine <= theirs and quicker) if time else mine < theirs:
            found.append(row["table"])
    return found


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True)
    parser.add_argument("--rounds", type=int, default=9, help="fits of each estimator")
    parser.add_argument("--only", metavar="NAME", action="append", help="these tables only")
    args = parser.parse_args()
    _common.print_machine()
    data = _common.Data(args.data)
    chosen = [name for name in _common.RAW if not args.only or name in args.only]
    if not chosen:
        raise SystemExit("--only: no table of that name")
    others = Others()
    tables: dict[float, list[dict[str, Any]]] = {math.inf: [], 1.0: []}
    for expected in (ConvergenceWarning, LinAlgWarning):
        warnings.simplefilter("ignore", expected)
    with blas_threads(1):
        for name in chosen:
            X, y, labels = data.rows(name)
            X = np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X)
            classes = y if labels else y > np.median(y)
            for C, rows in tables.items():
                row = {"table": name, "n": X.shape[0], "d": X.shape[1]}
                rows.append(row | measure(X, classes, C, args.rounds))
    for C, rows in tables.items():
        report(rows, C)
    quicker = won(tables[math.inf], SCALED, time=True)
    lower = won(tables[1.0], RAW, time=False)
    print(
        f"\nquicker than {SCALED} to a loss that is no higher (no penalty): {len(quicker)} of "
        f"{len(chosen)}, goal {GOAL}\nlower loss than {RAW} (C = 1): {len(lower)} of "
        f"{len(chosen)}, goal all\nscikit-learn {version('scikit-learn')}; others took "
        f"{others.share():.0%} of the processors"
    )
    _common.write_json(
        args.json,
        {"no penalty": tables[math.inf], "C = 1": tables[1.0], "quicker": quicker, "lower": lower},
    )


if __name__ == "__main__":
    _common.run_main(main)
