"""_frame – text with columns: where they part, whether they have names, read by pandas.

pandas reads the cells. What has to be known before it can, the delimiter and the header, is found
in the first records.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mdbopt.data._files import Array, pandas

SAMPLE = 100  # records
WHITESPACE = "whitespace"
# With one before the comma, decimal commas do not count as delimiters.
DELIMITERS = (";", "\t", "|", ",", WHITESPACE)
NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", " ": WHITESPACE, r"\s+": WHITESPACE}
# Beside those of pandas: UCI's, Excel's, and what people type.
MISSING: tuple[str, ...] = ("?", ".", "-", "na", "n.a.", "N.A.", "NAN", "Null", "none", "NONE")
MISSING += ("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!")
KNOWN_MISSING = {"", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", *MISSING}
NUMBER_LIKE = re.compile(r"[-+]?([\d.,]*\d[\d.,]*([eE][-+]?\d+)?|inf|infinity)", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}([,.'])\d{3}(\1\d{3})*([,.]\d+)?")


@dataclass(frozen=True)
class Format:
    """How to read a text: each None where it is to be found out, ``decimal`` and all."""

    header: bool | None = None
    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None


@dataclass(frozen=True)
class Frame:
    """The columns of a text.

    Attributes
    ----------
    columns : list of ndarray
        Each float64 (NaN where missing), int64 or bool, or object: str and None where missing.
    names : tuple of str or None
        None without a header.
    places : tuple of int
        Index of each column in the file, from 0; row names do not count.
    note : str
        What was left out, in words, or "".
    file, text, form, first :
        Where rows came from: `place` reads again. ``first`` is the offset of the first row.
    """

    columns: list[Array]
    names: tuple[str, ...] | None
    places: tuple[int, ...]
    note: str
    file: str
    text: str
    form: Format
    first: int

    def place(self, row: int) -> str:
        """Return where a row, counted from 0, stands in the file."""
        return _place(self.text, self.first, self.form.sep or ",", row)

    def called(self, column: int) -> str:
        """Return the name of a column, or its index."""
        index = f"{self.places[column]} (counted from 0)"
        return index if self.names is None else repr(self.names[column])


def read_frame(
    text: str,
    file: str,
    form: Format,
    *,
    known: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Frame:
    """Read a text.

    Parameters
    ----------
    text, file : str
        The text, and the name for error messages.
    form : Format
        What the caller has decided.
    known : sequence of str
        Names that a header is likely to hold.
    words : sequence of str
        Names of columns that hold words, even where all are numbers.

    Raises
    ------
    ValueError
        When there is no row, rows differ in length, or numbers have two readings.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    handle = io.StringIO(text)
    try:
        head = _head(handle, form, known)
    except csv.Error as error:
        raise ValueError(f"{file}: cannot be read as a table: {error}") from None
    if not head.body:
        below = "" if head.names is None else f" below its header, {', '.join(head.names)[:60]}"
        raise ValueError(f"{file}: holds no rows{below}")
    width = Counter(map(len, head.body)).most_common(1)[0][0]
    for row, record in enumerate(head.body):
        if len(record) > width:
            place = _place(text, head.first, head.sep, row)
            raise ValueError(f"{file}, {place}: has {len(record)} cells, others have {width}")
    names = None if head.names is None else _names(head.names, head.body, width, file)
    form = replace(form, sep=head.sep)
    handle.seek(head.first)
    columns = _columns(handle, file, form, width, _places(names, words))
    if width > 2 and not (names and names[-1]) and _ends_in_delimiter(head.body, width):
        columns, names = columns[:-1], None if names is None else names[:-1]
    frame = Frame(columns, names, tuple(range(len(columns))), "", file, text, form, head.first)
    return _decimal(_without_index(frame), known, words)


@dataclass(frozen=True)
class _Head:
    """What the first records tell: delimiter, header or None, rows, and where rows begin."""

    sep: str
    names: list[str] | None
    body: list[list[str]]
    first: int


def _head(handle: io.StringIO, form: Format, known: Sequence[str]) -> _Head:
    start, announced = _start(handle)
    sep = form.sep or announced or _delimiter(_some_lines(handle, start))
    handle.seek(start)
    commented = handle.read(1) == "#"
    handle.seek(start)
    sample, ends = _sample(handle, sep)
    if commented and len(sample) > 1:
        # a header behind the mark of a comment, as numpy.savetxt writes it, or prose
        sample[0] = [cell for cell in (sample[0][0].lstrip("# "), *sample[0][1:]) if cell]
        if len(sample[0]) != len(sample[1]):
            sample, ends, start, commented = sample[1:], ends[1:], ends[0], False
    header = form.header
    if header is None:
        header = bool(sample) and (commented or _has_header(sample, known))
    if header and sample:
        return _Head(sep, sample[0], sample[1:], ends[0])
    return _Head(sep, None, sample, start)


