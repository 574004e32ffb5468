"""_columns – columns of a file to features: numbers, indicators of categories, means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
import scipy.sparse as sparse

from mdbopt.data._files import Array
from mdbopt.data._frame import Frame, number

# Indicators for more columns than so many times those of the file make a sparse matrix.
SPARSE_FROM = 4
# So many whole numbers may be classes beside words, as 2, 3, 4 and "5 or more".
MOST_NUMBERS = 20
# Options that read more cells as numbers, and these.
READINGS = [("decimal", ",", re.compile(r"[-+]?(\d*,)?\d+([eE][-+]?\d+)?"))] + [
    ("thousands", mark, re.compile(rf"[-+]?(\d{{1,3}}({mark}\d{{3}})+|\d+)({decimal}\d*)?"))
    for mark, decimal in ((",", r"\."), (r"\.", ","), ("'", r"\."), (" ", r"\."))
]


class Numbered(Sequence[str]):
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


@dataclass(frozen=True, eq=False)
class Columns:
    """What another part of the same table needs to become the same features.

    Attributes
    ----------
    names : sequence of str
        Columns of the file without the target, in its order.
    named : bool
        Whether they come from the file, and are looked for in another; else columns are known by
        their places.
    target, place : str, int
        Name of the target's column ("" without), and its place among all columns.
    categories : dict of str to tuple of str
        By the name of each column of words: what became one indicator each, sorted.
    means : ndarray of shape (features,), or None
        What stands for missing values; None: they are errors.
    zero_based : bool or None
        For LIBSVM text, whether its indices count from 0.
    """

    names: Sequence[str]
    named: bool = False
    target: str = ""
    place: int = -1
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    means: Array | None = None
    zero_based: bool | None = None

    @property
    def features(self) -> Sequence[str]:
        """Name of each feature: that of its column, or column=category."""
        if not self.categories:
            return self.names
        return tuple(
            feature
            for name in self.names
            for feature in (
                [f"{name}={category}" for category in self.categories[name]]
                if name in self.categories
                else [name]
            )
        )


def learn(frame: Frame, columns: Columns, one_hot: bool, impute: bool) -> tuple[Any, Columns]:
    """Return X, and the columns with the categories and means that this table has."""
    if one_hot:
        found = {
            name: tuple(sorted({cell for cell in column if cell is not None}))
            for name, column in zip(columns.names, frame.columns, strict=True)
            if column.dtype == object
        }
        columns = replace(columns, categories=found)
    if impute:
        blocks = _blocks(frame, columns, missing=True)
        means = [np.asarray(_mean(block)) for block in blocks]
        empty = [name for name, mean in zip(columns.names, means, strict=True) if mean.size == 0]
        empty += [n for n, mean in zip(columns.names, means, strict=True) if np.isnan(mean).any()]
        if empty:
            raise ValueError(
                f"{frame.file}: column {empty[0]!r} holds no value at all, and so has no mean; "
                "take it out"
            )
        columns = replace(columns, means=np.concatenate(means))
    return features(frame, columns), columns


def features(frame: Frame, columns: Columns) -> Any:
    """Return X of shape (rows, features): dense, or csr where most of it is indicators."""
    blocks = _blocks(frame, columns, missing=columns.means is not None)
    if columns.means is not None:
        ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
        parts = np.split(columns.means, ends)
        blocks = [_filled(block, means) for block, means in zip(blocks, parts, strict=True)]
    count = sum(block.shape[1] for block in blocks)
    if count > SPARSE_FROM * len(blocks):
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))
    return np.hstack([block.toarray() if sparse.issparse(block) else block for block in blocks])


def _blocks(frame: Frame, columns: Columns, missing: bool) -> list[Any]:
    """Return the features of each column; NaN, or no indicator, where a value is missing."""
    return [
        _indicators(frame, place, columns.categories[name], missing)
        if name in columns.categories
        else _numbers(frame, place, missing)
        for place, name in enumerate(columns.names)
    ]


def _numbers(frame: Frame, place: int, missing: bool) -> Array:
    column = frame.columns[place]
    if column.dtype == object:
        raise ValueError(f"{frame.file}: {_words(frame, place)}")
    column = column.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(column))
    if infinite.size:
        raise ValueError(
            f"{frame.file}, {frame.place(infinite[0])}: column {frame.called(place)} holds "
            f"{column[infinite[0]]}, expected finite numbers"
        )
    gaps = np.flatnonzero(np.isnan(column))
    if gaps.size and not missing:
        raise ValueError(missing_value(frame, place, int(gaps[0]), gaps.size))
    return column[:, None]


def missing_value(frame: Frame, place: int, row: int, count: int) -> str:
    """Return the words for a missing value."""
    more = "" if count == 1 else f", and {count - 1} more of its rows"
    return (
        f"{frame.file}, {frame.place(row)}: column {frame.called(place)} has a missing value"
        f"{more}; missing='mean' (--missing mean) puts the column's mean in its place"
    )


def _words(frame: Frame, place: int) -> str:
    """Return the words for a column that should hold numbers."""
    known = {cell for cell in frame.columns[place] if cell is not None}
    found = _first_word(frame, place)
    return f"{found}, " + (
        _other_reading(known)
        or "expected a number; one_hot=True (--one-hot) makes an indicator of each of its "
        f"{len(known)} words"
    )


def not_labels(frame: Frame, place: int) -> str:
    """Return why a column of words is not one of labels, or "" where it may be."""
    known = set(frame.columns[place])
    reading = _other_reading(known)
    if reading:
        return f"{_first_word(frame, place)}, {reading}"
    numbers = {cell for cell in known if _is_number(frame, cell)}
    if all(cell.lstrip("+-").isdigit() for cell in numbers) and len(numbers) <= MOST_NUMBERS:
        return ""
    return f"{_first_word(frame, place)} among numbers; make it a number, or take such rows out"


def _first_word(frame: Frame, place: int) -> str:
    column = frame.columns[place]
    words = (k for k, cell in enumerate(column) if not _is_number(frame, cell))
    # pandas takes fewer characters for white space around a number than Python does.
    row = next(words, None)
    if row is None:
        row = next(k for k, cell in enumerate(column) if cell is not None)
    return f"column {frame.called(place)} holds {column[row]!r} ({frame.place(row)})"


def _other_reading(cells: set[str]) -> str:
    """Return the option that would read cells as numbers, in words, or ""."""
    for name, mark, reading in READINGS:
        if all(reading.fullmatch(cell) for cell in cells):
            option = mark.strip("\\")
            return f"a number only with {name}={option!r} (--{name} {option!r})"
    return ""


def _is_number(frame: Frame, cell: str | None) -> bool:
    try:
        number(cell, frame.form.decimal == ",")
    except (ValueError, OverflowError):
        return False
    return True


def _indicators(frame: Frame, place: int, known: Sequence[str], missing: bool) -> Any:
    column = frame.columns[place]
    if column.dtype != object:
        # this part of the table has numbers alone
        column = np.array([_as_word(cell) for cell in column.tolist()], object)
    places = {category: k for k, category in enumerate(known)}
    codes = np.array([places.get(cell, -1) for cell in column])
    rows = np.flatnonzero(codes >= 0)
    gaps = np.flatnonzero(codes < 0)
    if gaps.size and not missing:
        row = int(gaps[0])
        if column[row] is None:
            raise ValueError(missing_value(frame, place, row, gaps.size))
        raise ValueError(
            f"{frame.file}, {frame.place(row)}: column {frame.called(place)} holds "
            f"{column[row]!r}, which the table of the fit has not; expected one of "
            f"{', '.join(map(repr, known[:8]))}{', …' if len(known) > 8 else ''}, or a fit with "
            "missing='mean' (--missing mean), which takes it for missing"
        )
    shape = (len(column), len(known))
    return sparse.csr_array((np.ones(len(rows)), (rows, codes[rows])), shape=shape)


def _as_word(cell: float) -> str | None:
    if cell != cell:
        return None
    return f"{cell:.0f}" if float(cell).is_integer() else str(cell)


def _mean(block: Any) -> Array:
    """Return the mean of each column over the rows that have a value."""
    if sparse.issparse(block):
        counts = np.asarray(block.sum(axis=0))
        return counts / counts.sum() if counts.size else counts
    known = block[~np.isnan(block)]
    return np.array([known.mean() if known.size else np.nan])


def _filled(block: Any, means: Array) -> Any:
    if sparse.issparse(block):
        empty = (np.diff(block.indptr) == 0).astype(np.float64)[:, None]
        return block + sparse.csr_array(empty) @ sparse.csr_array(means[None, :])
    return np.where(np.isnan(block), means, block)
