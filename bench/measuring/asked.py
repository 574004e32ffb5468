"""What the command line of measure.py asks for, checked before a clock runs."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence

import mdbopt
from mdbopt import _checks
from mdbopt.cli import _outputs
from mdbopt.kernels._internal import RULES
from measuring import peers, values
from measuring.clock import all_threads
from measuring.methods import METHODS
from measuring.peers import Peer

PARTS = ("kernels", "updates", "solvers")
DTYPES = ("float64", "float32", "bfloat16", "float16")
# What nobody asked about otherwise: a minute in all.
SIZES = (1_000, 100_000, 10_000_000)
UPDATES = ("adamw", "lion")
SECONDS = 0.1


class Asked:
    """A command line that has been understood.

    Attributes
    ----------
    parts, dtypes, backends : list of str
        Names.
    sizes, update_sizes, threads : list of int
        Elements, those of updates of one array, and numbers of threads.
    models : list of str
        Lists of arrays to update.
    rules : set of str or None
        Rules to measure, None for all.
    methods : list of str
        Updates to measure.
    peers, missing : list of Peer
        Those asked for, by whether they are installed.
    seconds : float
        For each pair.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.parts = _names("PART", args.parts, PARTS) or list(PARTS)
        self.dtypes = _names("--dtypes", _split(args.dtypes), DTYPES) or ["float32"]
        self.models = _names("--models", _split(args.models), tuple(values.MODELS)) or []
        self.sizes = list(SIZES) if args.sizes is None else _sizes(args.sizes)
        self.update_sizes = [] if self.models and args.sizes is None else self.sizes
        self.threads = _threads(args.threads)
        self.backends = _backends(args.backends)
        self.rules, self.methods = _rules(args.rules)
        self.peers, self.missing = _peers(args.peers)
        self.seconds = SECONDS
        if args.seconds is not None:
            self.seconds = _checks.real("--seconds", args.seconds, least=0.0, strict=True)
        if args.json is not None:
            _outputs.check_place("--json", pathlib.Path(args.json), None)
        if args.plot is not None:
            _outputs.check_place("--plot", args.plot, None)
            _outputs.check_picture("--plot", args.plot)


def _split(text: str | None) -> list[str]:
    return [] if text is None else [part.strip() for part in text.split(",")]


def _names(option: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in given:
        if name not in known:
            raise ValueError(f"{option}: unknown {name!r}, expected some of {', '.join(known)}")
    return list(dict.fromkeys(given))


def _sizes(text: str) -> list[int]:
    sizes = []
    for part in _split(text):
        try:
            number = float(part)
        except ValueError:
            number = 0.5
        if not number.is_integer() or number < 1:
            raise ValueError(f"--sizes: expected whole numbers such as 1e3,30000, got {part!r}")
        sizes.append(int(number))
    return list(dict.fromkeys(sizes))


def _threads(text: str | None) -> list[int]:
    if text is None:
        return [all_threads()]
    threads = []
    for part in _split(text):
        if part != "all" and not (part.isdecimal() and int(part) >= 1):
            raise ValueError(f"--threads: expected numbers or all, got {part!r}")
        threads.append(all_threads() if part == "all" else int(part))
    return list(dict.fromkeys(threads))


def _backends(text: str | None) -> list[str]:
    backends = mdbopt.backends()
    supported = [backend.name for backend in backends if backend.supported]
    if text is None:
        return [backend.name for backend in backends if backend.active]
    return supported if text == "all" else _names("--backends", _split(text), supported)


def _rules(text: str | None) -> tuple[set[str] | None, list[str]]:
    """Return the rules and the updates of these names; an update brings its rule, and back."""
    if text is None:
        return None, list(UPDATES)
    if text == "all":
        return None, list(METHODS)
    known = dict.fromkeys([*(rule.name for rule in RULES), *METHODS])
    names = _names("--rules", _split(text), list(known))
    methods = [m.name for m in METHODS.values() if m.name in names or m.rule in names]
    return {*names, *(METHODS[name].rule for name in names if name in METHODS)}, methods


def _peers(text: str | None) -> tuple[list[Peer], list[Peer]]:
    if text == "none":
        return [], []
    return peers.chosen(_names("--peers", _split(text), tuple(peers.PEERS)) or None)
