"""The machine that figures come from."""

from __future__ import annotations

import datetime
import math
import os
import pathlib
import platform
import subprocess
import time
from importlib import metadata
from typing import Any

import numpy as np
import scipy

import mdbopt
from measuring.clock import all_threads


def machine() -> dict[str, Any]:
    """Describe processor, load, versions, commit, backend, threads and date."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "system": platform.platform(terse=True),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "mdbopt": mdbopt.__version__,
        "commit": _commit(),
        "backend": next(backend.name for backend in mdbopt.backends() if backend.active),
        "threads": all_threads(),
    }


def told(this: dict[str, Any]) -> str:
    """Tell what `machine` found on two lines."""
    return (
        f"{this['date']}   {this['processor']}, {this['cores']} cores, load {this['load']}\n"
        f"mdbopt {this['mdbopt']} ({this['backend']}, {this['threads']} threads)   "
        f"Python {this['python']}   NumPy {this['numpy']}   SciPy {this['scipy']}"
    )


class Others:
    """What other processes, and other guests of this host, take from the processors meanwhile."""

    def __init__(self) -> None:
        self._begin = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        # with what is spent in processes that a library starts and waits for
        return time.perf_counter(), _busy() - sum(os.times()[:4])

    def share(self) -> float:
        """Return their part of all processors' time since this was made; NaN if nobody knows."""
        (begin, before), (end, after) = self._begin, self._now()
        return max(0.0, (after - before) / ((end - begin) * (os.cpu_count() or 1)))


def _busy() -> float:
    """Return the seconds that all processors together were not idle."""
    try:
        first = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return math.nan
    ticks = [int(word) for word in first[1:9]]  # guests count as users already
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def version(distribution: str) -> str | None:
    """Return the version of what is installed, None of what is not."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit that these files are of, and a + where they differ; None out of a clone."""
    asked = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(
            asked, cwd=pathlib.Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
