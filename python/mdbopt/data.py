"""data – tables from files: CSV and its kin, LIBSVM text, NumPy's .npz and .npy, each read whole.

pandas and scikit-learn read text, and come with ``pip install 'mdbopt[data]'``. A file that cannot
be a table of finite numbers is an error that names the file and, where there are some, the column
and the row. Nothing is unpickled.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import _data_columns, _data_files, _data_frame
from ._data_columns import Columns, Numbered
from ._data_files import Array
from ._data_kind import kind_and_reason
from .problems._checks import class_index, is_finite, matrix, native_float, one_column

__all__ = ["Columns", "Table", "breast_cancer", "classification_targets", "kind", "load"]

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".data", ".dat", ".txt", ".test", "")
# Text of these is never LIBSVM's.
TABLE_ENDINGS = (".csv", ".tsv", ".tab")
LIBSVM_ENDINGS = (".svm", ".libsvm", ".svmlight")
STRIPPED = (*_data_files.PACKED, *TEXT_ENDINGS[:-1], *LIBSVM_ENDINGS, ".npz", ".npy")
TEXT, LIBSVM, NPZ, NPY = "a text with columns", "LIBSVM text", "an .npz file", "an .npy file"
# The options of `load`, and the formats that know them.
FOR: dict[str, tuple[str, ...]] = {
    "target": (TEXT, NPY),
    "header": (TEXT,),
    "sep": (TEXT,),
    "decimal": (TEXT,),
    "thousands": (TEXT,),
    "encoding": (TEXT, LIBSVM),
    "one_hot": (TEXT,),
    "missing": (TEXT,),
    "zero_based": (LIBSVM,),
    "n_features": (LIBSVM,),
}
DEFAULTS: dict[str, Any] = {
    "header": "auto",
    "one_hot": False,
    "missing": "error",
    "zero_based": "auto",
}


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers and what is to be predicted from each row.

    Attributes
    ----------
    X : ndarray or scipy.sparse.csr_array of shape (n, features)
        Finite, float32 or float64, unscaled.
    y : ndarray of shape (n,)
        Targets or labels as the file stores them: finite numbers, or strings.
    feature_names : sequence of str
        One name per column; x0, x1, … when the file has none.
    name : str
        The file's name without its endings.
    target : str
        Which column y is, in words.
    note : str
        What was found out about the file and may be otherwise, in words, or "".
    columns : Columns
        What `load` needs to read another part of the table alike.
    """

    X: Any
    y: Array
    feature_names: Sequence[str]
    name: str
    target: str = "y"
    note: str = ""
    columns: Columns = Columns(())


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
        the years 1990, 2000 …). 0 and None mean True and False, as for pandas.
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
        names, indicators, means, width and base of indices, in place of the options for these.
        LIBSVM text that is wider loses what that table has not.

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
    options = {
        "target": target,
        "header": _header(header),
        "sep": sep,
        "decimal": decimal,
        "thousands": thousands,
        "encoding": encoding,
        "one_hot": one_hot,
        "missing": missing,
        "zero_based": zero_based,
        "n_features": n_features,
    }
    _check_options(options)
    if path is None:
        given = _given(options)
        if given:
            raise ValueError(f"load: {given[0]} is for a file; the built-in table has its own")
        return breast_cancer()
    return _read(pathlib.Path(path), options, columns, need_target=True)


def breast_cancer() -> Table:
    """Return scikit-learn's raw breast-cancer table: 569 rows, 30 columns, y = 1 for benign.

    Its columns differ in scale by a factor of about 200,000, and are left as they are.

    Raises
    ------
    ImportError
        When scikit-learn is missing.
    """
    bunch = _data_files.sklearn_datasets().load_breast_cancer()
    names = tuple(str(name) for name in bunch.feature_names)
    target = "whether a tumour is benign"
    columns = Columns(names, named=True)
    y = bunch.target.astype(np.float64)
    return Table(bunch.data, y, names, "breast-cancer", target, columns=columns)


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


