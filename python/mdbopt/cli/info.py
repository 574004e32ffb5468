"""info – Tell what this installation is and what it can use on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
from importlib import metadata
from typing import Any

import numpy as np
import scipy

import mdbopt
from mdbopt import _core
from mdbopt.cli._table import say

# The extras for users, and the packages that each of them adds.
EXTRAS = {
    "data": ("pandas", "scikit-learn"),
    "optimagic": ("optimagic",),
    "plot": ("matplotlib",),
    "progress": ("tqdm",),
    "scikit-learn": ("scikit-learn",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mdbopt info``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    """Print what `collect` finds."""
    found = collect()
    say(json.dumps(found, indent=2) if args.json else _text(found))


def collect() -> dict[str, Any]:
    """Describe this installation.

    Returns
    -------
    dict
        ``version, python, numpy, scipy, platform`` (str), ``backends`` (best first: name,
        supported, active), ``threads`` (of a call that names no number), ``dtypes``, ``cuda``
        (available, why_not, devices: index, name, compute_capability, multiprocessors, memory in
        bytes), ``extras`` (by extra: its packages, each with its version or None).

    Examples
    --------
    >>> from mdbopt.cli import info
    >>> info.collect()["dtypes"]
    ['float64', 'float32']
    """
    return {
        "version": mdbopt.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "backends": [
            {"name": b.name, "supported": b.supported, "active": b.active}
            for b in mdbopt.backends()
        ],
        "threads": _core.threads(),
        "dtypes": sorted(mdbopt.rules()[0].bytes, reverse=True),
        "cuda": {
            "available": mdbopt.cuda.is_available(),
            "why_not": mdbopt.cuda.why_not(),
            "devices": [dataclasses.asdict(device) for device in mdbopt.cuda.devices()],
        },
        "extras": {
            extra: {package: _version(package) for package in packages}
            for extra, packages in EXTRAS.items()
        },
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cuda(found: dict[str, Any]) -> str:
    if not found["available"]:
        return f"not available: {found['why_not']}"
    devices = []
    for device in found["devices"]:
        major, minor = device["compute_capability"]
        memory = device["memory"] / 2**30
        devices.append(
            f"cuda:{device['index']} {device['name']} (sm_{major}{minor}, {memory:.0f} GiB)"
        )
    return ", ".join(devices)


def _text(found: dict[str, Any]) -> str:
    backends = []
    for backend in found["backends"]:
        state = "active" if backend["active"] else "supported"
        backends.append(
            f"{backend['name']} ({state if backend['supported'] else 'not on this processor'})"
        )
    rows = [
        ("mdbopt", found["version"]),
        ("python", f"{found['python']}, NumPy {found['numpy']}, SciPy {found['scipy']}"),
        ("platform", found["platform"]),
        ("backends", ", ".join(backends)),
        ("threads", str(found["threads"])),
        ("dtypes", ", ".join(found["dtypes"])),
        ("CUDA", _cuda(found["cuda"])),
    ]
    for extra, packages in found["extras"].items():
        missing = f"missing: pip install 'mdbopt[{extra}]'"
        told = (f"{package} {version or missing}" for package, version in packages.items())
        rows.append((f"[{extra}]", ", ".join(told)))
    return "\n".join(f"{name:<11}{value}" for name, value in rows)