def _decimal(frame: Frame, known: Sequence[str], words: Sequence[str]) -> Frame:
    """Read again where cells have decimal commas, unless told otherwise."""
    form = frame.form
    if form.decimal is not None or form.thousands is not None:
        return frame
    commas = [
        [cell for cell in column if cell is not None and "," in cell]
        for column in frame.columns
        if column.dtype == object and _are_decimal(column)
    ]
    if not commas:
        return frame
    for place, column in enumerate(frame.columns):
        if column.dtype.kind == "f" and bool(np.any(column % 1 > 0)):
            raise ValueError(
                f"{frame.file}: has decimal commas ({commas[0][0]!r}) and, in column "
                f"{frame.called(place)}, points; decimal=',' with thousands='.' reads 1.234,5, and "
                "else they should be alike"
            )
    if all(THOUSANDS.fullmatch(cell) for cells in commas for cell in cells):
        raise ValueError(
            f"{frame.file}: {commas[0][0]!r} has two readings: decimal=',' for a decimal comma, "
            "thousands=',' for a separator of thousands"
        )
    return read_frame(frame.text, frame.file, replace(form, decimal=","), known=known, words=words)


def _are_decimal(column: Array) -> bool:
    cells = [cell for cell in column if cell is not None]
    return any("," in cell for cell in cells) and all(
        DECIMAL_COMMA.fullmatch(cell) or cell.lstrip("+-").isdigit() for cell in cells
    )


def _place(text: str, first: int, sep: str, row: int) -> str:
    """Return row and line, both counted from 1, of a row that is counted from 0."""
    handle = io.StringIO(text)
    handle.seek(first)
    lines = _Lines(handle)
    for number, _ in enumerate(_records(lines, sep)):
        if number == row:
            break
    return f"row {row + 1}, line {text.count(chr(10), 0, first) + lines.count}"


class _Lines(Iterator[str]):
    """The lines of a text, counted."""

    def __init__(self, handle: io.StringIO) -> None:
        self._handle = handle
        self.count = 0

    def __next__(self) -> str:
        line = self._handle.readline()
        if not line:
            raise StopIteration
        self.count += 1
        return line


def _records(lines: Iterator[str], sep: str) -> Iterator[list[str]]:
    """Yield the cells of each record that is not blank."""
    if sep == WHITESPACE:
        rows: Iterator[list[str]] = (
            [cell.strip('"') for cell in re.findall(r'(?:"[^"]*"|\S)+', line)] for line in lines
        )
    else:
        rows = csv.reader(lines, delimiter=sep, skipinitialspace=True)
    return ([cell.strip() for cell in row] for row in rows if any(row) or len(row) > 1)


def _start(handle: io.StringIO) -> tuple[int, str | None]:
    """Return where the table begins, and the delimiter that Excel's line sep= announces."""
    sep, start = None, handle.tell()
    while line := handle.readline():
        words = line.strip().strip('"')
        if re.fullmatch(r"sep=(.|\\t)", words, re.IGNORECASE) or words.lower() == "sep=":
            sep = {"\\t": "\t", "": "\t"}.get(words[4:], words[4:])
        elif words.startswith("#"):
            # of several lines of comments the last may be the header
            after = handle.tell()
            if not handle.readline().startswith("#"):
                break
            handle.seek(after)
        elif words:
            break
        start = handle.tell()
    return start, sep


def _some_lines(handle: io.StringIO, start: int) -> list[str]:
    handle.seek(start)
    lines = [line for _, line in zip(range(SAMPLE), iter(handle.readline, ""), strict=False)]
    return [line for line in lines if line.strip()]


def _delimiter(lines: list[str]) -> str:
    """Return what parts the lines alike, into cells of which most are numbers, and most cells."""
    best, most = ",", (0.0, 0.0, 0)
    for sep in DELIMITERS:
        try:
            records = list(_records(iter(lines), sep))
        except csv.Error:
            continue
        # a header may be one cell shorter
        widths = Counter(len(record) for record in records[1:] or records)
        width = widths.most_common(1)[0][0] if widths else 0
        if width < 2:
            continue
        alike = sum(len(record) == width for record in records)
        cells = [cell for record in records for cell in record]
        numbers = sum(bool(NUMBER_LIKE.fullmatch(cell)) or _is_missing(cell) for cell in cells)
        score = (alike / len(records), numbers / len(cells), width)
        if score > most:
            best, most = sep, score
    return best


def _sample(handle: io.StringIO, sep: str) -> tuple[list[list[str]], list[int]]:
    """Return the first records, and where each ends."""
    sample, ends = [], []
    for record in _records(_Lines(handle), sep):
        sample.append(record)
        ends.append(handle.tell())
        if len(sample) == SAMPLE:
            break
    return sample, ends


def _is_missing(cell: str) -> bool:
    return cell in KNOWN_MISSING


def _is_number(cell: str) -> bool:
    return NUMBER_LIKE.fullmatch(cell) is not None


