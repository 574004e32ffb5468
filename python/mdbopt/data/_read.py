"""_read – a file to a table: its format, its target, and its columns as features."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mdbopt._finite import is_finite, matrix, native_float, one_column
from mdbopt.data import _columns, _files, _frame
from mdbopt.data._columns import Columns, Numbered
from mdbopt.data._files import Array
from mdbopt.data._options import KNOWN_BY, LIBSVM, NPY, NPZ, TEXT, Options

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".data", ".dat", ".txt", ".test", "")
# Text of these is never LIBSVM's.
TABLE_ENDINGS = (".csv", ".tsv", ".tab")
LIBSVM_ENDINGS = (".svm", ".libsvm", ".svmlight")
STRIPPED = (*_files.PACKED, *TEXT_ENDINGS[:-1], *LIBSVM_ENDINGS, ".npz", ".npy")


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
    columns: Columns = field(default_factory=lambda: Columns(()))


def _stem(file: pathlib.Path) -> str:
    stem = file.name
    for ending in STRIPPED:
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            stem = stem[: -len(ending)]
    return stem


def read(
    file: pathlib.Path, options: Options, like: Columns | None = None, *, with_target: bool = True
) -> Table:
    """Return the table in a file.

    Parameters
    ----------
    file : pathlib.Path
        The file.
    options : Options
        How it is read.
    like : Columns or None
        Those of the table of which it is another part; then y is empty where there is no target.
    with_target : bool
        False leaves y empty, whatever the target holds.
    """
    content = _files.uncompressed(file)
    endings = [e.lower() for e in file.suffixes if e.lower() not in _files.PACKED]
    ending = endings[-1] if endings else ""
    text = ""
    if ending not in (".npz", ".npy"):
        _files.refuse_foreign(content, ending, file)
        text = _files.decoded(content, options.encoding, file)
    form = _format(text, ending, file)
    for name in options.given():
        if form not in KNOWN_BY[name]:
            known = " and ".join(KNOWN_BY[name])
            raise ValueError(f"{file}: {name} is for {known}; this is {form}")
        if like is not None and name in ("one_hot", "missing", "n_features"):
            raise ValueError(f"{file}: {name} is part of columns; give one of them")
    if form == TEXT:
        table = _text(text, ending, file, options, like, with_target)
    elif form == LIBSVM:
        table = _libsvm(text.encode(), file, options, like)
    elif form == NPY:
        table = _npy(_files.read_array(content, file), file, options.target, like)
    else:
        table = _npz(content, file, like)
    return table if with_target else replace(table, y=np.empty(0))


def _format(text: str, ending: str, file: pathlib.Path) -> str:
    if ending in (".npz", ".npy"):
        return NPZ if ending == ".npz" else NPY
    if ending in LIBSVM_ENDINGS:
        return LIBSVM
    if ending not in TABLE_ENDINGS and _files.is_svmlight(text):
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
    options: Options,
    like: Columns | None,
    with_target: bool,
) -> Table:
    tab = "\t" if ending in (".tsv", ".tab") else None
    frame = _frame.read_frame(
        text,
        str(file),
        _frame.Format(
            None if options.header == "auto" else options.header,
            options.sep or tab,
            options.decimal,
            options.thousands,
        ),
        known=_likely(options.target, like),
        words=tuple(like.categories) if like is not None else (),
    )
    names = None if frame.names is None else _unique(frame.names)
    if like is None or options.target is not None:
        place = _target_place(frame.names, len(frame.columns), options.target, file)
    else:
        place = _place_in_part(names, len(frame.columns), like)
    y = _target(frame, place) if place >= 0 and with_target else None
    rest = [k for k in range(len(frame.columns)) if k != place]
    kept = rest if like is None else _matching(names, rest, like, file)
    frame = replace(
        frame,
        columns=[frame.columns[k] for k in kept],
        places=tuple(kept),
        names=None if names is None else tuple(names[k] for k in kept),
    )
    if like is not None:
        X = _columns.features(frame, like)
        return _table(X, y, like, file, target=like.target, note=frame.note)
    found = Columns(
        Numbered(len(kept)) if frame.names is None else frame.names,
        names is not None,
        "" if names is None else names[place],
        place,
    )
    X, found = _columns.learn(frame, found, options.one_hot, options.missing == "mean")
    where = _told_target(names, place, len(rest) + 1, options.target)
    return _table(X, y, found, file, target=where, note=frame.note)


def _likely(target: str | int | None, like: Columns | None) -> Sequence[str]:
    """Return names that a header holds, if there is one."""
    if like is not None:
        return like.names if like.named else ()
    index = isinstance(target, str) and target.lstrip("-").isdigit()
    return (target,) if isinstance(target, str) and not index else ()


def _target(frame: _frame.Frame, place: int) -> Array:
    """Return the target's column: strings, or finite numbers."""
    column = frame.columns[place]
    missing = [k for k, cell in enumerate(column.tolist()) if cell is None or cell != cell]
    if missing:
        raise ValueError(
            f"{frame.file}, {frame.place(missing[0])}: the target, column {frame.called(place)}, "
            f"has a missing value ({len(missing)} in all); take such rows out"
        )
    if column.dtype == object:
        fault = _columns.not_labels(frame, place)
        if fault:
            raise ValueError(f"{frame.file}: the target, {fault}")
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
    taken = set(names)
    result: dict[str, None] = {}
    for place, name in enumerate(names):
        unique = name or f"Unnamed: {place}"
        again = 0
        while unique in result or (again and unique in taken):
            again += 1
            unique = f"{name}.{again}"
        result[unique] = None
    return tuple(result)


