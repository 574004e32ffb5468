"""Live progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
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
        A terminal gets tqdm's bar where tqdm is installed, anything else a plain line every
        ``interval`` seconds.

    Notes
    -----
    It never ends the run that it shows: what is no terminal, has no tqdm or takes no text is shown
    less, or nothing.
    """

    interval = 2.0

    def __init__(
        self, total: int, label: str, count: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = _Quiet(sys.stderr if stream is None else stream)
        self._label = label
        self._count = self._first = count
        self._start = self._shown = time.perf_counter()
        self._bar: Any = None
        if is_terminal(self._stream):
            limit = total if total < sys.maxsize else None
            with contextlib.suppress(ImportError):
                from tqdm import tqdm

                self._bar = tqdm(
                    total=limit, initial=count, desc=label, unit="eval", file=self._stream
                )

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
        self._stream.write(
            f"{self._label}: {self._count} evaluations, f={f:.6g}, max|g|={gmax:.2e}, "
            f"{rate:.0f}/s\n"
        )
        self._stream.flush()


class _Quiet:
    """A stream, if it is one, that takes text until it fails and drops all that comes then."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            if self._stream is not None:
                self._stream.write(text)
        except Exception:
            self._stream = None

    def flush(self) -> None:
        # What cannot flush keeps nothing back.
        with contextlib.suppress(Exception):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def is_terminal(stream: Any) -> bool:
    """Tell whether somebody looks at a stream, which may be closed, foreign or None."""
    try:
        return bool(stream.isatty())
    except Exception:
        return False
