"""Files that a fit writes: the model and the picture, their places checked before the fit."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import mdbopt
from mdbopt import data, plot
from mdbopt.problems import Problem


def check_place(option: str, path: pathlib.Path, table: str | None) -> None:
    """Raise unless a file can be written there without harm to the table that is read."""
    if path.is_dir():
        raise IsADirectoryError(f"{option}: {path} is a directory, expected a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{option}: there is no directory {path.parent}")
    if table is not None and path.exists() and os.path.samefile(path, table):
        raise ValueError(f"{option}: {path} is the table itself")
    try:
        if path.exists():
            with path.open("ab"):
                pass
        else:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        raise OSError(f"{option}: cannot write {path}: {error.strerror}") from None


def check_picture(option: str, path: pathlib.Path) -> None:
    """Raise unless matplotlib is there and draws files with this ending."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{option} needs matplotlib: pip install 'mdbopt[plot]'") from error
    kinds = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise ValueError(f"{option}: {path} should end in one of .{', .'.join(sorted(kinds))}")


def save_model(
    path: pathlib.Path, fun: Problem, result: OptimizeResult, table: data.Table, loss: str
) -> None:
    """Write a model that ``numpy.load`` reads without pickle.

    Parameters
    ----------
    path : pathlib.Path
        Replaced in one step, so that no half-written model is ever seen.
    fun, result : Problem, OptimizeResult
        What was minimised, and where.
    table : Table
        For the names of the columns.
    loss : str
        Its name on the command line.

    Notes
    -----
    Members: ``weights``, of shape (features + 1,), or (features + 1, classes) for softmax;
    ``intercept`` (bool), whether the last row of weights is the intercept; ``loss``; ``classes``,
    in the order of the columns of weights, the second one where z > 0, empty for squares;
    ``feature_names``; ``l2``; ``version``.
    """
    members: dict[str, Any] = {
        "weights": np.asarray(result.x).reshape(getattr(fun, "shape", (fun.d,))),
        "intercept": np.array(True),
        "loss": np.array(loss),
        "classes": np.asarray(getattr(fun, "classes", np.empty(0))),
        "feature_names": np.array(list(table.feature_names)),
        "l2": np.array(getattr(fun, "l2", 0.0)),
        "version": np.array(mdbopt.__version__),
    }
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **members)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def draw(
    path: pathlib.Path, results: Mapping[str, OptimizeResult], table: data.Table, title: str
) -> None:
    """Draw convergence, and beside it the step sizes of the methods that have some."""
    from matplotlib.figure import Figure

    sized = {name: run for name, run in results.items() if "step_sizes" in run}
    names: list[str] | None = [*table.feature_names, "intercept"] if table.X.shape[1] < 45 else None
    if any(len(run.step_sizes) != table.X.shape[1] + 1 for run in sized.values()):
        names = None
    figure = Figure(figsize=(10.0 if sized else 6.4, 4.6), dpi=150, layout="constrained")
    axes: Any = figure.subplots(1, 2 if sized else 1, squeeze=False)[0]
    plot.convergence(results, ax=axes[0])
    if sized:
        plot.step_sizes(results, ax=axes[1], names=names)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.savefig(path)
