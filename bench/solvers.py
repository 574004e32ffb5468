"""Which method needs how many evaluations and seconds: problems by methods, with profiles.

--stage tables: the data folder (--data, or scikit-learn's embedded tables without one), logistic
regression for labels and least squares else, l2 = 1/n. --stage held-out: tables and random problems
that no setting was chosen on. --stage functions: 29 of Moré, Garbow and Hillstrom.

A row counts evaluations of (f, g), a product with the Hessian among them, and seconds, until
f - f* <= tau (f(x0) - f*), where f* is the least value that any method saw. Nobody gets more than
--cap, nor goes on after 200 values of f of which none is lower. Methods are all of
`mdbopt.minimize`, SciPy's, and those of PyTorch, optax, optimistix, NLopt, scikit-learn and skglm
that are installed; the last two tell no evaluations, so that their seconds alone compare. Seconds
are those of the clock: they count on a machine at rest.

Runs are written to --runs as they end, so that an interrupted stage goes on where it was, and a
stage that is repeated prints what is there. Beside the methods stands what `mdbopt.diagnose` names
for each problem.

    python bench/solvers.py --data DIR --runs tables.jsonl --plot tables.png
    python bench/solvers.py --stage held-out --stage functions --json others.json
"""

from __future__ import annotations

import functools
import math
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import _common
from _estimators import ESTIMATORS
from _more_garbow_hillstrom import problems
from _peers import PEERS
from _profiles import GOALS, Costs, costs_of, draw, farther, least_of, shares
from _solvers import CAP, LARGEST_MATRIX, WITH_PRODUCTS, Run, bfgs, lbfgsb, of_scipy, ours, pairs_of
from _stage_runs import Runs

import mdbopt

STAGES = ("tables", "held-out", "functions")
# What `guarded` is to be within of the best, and a method that a diagnosis names.
OURS, DIAGNOSED = 1.2, 1.5
# Values of f in a row of which none is lower, after which a run ends.
PATIENCE = 200
FACTORS = (1.0, OURS, DIAGNOSED, 4.0, math.inf)
PRINTED = ("1.2", "4", "inf")
# A problem's rows X, y and whether y are labels, where it has some.
Rows = tuple[Any, Any, bool]


def stage_problems(stage: str, args: Any) -> Iterator[tuple[str, Any, Rows | None]]:
    """Yield (name, problem, rows); tables are read one at a time."""

    def wanted(name: str) -> bool:
        return not args.only or name in args.only

    if stage == "functions":
        yield from ((name, problem, None) for name, problem in problems() if wanted(name))
    elif stage == "tables" and args.data:
        data = _common.Data(args.data)
        for name in filter(wanted, data.names):
            rows = data.rows(name)
            yield name, _common.build_problem(*rows), rows
    else:
        from _held_out import tables

        for name, rows in tables():
            # without a folder, scikit-learn's own are the tables
            if wanted(name) and (stage == "held-out" or name.startswith("sk-")):
                yield name, _common.build_problem(*rows), rows


def methods_for(problem: Any, rows: Rows | None) -> dict[str, tuple[Callable[[int], Run], bool]]:
    """Return each method that takes part: how it is run, and whether its evaluations count."""
    found: dict[str, tuple[Callable[[int], Run], bool]] = {}

    def counted(name: str, solve: Callable[..., Run], *arguments: Any) -> None:
        def run(cap: int) -> Run:
            return solve(problem, *arguments, cap=cap, patience=PATIENCE)

        found[name] = run, True

    for name in mdbopt.methods():
        counted(name, ours, name, {})
    counted("L-BFGS-B", lbfgsb, 10)
    counted("L-BFGS-B, as many pairs", lbfgsb, pairs_of(problem.d))
    for name in ("CG", *WITH_PRODUCTS):
        counted(name, of_scipy, name)
    if problem.d <= LARGEST_MATRIX:
        counted("BFGS", bfgs)
    for peer in PEERS:
        if peer.installed and (peer.largest is None or problem.d <= peer.largest):
            counted(peer.name, peer.run)
    for estimator in ESTIMATORS:
        if estimator.installed and rows is not None and (rows[2] or estimator.squares):
            found[estimator.name] = functools.partial(estimator.run, problem, rows), False
    return found


