"""fit – Fit a model to a table, with one method or several beside each other."""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from scipy.optimize import OptimizeResult

import mdbopt
from mdbopt import _checks, data, problems
from mdbopt._minimize.progress import is_terminal
from mdbopt.cli import _model, _outputs, _reading, _runs
from mdbopt.cli._table import say, table
from mdbopt.data._kind import kind_and_reason
from mdbopt.problems._problem import RowsProblem

# The name on the command line, the problem, and what data.kind calls such targets.
LOSSES: dict[str, tuple[Callable[..., RowsProblem], str]] = {
    "logistic": (problems.logistic, "classification"),
    "squares": (problems.least_squares, "regression"),
    "softmax": (problems.softmax, "softmax"),
    "svm": (problems.smoothed_svm, "classification of two classes"),
}
STATUSES = {0: "converged", 1: "limit", 2: "precision", 3: "not finite", 99: "stopped"}
REASON_ASKED = "--loss"
# What --cv chooses among, over l2, or over l1 where there is one.
VALUES = np.logspace(2, -2, 17)
EPILOG = """\
DATA is .csv, .tsv, .data or .txt (columns of text), LIBSVM (svmlight) text, .npz (X and y, or a
sparse matrix and y) or .npy, each also as .gz, .bz2 or .xz. Numbers are used as they are, and an
intercept is added, which --l2 leaves out. The output says which column is the target and why the
loss is what it is: for classes (words, two values, or whole numbers from 0 or 1 to k, each several
times) logistic or softmax, else squares.

The model of --method is saved, for mdbopt predict. numpy.load("model.npz") gives weights (the
last row is the intercept), intercept, loss, classes, feature_names, l2, version and more; for two
classes
  z = X @ weights[:-1] + weights[-1];  label = classes[(z > 0).astype(int)]
for softmax classes[z.argmax(axis=1)], and for squares z itself.

--cv 5 fits 17 values of l2, from 100 down to 0.01 times --l2 or 1/rows, to each four fifths of the
rows, and takes the one with the least mean loss over the rows that were left out. With --l1 they
are values of l1, from 100 down to 0.01 times --l1, and l2 stays.

--l1 adds that number times the sum of |w|, the intercept left out as by --l2, and makes weights
exactly 0; with --l2 0 it is the lasso, else the elastic net. max|g| is then that of the
subgradient of least norm.

"to 1e-8" counts evaluations until the loss is within 1e-8 of the best loss that any method found,
relative to the distance at the start. Status "precision": rounding allows no further progress.

examples:
  mdbopt fit --compare box,lbfgs --plot fit.png
  mdbopt fit --cv 5
  mdbopt fit cars.csv --target price --one-hot --save cars.npz
"""


class _ListMethods(argparse.Action):
    """Prints the methods, one a line, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        say("\n".join(_runs.known_methods()))
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mdbopt fit``."""
    parser.epilog = EPILOG
    add_problem_arguments(parser)
    add = parser.add_argument
    methods = ", ".join(_runs.known_methods())
    add("--method", default="guarded", metavar="NAME", help=f"one of {methods} (guarded)")
    add("--compare", metavar="A,B,...", help="further methods; lbfgs is SciPy's L-BFGS-B (m = 10)")
    add(
        "--cv",
        type=int,
        metavar="FOLDS",
        help="choose l2, or l1 with --l1, by cross-validation over so many parts of the rows",
    )
    add(
        "--l1",
        type=float,
        default=0.0,
        metavar="X",
        help="weight of the sum of |w|, which makes weights 0 (default 0)",
    )
    add("--list-methods", action=_ListMethods, nargs=0, help="print the names of methods and end")
    add(
        "--gtol",
        type=float,
        metavar="X",
        help="stop at max|g| <= X (1e-8, 1e-4 in float32; less where units are tiny)",
    )
    add("--maxfun", type=_limit, default=20_000, metavar="N", help="evaluations at most (20000)")
    add("--maxiter", type=_limit, metavar="N", help="iterations at most (as --maxfun)")
    add("--plot", type=pathlib.Path, metavar="FILE", help="draw the fits: .png, .svg, .pdf, ...")
    add("--save", type=pathlib.Path, metavar="FILE", help="write the model as .npz")
    add("--json", action="store_true", help="print one JSON object instead of the table")


