"""The goals of the updates, each beside what is measured on this machine; a quarter of an hour.

A ratio is the other's time over ours, so that more is better; "copy" is the faster of two NumPy
loops of the same traffic (`measure.py --help`). Every row takes turns with its other, A B A B …,
and is told as the ratio of medians with the quartiles over the turns. A row that others disturbed
is measured again; what stays disturbed has a star.

    python bench/goals.py --list
    python bench/goals.py --only adamw --threads 1 --seconds 0.3
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import _common
from _goals import GOALS, RUNNING, Goal
from measuring import values
from measuring.clock import Pair, all_threads
from measuring.machine import Others
from measuring.peers import PEERS
from measuring.words import number

# The part of the processors that others may take.
QUIET = 0.05
LOOK = 0.25


def row_of(goal: Goal, threads: int, pair: Pair, others: float) -> dict[str, Any]:
    """Make the row of a measurement."""
    return {
        "case": goal.name,
        "beside": goal.other,
        "threads": threads,
        "us": 1e6 * pair.ours,
        "us_other": 1e6 * pair.theirs,
        "ratio": pair.ratio,
        "low": pair.low,
        "high": pair.high,
        "goal": goal.least,
        "others": others,
    }


def wait_for_quiet(longest: float) -> None:
    """Wait until others leave the processors alone, `longest` seconds at most."""
    end = time.perf_counter() + longest
    while time.perf_counter() < end:
        others = Others()
        time.sleep(LOOK)
        if others.share() < QUIET:
            return


def measured(
    goal: Goal, threads: int, args: argparse.Namespace, streams: values.Streams
) -> dict[str, Any] | None:
    """Measure until nobody disturbs; give the least disturbed row, None of what is not there."""
    best: dict[str, Any] | None = None
    for _ in range(args.tries):
        wait_for_quiet(args.wait)
        others = Others()
        pair = goal.measure(threads, args.seconds, streams)
        if pair is None:
            return None
        row = row_of(goal, threads, pair, others.share())
        if best is None or row["others"] < best["others"]:
            best = row
        if not best["others"] >= QUIET:
            break
    return best


def told(row: dict[str, Any]) -> list[Any]:
    """Write a row."""
    reached = None
    if row["goal"] is not None:
        reached = "yes" if row["ratio"] >= row["goal"] else "NO"
    ratio = number(row["ratio"]) + ("*" if row["others"] >= QUIET else "")
    quartiles = f"{number(row['low'])}-{number(row['high'])}"
    goal = None if row["goal"] is None else number(row["goal"])
    times = [number(row[name]) for name in ("us", "us_other")]
    return [row["case"], row["beside"], row["threads"], *times, ratio, quartiles, goal, reached]


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    add = parser.add_argument
    add("--only", action="append", help="rows with this in their names")
    add("--threads", type=_common.parse_sizes, help="default 1,all")
    add("--seconds", type=float, default=1.0, help="for each pair")
    add("--largest", type=float, default=2e8, help="elements at most, 1e7 is quick")
    add("--tries", type=int, default=3, help="measurements of a row that others disturb")
    add("--wait", type=float, default=10.0, help="seconds to wait for others before each")
    add("--list", action="store_true", help="name the rows and stop")
    args = parser.parse_args()
    chosen = [
        goal
        for goal in GOALS
        if not args.only or any(part in f"{goal.name} / {goal.other}" for part in args.only)
    ]
    if args.list:
        print("\n".join(f"{goal.name} / {goal.other}" for goal in chosen))
        return
    _common.print_machine()
    rows, begin = [], time.perf_counter()
    streams = values.Streams()
    for goal in chosen:
        if goal.size > args.largest:
            continue
        for threads in args.threads or goal.threads or sorted({1, all_threads()}):
            row = measured(goal, threads, args, streams)
            if row is None:
                print(f"left out: {goal.name} / {goal.other}, {threads}", file=sys.stderr)
                continue
            rows.append(row)
            print(" | ".join(map(str, told(row))), file=sys.stderr, flush=True)
    head = ["case", "beside", "threads", "us", "other us", "ratio", "quartiles", "goal", "reached"]
    _common.print_table(head, map(told, rows))
    disturbed = sum(row["others"] >= QUIET for row in rows)
    print(f"\n{len(rows)} rows in {time.perf_counter() - begin:.0f} s, {disturbed} disturbed (*)")
    for name, reason in RUNNING.failed.items():
        print(f"{name} failed: {reason}")
    versions = {peer.distribution: peer.version for peer in PEERS.values() if peer.installed}
    print("beside " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    _common.write_json(args.json, {"rows": rows, "peers": versions, "failed": RUNNING.failed})


if __name__ == "__main__":
    _common.run_main(main)
