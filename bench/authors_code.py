"""Do we follow the authors' path? All rows of authors_code.csv under the same settings.

Per row: f of the current point and the cuts after 100, 300 and 1000 iterations, beside the table's.
A table row that ends early (near the optimum, where the published test drowns in rounding) must go
on here, to max|g| <= 1e-9 of its first value.

--sensitivity DATASET/SET runs one row under several orders of the sums inside the objective, for us
and for a NumPy transcription of the published formulas: where the transcription moves away from the
table by as much as we do, the row measures rounding and not the method.

--numpy runs that transcription on all rows, in the order of sums that the table was made with: it
says how far this machine's BLAS is from the table's, and that the transcription is the right one.
"""

from __future__ import annotations

import math
from typing import Any

import _common
import numpy as np
from _numpy_sets import path
from _objectives import published, variants

import mdbopt

MARKS = (100, 300, 1000)
SCALE = 1000.0
DIGITS = 6.0


def settings(over: str, d: int) -> dict[str, Any]:
    """Options that stand for the published code's choices."""
    options = {
        "initial_scale": SCALE,
        "cut": "hypergradient",
        "forward": 1.0,
        "gtol": 0.0,
        "maxiter": MARKS[-1],
    }
    # the published box tries b/d, the paper b/(2d)
    if over == "box":
        options["gamma"] = 1.0 / d
    return options


def our_path(fun: Any, x0: Any, over: str, gtol: float = 0.0) -> Any:
    """Run one of our searches with the published settings."""
    options = settings(over, x0.size) | {"gtol": gtol}
    return mdbopt.minimize(fun, x0, jac=True, method=over, options=options)


def at_marks(trace: Any) -> dict[int, tuple[float, int]]:
    """Give (f of the current point, cuts) after each number of iterations that was reached."""
    # nothing accepted lies above an earlier accepted value by more than rounding, yet the last
    # accepted one is the current one
    last = np.maximum.accumulate(np.where(trace["accepted"], np.arange(trace["f"].size), 0))
    return {k: (float(trace["f"][last[k]]), int(trace["ncut"][k])) for k in MARKS if k < last.size}


def digits(ours: float, theirs: float) -> float:
    """Digits of agreement, 16 at most."""
    difference = abs(ours - theirs) / abs(theirs)
    return 16.0 if difference == 0.0 else min(16.0, -math.log10(difference))


def compare(data: _common.Data, row: dict[str, str]) -> dict[str, Any]:
    """Run one row of the table."""
    problem = data.problem(row["dataset"])
    result = our_path(problem, problem.x0, row["set"])
    ours = at_marks(result.trace)
    marks = {}
    for k in MARKS:
        if not row[f"f_{k}"]:
            continue
        theirs, cuts = float(row[f"f_{k}"]), int(row[f"cuts_{k}"])
        f, ncut = ours.get(k, (float(result.fun), int(result.ncut)))
        marks[k] = {
            "f": f,
            "f_table": theirs,
            "cuts": ncut,
            "cuts_table": cuts,
            "difference": abs(f - theirs) / abs(theirs),
            "digits": digits(f, theirs),
        }
    found = {"row": f"{row['dataset']}/{row['set']}", "d": int(row["d"]), "marks": marks}
    stopped = int(row["iterations_before_it_stopped"])
    if stopped < MARKS[-1]:
        goal = 1e-9 * float(np.abs(problem(problem.x0)[1]).max())
        on = our_path(problem, problem.x0, row["set"], gtol=goal)
        found["goes_on"] = {
            "table_stopped_at": stopped,
            "iterations": int(on.nit),
            "reached": bool(on.success),
            "gmax": float(on.trace["gmax"][on.trace["accepted"]][-1]),
            "goal": goal,
        }
    return found


