"""A picture of bytes per second over size: the rules, the updates, and the roof above them."""

from __future__ import annotations

import pathlib
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mdbopt.plot import COLOURS, DASHES, GREY, save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
Line = dict[int, float]

# More lines than this are drawn faint, with their median.
MOST_NAMED = 8
FAINT: dict[str, Any] = {"linewidth": 0.6, "alpha": 0.35}


def draw(path: pathlib.Path, figures: Mapping[str, Any]) -> None:
    """Draw what was measured of kernels and updates, a panel each."""
    from matplotlib.figure import Figure

    panels: list[tuple[Callable[[Axes, Sequence[Row]], None], Sequence[Row]]] = [
        (draw_, figures[part])
        for part, draw_ in (("kernels", _kernels), ("updates", _updates))
        if figures.get(part)
    ]
    figure = Figure(figsize=(6.4 * max(1, len(panels)), 4.4), dpi=160, layout="constrained")
    axes: Any = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for ax, (draw_, rows) in zip(axes, panels, strict=False):
        draw_(ax, rows)
        _finish(ax)
    save_picture(path, figure)


def _kernels(ax: Axes, rows: Sequence[Row]) -> None:
    """Draw a line for each rule and setting, and the loops as a roof."""
    ax.set_title("rules", fontsize=9, color=GREY)
    kinds = _distinct(rows, "dtype", "backend", "threads")
    names = _distinct(rows, "rule")
    for place, kind in enumerate(kinds):
        chosen = [row for row in rows if _key(row, "dtype", "backend", "threads") == kind]
        _roof(ax, chosen, place, f"copy or loop, {kind[0]}, {kind[2]} threads")
        lines = {
            name[0]: {r["size"]: r["gb_s"] for r in chosen if r["rule"] == name[0] and "gb_s" in r}
            for name in names
        }
        title = f"{kind[0]}, {kind[1]}, {kind[2]} threads"
        if len(names) <= MOST_NAMED:
            for k, (name, line) in enumerate(lines.items()):
                _line(ax, line, f"{name}  ({title})", COLOURS[k % len(COLOURS)], place)
            continue
        colour = COLOURS[place % len(COLOURS)]
        for line in lines.values():
            ax.plot(list(line), list(line.values()), color=colour, **FAINT)
        sizes = sorted({size for line in lines.values() for size in line})
        middle = {
            size: statistics.median(line[size] for line in lines.values() if size in line)
            for size in sizes
        }
        count = sum(map(bool, lines.values()))
        _line(ax, middle, f"median of {count} rules  ({title})", colour, place)


def _updates(ax: Axes, rows: Sequence[Row]) -> None:
    """Draw the first update: ours, and everybody's as the same bytes in their time."""
    rows = [row for row in rows if row["rule"] == rows[0]["rule"] and not row["model"]]
    if rows:
        ax.set_title(f"{rows[0]['rule']}, the same bytes for all", fontsize=9, color=GREY)
    for place, kind in enumerate(_distinct(rows, "dtype", "threads")):
        chosen = [row for row in rows if _key(row, "dtype", "threads") == kind]
        title = f"{kind[0]}, {kind[1]} threads"
        _roof(ax, chosen, place, f"copy, {kind[1]} threads")
        ours = {row["size"]: row["gb_s"] for row in chosen}
        _line(ax, ours, f"mdbopt  ({title})", COLOURS[0], place)
        for k, peer in enumerate(dict.fromkeys(name for row in chosen for name in row["peers"])):
            line = {
                row["size"]: row["bytes"] / row["peers"][peer]["seconds"] / 1e9
                for row in chosen
                if peer in row["peers"]
            }
            _line(ax, line, peer, COLOURS[(k + 1) % len(COLOURS)], place)


def _roof(ax: Axes, rows: Sequence[Row], place: int, label: str) -> None:
    roof: Line = {}
    for row in rows:
        fastest = max(row.get("copy_gb_s", 0.0), row.get("loop_gb_s", 0.0))
        roof[row["size"]] = max(roof.get(row["size"], 0.0), fastest)
    sizes = sorted(roof)
    heights = [roof[size] for size in sizes]
    style: Any = DASHES[(place + 1) % len(DASHES)]
    ax.plot(sizes, heights, color=GREY, linestyle=style, linewidth=1.0, label=label)


def _line(ax: Axes, line: Line, label: str, colour: str, place: int) -> None:
    sizes = sorted(line)
    style: Any = DASHES[place % len(DASHES)]
    ax.plot(
        sizes,
        [line[size] for size in sizes],
        color=colour,
        linestyle=style,
        linewidth=1.4,
        marker="o",
        markersize=3.0,
        label=label,
    )


def _finish(ax: Axes) -> None:
    ax.set(xscale="log", yscale="log", xlabel="elements", ylabel="GB/s")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=GREY, linewidth=0.7)
    ax.tick_params(which="both", labelsize=8, color=GREY, width=0.6)
    ax.grid(True, which="major", color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(frameon=False, fontsize=7, handlelength=1.6, labelspacing=0.3)


def _key(row: Row, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _distinct(rows: Iterable[Row], *names: str) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(_key(row, *names) for row in rows))
