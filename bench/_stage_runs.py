"""The runs of a stage: JSON lines that an interrupted stage goes on from.

f*, the least f that any method saw, is known when all methods have run on a problem. Until then
each run is a line with every evaluation that lowered its f. Once it is known, one line takes their
place: what each method took to each goal f - f* <= tau (f(x0) - f*), which is all that the figures
need, and a hundredth of the size. A method that comes later is measured against the f* of that
line; where it saw a lower f that moves the goals, the problem is run anew.
"""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import numpy as np
from _solvers import TAUS, Run

from mdbopt import _files

# f* may move by so much of the closest goal's gap without a word.
NEGLIGIBLE = 1e-2
# Stage and problem.
Key = tuple[str, str]


class Runs:
    """What has been run, in memory and, where a path is given, in a file.

    Parameters
    ----------
    path : path or None
        A file of JSON lines that is read and written.
    cap : int
        Evaluations of a run; a file with another number ends the program.
    """

    def __init__(self, path: pathlib.Path | None, cap: int) -> None:
        self._path, self._cap = path, cap
        self._traces: dict[Key, dict[str, Any]] = {}
        self.settled: dict[Key, dict[str, Any]] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: pathlib.Path) -> None:
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut off when it was written: it is run again
            if row["cap"] != self._cap:
                raise SystemExit(
                    f"--runs: {path} has runs of {row['cap']} evaluations, expected --cap "
                    f"{self._cap}"
                )
            key = row["stage"], row["problem"]
            if "methods" in row:
                self.settled[key] = row
                self._traces.pop(key, None)
            else:
                self._traces.setdefault(key, {})[row["method"]] = row

    def missing(self, key: Key, names: list[str]) -> list[str]:
        """Return which of these methods have not run on a problem."""
        done = {**self._traces.get(key, {}), **self.settled.get(key, {}).get("methods", {})}
        return [name for name in names if name not in done]

    def keep(self, key: Key, method: str, run: Run, counted: bool) -> None:
        """Keep a run; ``counted`` tells whether its values are evaluations, or fits."""
        finite = np.where(np.isfinite(run.values), run.values, np.inf)
        best = np.minimum.accumulate(finite)
        lower = np.flatnonzero(best < np.concatenate([[np.inf], best[:-1]]))
        stage, problem = key
        row = {
            "stage": stage, "problem": problem, "method": method, "cap": self._cap,
            "counted": counted, "evaluations": (lower + 1).tolist(), "f": best[lower].tolist(),
            "moments": run.moments[lower].tolist(), "spent": len(run.values),
            "seconds": run.seconds, "message": run.message, "failed": run.failed,
        }  # fmt: skip
        self._traces.setdefault(key, {})[method] = row
        if self._path is not None:
            _append(self._path, row)

    def settle(self, key: Key, f0: float, facts: dict[str, Any]) -> bool:
        """Put what each method took in the place of its evaluations.

        Returns False, and forgets the problem, where f* is not that of runs already settled.
        """
        traces = self._traces.pop(key, {})
        old = self.settled.get(key)
        if not traces:
            return old is not None
        least = min((row["f"][-1] for row in traces.values() if row["f"]), default=math.inf)
        if old is None:
            best = min(least, f0)
        else:
            best = old["best"]
            if least < best - NEGLIGIBLE * min(TAUS) * (f0 - best):
                del self.settled[key]
                self._write()
                return False
        methods = {} if old is None else old["methods"]
        for name, row in traces.items():
            methods[name] = _crossings(row, f0, best)
        stage, problem = key
        self.settled[key] = {
            **(old or {}),
            "stage": stage, "problem": problem, "cap": self._cap, "f0": f0, "best": best,
            **facts, "methods": methods,
        }  # fmt: skip
        self._write()
        return True

    def _write(self) -> None:
        """Write the whole file anew, in one step."""
        if self._path is None:
            return
        rows = [*self.settled.values()]
        for traces in self._traces.values():
            rows += traces.values()
        text = "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in rows)
        _files.replace(self._path, lambda file: file.write(text.encode()))


def _append(path: pathlib.Path, row: dict[str, Any]) -> None:
    """Write a line behind the others, on a line of its own whatever was cut off before."""
    cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write(("\n" if cut else "") + json.dumps(row, allow_nan=False) + "\n")


def _crossings(row: dict[str, Any], f0: float, best: float) -> dict[str, Any]:
    """Return what a run took to each goal, None where it did not get there."""
    evaluations: dict[str, int | None] = {}
    seconds: dict[str, float | None] = {}
    for tau in TAUS:
        goal = best + tau * (f0 - best)
        at = next((k for k, f in enumerate(row["f"]) if f <= goal), None)
        name = f"{tau:.0e}"
        counted = at is not None and row["counted"]
        evaluations[name] = row["evaluations"][at] if counted else None
        seconds[name] = None if at is None else row["moments"][at]
    return {
        "counted": row["counted"], "evaluations": evaluations, "seconds": seconds,
        "least": row["f"][-1] if row["f"] else None, "spent": row["spent"],
        "took": row["seconds"], "message": row["message"], "failed": row["failed"],
    }  # fmt: skip
