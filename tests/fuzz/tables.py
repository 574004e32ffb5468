"""Files that hold anything: a table of finite numbers, or a ValueError that names the file."""

import importlib
import pathlib
import warnings

import numpy as np
from source import Source, folder, refused, require, show

from mdbopt import data

ENDINGS = [
    ".csv",
    ".txt",
    ".tsv",
    ".svm",
    ".npz",
    ".npy",
    "",
    ".csv.gz",
    ".svm.bz2",
    ".npz.xz",
    ".data",
]
CHOICES = {
    "target": [None, None, 0, -1, 1, 5, "y", "x0", "speed"],
    "header": ["auto", "auto", True, False, None, 0],
    "sep": [None, None, ",", ";", "tab", "whitespace", "|"],
    "decimal": [None, None, ".", ","],
    "thousands": [None, None, ",", ".", "'", " "],
    "encoding": [None, None, "utf-8", "latin-1", "utf-16", "none"],
    "one_hot": [False, False, True],
    "missing": ["error", "error", "mean"],
    "zero_based": ["auto", "auto", True, False],
    "n_features": [None, None, 1, 3, 10],
}


def prepare():
    """Import what reads text, which takes its time."""
    for name in ("pandas", "sklearn.datasets"):
        importlib.import_module(name)


def one_input(content):
    source = Source(content)
    path = pathlib.Path(folder()) / f"table{source.pick(ENDINGS)}"
    options = (
        {name: source.pick(choices) for name, choices in CHOICES.items()} if source.below(2) else {}
    )
    content = source.rest()
    show(path.name, options, content)
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            # pandas' own, of cells that it reads.
            warnings.simplefilter("ignore")
            table = data.load(path, **options)
    except (TypeError, ValueError) as error:
        return refused(error, {path.name, "load", *options}, "load")
    X = table.X.toarray() if hasattr(table.X, "toarray") else table.X
    require(X.shape == (len(table.y), len(table.feature_names)), "a row for each target")
    require(np.isfinite(X).all(), "finite numbers")
    return None
