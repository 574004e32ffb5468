"""Rows as tables for standard output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from mdbopt.cli._table import table

Row = dict[str, Any]


def size(count: int) -> str:
    """Write a size as short as it goes.

    Examples
    --------
    >>> from measuring import words
    >>> words.size(30_000), words.size(25_557_032)
    ('3e4', '25,557,032')
    """
    mantissa, _, exponent = f"{count:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if float(f"{count:.0e}") == count else f"{count:,}"


def number(value: float | None) -> str:
    """Write three digits; a dash for what was not measured."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def kernels(rows: Sequence[Row]) -> str:
    """Write the rules, one column for each size."""
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    lines: dict[tuple[Any, ...], dict[int, str]] = {}
    for row in rows:
        key = (row["rule"], row["dtype"], row["backend"], str(row["threads"]))
        lines.setdefault(key, {})[row["size"]] = _rate(row)
    head = ["rule", "dtype", "backend", "threads"]
    cells = [[*key, *(found.get(n, "-") for n in sizes)] for key, found in lines.items()]
    return table([*head, *map(size, sizes)], cells, left=head[:3])


def _rate(row: Row) -> str:
    if math.isnan(row["seconds"]):
        return "-"
    return f"{number(row['gb_s'])} ({row['percent_copy']:3.0f}%)"


def over_rules(rows: Sequence[Row]) -> str:
    """Write the median and the least over the rules."""
    head = ["dtype", "backend", "size", "threads", "rules", "median %", "least %", "of"]
    lines = [
        [
            row["dtype"],
            row["backend"],
            size(row["size"]),
            str(row["threads"]),
            str(row["rules"]),
            f"{row['median']:.0f}",
            f"{row['least']:.0f}",
            row["of"],
        ]
        for row in rows
    ]
    return table(head, lines, left=["dtype", "backend", "of"])


def updates(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Write the updates, one column for each peer that has any of them."""
    shown = [peer for peer in peers if any(peer in row["peers"] for row in rows)]
    head = ["update", "dtype", "size", "threads", "step us", "plan us", "GB/s", "copy GB/s"]
    lines = [
        [
            row["rule"],
            row["dtype"],
            row["model"] or size(row["size"]),
            str(row["threads"]),
            number(1e6 * row["seconds_step"]),
            number(1e6 * row["seconds_plan"]),
            number(row.get("gb_s")),
            number(row.get("copy_gb_s")),
            *(ratio(row["peers"].get(peer)) for peer in shown),
        ]
        for row in rows
    ]
    return table([*head, *shown], lines, left=["update", "dtype"])


def ratio(pair: Row | None) -> str:
    """Write a ratio with half of its quartiles' distance."""
    if pair is None:
        return "-"
    return f"{number(pair['ratio'])} ±{number((pair['high'] - pair['low']) / 2)}"


def solvers(rows: Sequence[Row]) -> str:
    """Write the solvers."""
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("problem", lambda row: str(row["problem"])),
        ("method", lambda row: str(row["method"])),
        ("evaluations", lambda row: f"{row['evaluations']:,}"),
        ("to 1e-8", lambda row: number(row["to_gap"])),
        ("ratio", lambda row: number(row["ratio_to_gap"])),
        ("seconds", lambda row: number(row["seconds"])),
        ("ratio", lambda row: number(row["ratio_seconds"])),
    ]
    lines = [[write(row) for _, write in columns] for row in rows]
    return table([head for head, _ in columns], lines, left=["problem", "method"])