def add_problem_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what table is read, how, and which problem is made of it."""
    add = parser.add_argument
    add(
        "data",
        nargs="?",
        metavar="DATA",
        help="a file, - for standard input; by default the raw breast-cancer table",
    )
    add("--target", metavar="COLUMN", help="column of the target: a name or an index (-1)")
    add("--loss", choices=LOSSES, help="by default what the targets ask for")
    add("--l2", type=float, metavar="X", help="weight of |w|^2/2 (default 1/rows)")
    add("--penalize-intercept", action="store_true", help="let --l2 count the intercept, too")
    add("--dtype", choices=("float64", "float32"), help="by default that of the table")
    add = _reading.add_arguments(parser).add_argument
    add("--one-hot", action="store_true", help="make an indicator of each word in columns of words")
    add("--missing", choices=("error", "mean"), default="error", help="what becomes of empty cells")
    add("--n-features", type=_limit, metavar="N", help="width of LIBSVM text (largest index)")


def _limit(text: str) -> int | None:
    """Read a whole number such as 1e4, or None for no limit."""
    if text.lower() in ("none", "inf", "infinity"):
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number.is_integer() or number < 0:
        raise argparse.ArgumentTypeError(
            f"expected a whole number such as 300 or 1e4, or none for no limit, got {text!r}"
        )
    return int(number)


def run(args: argparse.Namespace) -> None:
    """Fit, print, save and draw what the command line asks for."""
    methods = _methods(args.method, args.compare)
    if args.maxfun is not None:
        _checks.whole("--maxfun", args.maxfun, least=1)
    if args.gtol is not None:
        _checks.real("--gtol", args.gtol, least=0.0)
    check_penalty(args)
    _check_l1(args, methods)
    if args.cv is not None:
        _checks.whole("--cv", args.cv, least=2)
        if args.l2 == 0.0 and args.l1 == 0.0:
            raise ValueError(
                "--cv: chooses among multiples of --l2, or of --l1, expected one above 0, got 0"
            )
    if args.save is not None:
        args.save = _model.file_name(args.save)
    if args.save and args.plot and args.save.absolute() == args.plot.absolute():
        raise ValueError(f"--save and --plot: both are {args.save}")
    for option, path in (("--save", args.save), ("--plot", args.plot)):
        if path is not None:
            _outputs.check_place(option, path, args.data)
    if args.plot is not None:
        _outputs.check_picture("--plot", args.plot)

    found = read_table(args)
    loss, reason, fun = build_problem(found, args)
    limits = _runs.Limits(
        _runs.default_gtol(fun) if args.gtol is None else args.gtol, args.maxfun, args.maxiter
    )
    validation = None
    if args.cv is not None:
        validation = _cross_validate(fun, args, limits)
        fun, args.l1 = fun.with_l2(validation.run.l2), validation.run.l1
    l1 = fun.l1_of_weights(args.l1) if args.l1 > 0.0 else None
    # Beside JSON only a person is shown progress.
    show = not args.json or is_terminal(sys.stderr)
    results: dict[str, OptimizeResult] = {}
    try:
        for method in methods:
            results[method] = _runs.fit(fun, method, limits, l1=l1, show=show)
    except KeyboardInterrupt:
        # what has ended is kept, and main tells the rest
        if results:
            _report(args, found, (loss, reason), fun, limits, results, validation)
        raise
    _report(args, found, (loss, reason), fun, limits, results, validation)


def _cross_validate(
    fun: RowsProblem, args: argparse.Namespace, limits: _runs.Limits
) -> mdbopt.CrossValidation:
    """Choose among `VALUES` times l1, or the problem's l2."""
    _checks.whole("--cv", args.cv, least=2, below=fun.n + 1)
    given: dict[str, Any] = {"folds": args.cv, "options": limits.options()}
    if args.l1 > 0.0:
        return mdbopt.cross_validate(fun, fun.l2, l1=VALUES * args.l1, **given)
    return mdbopt.cross_validate(fun, VALUES * fun.l2, **given)


