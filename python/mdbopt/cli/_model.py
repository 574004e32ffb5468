"""A model in a file: what ``fit --save`` writes, and ``predict`` reads."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from scipy.optimize import OptimizeResult

import mdbopt
from mdbopt import _files, data
from mdbopt.data._columns import Numbered
from mdbopt.problems import Problem
from mdbopt.problems._design import margins

Array = Any
LABELLED = ("logistic", "softmax", "svm")


@dataclass(frozen=True)
class Model:
    """Weights, and all that rows need to be multiplied by them.

    Attributes
    ----------
    weights : ndarray of shape (features + 1,), or (features + 1, classes) for softmax
        The last row is the intercept.
    loss : str
        Its name on the command line.
    classes : ndarray
        In the order of the columns of weights; of two the second one is where z > 0. Empty for
        squares.
    l2 : float
    penalize_intercept : bool
    columns : Columns
        How rows are read.
    """

    weights: Array
    loss: str
    classes: Array
    l2: float
    penalize_intercept: bool
    columns: data.Columns

    @classmethod
    def of(cls, fun: Problem, result: OptimizeResult, table: data.Table, loss: str) -> Model:
        """Return the model that a fit has found."""
        found: Any = fun
        return cls(
            np.asarray(result.x).reshape(getattr(found, "shape", (found.d,))),
            loss,
            np.asarray(getattr(found, "classes", np.empty(0))),
            found.l2,
            found.penalize_intercept,
            table.columns,
        )

    def predict(self, X: Any) -> tuple[Array, Array | None]:
        """Return a prediction for each row of X, and probabilities of the classes or None.

        Parameters
        ----------
        X : ndarray or csr_array of shape (n, features)

        Returns
        -------
        predictions : ndarray of shape (n,)
            Labels as in the table of the fit; for squares z itself.
        probabilities : ndarray of shape (n, classes), or None
            For logistic and softmax.
        """
        z = margins(X, self.weights, True)
        if self.loss == "softmax":
            return self.classes[z.argmax(axis=1)], scipy.special.softmax(z, axis=1)
        if self.loss == "squares":
            return z, None
        labels = self.classes[(z > 0).astype(np.intp)]
        if self.loss == "svm":
            return labels, None
        return labels, np.column_stack([scipy.special.expit(-z), scipy.special.expit(z)])


def file_name(path: pathlib.Path) -> pathlib.Path:
    """Return the path with .npz behind it where that is missing, as `numpy.savez` has it."""
    if path.is_dir() or path.name.endswith(".npz"):
        return path
    return path.with_name(f"{path.name}.npz")


def save(path: pathlib.Path, model: Model) -> None:
    """Write a model that ``numpy.load`` reads without pickle.

    Parameters
    ----------
    path : pathlib.Path
        Replaced in one step, so that no half-written model is ever seen.
    model : Model
        What to write.

    Notes
    -----
    Members: ``weights, loss, classes, l2, penalize_intercept`` as of `Model`; ``intercept``, True;
    ``feature_names``, one for each row of weights but the last; ``version``. How a file becomes
    features: ``columns`` (names; empty for LIBSVM text and columns without names),
    ``target``, ``target_place``, ``categories`` one behind the other and ``category_counts`` of
    each column (0: numbers), ``means`` (empty: missing values are errors), ``zero_based`` (-1
    where it does not matter).
    """
    columns = model.columns
    known = (
        [columns.categories.get(name, ()) for name in columns.names] if columns.categories else []
    )
    members: dict[str, Any] = {
        "weights": model.weights,
        "intercept": np.array(True),
        "loss": np.array(model.loss),
        "classes": model.classes,
        "feature_names": np.array(list(columns.features)),
        "l2": np.array(model.l2),
        "penalize_intercept": np.array(model.penalize_intercept),
        "version": np.array(mdbopt.__version__),
        "columns": np.array(list(columns.names) if columns.named or known else [], np.str_),
        "named": np.array(columns.named),
        "target": np.array(columns.target),
        "target_place": np.array(columns.place),
        "categories": np.array([word for words in known for word in words], np.str_),
        "category_counts": np.array([len(words) for words in known], np.int64),
        "means": np.empty(0) if columns.means is None else columns.means,
        "zero_based": np.array(-1 if columns.zero_based is None else int(columns.zero_based)),
    }
    _files.replace(path, lambda file: np.savez(file, **members))


def load(path: pathlib.Path) -> Model:
    """Read what `save` has written.

    Raises
    ------
    OSError
        When the file is missing or a directory.
    ValueError
        When it is no model.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory, expected a model of mdbopt fit --save")
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        return _model(members)
    except Exception as error:  # damaged bytes raise BadZipFile, SyntaxError, KeyError, …
        raise ValueError(
            f"{path}: is not a model that this version of mdbopt fit --save has written ({error})"
        ) from None


def _model(members: dict[str, Array]) -> Model:
    weights, loss = members["weights"], str(members["loss"])
    features = members["weights"].shape[0] - 1
    counts = members["category_counts"].tolist()
    named = bool(members["named"])
    names: Any = tuple(members["columns"].tolist()) or Numbered(features)
    words = iter(members["categories"].tolist())
    categories = {
        name: tuple(next(words) for _ in range(count))
        for name, count in zip(names, counts, strict=False)
        if count
    }
    zero_based = int(members["zero_based"])
    columns = data.Columns(
        names,
        named,
        str(members["target"]),
        int(members["target_place"]),
        categories,
        members["means"] if members["means"].size else None,
        None if zero_based < 0 else bool(zero_based),
    )
    expected = (features + 1, len(members["classes"])) if loss == "softmax" else (features + 1,)
    if weights.shape != expected or len(columns.features) != features:
        raise ValueError(f"weights of shape {weights.shape} for {len(columns.features)} features")
    penalized = bool(members["penalize_intercept"])
    return Model(weights, loss, members["classes"], float(members["l2"]), penalized, columns)
