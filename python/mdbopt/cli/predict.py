"""predict – Predict with a model that fit has saved, for the rows of a file."""

from __future__ import annotations

import argparse
import csv
import io
import pathlib
from typing import Any

from mdbopt import _files
from mdbopt.cli import _model, _outputs, _reading
from mdbopt.cli._table import say
from mdbopt.data._options import Options
from mdbopt.data._read import read

EPILOG = """\
MODEL is what mdbopt fit --save has written. DATA is read as fit reads it, and may have a target or
not. Columns are found by their names where both files have names, else by their places; words
become the indicators of the fit, missing values its means (fit --missing mean). LIBSVM text may be
narrower or wider than that of the fit; its indices count as they did there.

The output is CSV: a line "prediction", then one line a row, in the words of the file of the fit.

examples:
  mdbopt fit cars.csv --target price --save cars.npz
  mdbopt predict cars.npz new.csv --output prices.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mdbopt predict``."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("model", type=pathlib.Path, metavar="MODEL", help="a file of mdbopt fit --save")
    add("data", metavar="DATA", help="a file with the columns of the fit; - is standard input")
    add("--output", type=pathlib.Path, metavar="FILE", help="write there, not to standard output")
    add("--probabilities", action="store_true", help="also the probability of each class")
    _reading.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Predict, and write what the command line asks for."""
    if args.output is not None:
        _outputs.check_place("--output", args.output, args.data, str(args.model))
    model = _model.load(args.model)
    if args.probabilities and model.loss not in ("logistic", "softmax"):
        raise ValueError(
            f"--probabilities: a model of {model.loss} has none, expected logistic or softmax"
        )
    path = pathlib.Path(_reading.path(args.data))
    table = read(path, Options(**_reading.options(args)), model.columns, with_target=False)
    predictions, probabilities = model.predict(table.X)
    header, columns = ["prediction"], [[_shown(value) for value in predictions.tolist()]]
    if args.probabilities and probabilities is not None:
        header += [f"probability of {_shown(label)}" for label in model.classes.tolist()]
        columns += [[repr(value) for value in column] for column in probabilities.T.tolist()]
    text = _csv([header, *map(list, zip(*columns, strict=True))])
    if args.output is None:
        say(text.rstrip("\n"))
    else:
        _files.replace(args.output, lambda file: file.write(text.encode()))


def _shown(value: Any) -> str:
    """Write a label as a file has it: 3, where it was read as 3.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
