"""Text for standard output: tables with aligned columns, and what any terminal can show."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def say(text: str) -> None:
    """Print to standard output; characters that its encoding lacks become question marks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str]) -> str:
    """Align the columns of a table, to the right but for those named in ``left``.

    Examples
    --------
    >>> from mdbopt.cli._table import table
    >>> print(table(["method", "loss"], [["box", "0.25"], ["gd", "1.5"]], left=["method"]))
    method  loss
    box     0.25
    gd       1.5
    """
    lines = [header, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if name in left else cell.rjust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
