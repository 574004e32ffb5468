"""What moved between two runs of a bench, beyond their noise.

Takes the files that any bench writes with --json, `make bench` among them. One run a side tells the
noise from the scatter of all figures of a kind; more runs a side, from the scatter of each figure,
too. A machine that is slower as a whole moves the
median of a kind, which is told apart. Counts have no noise: any change is told.

examples:
  python bench/compare.py before.json after.json
  python bench/compare.py --before a1.json a2.json --after b1.json b2.json b3.json --least 0.05
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import _common

from mdbopt.cli._table import say, table

# What names a row; any other number in it is a figure.
NAMES = (
    "size",
    "threads",
    "arrays",
    "d",
    "n",
    "rows",
    "columns",
    "nnz",
    "seed",
    "memory",
    "blas_threads",
)
# Figures that are bounds of others, or of the machine alone.
LEFT_OUT = ("low", "high", "load", "copy_gb_s", "loop_gb_s")
# A normal distribution's standard deviation over its median absolute deviation.
NORMAL = 1.4826
SIGMAS = 3.0
LEAST = 0.03

Key = tuple[str, ...]


@dataclass(frozen=True)
class Moved:
    """A figure on both sides: values, log of their ratio, and the noise that it is beyond."""

    key: Key
    before: float
    after: float
    change: float
    noise: float


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and print what moved; with --fail exit with 1 where something did."""
    parser = _common.parser(__doc__)
    add = parser.add_argument
    add("pair", nargs="*", metavar="FILE", help="before and after, where there is one of each")
    add("--before", nargs="+", metavar="FILE", default=[], help="runs of the one side")
    add("--after", nargs="+", metavar="FILE", default=[], help="and of the other")
    add(
        "--least", type=float, default=LEAST, metavar="X", help=f"no change below is told ({LEAST})"
    )
    add("--fail", action="store_true", help="exit with 1 where something moved")
    args = parser.parse_args(argv)
    before, after = _sides(parser, args)
    found = compare(
        [run["figures"] for run in before], [run["figures"] for run in after], args.least
    )
    for name, side in (("before", before), ("after", after)):
        say(f"{name}: " + "; ".join(run["told"] for run in side))
    say(told(found))
    _common.write_json(
        args.json,
        {key: found[key] for key in ("shift", "only_before", "only_after")}
        | {"moved": [{**vars(each), "key": "/".join(each.key)} for each in found["moved"]]},
    )
    if args.fail and found["moved"]:
        raise SystemExit(1)


def _sides(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[list[dict[str, Any]]]:
    if args.pair and (args.before or args.after or len(args.pair) != 2):
        parser.error(f"expected two files, or --before and --after, got {' '.join(args.pair)}")
    sides = [args.pair[:1], args.pair[1:]] if args.pair else [args.before, args.after]
    if not all(sides):
        parser.error("expected two files, or --before and --after")
    return [[_read(parser, path) for path in side] for side in sides]


def _read(parser: argparse.ArgumentParser, path: str) -> dict[str, Any]:
    try:
        whole = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"{path}: {error}")
    if not isinstance(whole, dict) or not isinstance(whole.get("machine"), dict):
        parser.error(f"{path}: expected what a bench wrote with --json, got no machine in it")
    of = whole.pop("machine")
    words = [str(of[name]) for name in ("date", "commit", "processor", "backend") if of.get(name)]
    return {"figures": dict(figures(whole)), "told": ", ".join(words)}