def _place_in_part(names: Sequence[str] | None, count: int, like: Columns) -> int:
    """Return the place of the other part's target, or -1 where this one has none."""
    if names is not None and like.named:
        return names.index(like.target) if like.target in names else -1
    return like.place % count if count == len(like.names) + 1 else -1


def _target_place(
    names: Sequence[str] | None, count: int, target: str | int | None, file: pathlib.Path
) -> int:
    """Return the place of the target's column."""
    if count < 2:
        raise ValueError(
            f"{file}: has {count} column(s), expected at least one feature and the target"
        )
    index = _index(names, target, file) if isinstance(target, str) else target
    index = -1 if index is None else index
    if not -count <= index < count:
        raise ValueError(f"{file}: target {index} is out of range for {count} columns")
    return index % count


def _index(names: Sequence[str] | None, target: str, file: pathlib.Path) -> int:
    """Return the index of the one column with this name, or the index that the word is."""
    found = [place for place, name in enumerate(names or ()) if name == target]
    if len(found) == 1:
        return found[0]
    if not found and target.lstrip("-").isdigit():
        return int(target)
    listed = "no header" if names is None else _listed(names)
    raise ValueError(f"{file}: target {target!r} is not the name of one column ({listed})")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _told_target(
    names: Sequence[str] | None, place: int, count: int, target: str | int | None
) -> str:
    called = f"column {place} (counted from 0)" if names is None else repr(names[place])
    return f"{called}, the last column" if target is None and place == count - 1 else called


def _matching(
    names: tuple[str, ...] | None, rest: list[int], like: Columns, file: pathlib.Path
) -> list[int]:
    """Return the places of the columns that the other table has, in its order."""
    if names is not None and like.named:
        return _places(names, like.names, file)
    if len(rest) != len(like.names):
        raise ValueError(
            f"{file}: has {len(rest)} columns beside the target, expected {len(like.names)} as in "
            "the fit"
        )
    return rest


def _places(names: Sequence[str], wanted: Sequence[str], file: pathlib.Path) -> list[int]:
    places = {name: place for place, name in enumerate(names)}
    absent = [name for name in wanted if name not in places]
    if absent:
        raise ValueError(
            f"{file}: has no column {absent[0]!r} (it has {_listed(names)}), expected those of "
            f"the fit: {_listed(wanted)}"
        )
    return [places[name] for name in wanted]


def _libsvm(content: bytes, file: pathlib.Path, options: Options, like: Columns | None) -> Table:
    zero_based, width = options.zero_based, options.n_features
    if like is not None:
        width = len(like.features)
        if zero_based == "auto" and like.zero_based is not None:
            zero_based = like.zero_based
    X, y, zero = _files.read_svmlight(content, file, zero_based)
    if like is not None:
        X = X[:, :width]
    elif width is not None and X.shape[1] > width:
        raise ValueError(
            f"{file}: n_features is {width}, but the largest index asks for {X.shape[1]} columns"
        )
    X.resize((X.shape[0], width or X.shape[1]))
    note = ""
    if zero_based == "auto" and not zero:
        note = "indices count from 1, as none is 0; zero_based=True (--zero-based) has them from 0"
    columns = Columns(Numbered(X.shape[1]), target="label", zero_based=zero)
    return _table(X, y, columns, file, target="the label of each line", note=note, like=like)


def _npz(content: bytes, file: pathlib.Path, like: Columns | None) -> Table:
    X, y, names = _files.read_npz(content, file, need_target=like is None)
    if like is not None and like.named and names is not None and names != like.features:
        X, names = X[:, _places(names, like.features, file)], like.features
    width = X.shape[1] if len(X.shape) == 2 else 0
    columns = Columns(Numbered(width) if names is None else names, names is not None, "y")
    return _table(X, y, columns, file, like=like)


def _npy(array: Any, file: pathlib.Path, target: int | str | None, like: Columns | None) -> Table:
    if array.ndim != 2 or array.shape[0] == 0:
        raise ValueError(f"{file}: has shape {array.shape}, expected rows and columns")
    count = array.shape[1]
    if like is None or target is not None:
        place = _target_place(None, count, target, file)
    else:
        place = _place_in_part(None, count, like)
    y = None if place < 0 else np.ascontiguousarray(array[:, place])
    X = array if place < 0 else np.delete(array, place, axis=1)
    columns = Columns(Numbered(X.shape[1]), place=place)
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
