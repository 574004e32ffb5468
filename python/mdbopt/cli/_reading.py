"""What ``fit`` and ``predict`` ask about a file: the options of `mdbopt.data.load`."""

from __future__ import annotations

import argparse
from typing import Any

STANDARD_INPUT = "/dev/stdin"


def add_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare how a file is read; return the group, to which a command may add."""
    group = parser.add_argument_group("how DATA is read (found out by default)")
    add, both = group.add_argument, argparse.BooleanOptionalAction
    add("--header", action=both, help="whether the first line holds the names of the columns")
    add("--sep", metavar="C", help="delimiter: a character, tab or whitespace")
    add("--decimal", metavar="C", help="decimal mark, . or ,")
    add("--thousands", metavar="C", help="separator of thousands (none)")
    add("--encoding", metavar="NAME", help="of text, such as cp1252 (UTF-8)")
    add("--zero-based", action=both, help="whether indices of LIBSVM text count from 0")
    return group


def options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was asked for as keywords of `mdbopt.data.load`."""
    given = {name: getattr(args, name) for name in ("sep", "decimal", "thousands", "encoding")}
    given["header"] = "auto" if args.header is None else args.header
    given["zero_based"] = "auto" if args.zero_based is None else args.zero_based
    return given


def path(text: str) -> str:
    """Return the path of DATA; - stands for standard input."""
    return STANDARD_INPUT if text == "-" else text
