"""Bytes a second of every rule of the core, beside this machine's copy rate.

For each rule, dtype, size, number of threads and backend: the time of one call of
mdbopt.kernels.<rule>, the bytes that its description promises, and the rate as % of copying as many
bytes on as many threads. Small sizes show what a call costs, large ones what memory gives.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import _common
import numpy as np
from _timing import Copy, all_threads, burst

import mdbopt
from mdbopt import kernels

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
DTYPES = ("float64", "float32")
# for scalars without a default: small steps, so that repeated calls stay within the numbers
UNGIVEN = 1e-3
# Where a small number makes a rule refuse: it would have walked only half of its way.
SCALARS: dict[str, dict[str, float]] = {"ellipsoid_cut": {"cut": 1e3}}


class Case:
    """A rule with arrays to run on."""

    def __init__(self, rule: Any, dtype: str, size: int, options: dict[str, Any]) -> None:
        self._kernel = getattr(kernels, rule.name)
        draw = np.random.default_rng(0)
        self._streams = [
            draw.uniform(0.5, 1.5, size).astype(stream.fixed or dtype) for stream in rule.streams
        ]
        self._written = [
            (self._streams[k], self._streams[k].copy())
            for k, stream in enumerate(rule.streams)
            if stream.role == "inout"
        ]
        given = {name: UNGIVEN for name, fallback in rule.scalars if math.isnan(fallback)}
        self._scalars = given | SCALARS.get(rule.name, {})
        self._options = options

    def __call__(self) -> bool:
        """Run the rule; False when it refused."""
        done = self._kernel(*self._streams, **self._scalars, **self._options)
        return bool(done.applied)

    def refill(self) -> None:
        """Put back what the rule has updated."""
        for stream, original in self._written:
            np.copyto(stream, original)

    def seconds(self) -> float:
        """Time a call; NaN when the rule refuses these arrays."""
        self.refill()
        if not self():
            return math.nan
        # some refuse what they have updated themselves
        if not self():
            return statistics.median(self._single() for _ in range(9))
        return burst(self)

    def _single(self) -> float:
        self.refill()
        return burst(self, least=0.0)


def measure(case: Case, moved: int, threads: int, rounds: int) -> dict[str, float]:
    """Time a case and a copy in turn."""
    copy = Copy(moved, threads)
    pairs = [(case.seconds(), copy()) for _ in range(rounds)]
    spent = statistics.median(pair[0] for pair in pairs)
    copied = statistics.median(pair[1] for pair in pairs)
    return {
        "us": 1e6 * spent,
        "gb_s": moved / spent / 1e9,
        "copy_gb_s": moved / copied / 1e9,
        "percent_copy": 100.0 * copied / spent,
    }


def run(args: Any) -> list[dict[str, Any]]:
    """Measure everything that was asked for."""
    rules = [rule for rule in mdbopt.rules() if not args.rule or rule.name in args.rule]
    if not rules:
        raise SystemExit(f"--rule: expected some of {', '.join(r.name for r in mdbopt.rules())}")
    rows = []
    for rule in rules:
        # a rule on step sizes alone knows one dtype
        follows = any(not stream.fixed for stream in rule.streams)
        for dtype in args.dtype or DTYPES:
            if dtype not in rule.bytes or not (follows or dtype == "float64"):
                continue
            for backend in args.backend:
                for size in args.sizes:
                    for threads in args.threads:
                        case = Case(rule, dtype, size, {"backend": backend, "threads": threads})
                        found = measure(case, rule.bytes[dtype] * size, threads, args.rounds)
                        where = {"rule": rule.name, "dtype": dtype, "backend": backend}
                        rows.append({**where, "size": size, "threads": threads} | found)
    return rows


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Print every row, then the medians over the rules."""
    _common.print_table(
        ["rule", "dtype", "backend", "size", "threads", "us", "GB/s", "copy GB/s", "% of copy"],
        [
            [
                r["rule"], r["dtype"], r["backend"], f"{r['size']:.0e}", r["threads"], r["us"],
                r["gb_s"], r["copy_gb_s"], r["percent_copy"],
            ]
            for r in rows
        ],
    )  # fmt: skip
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for r in rows:
        if not math.isnan(r["us"]):
            key = (r["dtype"], r["backend"], r["size"], r["threads"])
            groups.setdefault(key, []).append(r)
    summary = []
    for (dtype, backend, size, threads), chosen in groups.items():
        least = min(chosen, key=lambda r: r["percent_copy"])
        middle = statistics.median(r["percent_copy"] for r in chosen)
        where = {"dtype": dtype, "backend": backend, "size": size, "threads": threads}
        summary.append(
            where | {"median": middle, "least": least["percent_copy"], "of": least["rule"]}
        )
    print("\n% of the copy rate, over the rules")
    _common.print_table(
        ["dtype", "backend", "size", "threads", "median", "least", "of"],
        [
            [s["dtype"], s["backend"], f"{s['size']:.0e}", s["threads"], s["median"], s["least"],
             s["of"]]
            for s in summary
        ],
    )  # fmt: skip
    return {"over_rules": summary}


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--rule", action="append", help="these rules only")
    parser.add_argument("--dtype", choices=DTYPES, action="append")
    parser.add_argument("--backend", action="append", help="default the active one; or 'all'")
    parser.add_argument("--sizes", type=_common.parse_sizes, default=list(SIZES))
    parser.add_argument("--threads", type=_common.parse_sizes, help="default 1,all")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    supported = [backend.name for backend in mdbopt.backends() if backend.supported]
    active = [backend.name for backend in mdbopt.backends() if backend.active]
    args.backend = supported if args.backend == ["all"] else args.backend or active
    args.threads = args.threads or sorted({1, all_threads()})
    _common.print_machine()
    rows = run(args)
    _common.write_json(args.json, {"rows": rows, **report(rows)})


if __name__ == "__main__":
    _common.run_main(main)
