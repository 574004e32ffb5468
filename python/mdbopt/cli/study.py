"""study – Repeat an experiment of the papers: numbers, a picture, and whether the claim holds."""

from __future__ import annotations

import argparse
import pathlib

from mdbopt import _blas, _files, data, plot, studies
from mdbopt.cli import _outputs
from mdbopt.cli._table import say

EPILOG = """\
Without NAME, the studies are listed with a sentence each. A study writes NAME.csv (panel, series,
x, y: all its numbers) and NAME.png (a picture of them), and prints three sentences and the paper's
claims with PASS or FAIL. A claim that fails is no error: the command ends with 0.

examples:
  mdbopt study
  mdbopt study zipf-scaling --quick --output figures
  mdbopt study linear-regression --data cpusmall.gz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mdbopt study``."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="one of those that mdbopt study lists")
    add("--quick", action="store_true", help="fewer steps, rates and sizes: each under a minute")
    add(
        "--output",
        type=pathlib.Path,
        default=pathlib.Path(),
        metavar="DIR",
        help="folder for the files (this one)",
    )
    add("--data", metavar="FILE", help="a table in place of the study's own, read as fit reads it")


def run(args: argparse.Namespace) -> None:
    """List the studies, or run one and write what it finds."""
    if args.name is None:
        for option, given in (("--quick", args.quick), ("--data", args.data)):
            if given:
                raise ValueError(f"{option}: expected the name of a study before it")
        width = max(map(len, studies.names())) + 2
        say("\n".join(f"{name:<{width}}{studies.find(name).summary}" for name in studies.names()))
        return
    study = studies.find(args.name)
    if args.data is not None and study.table is None:
        others = ", ".join(name for name in studies.names() if studies.find(name).table)
        raise ValueError(f"--data: {args.name} makes its own data, only {others} takes a table")
    csv, picture = (args.output / f"{args.name}{kind}" for kind in (".csv", ".png"))
    for path in (csv, picture):
        _outputs.check_place("--output", path, args.data)
    _outputs.check_picture("study", picture)
    table = None
    if study.table is not None:
        table = study.table() if args.data is None else data.load(args.data)
    # Most matrices here are small, and results must not depend on how busy the machine is.
    with _blas.one_thread():
        outcome = study.run(args.quick, table)
    _files.replace(csv, lambda file: file.write(studies.as_csv(outcome)))
    plot.save_picture(picture, studies.draw(study, outcome))
    say(f"{studies.as_text(args.name, outcome)}\n\nnumbers: {csv}\npicture: {picture}")
