"""Files that a command writes: their places are checked before it begins."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from scipy.optimize import OptimizeResult

from mdbopt import _files, data, plot


def check_place(option: str, path: pathlib.Path, *read: str | None) -> None:
    """Raise unless a file can be written there without harm to the files that are read."""
    if path.is_dir():
        raise IsADirectoryError(f"{option}: {path} is a directory, expected a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{option}: there is no directory {path.parent}")
    for source in read:
        if source and path.exists() and os.path.exists(source) and os.path.samefile(path, source):
            raise ValueError(f"{option}: {path} is a file that is read")
    try:
        if path.exists():
            with path.open("ab"):
                pass
        _files.check_writable(option, path)
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
    plot.save_picture(path, figure)
