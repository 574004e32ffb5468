"""_data_text – CSV text to an array, and where a text goes wrong, by line and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DELIMITERS = (",", ";", "\t", "|")
MISSING = {"", "?", ".", "-", "na", "n/a", "nan", "null", "none"}


def read_csv(content: bytes, where: str) -> tuple[Array, list[str] | None]:
    """Return the table of shape (rows, columns) in float64, and the header's names or None.

    Raises
    ------
    ValueError
        When a cell is missing or no finite number, when a line has another number of cells than
        the first, or when the text is not UTF-8 or has no rows.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not UTF-8 text: {error}") from None
    lines = [(place, line) for place, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError(f"{where}: the file is empty")
    delimiter = _delimiter([line for _, line in lines[:20]])
    first = _cells(lines[0][1], delimiter)
    names = first if _is_header(first) else None
    if names is not None:
        lines = lines[1:]
        if not lines:
            raise ValueError(f"{where}: holds no rows below its header")
    if '"' not in text:
        try:
            body = [line for _, line in lines]
            table = np.loadtxt(body, np.float64, comments=None, delimiter=delimiter, ndmin=2)
        except ValueError:
            pass  # the slow way finds the line
        else:
            if table.shape[1] == len(first) and np.isfinite(table).all():
                return table, names
    return np.array(list(_rows(lines, delimiter, len(first), where))), names


def _rows(
    lines: list[tuple[int, str]], delimiter: str | None, width: int, where: str
) -> Iterator[list[float]]:
    for place, line in lines:
        cells = _cells(line, delimiter)
        if len(cells) != width:
            raise ValueError(f"{where}, line {place}: {len(cells)} cells, expected {width}")
        row = []
        for column, cell in enumerate(cells, 1):
            value = _number(cell)
            if value is None or not math.isfinite(value):
                spot = f"{where}, line {place}, column {column}"
                if cell.lower() in MISSING:
                    raise ValueError(f"{spot}: a missing value ({cell!r}), expected a number")
                raise ValueError(f"{spot}: {cell!r} is not a finite number")
            row.append(value)
        yield row


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return [cell.strip('"') for cell in line.split()]
    try:
        reader = csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True)
        row = next(reader, [])
    except csv.Error:
        # an open quote, a NUL, a cell beyond the module's limit: no number either way
        row = line.split(delimiter)
    return [cell.strip() for cell in row]


def _delimiter(lines: list[str]) -> str | None:
    """Return the delimiter that parts all lines alike, into most cells; None for white space."""
    best, most = None, 1
    for delimiter in DELIMITERS:
        widths = {len(_cells(line, delimiter)) for line in lines}
        if len(widths) == 1 and max(widths) > most:
            best, most = delimiter, max(widths)
    if best is not None:
        return best
    # lines differ: the first decides, and the line that differs from it is reported
    counts = {delimiter: len(_cells(lines[0], delimiter)) for delimiter in DELIMITERS}
    likely = max(counts, key=lambda delimiter: counts[delimiter])
    return likely if counts[likely] > 1 else None


def _number(cell: str) -> float | None:
    if "_" in cell:
        return None  # float() would take 1_000
    try:
        return float(cell)
    except ValueError:
        return None


def _is_header(cells: list[str]) -> bool:
    """Tell whether no cell is a number, and one at least is a name."""
    return all(_number(cell) is None for cell in cells) and any(
        cell.lower() not in MISSING for cell in cells
    )


def svmlight_fault(content: bytes) -> str | None:
    """Return what is wrong with the first wrong line of LIBSVM text, or None."""
    for place, raw in enumerate(content.splitlines(), 1):
        words = raw.split(b"#")[0].decode("latin-1").split()
        if not words:
            continue
        label = _number(words[0])
        if label is None or not math.isfinite(label):
            return f"line {place}: the label {words[0]!r} is not a finite number"
        last = -1
        for word in words[1:]:
            index, colon, cell = word.partition(":")
            if index == "qid":
                continue
            if not colon or not (index.isascii() and index.isdigit()):
                return f"line {place}: {word!r}, expected index:value"
            value = _number(cell)
            if value is None or not math.isfinite(value):
                return f"line {place}: the value in {word!r} is not a finite number"
            if int(index) <= last:
                return f"line {place}: index {index} follows {last}, expected increasing indices"
            last = int(index)
    return None