def _has_header(sample: list[list[str]], known: Sequence[str]) -> bool:
    """Tell whether the first record names the columns of the others."""
    first, body = sample[0], sample[1:]
    if known and set(known) <= set(first):
        return True
    words = [k for k, cell in enumerate(first) if not _is_missing(cell) and not _is_number(cell)]
    if not body:
        return len(words) == len(first)
    below = [
        [row[k] for row in body if k < len(row) and not _is_missing(row[k])]
        for k in range(max(map(len, body)))
    ]
    if len(words) == len(first) and len(first) == len(below) - 1:
        return True  # of R: rows have names, and their column has none
    if any(k < len(below) and below[k] and all(map(_is_number, below[k])) for k in words):
        return True
    if any(k < len(below) and first[k] in below[k] for k in words):
        return False
    if not words:
        return _numbers_name_columns(first, below)
    return len(words) + sum(map(_is_missing, first)) == len(first)


def _numbers_name_columns(first: list[str], below: list[list[str]]) -> bool:
    """Tell whether a record of numbers is a header.

    It is behind an empty cell above the numbers of rows, as pandas writes it; or where whole
    numbers in equal steps, three at least, stand above columns of fractions, but for one.
    """
    if first[0] == "" and len(first) > 1 and all(map(_is_number, first[1:])):
        return _count(below[0])
    if len(first) < 3 or len(first) != len(below) or not all(cell.isdigit() for cell in first):
        return False
    steps = set(np.diff([int(cell) for cell in first]).tolist())
    fractions = sum(any(not cell.lstrip("+-").isdigit() for cell in cells) for cells in below)
    return len(steps) == 1 and steps.pop() > 0 and fractions >= len(below) - 1


def _count(cells: Sequence[str]) -> bool:
    """Tell whether cells count rows, from 0 or 1."""
    return list(cells) in ([str(k + start) for k in range(len(cells))] for start in (0, 1))


def _names(first: list[str], body: list[list[str]], width: int, file: str) -> tuple[str, ...]:
    if len(first) > width:
        raise ValueError(f"{file}: its header has {len(first)} cells, but its rows have {width}")
    if len(first) < width - 1:
        raise ValueError(f"{file}: a row has {width} cells, but the header has {len(first)}")
    if len(first) == width - 1:
        first = [*first, ""] if _ends_in_delimiter(body, width) else ["", *first]
    return tuple(first)


def _ends_in_delimiter(body: list[list[str]], width: int) -> bool:
    return all(row[width - 1 :] in ([], [""]) for row in body)


def _places(names: tuple[str, ...] | None, words: Sequence[str]) -> list[int]:
    return [k for k, name in enumerate(names or ()) if name in words]


def _columns(
    handle: io.StringIO, file: str, form: Format, width: int, words: list[int]
) -> list[Array]:
    pd = pandas()
    above = handle.getvalue().count("\n", 0, handle.tell())
    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    # since 3.1 the default
    exact = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    try:
        frame = pd.read_csv(
            handle,
            sep=r"\s+" if form.sep == WHITESPACE else form.sep,
            header=None,
            names=range(width),
            dtype=dict.fromkeys(words, str),
            na_values=list(MISSING),
            skipinitialspace=True,
            low_memory=False,
            decimal=form.decimal or ".",
            thousands=form.thousands,
            **exact,
        )
    except (ValueError, OverflowError) as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        # pandas has not seen the lines above
        reason = re.sub(r"(?<=line )\d+", lambda line: str(int(line[0]) + above), reason)
        raise ValueError(f"{file}: cannot be read as a table: {reason}") from None
    if len(frame) == 0:
        raise ValueError(f"{file}: holds no rows")
    comma = form.decimal == ","
    return [_column(frame[k].to_numpy(), k in words, comma) for k in range(width)]


def _column(cells: Array, words: bool, comma: bool) -> Array:
    """Return numbers where all cells are, else strings, None where missing."""
    if cells.dtype.kind in "biuf":
        return cells
    known: list[Any] = [
        None if cell != cell or (isinstance(cell, str) and _is_missing(cell.strip())) else cell
        for cell in cells.tolist()
    ]
    if not words:
        try:
            return np.array([number(cell, comma) for cell in known])
        except (ValueError, OverflowError):
            pass  # words
    column = np.empty(len(known), object)
    column[:] = [None if cell is None else str(cell).strip() for cell in known]
    return column


def number(cell: Any, comma: bool) -> float:
    """Return the number that a cell is, NaN for None, or raise ValueError.

    Parameters
    ----------
    cell : str, None or a number
    comma : bool
        Whether the decimal mark is a comma.
    """
    if isinstance(cell, str):
        if "_" in cell or (comma and "." in cell):
            raise ValueError(cell)
        cell = cell.replace(",", ".") if comma else cell
    return np.nan if cell is None else float(cell)


def _without_index(frame: Frame) -> Frame:
    """Leave out the column of row names that pandas and R write first, without a name."""
    names, columns, note = frame.names, frame.columns, ""
    while names is not None and len(names) > 2 and _is_index(names, columns[0]):
        names, columns = names[1:], columns[1:]
        note = "the first column, which has no name, is taken for the names of the rows"
    places = tuple(range(len(columns)))
    return replace(frame, columns=columns, names=names, places=places, note=note)


def _is_index(names: tuple[str, ...], column: Array) -> bool:
    if names[0] and not re.fullmatch(r"Unnamed: \d+(\.\d+)?", names[0]):
        return False
    return column.dtype.kind in "iuO"