def _report(
    args: argparse.Namespace,
    found: data.Table,
    chosen: tuple[str, str],
    fun: problems.Problem,
    limits: _runs.Limits,
    results: dict[str, OptimizeResult],
    validation: mdbopt.CrossValidation | None,
) -> None:
    """Print, save and draw these fits."""
    summary = _summary(found, chosen, fun, args, limits, results)
    summary["cv"] = None if validation is None else _of_validation(validation)
    say(json.dumps(summary, indent=2, allow_nan=False) if args.json else _text(summary))
    if args.save is not None and args.method in results:
        _model.save(args.save, _model.Model.of(fun, results[args.method], found, chosen[0]))
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


def _check_l1(args: argparse.Namespace, methods: list[str]) -> None:
    """Raise unless --l1 is a penalty, and all that is asked for goes with it."""
    if _checks.real("--l1", args.l1, least=0.0) == 0.0:
        return
    for method in methods:
        if method not in _runs.penalised_methods():
            raise ValueError(
                f"--l1: expected 0 with method {method}, or one of "
                f"{', '.join(_runs.penalised_methods())}"
            )


def check_penalty(args: argparse.Namespace) -> None:
    """Raise unless --l2 is a penalty, before a table is read."""
    if args.l2 is not None:
        _checks.real("--l2", args.l2, least=0.0)


def read_table(args: argparse.Namespace) -> data.Table:
    """Read the table that `add_problem_arguments` asks for."""
    own = {"one_hot": args.one_hot, "missing": args.missing, "n_features": args.n_features}
    path = None if args.data is None else _reading.path(args.data)
    return data.load(path, args.target, **_reading.options(args), **own)


def build_problem(found: data.Table, args: argparse.Namespace) -> tuple[str, str, RowsProblem]:
    """Return the loss, why it was chosen, and the problem."""
    X = found.X if args.dtype is None else found.X.astype(np.dtype(args.dtype))
    loss, reason = args.loss, REASON_ASKED
    if loss is None:
        try:
            asked, held = kind_and_reason(found.y)
        except ValueError as error:
            # in the words of a file, not of a call
            about = str(error).removeprefix("kind: y").strip()
            raise ValueError(
                f"the target, {found.target}, {about}; --target takes another"
            ) from None
        reason = f"the target {held}"
        loss = next(name for name, (_, kind) in LOSSES.items() if kind == asked)
    elif loss == "squares" and found.y.dtype.kind in "US":
        raise ValueError(
            f"--loss squares: the target, {found.target}, holds words such as {str(found.y[0])!r}, "
            "expected numbers; logistic or softmax fits classes"
        )
    l2 = 1.0 / X.shape[0] if args.l2 is None else args.l2
    build = LOSSES[loss][0]
    return loss, reason, build(X, found.y, l2=l2, penalize_intercept=args.penalize_intercept)


