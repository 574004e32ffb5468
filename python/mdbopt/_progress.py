"""Live progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO


class Progress:
    """Shows f, max|g| and evaluations per second.

    Parameters
    ----------
    total : int
        The largest number of evaluations; `sys.maxsize` stands for no limit.
    label : str
        What is running.
    count : int
        Evaluations before this one began to count.
    stream : file, default sys.stderr
        A terminal gets tqdm's bar, anything else a plain line every ``interval`` seconds.

    Raises
    ------
    ImportError
        On a terminal without tqdm; the message names the extra to install.
    """

    interval = 2.0

    def __init__(
        self, total: int, label: str, count: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._label = label
        self._count = self._first = count
        self._start = self._shown = time.perf_counter()
        self._bar: Any = None
        if self._stream.isatty():
            try:
                from tqdm import tqdm
            except ImportError as error:
                raise ImportError(
                    "progress=True on a terminal needs tqdm: pip install 'mdbopt[progress]'"
                ) from error
            limit = total if total < sys.maxsize else None
            self._bar = tqdm(total=limit, initial=count, desc=label, unit="eval", file=self._stream)

    def update(self, f: float, gmax: float) -> None:
        """Count one evaluation and show the current point."""
        self._count += 1
        if self._bar is not None:
            self._bar.set_postfix_str(f"f={f:.6g} max|g|={gmax:.2e}", refresh=False)
            self._bar.update()
        elif time.perf_counter() - self._shown >= self.interval:
            self._line(f, gmax)

    def close(self, f: float, gmax: float) -> None:
        """Show the final point and leave the terminal in order."""
        if self._bar is not None:
            # A run that has ended is at its end, wherever its limit was.
            self._bar.total = self._count
            self._bar.refresh()
            self._bar.close()
        else:
            self._line(f, gmax)

    def _line(self, f: float, gmax: float) -> None:
        self._shown = time.perf_counter()
        rate = (self._count - self._first) / max(self._shown - self._start, 1e-9)
        print(
            f"{self._label}: {self._count} evaluations, f={f:.6g}, max|g|={gmax:.2e}, {rate:.0f}/s",
            file=self._stream,
            flush=True,
        )