def _header(header: Any) -> bool | None:
    """Return None for "auto"; pandas' 0 and None mean the first line and none."""
    if isinstance(header, str):
        if header != "auto":
            raise ValueError(f"load: header is {header!r}, expected 'auto', True or False")
        return None
    if header is None or header is False:
        return False
    if header is True or (isinstance(header, int) and header == 0):
        return True
    raise TypeError(f"load: header is {header!r}, expected 'auto', True or False")


def _check_options(options: dict[str, Any]) -> None:
    target, zero_based, width = (options[key] for key in ("target", "zero_based", "n_features"))
    if target is not None and (isinstance(target, bool) or not isinstance(target, (str, int))):
        raise TypeError(f"load: target is {target!r}, expected a column's name or index")
    sep = options["sep"]
    options["sep"] = sep = _data_frame.NAMED_DELIMITERS.get(sep, sep)
    if sep is not None and sep != _data_frame.WHITESPACE and (len(sep) != 1 or sep in '"\n'):
        raise ValueError(f"load: sep is {sep!r}, expected one character, 'tab' or 'whitespace'")
    if options["thousands"] == "." and options["decimal"] is None:
        options["decimal"] = ","
    for name in ("decimal", "thousands"):
        mark = options[name]
        if mark is not None and (len(mark) != 1 or mark.isalnum() or mark == '"'):
            raise ValueError(f"load: {name} is {mark!r}, expected one character such as ','")
    if options["thousands"] is not None and options["thousands"] == (options["decimal"] or "."):
        raise ValueError(f"load: decimal and thousands are both {options['thousands']!r}")
    if options["missing"] not in ("error", "mean"):
        raise ValueError(f"load: missing is {options['missing']!r}, expected 'error' or 'mean'")
    if not (zero_based == "auto" or isinstance(zero_based, bool)):
        raise ValueError(f"load: zero_based is {zero_based!r}, expected 'auto', True or False")
    if width is not None and (isinstance(width, bool) or not isinstance(width, int) or width < 1):
        raise ValueError(f"load: n_features is {width!r}, expected a whole number >= 1")


def _given(options: dict[str, Any]) -> list[str]:
    """Return the names of the options that differ from their defaults."""
    return [
        name
        for name, value in options.items()
        if value is not None
        and value != DEFAULTS.get(name)
        or (name == "header" and value is False)
    ]


def _stem(file: pathlib.Path) -> str:
    stem = file.name
    for ending in STRIPPED:
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            stem = stem[: -len(ending)]
    return stem


def _read(
    file: pathlib.Path, options: dict[str, Any], like: Columns | None, *, need_target: bool
) -> Table:
    """Read a file; without a target y is empty, where none is needed."""
    content = _data_files.uncompressed(file)
    endings = [e.lower() for e in file.suffixes if e.lower() not in _data_files.PACKED]
    ending = endings[-1] if endings else ""
    text = ""
    if ending not in (".npz", ".npy"):
        _data_files.refuse_foreign(content, ending, file)
        text = _data_files.decoded(content, options["encoding"], file)
    form = _format(text, ending, file)
    for name in _given(options):
        if form not in FOR[name]:
            raise ValueError(f"{file}: {name} is for {' and '.join(FOR[name])}; this is {form}")
    if form == TEXT:
        return _text(text, ending, file, options, like, need_target)
    if form == LIBSVM:
        return _libsvm(text.encode(), file, options, like)
    if form == NPY:
        return _npy(
            _data_files.read_array(content, file), file, options["target"], like, need_target
        )
    X, y, names = _data_files.read_npz(content, file, need_target=need_target)
    named = names is not None
    width = X.shape[1] if len(X.shape) == 2 else 0
    columns = Columns(Numbered(width) if names is None else names, named, "y")
    return _table(X, y, columns, file, like=like)


def _format(text: str, ending: str, file: pathlib.Path) -> str:
    if ending in (".npz", ".npy"):
        return NPZ if ending == ".npz" else NPY
    if ending in LIBSVM_ENDINGS:
        return LIBSVM
    if ending not in TABLE_ENDINGS and _data_files.is_svmlight(text):
        return LIBSVM
    if ending in TEXT_ENDINGS:
        return TEXT
    raise ValueError(
        f"{file}: the ending {ending} is unknown, and the content is not LIBSVM text; expected "
        ".csv, .tsv, .data, .txt, .svm, .npz or .npy, also with .gz, .bz2 or .xz; for a text with "
        "columns, let its name end in .csv"
    )


