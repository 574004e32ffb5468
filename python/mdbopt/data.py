"""data – tables from files: LIBSVM text, CSV, NumPy's .npz and .npy, each read whole and checked.

A file that cannot be a table of finite numbers is an error that names the file and, where there is
one, the line. Nothing is unpickled.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ._data_files import read_array, read_npz, read_svmlight, sklearn_datasets, uncompressed
from ._data_text import read_csv
from .problems._checks import class_index, is_finite, matrix, native_float, one_column

__all__ = ["Table", "breast_cancer", "classification_targets", "kind", "load"]

Array = NDArray[Any]
MOST_CLASSES = 20


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers and what is to be predicted from each row.

    Attributes
    ----------
    X : ndarray or scipy.sparse.csr_array of shape (n, features)
        Finite, float32 or float64, unscaled.
    y : ndarray of shape (n,)
        Targets or labels as the file stores them, finite.
    feature_names : sequence of str
        One name per column; x0, x1, … when the file has none.
    name : str
        The file's name without its endings.
    """

    X: Any
    y: Array
    feature_names: Sequence[str]
    name: str


class _Numbered(Sequence[str]):
    """The names x0, x1, …, made when asked for: sparse tables have millions of columns."""

    def __init__(self, count: int) -> None:
        self._places = range(count)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return tuple(f"x{place}" for place in self._places[index])
        return f"x{self._places[index]}"

    def __repr__(self) -> str:
        return f"<x0 … x{len(self) - 1}>"


def load(path: str | os.PathLike[str] | None = None, target: str | int | None = None) -> Table:
    r"""Read a table from a file; without a path, `breast_cancer()`.

    Parameters
    ----------
    path : path-like, optional
        The ending decides, a further .gz or .bz2 is uncompressed first:

        * .csv: comma, semicolon, tab, bar or spaces between numbers (found from the first lines).
          The first line is a header when none of its cells is a number.
        * .npz: members `X` of shape (n, features) and `y` of shape (n,), and `feature_names` if
          you like; or what `scipy.sparse.save_npz` writes (csr or csc: data, indices, indptr,
          shape, format) and `y` in the same archive.
        * .npy: a 2-d array with the target in one column.
        * any other: LIBSVM (svmlight) text, read by scikit-learn, X sparse.
    target : str or int, optional
        Column that holds the target in .csv and .npy, the last by default: a name of the header,
        or an index from 0, or from -1 backwards.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        When the file is missing (FileNotFoundError), a directory (IsADirectoryError) or unreadable.
    ValueError
        When it is empty, cut short, malformed, holds something else than finite numbers, or has no
        column beside the target. Constant columns are fine.
    ImportError
        When scikit-learn is needed and missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from mdbopt import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "cars.csv")
    ...     _ = path.write_text("weight;speed\n1.5;200\n2.5;150\n")
    ...     table = data.load(path)
    >>> table.name, table.feature_names, table.X.ravel(), table.y
    ('cars', ('weight',), array([1.5, 2.5]), array([200., 150.]))
    """
    if path is None:
        if target is not None:
            raise ValueError("load: target is for a file; the built-in table has its own")
        return breast_cancer()
    if target is not None and (isinstance(target, bool) or not isinstance(target, (str, int))):
        raise TypeError(f"load: target is {target!r}, expected a column's name or index")
    file = pathlib.Path(path)
    content = uncompressed(file)
    endings = [ending.lower() for ending in file.suffixes if ending.lower() not in (".gz", ".bz2")]
    ending = endings[-1] if endings else ""
    if ending == ".csv":
        columns, names = read_csv(content, str(file))
        return _split(columns, names, target, file)
    if ending == ".npy":
        return _split(read_array(content, file), None, target, file)
    if target is not None:
        raise ValueError(
            f"{file}: target is for .csv and .npy; this format has a target of its own"
        )
    if ending == ".npz":
        return _table(*read_npz(content, file), file)
    return _table(*read_svmlight(content, file), None, file)


def breast_cancer() -> Table:
    """Return scikit-learn's raw breast-cancer table: 569 rows, 30 columns, y = 1 for benign.

    Its columns differ in scale by a factor of about 200,000, and are left as they are.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    """
    bunch = sklearn_datasets().load_breast_cancer()
    names = tuple(str(name) for name in bunch.feature_names)
    return Table(bunch.data, bunch.target.astype(np.float64), names, "breast-cancer")


