"""Time of the solvers themselves, the objective's own left out; float64.

Part minimize: `guarded` through mdbopt.minimize against SciPy's L-BFGS-B (maxcor = 10) on the same
objective, half the squared differences of neighbours, which neither finishes in as many steps. The
objective stamps its entry and exit; what lies between an exit and the next entry is the solver's.
The first evaluations, while the memory of pairs fills, do not count. ms/iteration is the median
after an accepted point: judging it, the new pair, the next direction. ms/step is all of the
solver's time over the accepted points, so rejected ones count too.

Part sets: an iteration of Box and Ellipsoid through ask and tell, accepted and rejected apart,
against the published formulas in NumPy (_numpy_sets.py), with the bytes moved as the core counts
them, and as % of the rate at which this machine copies as many bytes on as many threads.

Runs are interleaved and medians are given, on one thread and on all.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import _common
import numpy as np
import scipy.optimize
from _steps import Gradients, Numpy, Ours
from measuring.clock import all_threads, blas_threads, burst, interleaved
from measuring.yardstick import Copy

import mdbopt

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
MEMORY = 10
FILLED = MEMORY + 5


class Neighbours:
    """f = half the sum of (x[i+1] - x[i])^2, without BLAS, whose threads would spin into ours."""

    def __init__(self, d: int) -> None:
        self.x0 = np.random.default_rng(d).standard_normal(d)
        self._slope, self._g = np.empty(d - 1), np.empty(d)
        self.gaps: list[float] = []
        self._left = 0.0

    def __call__(self, x: Any) -> tuple[float, Any]:
        self.gaps.append(time.perf_counter() - self._left)
        slope, g = self._slope, self._g
        np.subtract(x[1:], x[:-1], out=slope)
        np.subtract(slope[:-1], slope[1:], out=g[1:-1])
        g[0], g[-1] = -slope[0], slope[-1]
        f = 0.5 * float(np.einsum("i,i->", slope, slope))
        self._left = time.perf_counter()
        return f, g


def evaluations_for(d: int) -> int:
    """How many evaluations a run has: seconds at the largest size, and still past the filling."""
    return FILLED + max(15, min(200, 20_000_000 // d))


def run_guarded(d: int, threads: int) -> tuple[list[float], list[bool], float]:
    """Give one run's gaps between evaluations, whether each followed an accepted point, and the
    evaluations an accepted step.
    """
    fun = Neighbours(d)
    count = evaluations_for(d)
    options = {"gtol": 0.0, "maxfun": count, "maxiter": count, "threads": threads}
    result = mdbopt.minimize(fun, fun.x0, jac=True, options=options | {"memory": MEMORY})
    accepted = result.trace["accepted"]
    # the gap before evaluation k tells of the judgement on evaluation k - 1
    after = accepted[FILLED - 1 : result.nfev - 1].tolist()
    return fun.gaps[FILLED:], after, (result.nfev - 1) / max(1, int(accepted[1:].sum()))


def run_lbfgsb(d: int, threads: int) -> tuple[list[float], list[bool], float]:
    """Give the same of one run of SciPy's L-BFGS-B, which hardly ever rejects here."""
    fun = Neighbours(d)
    count = evaluations_for(d)
    options = {"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxfun": count, "maxiter": count}
    with blas_threads(threads):
        result = scipy.optimize.minimize(fun, fun.x0, jac=True, method="L-BFGS-B", options=options)
    gaps = fun.gaps[FILLED:]
    return gaps, [True] * len(gaps), (result.nfev - 1) / max(1, result.nit)


def compare_minimize(d: int, threads: int, rounds: int) -> dict[str, Any]:
    """Time `guarded` and L-BFGS-B in turn."""
    solvers = {"guarded": run_guarded, "lbfgsb": run_lbfgsb}
    gaps: dict[str, list[float]] = {name: [] for name in solvers}
    steps: dict[str, list[float]] = {name: [] for name in solvers}
    per_step = dict.fromkeys(solvers, 0.0)
    for _ in range(rounds):
        for name, solve in solvers.items():
            found, after, per_step[name] = solve(d, threads)
            gaps[name] += found
            steps[name] += [gap for gap, accepted in zip(found, after, strict=True) if accepted]
    if not all(steps.values()):
        raise SystemExit(f"d = {d}: a solver ended before its memory was full")
    row: dict[str, Any] = {"d": d, "threads": threads}
    for name in solvers:
        row[name] = {
            "ms_iteration": 1e3 * statistics.median(steps[name]),
            "ms_step": 1e3 * statistics.fmean(gaps[name]) * per_step[name],
            "evaluations_step": per_step[name],
        }
    for unit in ("ms_iteration", "ms_step"):
        row[f"ratio_{unit}"] = row["lbfgsb"][unit] / row["guarded"][unit]
    return row


