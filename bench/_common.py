"""What the benches share: the data folder, problems, tables, JSON, and a line on the machine."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from measuring.machine import machine, told

import mdbopt

DATA_VARIABLE = "MDBOPT_BENCH_DATA"
REFERENCE_VARIABLE = "MDBOPT_BENCH_REFERENCE"
# The tables whose columns are as measured; the others are scaled or one-hot.
RAW = (
    "australian", "breast-cancer", "diabetes", "heart", "svmguide1", "cpusmall",
    "california-housing", "bodyfat", "housing", "concrete", "power-plant", "yacht",
    "naval-propulsion",
)  # fmt: skip


def parser(
    doc: str | None, *, data: bool = False, reference: bool = False
) -> argparse.ArgumentParser:
    """Start a command line: every bench has --json, those on data --data, some --reference."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", metavar="FILE", help="also write the figures there")
    if data:
        made.add_argument(
            "--data",
            metavar="DIR",
            default=os.environ.get(DATA_VARIABLE),
            help=f"folder with load.py: load(name) -> (X, y), NAMES, CLASSIFICATION "
            f"(default ${DATA_VARIABLE})",
        )
    if reference:
        made.add_argument(
            "--reference",
            metavar="DIR",
            default=os.environ.get(REFERENCE_VARIABLE),
            help=f"folder with the reference CSVs (default ${REFERENCE_VARIABLE})",
        )
    return made


class Data:
    """The data sets of a folder with a load.py.

    Parameters
    ----------
    folder : str or None
        What --data gave; None ends the program with a message.
    """

    def __init__(self, folder: str | None) -> None:
        path = _folder(folder, "--data", DATA_VARIABLE, "load.py")
        spec = importlib.util.spec_from_file_location("bench_data", path)
        if spec is None or spec.loader is None:
            sys.exit(f"{path}: cannot be imported")
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self.names: tuple[str, ...] = tuple(self._module.NAMES)

    def rows(self, name: str) -> tuple[Any, Any, bool]:
        """Return X, y and whether y are labels of two classes."""
        X, y = self._module.load(name)
        return X, y, name in self._module.CLASSIFICATION

    def problem(self, name: str, dtype: Any = np.float64) -> Any:
        """Build the problem of the reference tables: l2 = 1/n, intercept included."""
        X, y, labels = self.rows(name)
        return build_problem(X, y, labels, dtype)


def build_problem(X: Any, y: Any, labels: bool, dtype: Any = np.float64) -> Any:
    """Build logistic regression for labels, else least squares, l2 = 1/n on all weights."""
    make = mdbopt.problems.logistic if labels else mdbopt.problems.least_squares
    return make(X.astype(dtype), y, l2=1.0 / X.shape[0], penalize_intercept=True)


def reference_rows(folder: str | None, name: str) -> list[dict[str, str]]:
    """Read one CSV of the reference folder."""
    path = _folder(folder, "--reference", REFERENCE_VARIABLE, name)
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _folder(folder: str | None, option: str, variable: str, file: str) -> pathlib.Path:
    if not folder:
        sys.exit(f"{option} DIR (or ${variable}) is needed: a folder with {file}")
    path = pathlib.Path(folder) / file
    if not path.is_file():
        sys.exit(f"{option}: no {file} in {folder}")
    return path


def print_machine() -> None:
    """Print `machine` on two lines."""
    print(f"{told(machine())}\n")


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]], file: Any = None) -> None:
    """Print aligned columns: the first to the left, the others to the right."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    for row in cells:
        line = [row[0].ljust(widths[0])]
        line += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(line).rstrip(), file=file)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def write_json(path: str | None, figures: Mapping[str, Any]) -> None:
    """Write the figures, with the machine they come from, when a file is asked for."""
    if path is None:
        return
    text = json.dumps(_plain({"machine": machine(), **figures}), indent=1, allow_nan=False)
    pathlib.Path(path).write_text(f"{text}\n")


def _plain(value: Any) -> Any:
    """Make what JSON knows: a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean; NaN of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def parse_sizes(text: str) -> list[int]:
    """Read '1e3,1e4' as whole numbers, for argparse."""
    return [int(float(part)) for part in text.split(",")]


def run_main(main: Callable[[], None]) -> None:
    """Run a bench; a closed pipe (`| head`) is no error."""
    try:
        main()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