def kind(y: Any) -> str:
    """Tell what y asks for: "classification", "softmax" or "regression".

    * two distinct values: "classification";
    * 3 to 20 distinct values, all whole numbers (or strings), and at most one for every two rows:
      "softmax";
    * else, a constant y included: "regression".

    Parameters
    ----------
    y : array_like of shape (n,), n >= 1
        Targets: finite numbers, or strings.

    Raises
    ------
    TypeError, ValueError
        When y is empty, not 1-d, not finite, or neither numbers nor strings.

    Examples
    --------
    >>> from mdbopt import data
    >>> data.kind([-1, 1, 1]), data.kind([0, 1, 2, 0, 1, 2]), data.kind([0.5, 1.5, 2.0])
    ('classification', 'softmax', 'regression')
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"kind: y has shape {labels.shape}, expected (n,) with n >= 1")
    if labels.dtype.kind not in "biufUS":
        raise TypeError(f"kind: y has dtype {labels.dtype}, expected numbers or strings")
    numeric = labels.dtype.kind not in "US"
    if numeric and not is_finite(labels):
        raise ValueError("kind: y is not finite")
    values = np.unique(labels)
    if len(values) == 2:
        return "classification"
    whole = not numeric or bool(np.all(values == np.floor(values)))
    if whole and 3 <= len(values) <= min(MOST_CLASSES, len(labels) // 2):
        return "softmax"
    if not numeric:
        raise ValueError(f"kind: y holds {len(values)} distinct strings, which are not targets")
    return "regression"


def classification_targets(y: Any, name: str = "data") -> tuple[Array, Array]:
    """Return (index, classes) so that y = classes[index], classes in sorted order.

    Parameters
    ----------
    y : array_like of shape (n,), n >= 1
        Labels: finite numbers, or strings.
    name : str, optional
        What error messages start with: the table's name.

    Returns
    -------
    index : ndarray of shape (n,), int
        0 to the number of classes - 1.
    classes : ndarray of shape (number of classes,), dtype of y

    Raises
    ------
    TypeError, ValueError
        When y holds one class only, or more than two values that are not whole numbers.

    Examples
    --------
    >>> from mdbopt import data
    >>> data.classification_targets([4, 2, 2])
    (array([1, 0, 0]), array([2, 4]))
    """
    return class_index(y, name)


def _stem(file: pathlib.Path) -> str:
    stem = file.name
    for ending in (".gz", ".bz2", ".csv", ".npz", ".npy", ".svm", ".libsvm", ".svmlight", ".txt"):
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            stem = stem[: -len(ending)]
    return stem


def _table(X: Any, y: Any, names: Sequence[str] | None, file: pathlib.Path) -> Table:
    """Check what every format must give, and build the table."""
    where = str(file)
    try:
        X = matrix(X, where, "X")
        y = one_column(y, X.shape[0], where, "y")
        native_float(y.dtype, where, "y")
    except TypeError as error:
        # of a wrong type in the file, not in the call
        raise ValueError(str(error)) from None
    if not is_finite(y):
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"{where}: y[{row}] is {y[row]}, expected finite numbers")
    names = _Numbered(X.shape[1]) if names is None else names
    if len(names) != X.shape[1]:
        raise ValueError(f"{where}: {len(names)} feature_names for {X.shape[1]} columns of X")
    return Table(X, y, names, _stem(file))


def _split(
    columns: Any, names: list[str] | None, target: str | int | None, file: pathlib.Path
) -> Table:
    """Part the target's column from the others."""
    if columns.ndim != 2 or columns.shape[0] == 0:
        raise ValueError(f"{file}: has shape {columns.shape}, expected rows and columns")
    count = columns.shape[1]
    if count < 2:
        raise ValueError(
            f"{file}: has {count} column(s), expected at least one feature and the target"
        )
    place = -1 if target is None else target
    if isinstance(place, str):
        if names is None or names.count(place) != 1:
            found = "no header" if names is None else ", ".join(names)
            raise ValueError(f"{file}: target {place!r} is not the name of one column ({found})")
        place = names.index(place)
    if not -count <= place < count:
        raise ValueError(f"{file}: target {place} is out of range for {count} columns")
    place %= count
    rest = None if names is None else tuple(names[:place] + names[place + 1 :])
    X = np.delete(columns, place, axis=1)
    return _table(X, np.ascontiguousarray(columns[:, place]), rest, file)