def _text(
    text: str,
    ending: str,
    file: pathlib.Path,
    options: dict[str, Any],
    like: Columns | None,
    need_target: bool,
) -> Table:
    known = {name: options[name] for name in ("header", "sep", "decimal", "thousands")}
    if ending in (".tsv", ".tab") and known["sep"] is None:
        known["sep"] = "\t"
    frame = _data_frame.read_frame(
        text,
        str(file),
        _data_frame.Options(**known),
        known=like.names if like is not None and like.named else (),
        words=tuple(like.categories) if like is not None else (),
    )
    names = None if frame.names is None else _unique(frame.names)
    place = _target_place(
        frame.names, len(frame.columns), options["target"], file, like, need_target
    )
    note = frame.note
    y: Array = np.empty(0)
    if place is not None:
        y = _target(frame, place)
    rest = [k for k in range(len(frame.columns)) if k != place]
    kept = rest if like is None else _matching(names, rest, like, file)
    frame = replace(
        frame,
        columns=[frame.columns[k] for k in kept],
        places=tuple(kept),
        names=None if names is None else tuple(names[k] for k in kept),
    )
    if like is not None:
        X = _data_columns.features(frame, like)
        return Table(X, y, like.features, _stem(file), like.target, note, like)
    found = Columns(
        Numbered(len(kept)) if frame.names is None else frame.names,
        names is not None,
        names[place] if names is not None and place is not None else "",
        -1 if place is None else place,
    )
    X, found = _data_columns.learn(frame, found, options["one_hot"], options["missing"] == "mean")
    where = _told_target(names, place, len(rest) + 1, options["target"])
    return _table(X, y, found, file, target=where, note=note)


def _target(frame: _data_frame.Frame, place: int) -> Array:
    """Return the target's column: strings, or finite numbers."""
    column = frame.columns[place]
    missing = [k for k, cell in enumerate(column.tolist()) if cell is None or cell != cell]
    if missing:
        raise ValueError(
            f"{frame.file}, {frame.place(missing[0])}: the target, column {frame.called(place)}, has "
            f"a missing value ({len(missing)} in all); take such rows out"
        )
    if column.dtype == object:
        row = _data_columns.stray_word(column)
        if row is not None:
            raise ValueError(
                f"{frame.file}, {frame.place(row)}: the target, column {frame.called(place)}, "
                f"holds {column[row]!r} among numbers; make it a number, or take the row out"
            )
        return column.astype(str)
    if not is_finite(column):
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise ValueError(
            f"{frame.file}, {frame.place(row)}: the target, column {frame.called(place)}, holds "
            f"{column[row]}, expected finite numbers"
        )
    return column


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of which none comes twice: a, a.1, a.2, as pandas calls them."""
    seen: dict[str, int] = {}
    result = []
    for place, name in enumerate(names):
        name = name or f"Unnamed: {place}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}.{count}" if count else name)
    return tuple(result)


def _target_place(
    names: Sequence[str] | None,
    count: int,
    target: str | int | None,
    file: pathlib.Path,
    like: Columns | None,
    need_target: bool,
) -> int | None:
    """Return the place of the target's column, or None where it is not there and need not be."""
    if like is not None and target is None:
        if names is not None and like.named:
            place = names.index(like.target) if like.target in names else None
        else:
            place = like.place % count if count == len(like.names) + 1 else None
        if place is None and need_target:
            raise ValueError(f"{file}: has no column for the target {like.target!r}")
        return place
    if count < 2:
        raise ValueError(
            f"{file}: has {count} column(s), expected at least one feature and the target"
        )
    place = -1 if target is None else target
    if isinstance(place, str):
        matches = 0 if names is None else list(names).count(place)
        if matches == 0 and place.lstrip("-").isdigit():
            place = int(place)
        elif names is None or matches != 1:
            found = "no header" if names is None else _listed(names)
            raise ValueError(f"{file}: target {place!r} is not the name of one column ({found})")
        else:
            place = list(names).index(place)
    if not -count <= place < count:
        raise ValueError(f"{file}: target {place} is out of range for {count} columns")
    return place % count


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _told_target(
    names: Sequence[str] | None, place: int | None, count: int, target: str | int | None
) -> str:
    if place is None:
        return ""
    called = f"column {place} (counted from 0)" if names is None else repr(names[place])
    return f"{called}, the last column" if target is None and place == count - 1 else called