def all_names() -> list[str]:
    """Return the name of every method, installed or not."""
    scipy = ["L-BFGS-B", "L-BFGS-B, as many pairs", "CG", *WITH_PRODUCTS, "BFGS"]
    return [*mdbopt.methods(), *scipy, *(each.name for each in (*PEERS, *ESTIMATORS))]


def absent() -> dict[str, list[str]]:
    """Return the methods that take no part, by the package that is not installed."""
    found: dict[str, list[str]] = {}
    for each in (*PEERS, *ESTIMATORS):
        if not each.installed:
            found.setdefault(each.package, []).append(each.name)
    return found


def measure(args: Any, runs: Runs) -> list[dict[str, Any]]:
    """Run what has not been run yet; return a row for each problem, of the methods asked for."""
    rows = []
    for stage in args.stage:
        for name, problem, data in stage_problems(stage, args):
            key = stage, name
            methods = methods_for(problem, data)
            if args.methods:
                methods = {one: methods[one] for one in methods if one in args.methods}
            if not methods:
                continue  # too large for them, or not their kind of problem
            settled = False
            while not settled:
                for method in runs.missing(key, list(methods)):
                    solve, counted = methods[method]
                    runs.keep(key, method, solve(args.cap), counted)
                facts = {"d": problem.d}
                if key not in runs.settled:
                    facts["named"] = mdbopt.diagnose(problem, problem.x0).method
                settled = runs.settle(key, float(problem(problem.x0)[0]), facts)
                if not settled:
                    print(f"{stage}/{name}: a lower f was found, all methods run anew")
            row = runs.settled[key]
            chosen = {one: row["methods"][one] for one in methods}
            rows.append({**row, "methods": chosen})
            print(f"{stage}/{name}: {len(chosen)} methods", file=sys.stderr, flush=True)
    return rows


def report(rows: list[dict[str, Any]], by: str) -> dict[str, Any]:
    """Print, for each stage, the methods' shares and a row for each problem."""
    figures: dict[str, Any] = {"rows": rows, "absent": absent()}
    for stage in dict.fromkeys(row["stage"] for row in rows):
        chosen = [row for row in rows if row["stage"] == stage]
        costs = {goal: costs_of(chosen, goal, by) for goal in GOALS}
        if not costs[GOALS[0]]:
            print(f"\n{stage}: no method that lowered f, or none that tells its {by}")
            continue
        print(f"\n{stage}: {len(chosen)} problems\n")
        figures[stage] = {
            "by": by,
            "shares": _shares(costs, by),
            "problems": _problems(chosen, costs, by),
        }
        _failures(chosen)
        named = {f"{stage}/{row['problem']}": row["named"] for row in chosen}
        guarded = dict.fromkeys(named, "guarded")
        figures[stage]["guarded"] = _missed("guarded", costs, guarded, OURS)
        figures[stage]["diagnose"] = _missed("diagnose", costs, named, DIAGNOSED)
    for package, names in absent().items():
        print(f"\n{package} is not installed: without {', '.join(names)}")
    return figures


def _shares(costs: dict[str, Costs], by: str) -> dict[str, Any]:
    """Print by method the shares within factors of the best; return them."""
    found = {goal: {f"{w:g}": shares(costs[goal], w) for w in FACTORS} for goal in GOALS}
    names = list(costs[GOALS[0]])
    last = found[GOALS[-1]]
    names.sort(key=lambda name: (-last[f"{OURS:g}"][name], -last["inf"][name]))
    head = ["method", "problems"]
    for goal in GOALS:
        head += [f"{goal}: {PRINTED[0]}", *(f"{w}" for w in PRINTED[1:-1]), "solved"]
    lines = []
    for name in names:
        line: list[Any] = [name, len(costs[GOALS[0]][name])]
        for goal in GOALS:
            line += [f"{found[goal][w][name]:.2f}" for w in PRINTED]
        lines.append(line)
    print(f"share of problems solved, by {by}, within a factor of the best, and at all\n")
    _common.print_table(head, lines)
    print()
    return found