def report(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Print the table of all rows and sum it up."""
    lines = []
    for row in found:
        for k, mark in row["marks"].items():
            same = "" if mark["cuts"] == mark["cuts_table"] else "  <- cuts"
            lines.append(
                [row["row"], k, f"{mark['f']:.12g}", f"{mark['f_table']:.12g}",
                 f"{mark['difference']:.1e}", f"{mark['digits']:.1f}",
                 f"{mark['cuts']} : {mark['cuts_table']}{same}"]
            )  # fmt: skip
    head = ["row", "iterations", "f", "f of the table", "difference", "digits", "cuts"]
    _common.print_table(head, lines)
    print()
    for row in found:
        if "goes_on" in row:
            on = row["goes_on"]
            print(
                f"{row['row']}: the table stops after {on['table_stopped_at']}; we reach max|g| = "
                f"{on['gmax']:.1e} (goal {on['goal']:.1e}) after {on['iterations']}"
                f"{'' if on['reached'] else ', NOT the goal'}"
            )
    marks = [mark for row in found for mark in row["marks"].values()]
    worst = min((m["digits"], r["row"], k) for r in found for k, m in r["marks"].items())
    left = sorted({r["row"] for r in found for m in r["marks"].values() if m["digits"] < DIGITS})
    summary = {
        "rows": len(found),
        "values": len(marks),
        "cuts_equal": sum(m["cuts"] == m["cuts_table"] for m in marks),
        "digits_held": sum(m["digits"] >= DIGITS for m in marks),
        "rows_below": left,
        "worst": worst,
        "median_digits": float(np.median([m["digits"] for m in marks])),
        "went_on": sum(r["goes_on"]["reached"] for r in found if "goes_on" in r),
        "ended_early": sum("goes_on" in r for r in found),
    }
    print(
        f"\n{summary['rows']} rows, {summary['values']} values: cuts equal in "
        f"{summary['cuts_equal']}, {DIGITS:.0f} digits or more in {summary['digits_held']}\n"
        f"median {summary['median_digits']:.1f} digits, least {worst[0]:.1f} on {worst[1]} at "
        f"{worst[2]}; below {DIGITS:.0f}: {', '.join(left) or 'none'}\n"
        f"went on where the table stops: {summary['went_on']} of {summary['ended_early']}"
    )
    return summary


def transcription(data: _common.Data, rows: list[dict[str, str]]) -> dict[str, Any]:
    """Count the values of the table that the NumPy transcription gives to the last bit."""
    values, exact, cuts, stops, worst = 0, 0, 0, 0, (0.0, "none")
    for row in rows:
        name = f"{row['dataset']}/{row['set']}"
        X, y, labels = data.rows(row["dataset"])
        x0 = data.problem(row["dataset"]).x0
        got = list(path(row["set"], published(X, y, labels), x0, SCALE, MARKS[-1]))
        stops += len(got) == int(row["iterations_before_it_stopped"])
        for k in MARKS:
            if not row[f"f_{k}"]:
                continue
            values += 1
            f, ncut = got[k - 1] if k <= len(got) else (np.nan, -1)
            difference = abs(f - float(row[f"f_{k}"])) / abs(float(row[f"f_{k}"]))
            exact += difference == 0.0
            cuts += ncut == int(row[f"cuts_{k}"])
            worst = max(worst, (difference, name))
    print(
        f"NumPy transcription: {exact} of {values} values to the last bit, cuts equal in {cuts}\n"
        f"same last iteration in {stops} of {len(rows)} rows; worst {worst[0]:.1e} on {worst[1]}"
    )
    return {"values": values, "exact": exact, "cuts": cuts, "stops": stops, "worst": worst}


def sensitivity(data: _common.Data, rows: list[dict[str, str]], which: str) -> dict[str, Any]:
    """Run one row under several orders of summation, ours and NumPy's."""
    row = next((r for r in rows if f"{r['dataset']}/{r['set']}" == which), None)
    if row is None:
        raise SystemExit(f"--sensitivity: no row {which!r}, expected DATASET/SET of the table")
    marks = [k for k in MARKS if row[f"f_{k}"]]
    lines, kept = [], {}
    for name, fun, x0 in variants(*data.rows(row["dataset"])):
        ours = at_marks(our_path(fun, x0, row["set"]).trace)
        numpy_path = list(path(row["set"], fun, x0, SCALE, MARKS[-1]))
        theirs = {k: numpy_path[k - 1] for k in MARKS if k <= len(numpy_path)}
        for who, got in (("mdbopt", ours), ("NumPy", theirs)):
            cells = [_difference(got.get(k), float(row[f"f_{k}"])) for k in marks]
            cuts = [got[k][1] if k in got else None for k in marks]
            lines.append([f"{name}, {who}", *cells, " ".join(map(str, cuts))])
            kept[f"{name}, {who}"] = {str(k): got[k] for k in marks if k in got}
    print(f"{which}: relative difference of f from the table's")
    _common.print_table(["objective", *(f"at {k}" for k in marks), "cuts"], lines)
    return kept


def _difference(got: tuple[float, int] | None, reference: float) -> str:
    return "stopped" if got is None else f"{abs(got[0] - reference) / abs(reference):.1e}"


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__, data=True, reference=True)
    parser.add_argument("--only", metavar="DATASET", action="append", help="these data sets only")
    parser.add_argument("--numpy", action="store_true", help="see above")
    parser.add_argument("--sensitivity", metavar="DATASET/SET", help="see above")
    args = parser.parse_args()
    data = _common.Data(args.data)
    rows = _common.reference_rows(args.reference, "authors_code.csv")
    _common.print_machine()
    if args.sensitivity:
        _common.write_json(args.json, {"sensitivity": sensitivity(data, rows, args.sensitivity)})
        return
    chosen = [row for row in rows if not args.only or row["dataset"] in args.only]
    if args.numpy:
        _common.write_json(args.json, {"transcription": transcription(data, chosen)})
        return
    found = [compare(data, row) for row in chosen]
    _common.write_json(args.json, {"rows": found, "summary": report(found)})


if __name__ == "__main__":
    _common.run_main(main)
