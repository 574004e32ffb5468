"""data – tables from files: CSV and its kin, LIBSVM text, NumPy's .npz and .npy, each read whole.

pandas and scikit-learn read text, and come with ``pip install 'mdbopt[data]'``. A file that cannot
be a table of finite numbers is an error that names the file and, where there are some, the column
and the row. Nothing is unpickled.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np

from mdbopt._labels import class_index
from mdbopt.data._columns import Columns
from mdbopt.data._files import Array, sklearn_datasets
from mdbopt.data._kind import kind_and_reason
from mdbopt.data._options import Options
from mdbopt.data._read import Table, read

__all__ = [
    "Columns",
    "Table",
    "breast_cancer",
    "classification_targets",
    "diabetes",
    "digits",
    "kind",
    "load",
]


def load(
    path: str | os.PathLike[str] | None = None,
    target: str | int | None = None,
    *,
    header: str | bool | None = "auto",
    sep: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    one_hot: bool = False,
    missing: str = "error",
    zero_based: bool | str = "auto",
    n_features: int | None = None,
    columns: Columns | None = None,
) -> Table:
    r"""Read a table from a file; without a path, `breast_cancer()`.

    The ending decides, a further .gz, .bz2 or .xz is unpacked first:

    * .csv, .tsv, .tab, .data, .dat, .txt, none: columns parted by comma, semicolon, tab, bar or
      white space, read by pandas. A column of row names that has none itself, as pandas and R
      write it, is left out.
    * .svm, .libsvm, .svmlight, and any other that holds such text: LIBSVM's label index:value …,
      read by scikit-learn, X sparse.
    * .npz: members `X` of shape (n, features) and `y` of shape (n,), and `feature_names` if you
      like; or what `scipy.sparse.save_npz` writes (csr or csc: data, indices, indptr, shape,
      format) and `y` in the same archive.
    * .npy: a 2-d array with the target in one column.

    Parameters
    ----------
    path : path-like, optional
        The file.
    target : str or int, optional
        Column that holds the target in a text with columns or .npy, the last by default: a name
        of the header, else an index from 0, or from -1 backwards. Row names do not count.
    header : {"auto", True, False}, optional
        Whether the first line holds names. "auto" takes it for a header when it has words above
        numbers, or words that do not return below, or counts columns of fractions (0, 1, 2 … or
        the years 1990, 2000 …). "infer", 0 and None mean the three, as for pandas.
    sep : str, optional
        Delimiter: a character, "tab" or "whitespace". Found from the first lines by default,
        Excel's line ``sep=;`` included.
    decimal : {".", ","}, optional
        By default a comma where cells such as 1,5 leave no doubt.
    thousands : str, optional
        Separator of thousands; by default none is taken for one.
    encoding : str, optional
        By default UTF-8, or UTF-16 and UTF-32 by their byte order mark.
    one_hot : bool, optional
        Make an indicator column=word for each word of each column that holds words; without, they
        are an error.
    missing : {"error", "mean"}, optional
        What becomes of empty cells, NA, NaN, ? and the like among the features: an error, or the
        mean of the column (of an indicator: the word's share). A missing target is an error.
    zero_based : {"auto", True, False}, optional
        Whether indices of LIBSVM text count from 0. "auto" counts from 1, as LIBSVM does, unless
        there is an index 0. So a part of a file counted from 0 whose column 0 is empty needs
        True, or the `columns` of another part.
    n_features : int, optional
        Width of X from LIBSVM text, whose last columns may be empty. By default the largest index.
    columns : Columns, optional
        Those of a table read before, of whose other part this is: the same columns by their
        names (or places, where one of them has no names), indicators, means, width and base of
        indices, in place of the options for these. LIBSVM text that is wider loses what that
        table has not. Where the target is not there y is empty.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        When the file is missing (FileNotFoundError), a directory (IsADirectoryError) or unreadable.
    ValueError
        When it is empty, cut short, malformed, of another kind (an archive, a spreadsheet …),
        holds something else than finite numbers, or has no column beside the target. Constant
        columns are fine.
    TypeError
        When an option is of a wrong type.
    ImportError
        When pandas or scikit-learn is needed and missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from mdbopt import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "cars.csv")
    ...     _ = path.write_text("weight;fuel;speed\n1,5;gas;200\n2,5;oil;150\n")
    ...     table = data.load(path, one_hot=True)
    >>> table.name, table.feature_names, table.X[0], table.y
    ('cars', ('weight', 'fuel=gas', 'fuel=oil'), array([1.5, 1. , 0. ]), array([200, 150]))
    >>> table.target
    "'speed', the last column"
    """
    options = Options(
        target, header, sep, decimal, thousands, encoding, one_hot, missing, zero_based, n_features
    )
    if path is None:
        for name in [*options.given(), *(["columns"] if columns is not None else [])]:
            raise ValueError(f"load: {name} is for a file; the built-in table has its own")
        return breast_cancer()
    return read(pathlib.Path(path), options, columns)


def breast_cancer() -> Table:
    """Return scikit-learn's raw breast-cancer table: 569 rows, 30 columns, y = 1 for benign.

    Its columns differ in scale by a factor of about 200,000, and are left as they are.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    """
    return _own(
        sklearn_datasets().load_breast_cancer(), "breast-cancer", "whether a tumour is benign"
    )


def diabetes() -> Table:
    """Return scikit-learn's raw diabetes table: 442 rows, 10 columns, y a measure of progression.

    Its columns differ in scale by a factor of about 100, and are left as they are.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    """
    bunch = sklearn_datasets().load_diabetes(scaled=False)
    return _own(bunch, "diabetes", "progression after a year")


def digits() -> Table:
    """Return scikit-learn's digits: 1,797 images of 8 by 8 pixels from 0 to 16, y from 0 to 9.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    """
    return _own(sklearn_datasets().load_digits(), "digits", "which digit it is")


def _own(bunch: Any, name: str, target: str) -> Table:
    names = tuple(str(column) for column in bunch.feature_names)
    y = bunch.target.astype(np.float64)
    return Table(bunch.data, y, names, name, target, columns=Columns(names, named=True))


def kind(y: Any) -> str:
    """Tell what y asks for: "classification", "softmax" or "regression".

    * two distinct values: "classification";
    * more, all strings, or all the whole numbers from 0 or 1 to the largest, each of them at least
      twice: "softmax";
    * else "regression".

    Parameters
    ----------
    y : array_like of shape (n,), n >= 1
        Targets: finite numbers, or strings.

    Raises
    ------
    TypeError, ValueError
        When y is empty, not 1-d, not finite, neither numbers nor strings, holds one value only, or
        strings that are all distinct.

    Examples
    --------
    >>> from mdbopt import data
    >>> data.kind([-1, 1, 1]), data.kind([0, 1, 2, 0, 1, 2]), data.kind([0.5, 1.5, 2.0])
    ('classification', 'softmax', 'regression')
    """
    return kind_and_reason(y)[0]


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