def figures(value: Any, key: Key = ()) -> Iterator[tuple[Key, float]]:
    """Give every figure with its name: the way to it, rows by what names them."""
    if isinstance(value, Mapping):
        here = [f"{name}={each}" for name, each in value.items() if _names(name, each)]
        for name, each in value.items():
            if name not in LEFT_OUT and name != "machine" and not _names(name, each):
                yield from figures(each, (*key, *here, str(name)))
    elif isinstance(value, (list, tuple)):
        numbered = not all(isinstance(each, Mapping) for each in value)
        for place, each in enumerate(value):
            yield from figures(each, (*key, str(place)) if numbered else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key, float(value)


def _names(name: str, value: Any) -> bool:
    return isinstance(value, (str, bool)) or (name in NAMES and isinstance(value, (int, float)))


def compare(
    before: Sequence[Mapping[Key, float]],
    after: Sequence[Mapping[Key, float]],
    least: float = LEAST,
) -> dict[str, Any]:
    """Find what moved beyond noise.

    Parameters
    ----------
    before, after : sequences of dict
        The figures of each run of a side.
    least : float
        Relative change that is told at the least; of no count.

    Returns
    -------
    dict
        ``moved``: list of Moved, the largest change first; ``shift``: by kind of figure, the median
        ratio of all; ``only_before``, ``only_after``: figures that one side alone has.
    """
    sides = [_gathered(before), _gathered(after)]
    shared = [key for key in sides[0] if key in sides[1]]
    middle = {key: [statistics.median(side[key]) for side in sides] for key in shared}
    changes = {key: _log_ratio(*middle[key]) for key in shared}
    shift, scatter = {}, {}
    for kind in {key[-1] for key in shared if not _counts(middle[key])}:
        logs = [changes[key] for key in shared if key[-1] == kind and math.isfinite(changes[key])]
        shift[kind] = statistics.median(logs) if logs else 0.0
        scatter[kind] = NORMAL * statistics.median(
            [abs(log - shift[kind]) for log in logs] or [0.0]
        )
    moved = []
    for key in shared:
        noise = 0.0
        if not _counts(middle[key]):
            own = max(_scatter(side[key]) for side in sides)
            noise = max(SIGMAS * max(own, scatter[key[-1]]), math.log1p(least))
        if abs(changes[key]) > noise:
            moved.append(Moved(key, *middle[key], changes[key], noise))
    return {
        "moved": sorted(moved, key=lambda each: -abs(each.change)),
        "shift": {kind: math.exp(log) for kind, log in sorted(shift.items())},
        "only_before": len(sides[0]) - len(shared),
        "only_after": len(sides[1]) - len(shared),
    }


def _gathered(runs: Sequence[Mapping[Key, float]]) -> dict[Key, list[float]]:
    gathered: dict[Key, list[float]] = {}
    for run in runs:
        for key, value in run.items():
            gathered.setdefault(key, []).append(value)
    return gathered


def _counts(values: Sequence[float]) -> bool:
    return all(value == round(value) for value in values)


def _log_ratio(before: float, after: float) -> float:
    if before == after:
        return 0.0
    if before <= 0.0 or after <= 0.0:
        return math.copysign(math.inf, after - before)
    return math.log(after / before)


def _scatter(values: Sequence[float]) -> float:
    """Return the standard deviation of the logs; 0 of one value."""
    if len(values) < 2 or min(values) <= 0.0:
        return 0.0
    return statistics.stdev(map(math.log, values))


def told(found: Mapping[str, Any]) -> str:
    """Write what `compare` found."""
    lines = []
    shifts = [f"{kind} {ratio:.3g}" for kind, ratio in found["shift"].items()]
    if shifts:
        lines.append("all of a kind, after over before: " + ", ".join(shifts))
    for side in ("before", "after"):
        if found[f"only_{side}"]:
            lines.append(f"{found[f'only_{side}']} figures stand in {side} alone")
    if not found["moved"]:
        return "\n".join([*lines, "nothing moved beyond noise"])
    rows = [
        [
            " ".join(each.key), f"{each.before:.4g}", f"{each.after:.4g}",
            f"{math.exp(each.change):.3g}", f"{math.expm1(each.noise):.1%}",
        ]
        for each in found["moved"]
    ]  # fmt: skip
    return "\n".join(
        [*lines, table(["figure", "before", "after", "ratio", "noise"], rows, left=["figure"])]
    )


if __name__ == "__main__":
    _common.run_main(main)