def compare_sets(over: str, accept: bool, d: int, threads: int, rounds: int) -> dict[str, Any]:
    """Time one kind of iteration, ours, NumPy's and a copy, in turn."""
    gradients = Gradients(d)
    ours, numpys = Ours(over, gradients, accept, threads), Numpy(over, gradients, accept)
    walks, moved = ours.traffic()
    # bursts hide the clock and the first touch of the cache after somebody else's turn
    calls = {
        "ours": lambda: _median_of(ours, d),
        "numpy": lambda: _median_of(numpys, d),
        "copy": Copy(moved, threads),
    }
    with blas_threads(threads):
        times = interleaved(calls, rounds)
    return {
        "set": over,
        "iteration": "accepted" if accept else "rejected",
        "d": d,
        "threads": threads,
        "walks": walks,
        "bytes_element": moved / d,
        "us": 1e6 * times["ours"],
        "us_numpy": 1e6 * times["numpy"],
        "ratio": times["numpy"] / times["ours"],
        "gb_s": moved / times["ours"] / 1e9,
        "copy_gb_s": moved / times["copy"] / 1e9,
        "percent_copy": 100.0 * times["copy"] / times["ours"],
    }


def _median_of(step: Any, d: int) -> float:
    return statistics.median(step() for _ in range(max(2, min(50, 1_000_000 // d))))


def print_minimize(rows: list[dict[str, Any]]) -> None:
    """Print part minimize."""
    lines = []
    for row in rows:
        ours, theirs = row["guarded"], row["lbfgsb"]
        line = [f"{row['d']:.0e}", row["threads"]]
        for unit in ("ms_iteration", "ms_step"):
            line += [ours[unit], theirs[unit], row[f"ratio_{unit}"]]
        both = [f"{solver['evaluations_step']:.2f}" for solver in (ours, theirs)]
        lines.append([*line, " : ".join(both)])
    head = ["minimize, d", "threads"]
    for unit in ("ms/iteration", "ms/step"):
        head += [f"guarded {unit}", "L-BFGS-B", "L-BFGS-B/ours"]
    _common.print_table([*head, "evaluations/step"], lines)


def print_sets(rows: list[dict[str, Any]]) -> None:
    """Print part sets."""
    _common.print_table(
        [
            "set", "iteration", "d", "threads", "us", "NumPy us", "NumPy/ours", "walks",
            "bytes/element", "GB/s", "copy GB/s", "% of copy",
        ],
        [
            [
                r["set"], r["iteration"], f"{r['d']:.0e}", r["threads"], r["us"], r["us_numpy"],
                r["ratio"], r["walks"], r["bytes_element"], r["gb_s"], r["copy_gb_s"],
                r["percent_copy"],
            ]
            for r in rows
        ],
    )  # fmt: skip


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--sizes", type=_common.parse_sizes, default=list(SIZES))
    parser.add_argument("--part", choices=("minimize", "sets"), action="append")
    parser.add_argument("--rounds", type=int, default=5, help="turns each takes")
    parser.add_argument("--threads", type=_common.parse_sizes, help="default 1,all")
    args = parser.parse_args()
    threads = args.threads or sorted({1, all_threads()})
    parts = args.part or ["minimize", "sets"]
    _common.print_machine()
    figures: dict[str, Any] = {"call_us": 1e6 * burst(lambda: mdbopt.kernels.dot(_ONE, _ONE))}
    if "minimize" in parts:
        figures["minimize"] = [
            compare_minimize(d, t, args.rounds if d <= 1_000_000 else 1)
            for d in args.sizes
            for t in threads
        ]
        print_minimize(figures["minimize"])
        print()
    if "sets" in parts:
        figures["sets"] = [
            compare_sets(over, accept, d, t, args.rounds)
            for over in ("box", "ellipsoid")
            for accept in (True, False)
            for d in args.sizes
            for t in threads
        ]
        print_sets(figures["sets"])
    _common.write_json(args.json, figures)


_ONE = np.ones(1)

if __name__ == "__main__":
    _common.run_main(main)
