"""What every study is: numbers, a picture, three sentences, and claims that hold or fail."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mdbopt import data, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADER = ("panel", "series", "x", "y")


@dataclass(frozen=True)
class Panel:
    """One picture beside others.

    Attributes
    ----------
    title, x, y : str
        What is above it, and along its axes.
    log : str
        The axes that are logarithmic: "", "x", "y" or "xy".
    marks : bool
        Dots in place of lines.
    """

    title: str
    x: str
    y: str
    log: str = ""
    marks: bool = False


@dataclass(frozen=True)
class Claim:
    """What a paper says, the numbers seen, and whether they agree."""

    words: str
    seen: str
    holds: bool


@dataclass
class Outcome:
    """What a study has found.

    Attributes
    ----------
    rows : list of (panel, series, x, y)
        All numbers; the picture shows these and no others.
    sentences : tuple of three str
        What to see.
    claims : list of Claim
        Those that this run can check.
    """

    rows: list[tuple[str, str, float, float]] = field(default_factory=list)
    sentences: tuple[str, str, str] = ("", "", "")
    claims: list[Claim] = field(default_factory=list)

    def add(
        self, panel: str, series: str, x: Sequence[float] | Any, y: Sequence[float] | Any
    ) -> None:
        """Append a series of numbers, x and y of one length."""
        self.rows += [
            (panel, series, float(across), float(up)) for across, up in zip(x, y, strict=True)
        ]

    def claim(self, words: str, seen: str, holds: bool) -> None:
        """Append a claim."""
        self.claims.append(Claim(words, seen, bool(holds)))


@dataclass(frozen=True)
class Study:
    """A study: one sentence, its panels by name, and the function that finds its numbers.

    ``run(quick, table)`` gets a table where ``table`` names the default one, else None.
    """

    summary: str
    panels: Mapping[str, Panel]
    run: Callable[[bool, Any], Outcome]
    table: Callable[[], data.Table] | None = None


def as_csv(outcome: Outcome) -> bytes:
    """Write the numbers as CSV, each so that reading it gives the same double."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((panel, series, repr(x), repr(y)) for panel, series, x, y in outcome.rows)
    return text.getvalue().encode()


def as_text(name: str, outcome: Outcome) -> str:
    """Write what to see and how the claims fared, a claim in two lines."""
    lines = [name, "", *outcome.sentences, ""]
    for claim in outcome.claims:
        lines += [f"{'PASS' if claim.holds else 'FAIL'}  {claim.words}", f"      {claim.seen}"]
    return "\n".join(lines)


def draw(study: Study, outcome: Outcome) -> Figure:
    """Draw the numbers, a panel each side by side.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    figure, axes = plot.figure_of(len(study.panels))
    for ax, (name, panel) in zip(axes, study.panels.items(), strict=True):
        series: dict[str, tuple[list[float], list[float]]] = {}
        for where, label, x, y in outcome.rows:
            if where == name:
                across, up = series.setdefault(label, ([], []))
                across.append(x)
                up.append(y)
        plot.lines(series, ax=ax, x=panel.x, y=panel.y, log=panel.log, marks=panel.marks)
        ax.set_title(panel.title, fontsize=9, loc="left")
    return figure