def _matching(
    names: tuple[str, ...] | None, rest: list[int], like: Columns, file: pathlib.Path
) -> list[int]:
    """Return the places of the columns that the other table has, in its order."""
    if names is not None and like.named:
        absent = [name for name in like.names if name not in names]
        if absent:
            raise ValueError(
                f"{file}: has no column {absent[0]!r} (it has {_listed(names)}), expected those of "
                f"the fit: {_listed(like.names)}"
            )
        return [names.index(name) for name in like.names]
    if len(rest) != len(like.names):
        raise ValueError(
            f"{file}: has {len(rest)} columns beside the target, expected {len(like.names)} as in "
            "the fit"
        )
    return rest


def _libsvm(
    content: bytes, file: pathlib.Path, options: dict[str, Any], like: Columns | None
) -> Table:
    zero_based = options["zero_based"]
    width = options["n_features"]
    if like is not None:
        width = len(like.features)
        zero_based = (
            like.zero_based if zero_based == "auto" and like.zero_based is not None else zero_based
        )
    X, y, zero = _data_files.read_svmlight(content, file, zero_based)
    if like is not None:
        X = X[:, :width]
    elif width is not None and X.shape[1] > width:
        raise ValueError(
            f"{file}: n_features is {width}, but the largest index asks for {X.shape[1]} columns"
        )
    X.resize((X.shape[0], width or X.shape[1]))
    note = "" if zero else "indices count from 1, as none is 0 (zero_based=True: from 0)"
    if options["zero_based"] != "auto":
        note = ""
    columns = Columns(Numbered(X.shape[1]), target="label", zero_based=zero)
    return _table(X, y, columns, file, target="the label of each line", note=note, like=like)


def _npy(
    array: Any,
    file: pathlib.Path,
    target: int | str | None,
    like: Columns | None,
    need_target: bool,
) -> Table:
    if array.ndim != 2 or array.shape[0] == 0:
        raise ValueError(f"{file}: has shape {array.shape}, expected rows and columns")
    count = array.shape[1]
    place = _target_place(None, count, target, file, like, need_target)
    y = None if place is None else np.ascontiguousarray(array[:, place])
    X = array if place is None else np.delete(array, place, axis=1)
    columns = Columns(Numbered(X.shape[1]), place=-1 if place is None else place)
    where = _told_target(None, place, count, target)
    return _table(X, y, columns, file, target=where, like=like)


def _table(
    X: Any,
    y: Any,
    columns: Columns,
    file: pathlib.Path,
    *,
    target: str = "y",
    note: str = "",
    like: Columns | None = None,
) -> Table:
    """Check what every format must give, and build the table."""
    where = str(file)
    try:
        X = matrix(X, where, "X")
        y = np.empty(0) if y is None else one_column(y, X.shape[0], where, "y")
        if y.dtype.kind not in "US":
            native_float(y.dtype, where, "y")
    except TypeError as error:
        # of a wrong type in the file, not in the call
        raise ValueError(str(error)) from None
    if y.dtype.kind == "f" and y.size and not is_finite(y):
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"{where}: y[{row}] is {y[row]}, expected finite numbers")
    names = columns.features
    if len(names) != X.shape[1]:
        raise ValueError(f"{where}: {len(names)} feature_names for {X.shape[1]} columns of X")
    if like is not None:
        if X.shape[1] != len(like.features):
            raise ValueError(
                f"{where}: has {X.shape[1]} columns, expected {len(like.features)} as in the fit"
            )
        columns = like
    return Table(X, y, columns.features, _stem(file), target, note, columns)
