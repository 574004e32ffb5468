"""fit – Fit a model to a table, with one method or several beside each other."""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import mdbopt
from mdbopt import _checks, data, problems
from mdbopt._settings import DEFAULT_GTOL
from mdbopt.cli import _outputs, _runs
from mdbopt.cli._table import say, table

# The name on the command line, the problem, and what data.kind calls such targets.
LOSSES: dict[str, tuple[Callable[..., problems.Problem], str]] = {
    "logistic": (problems.logistic, "classification"),
    "squares": (problems.least_squares, "regression"),
    "softmax": (problems.softmax, "softmax"),
    "svm": (problems.smoothed_svm, "classification of two classes"),
}
STATUSES = {0: "converged", 1: "limit", 2: "precision", 3: "not finite", 99: "stopped"}
EPILOG = """\
DATA is LIBSVM (svmlight) text, .csv, .npz (X and y, or a sparse matrix and y) or .npy, each also
as .gz or .bz2. Columns are used as they are, and an intercept is added.

The model of --method is saved. numpy.load("model.npz") gives weights (the last row is the
intercept), intercept, loss, classes, feature_names, l2, version; for two classes
  z = X @ weights[:-1] + weights[-1];  label = classes[(z > 0).astype(int)]
for softmax classes[z.argmax(axis=1)], and for squares z itself.

"to 1e-8" counts evaluations until the loss is within 1e-8 of the best loss that any method found,
relative to the distance at the start. Status "precision": rounding allows no further progress.

examples:
  mdbopt fit --compare box,lbfgs --plot fit.png
  mdbopt fit cars.csv --target price --save cars.npz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mdbopt fit``."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="a file; by default the raw breast-cancer table")
    add("--target", metavar="COLUMN", help="target in .csv and .npy: a name or an index (-1)")
    add("--loss", choices=LOSSES, help="by default what the targets ask for")
    add("--method", default="guarded", metavar="NAME", help="of mdbopt.methods(), or lbfgs")
    add("--compare", metavar="A,B,...", help="further methods; lbfgs is SciPy's L-BFGS-B (m = 10)")
    add("--l2", type=float, metavar="X", help="weight of |w|^2/2 (default 1/rows)")
    add("--gtol", type=float, metavar="X", help="stop at max|g| <= X (1e-8; 1e-4 in float32)")
    add("--maxfun", type=int, default=20_000, metavar="N", help="evaluations at most (20000)")
    add("--dtype", choices=("float64", "float32"), help="by default that of the table")
    add("--plot", type=pathlib.Path, metavar="FILE", help="draw the fits: .png, .svg, .pdf, ...")
    add("--save", type=pathlib.Path, metavar="FILE", help="write the model as .npz")
    add("--json", action="store_true", help="print one JSON object instead of the table")


def run(args: argparse.Namespace) -> None:
    """Fit, print, save and draw what the command line asks for."""
    methods = _methods(args.method, args.compare)
    _checks.whole("--maxfun", args.maxfun, least=1)
    if args.gtol is not None:
        _checks.real("--gtol", args.gtol, least=0.0)
    if args.l2 is not None:
        _checks.real("--l2", args.l2, least=0.0)
    if args.save and args.plot and args.save.absolute() == args.plot.absolute():
        raise ValueError(f"--save and --plot: both are {args.save}")
    for option, path in (("--save", args.save), ("--plot", args.plot)):
        if path is not None:
            _outputs.check_place(option, path, args.data)
    if args.plot is not None:
        _outputs.check_picture("--plot", args.plot)

    found = data.load(args.data, _target(args.target))
    loss, fun = _problem(found, args)
    gtol = DEFAULT_GTOL[fun.dtype] if args.gtol is None else args.gtol
    # Beside JSON only a person is shown progress.
    show = _runs.can_show_progress() and (not args.json or sys.stderr.isatty())
    results = {method: _runs.fit(fun, method, gtol, args.maxfun, show=show) for method in methods}
    summary = _summary(found, loss, fun, args, gtol, results)
    say(json.dumps(summary, indent=2, allow_nan=False) if args.json else _text(summary))
    if args.save is not None:
        _outputs.save_model(args.save, fun, results[args.method], found, loss)
        _tell(args, f"model: {args.save}")
    if args.plot is not None:
        _outputs.draw(args.plot, results, found, _title(summary))
        _tell(args, f"picture: {args.plot}")


def _tell(args: argparse.Namespace, text: str) -> None:
    if not args.json:
        say(text)


def _methods(method: str, compare: str | None) -> list[str]:
    """Return the methods to run, --method first, each once."""
    known = _runs.known_methods()
    chosen = [("--method", method)]
    if compare is not None:
        chosen += [("--compare", name.strip()) for name in compare.split(",")]
    for option, name in chosen:
        if name not in known:
            raise ValueError(f"{option}: unknown method {name!r}, expected {', '.join(known)}")
    return list(dict.fromkeys(name for _, name in chosen))


def _target(text: str | None) -> str | int | None:
    # A header has no cell that is a number, so that a number is always an index.
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def _problem(found: data.Table, args: argparse.Namespace) -> tuple[str, problems.Problem]:
    X = found.X if args.dtype is None else found.X.astype(np.dtype(args.dtype))
    asked = None if args.loss else data.kind(found.y)
    loss = args.loss or next(name for name, (_, kind) in LOSSES.items() if kind == asked)
    l2 = 1.0 / X.shape[0] if args.l2 is None else args.l2
    return loss, LOSSES[loss][0](X, found.y, l2=l2)


def _score(fun: Any, result: OptimizeResult, loss: str) -> float:
    return float(fun.r2(result.x) if loss == "squares" else fun.accuracy(result.x))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _summary(
    found: data.Table,
    loss: str,
    fun: problems.Problem,
    args: argparse.Namespace,
    gtol: float,
    results: dict[str, OptimizeResult],
) -> dict[str, Any]:
    """Collect what is printed; the JSON object is this very dict."""
    counts = _runs.evaluations_to_gap(list(results.values()))
    return {
        "version": mdbopt.__version__,
        "table": found.name,
        "rows": found.X.shape[0],
        "columns": found.X.shape[1],
        "weights": fun.d,
        "loss": loss,
        "l2": getattr(fun, "l2", 0.0),
        "dtype": fun.dtype.name,
        "gtol": gtol,
        "maxfun": args.maxfun,
        "gap": _runs.GAP,
        "score": "r2" if loss == "squares" else "accuracy",
        "fits": [
            {
                "method": method,
                "nfev": run.nfev,
                "nfev_to_gap": count if len(results) > 1 else None,
                "nit": run.nit,
                "ncut": run.ncut,
                "seconds": float(run.trace["seconds"][-1]),
                "loss": _finite(float(run.fun)),
                "gmax": _finite(float(np.abs(run.jac).max())),
                "score": _finite(_score(fun, run, loss)),
                "status": run.status,
                "success": bool(run.success),
                "message": run.message,
            }
            for (method, run), count in zip(results.items(), counts, strict=True)
        ],
        "model": None if args.save is None else str(args.save),
        "plot": None if args.plot is None else str(args.plot),
    }


def _title(summary: dict[str, Any]) -> str:
    return (
        f"{summary['table']}: {summary['rows']:,} rows, {summary['columns']:,} columns, "
        f"{summary['loss']} loss, l2 = {summary['l2']:.3g}, {summary['dtype']}"
    )


def _text(summary: dict[str, Any]) -> str:
    fits = summary["fits"]
    compared = len(fits) > 1
    header = ["method", "evaluations", "seconds", "loss", "max|g|", summary["score"], "status"]
    if compared:
        header.insert(2, f"to {summary['gap']:.0e}".replace("e-0", "e-"))
    rows = []
    for fit in fits:
        row = [
            fit["method"],
            f"{fit['nfev']:,}",
            f"{fit['seconds']:.3f}",
            _shown(fit["loss"], ".9g"),
            _shown(fit["gmax"], ".1e"),
            _shown(fit["score"], ".4f"),
            STATUSES[fit["status"]],
        ]
        if compared:
            row.insert(2, "-" if fit["nfev_to_gap"] is None else f"{fit['nfev_to_gap']:,}")
        rows.append(row)
    return f"{_title(summary)}\n\n{table(header, rows, left=('method', 'status'))}"


def _shown(value: float | None, form: str) -> str:
    return "not finite" if value is None else format(value, form)