def _problems(rows: list[dict[str, Any]], costs: dict[str, Costs], by: str) -> dict[str, Any]:
    """Print by problem what `guarded` and the best method took to each goal; return the same."""
    head = ["problem", "d", "named"]
    for goal in GOALS:
        head += [f"{goal}: guarded", "best", "of"]
    lines, found = [], {}
    least = {goal: least_of(costs[goal]) for goal in GOALS}
    for row in rows:
        name = f"{row['stage']}/{row['problem']}"
        if name not in least[GOALS[0]]:
            continue
        line, found[name] = [row["problem"], row["d"], row["named"] or "none"], {}
        for goal in GOALS:
            mine = costs[goal].get("guarded", {}).get(name)
            method, took = least[goal][name]
            line += [_count(mine), _count(took), method if math.isfinite(took) else "nobody"]
            found[name][goal] = {"guarded": mine, "best": took, "of": method}
        lines.append(line)
    print(f"{by}; -: not in the cap or not run\n")
    _common.print_table(head, lines)
    return found


def _count(took: float | None) -> str:
    return "-" if took is None or math.isinf(took) else f"{took:.4g}"


def _failures(rows: list[dict[str, Any]]) -> None:
    """Print which runs ended by an error, or where f is not finite."""
    failed: dict[str, list[str]] = {}
    for row in rows:
        for method, run in row["methods"].items():
            if run["failed"]:
                failed.setdefault(method, []).append(f"{row['problem']} ({run['message']})")
    for method, places in failed.items():
        print(f"failed: {method} on {'; '.join(places)}")


def _missed(
    who: str, costs: dict[str, Costs], named: dict[str, str | None], within: float
) -> dict[str, Any]:
    """Print on how many pairs of problem and goal what is named is near the best, and where not."""
    found = {goal: farther(costs[goal], named, within) for goal in GOALS}
    pairs = sum(len(least_of(costs[goal])) for goal in GOALS)
    wrong = sum(len(each) for each in found.values())
    print(f"\n{who}: within {within:g} of the best on {pairs - wrong} of {pairs} pairs")
    for goal, each in found.items():
        for name, row in each.items():
            print(
                f"  not to {goal} on {name}: {row['named']} {_count(row['took'])}, "
                f"{row['best']} {_count(row['best took'])}"
            )
    return {"pairs": pairs, "near": pairs - wrong, "farther": found}


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True)
    parser.add_argument("--stage", action="append", choices=STAGES, help="default: tables")
    parser.add_argument("--only", metavar="NAME", action="append", help="these problems only")
    parser.add_argument("--methods", metavar="NAME", action="append", help="these methods only")
    parser.add_argument("--cap", type=int, default=CAP, help=f"evaluations of a run ({CAP})")
    parser.add_argument("--runs", metavar="FILE", help="JSON lines of runs, read and added to")
    parser.add_argument(
        "--by", choices=("evaluations", "seconds"), default="evaluations", help="what is compared"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the profiles there")
    args = parser.parse_args(arguments)
    args.stage = args.stage or ["tables"]
    if args.cap < 1:
        parser.error(f"--cap: expected a whole number >= 1, got {args.cap}")
    for name in args.methods or ():
        if name not in all_names():
            parser.error(f"--methods: no {name!r}, expected one of {', '.join(all_names())}")
    _common.print_machine()
    runs = Runs(pathlib.Path(args.runs) if args.runs else None, args.cap)
    rows = measure(args, runs)
    if not rows:
        parser.error("--only, --methods: no problem of such a name, or none for these methods")
    figures = report(rows, args.by)
    if args.plot:
        draw(rows, args.by, pathlib.Path(args.plot))
    _common.write_json(args.json, figures)


if __name__ == "__main__":
    _common.run_main(main)