def _score(fun: Any, result: OptimizeResult, loss: str) -> float:
    return float(fun.r2(result.x) if loss == "squares" else fun.accuracy(result.x))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _summary(
    found: data.Table,
    chosen: tuple[str, str],
    fun: problems.Problem,
    args: argparse.Namespace,
    limits: _runs.Limits,
    results: dict[str, OptimizeResult],
) -> dict[str, Any]:
    """Collect what is printed; the JSON object is this very dict."""
    loss, reason = chosen
    counts = _runs.evaluations_to_gap(list(results.values()))
    return {
        "version": mdbopt.__version__,
        "table": found.name,
        "rows": found.X.shape[0],
        "columns": found.X.shape[1],
        "target": found.target,
        "note": found.note,
        "weights": fun.d,
        "loss": loss,
        "loss_reason": reason,
        "l2": getattr(fun, "l2", 0.0),
        "l1": args.l1,
        "penalize_intercept": args.penalize_intercept,
        "dtype": fun.dtype.name,
        "gtol": limits.gtol,
        "maxfun": limits.maxfun,
        "maxiter": limits.maxiter,
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
                "gmax": _finite(run.state.gmax if args.l1 > 0.0 else float(np.abs(run.jac).max())),
                "nonzero": int(np.count_nonzero(run.x)),
                "score": _finite(_score(fun, run, loss)),
                "status": run.status,
                "success": bool(run.success),
                "message": run.message,
            }
            for (method, run), count in zip(results.items(), counts, strict=True)
        ],
        "model": None if args.save is None or args.method not in results else str(args.save),
        "plot": None if args.plot is None else str(args.plot),
    }


def _of_validation(found: mdbopt.CrossValidation) -> dict[str, Any]:
    """Return what a cross-validation has chosen, and from what."""
    return {
        "folds": len(found.losses),
        "l2": found.l2.tolist(),
        "l1": found.l1.tolist(),
        "loss": [_finite(float(loss)) for loss in found.mean],
        "error": [_finite(float(error)) for error in found.error],
        "best": found.best,
        "nfev": found.nfev,
    }


def _decisions(summary: dict[str, Any]) -> str:
    """Tell what was decided about the table, and how to have it otherwise."""
    target = f"target: {summary['target']}"
    if summary["target"].endswith("the last column"):
        target += " (--target NAME takes another)"
    lines = [target]
    if summary["loss_reason"] != REASON_ASKED:
        others = ", ".join(name for name in LOSSES if name != summary["loss"])
        lines.append(
            f"loss: {summary['loss']}, as {summary['loss_reason']} (--loss takes {others})"
        )
    if summary["cv"]:
        validation, best = summary["cv"], summary["cv"]["best"]
        name = "l1" if summary["l1"] else "l2"
        values = validation[name]
        lines.append(
            f"{name}: {values[best]:.3g}, of {len(values)} values from "
            f"{max(values):.3g} to {min(values):.3g}, by {validation['folds']} "
            f"folds: loss {_shown(validation['loss'][best], '.6g')} +- "
            f"{_shown(validation['error'][best], '.2g')}, {validation['nfev']:,} evaluations"
        )
    if summary["note"]:
        lines.append(f"note: {summary['note']}")
    return "\n".join(lines)


def _title(summary: dict[str, Any]) -> str:
    l1 = f"l1 = {summary['l1']:.3g}, " if summary["l1"] else ""
    return (
        f"{summary['table']}: {summary['rows']:,} rows, {summary['columns']:,} columns, "
        f"{summary['loss']} loss, l2 = {summary['l2']:.3g}, {l1}{summary['dtype']}"
    )


def _text(summary: dict[str, Any]) -> str:
    fits = summary["fits"]
    compared = len(fits) > 1
    header = ["method", "evaluations", "seconds", "loss", "max|g|", summary["score"], "status"]
    if summary["l1"]:
        header.insert(3, "nonzero")
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
        if summary["l1"]:
            row.insert(3, f"{fit['nonzero']:,} of {summary['weights']:,}")
        if compared:
            row.insert(2, "-" if fit["nfev_to_gap"] is None else f"{fit['nfev_to_gap']:,}")
        rows.append(row)
    body = table(header, rows, left=("method", "status"))
    return f"{_title(summary)}\n{_decisions(summary)}\n\n{body}"


def _shown(value: float | None, form: str) -> str:
    return "not finite" if value is None else format(value, form)
