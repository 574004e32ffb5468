"""Measure kernels, updates and solvers on this machine, beside what else is installed.

kernels: GB/s of every rule called from Python and, in brackets, % of the faster of two NumPy loops
  that move as many bytes on as many threads: a copy into another array, and a walk that updates in
  place, copies and reads as much as the rule does.
updates: microseconds of opt.step(params, grads, state) and of a planned step, and the time of other
  libraries' steps over ours: above 1 mdbopt is faster. Each peer takes turns with us, on arrays of
  its own kind and on as many threads; medians, and half the distance of the quartiles.
solvers: evaluations and seconds of minimize beside SciPy's L-BFGS-B, and its figures over ours.

Peers are imported only if they are installed. DeepSpeed compiles its steps when first used, which
takes a minute each. Figures count on a quiet machine only.

examples:
  python bench/measure.py
  python bench/measure.py kernels --rules dot,box_trial --sizes 1e4,1e6 --threads 1,all
  python bench/measure.py updates --rules adamw --peers torch --models resnet50 --seconds 1
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import _common
from measuring import kernels, peers, solvers, updates, values, words, yardstick
from measuring.asked import DTYPES, PARTS, SECONDS, SIZES, Asked
from measuring.methods import METHODS

from mdbopt.cli._table import say


def _parser() -> argparse.ArgumentParser:
    parser = _common.parser(__doc__)
    sizes = ",".join(map(words.size, SIZES))
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default all)")
    add("--rules", metavar="A,...", help="these rules and updates only; or all, for every update")
    add("--sizes", metavar="N,...", help=f"elements of an array ({sizes})")
    add("--models", metavar="A,...", help=f"lists of arrays to update: {', '.join(values.MODELS)}")
    add("--dtypes", metavar="A,...", help=f"of {', '.join(DTYPES)} (float32)")
    add("--threads", metavar="N,...", help="numbers, or all (the default)")
    add("--backends", metavar="A,...", help="of the kernels; or all (the active one)")
    add("--peers", metavar="A,...", help=f"of {', '.join(peers.PEERS)}; or none (all)")
    add("--seconds", type=float, metavar="X", help=f"for each pair that takes turns ({SECONDS})")
    add("--plot", type=pathlib.Path, metavar="FILE", help="draw GB/s over size: .png, .svg, ...")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, save and draw what the command line asks for."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        asked = Asked(args)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    figures: dict[str, Any] = {}
    _common.print_machine()
    for part in asked.parts:
        found, text = MEASURES[part](asked)
        figures |= found
        say(f"{text}\n")
    yardstick.release()
    _common.write_json(args.json, figures)
    if args.plot is not None:
        from measuring import picture

        picture.draw(args.plot, figures)
        say(f"picture: {args.plot}")


def _kernels(asked: Asked) -> tuple[dict[str, Any], str]:
    rows, streams = [], values.Streams()
    dtypes = [dtype for dtype in asked.dtypes if values.has_dtype(dtype)]
    cases = kernels.cases(asked.rules, dtypes, asked.backends, asked.sizes, asked.threads)
    for rule, where in cases:
        _progress(f"{where.rule} {where.dtype} {words.size(where.size)}")
        rows.append(
            dataclasses.asdict(where) | kernels.measure(rule, where, asked.seconds, streams)
        )
    _progress("")
    summary = kernels.over_rules(rows)
    title = "GB/s (% of the fastest NumPy loop of the same traffic)"
    tables = f"{title}\n{words.kernels(rows)}\n\nover the rules\n{words.over_rules(summary)}"
    return {"kernels": rows, "over_rules": summary}, tables if rows else "kernels: none such"


def _updates(asked: Asked) -> tuple[dict[str, Any], str]:
    rows = []
    running = updates.Peers(asked.peers)
    for where in _wheres(asked):
        _progress(f"{where.method.name} {where.dtype} {where.label or words.size(where.size)}")
        rows.append(updates.measure(where, running, asked.seconds))
    _progress("")
    versions = {peer.name: peer.version for peer in [*asked.peers, *asked.missing]}
    found = {"updates": rows, "peers": versions, "failed": running.failed}
    if not rows:
        return found, "updates: none such"
    title = "µs of ours, and the time of others over it"
    table = words.updates(rows, [peer.name for peer in asked.peers])
    return found, f"{title}\n{table}\n{_about_peers(asked, running)}".rstrip()


def _wheres(asked: Asked) -> list[updates.Where]:
    return [
        where
        for method in map(METHODS.__getitem__, asked.methods)
        for dtype in asked.dtypes
        if values.has_dtype(dtype)
        for threads in asked.threads
        for where in (
            *(updates.one_array(method, dtype, size, threads) for size in asked.update_sizes),
            *(updates.model(method, dtype, name, threads) for name in asked.models),
        )
    ]


def _about_peers(asked: Asked, running: updates.Peers) -> str:
    installed = {peer.distribution: peer.version for peer in asked.peers}
    lines = []
    if installed:
        lines.append("beside " + ", ".join(f"{name} {v}" for name, v in installed.items()))
    if asked.missing:
        missing = dict.fromkeys(peer.distribution for peer in asked.missing)
        lines.append(f"not installed: {', '.join(missing)}")
    lines += [f"{name} failed: {reason}" for name, reason in running.failed.items()]
    return "\n".join(lines)


def _solvers(asked: Asked) -> tuple[dict[str, Any], str]:
    del asked
    rows = [row for name, fun in solvers.tables() for row in solvers.measure(name, fun)]
    title = "logistic regression to max|g| <= 1e-8; L-BFGS-B's figure over ours"
    return {"solvers": rows}, f"{title}\n{words.solvers(rows)}"


MEASURES: dict[str, Callable[[Asked], tuple[dict[str, Any], str]]] = {
    "kernels": _kernels,
    "updates": _updates,
    "solvers": _solvers,
}


def _progress(text: str) -> None:
    """Show on a terminal what is being measured; nothing takes it away again."""
    if sys.stderr.isatty():
        print(f"\r{text:<60}", end="" if text else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _common.run_main(main)
