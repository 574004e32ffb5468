"""diagnose – Say which method to take for a table, and why."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from typing import Any

import mdbopt
from mdbopt.cli import fit
from mdbopt.cli._table import say

EPILOG = """\
Measured at the point where a fit starts: how far the scales of the weights lie apart, the condition
number with and without a scale for each, noise, smoothness, the classes, the gradient.

examples:
  mdbopt diagnose
  mdbopt diagnose cars.csv --target price --one-hot
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mdbopt diagnose``."""
    parser.epilog = EPILOG
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    fit.add_problem_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print what `mdbopt.diagnose` finds."""
    fit.check_penalty(args)
    table = fit.read_table(args)
    loss, reason, fun = fit.build_problem(table, args)
    found = mdbopt.diagnose(fun, fun.x0)
    if args.json:
        told = {"table": table.name, "loss": loss, "loss_reason": reason, "l2": fun.l2}
        say(json.dumps(told | _plain(dataclasses.asdict(found)), indent=2, allow_nan=False))
        return
    rows, columns = table.X.shape
    say(f"{table.name}: {rows:,} rows, {columns:,} columns; {loss}, as {reason}\n{found}")


def _plain(value: Any) -> Any:
    """Make what JSON knows: a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
