"""Evaluations of (f, g) until f - f* <= tau (f0 - f*), beside SciPy's L-BFGS-B.

The counts of L-BFGS-B (m = 10, ftol = gtol = 0) come from lbfgsb_evaluations.csv, or from the
installed SciPy with --recompute, and always from there with --held-out. Nobody gets more than 3000
evaluations, and a goal that is not reached counts as 3000. f* is the least value that anybody saw.

--peers adds SciPy's L-BFGS-B with as many pairs as we keep by default at this size, and, up to 400
variables, its BFGS, which keeps a whole matrix.
--dtype float32 asks whether float32 needs more evaluations than our own float64 to tau = 1e-4.
--held-out uses data that no setting was chosen on: scikit-learn's bundled tables, raw and with
scaled columns, and random problems whose columns differ by up to six orders of magnitude.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import _common
import numpy as np
from _solvers import CAP, LARGEST_MATRIX, TAUS, Run, bfgs, lbfgsb, ours, pairs_of

COLUMNS = {tau: f"evaluations_{tau:.0e}".replace("e-0", "e-") for tau in TAUS}
FLOAT32_TAU = 1e-4
FLOAT32_LIMIT = 1.3


def reference_sets(args: Any) -> Iterator[tuple[str, Any, Any, float, dict[float, int] | None]]:
    """Yield (name, problem, float32 problem, f*, the table's counts) of the reference table."""
    data = _common.Data(args.data)
    for row in _common.reference_rows(args.reference, "lbfgsb_evaluations.csv"):
        name = row["dataset"]
        if args.only and name not in args.only:
            continue
        counts = {tau: int(row[COLUMNS[tau]]) for tau in TAUS}
        rows = data.rows(name)
        narrow = functools.partial(_common.build_problem, *rows, dtype=np.float32)
        best = float(row["f_best_known"])
        yield name, _common.build_problem(*rows), narrow, best, counts


def held_out_sets(args: Any) -> Iterator[tuple[str, Any, Any, float, None]]:
    """Yield the same of the held-out set, where nothing is known beforehand."""
    from _held_out import tables

    for name, rows in tables():
        if args.only and name not in args.only:
            continue
        narrow = functools.partial(_common.build_problem, *rows, dtype=np.float32)
        yield name, _common.build_problem(*rows), narrow, math.inf, None


def is_raw(name: str) -> bool:
    """Tell the tables with columns of their own units from the scaled ones."""
    return name in _common.RAW or name.endswith("/raw")


def counts_of(run: Run, f0: float, best: float) -> dict[float, int]:
    """Evaluations to each goal, CAP where it is not reached."""
    found = {}
    for tau in TAUS:
        hit = np.flatnonzero(run.values <= best + tau * (f0 - best))
        found[tau] = int(hit[0]) + 1 if hit.size else CAP
    return found


def capped(counts: dict[float, int]) -> dict[float, int]:
    """Count -1, the table's mark of a goal not reached, as CAP."""
    return {tau: CAP if count < 0 else min(CAP, count) for tau, count in counts.items()}


def peers_of(problem: Any) -> dict[str, Run]:
    """Run the strongest peers there are at this size."""
    peers = {"L-BFGS-B, as many pairs": lbfgsb(problem, pairs_of(problem.d))}
    if problem.d <= LARGEST_MATRIX:
        peers["BFGS"] = bfgs(problem)
    return peers


def compare(args: Any) -> list[dict[str, Any]]:
    """Run every method on every data set; one row for each pair."""
    options = {"proposer": args.proposer} if args.proposer else {}
    rows = []
    sets = held_out_sets(args) if args.held_out else reference_sets(args)
    for name, problem, narrow, known, table in sets:
        runs = {method: ours(problem, method, options) for method in args.method}
        rival = lbfgsb(problem) if table is None or args.recompute else None
        peers = peers_of(problem) if args.peers else {}
        everyone = [*runs.values(), *([rival] if rival else []), *peers.values()]
        best = min([known, *(float(run.values.min()) for run in everyone)])
        f0 = problem(problem.x0)[0]
        theirs = counts_of(rival, f0, best) if rival else capped(table)
        for method, run in runs.items():
            mine = counts_of(run, f0, best)
            row = {"dataset": name, "method": method, "d": problem.d, "raw": is_raw(name)}
            row |= {"f_best": best, "message": run.message, "seconds": run.seconds}
            row["evaluations"] = {f"{tau:.0e}": mine[tau] for tau in TAUS}
            row["lbfgsb"] = {f"{tau:.0e}": theirs[tau] for tau in TAUS}
            row["ratio"] = {f"{tau:.0e}": mine[tau] / theirs[tau] for tau in TAUS}
            row["peers"] = {
                peer: {f"{tau:.0e}": count for tau, count in counts_of(other, f0, best).items()}
                for peer, other in peers.items()
            }
            if args.dtype == "float32":
                # the same goal for both: float64 values, of a float64 problem
                goal = best + FLOAT32_TAU * (f0 - best)
                count = ours(narrow(), method, options, judge=problem).first_below(goal)
                row["float32"] = {"evaluations": count, "ratio": count / mine[FLOAT32_TAU]}
            rows.append(row)
    return rows


def report(rows: list[dict[str, Any]], dtype: str) -> dict[str, Any]:
    """Print a row per data set and method, the geometric means, and the worst."""
    keys = [f"{tau:.0e}" for tau in TAUS]
    head = ["data set", "method", "d", *(f"ours : L-BFGS-B {k}  ratio" for k in keys)]
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    head += [f"{peer} {keys[-1]}" for peer in peers]
    lines = []
    for row in rows:
        line = [row["dataset"] + (" (raw)" if row["raw"] else ""), row["method"], row["d"]]
        line += [
            f"{_count(row['evaluations'][k])} : {_count(row['lbfgsb'][k])}  {row['ratio'][k]:5.2f}"
            for k in keys
        ]
        line += [_count(counts[keys[-1]]) for counts in row["peers"].values()]
        line += ["-"] * (len(peers) - len(row["peers"]))
        if dtype == "float32":
            narrow = row["float32"]
            line.append(f"{_count(narrow['evaluations'])}  {narrow['ratio']:5.2f}")
        lines.append(line)
    if dtype == "float32":
        head.append("float32 1e-04  over float64")
    _common.print_table(head, lines)
    summary = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        summary[method] = _summary([row for row in rows if row["method"] == method], keys, dtype)
    return summary


def _count(count: int) -> str:
    return f">{CAP}" if count >= CAP else str(count)


def _summary(rows: list[dict[str, Any]], keys: list[str], dtype: str) -> dict[str, Any]:
    print(f"\n{rows[0]['method']}: evaluations over L-BFGS-B's, geometric means")
    parts = {"raw": [r for r in rows if r["raw"]], "others": [r for r in rows if not r["raw"]]}
    parts["all"] = rows
    means = {
        part: {k: _common.geometric_mean(r["ratio"][k] for r in chosen) for k in keys}
        for part, chosen in parts.items()
    }
    _common.print_table(
        ["tables", "number", *keys],
        [[part, len(parts[part]), *(f"{means[part][k]:.3f}" for k in keys)] for part in parts],
    )
    worst = {}
    for k in keys:
        row = max(rows, key=lambda r: r["ratio"][k])
        worst[k] = [row["dataset"], row["ratio"][k]]
    print("worst: " + ", ".join(f"{k} {name} {ratio:.2f}" for k, (name, ratio) in worst.items()))
    summary = {"means": means, "worst": worst, "peers": _beside_peers(rows, keys[-1])}
    if dtype == "float32":
        over = {r["dataset"]: r["float32"]["ratio"] for r in rows}
        beyond = [name for name, ratio in over.items() if ratio > FLOAT32_LIMIT]
        mean = _common.geometric_mean(over.values())
        print(
            f"float32 over float64 to tau = {FLOAT32_TAU:g}: mean {mean:.3f}, above "
            f"{FLOAT32_LIMIT}: {', '.join(f'{n} {over[n]:.2f}' for n in beyond) or 'none'}"
        )
        summary["float32"] = {"mean": mean, "beyond": beyond}
    return summary


def _beside_peers(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    summary = {}
    for peer in dict.fromkeys(peer for row in rows for peer in row["peers"]):
        over = {
            row["dataset"]: row["evaluations"][key] / row["peers"][peer][key]
            for row in rows
            if peer in row["peers"]
        }
        worst = max(over, key=lambda name: over[name])
        fewer = sum(ratio < 1 for ratio in over.values())
        mean = _common.geometric_mean(over.values())
        print(
            f"beside {peer}, {key}: mean {mean:.3f}, fewer on {fewer} of {len(over)}, "
            f"worst {worst} {over[worst]:.2f}"
        )
        summary[peer] = {
            "mean": mean,
            "fewer": fewer,
            "of": len(over),
            "worst": [worst, over[worst]],
        }
    return summary


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True, reference=True)
    parser.add_argument("--method", action="append", help="default guarded; may be repeated")
    parser.add_argument("--proposer", help="of guarded: lbfgs, heavy-ball, nesterov, cg")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--recompute", action="store_true", help="run the installed L-BFGS-B")
    parser.add_argument("--peers", action="store_true", help="more of SciPy's methods, see above")
    parser.add_argument("--held-out", action="store_true", help="see above; needs scikit-learn")
    parser.add_argument("--only", metavar="NAME", action="append", help="these data sets only")
    args = parser.parse_args()
    args.method = args.method or ["guarded"]
    _common.print_machine()
    rows = compare(args)
    if not rows:
        raise SystemExit("--only: no data set of that name")
    summary = report(rows, args.dtype)
    _common.write_json(args.json, {"rows": rows, "summary": summary})


if __name__ == "__main__":
    _common.run_main(main)
