"""The command ``mdbopt``: ``fit``, ``predict``, ``diagnose``, ``study``, and ``info``."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from mdbopt import __version__

__all__ = ["main"]

FAILED, INTERRUPTED = 2, 130


class _UsageError(Exception):
    """A command line that cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Reports an error by an exception, so that all errors look alike."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message} (see {self.prog} --help)")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps names of methods whole, which have hyphens in them."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        0 when done, a fit that ends at a limit included; 2 after an error, told in one line on
        standard error; 130 when interrupted.

    Examples
    --------
    >>> from mdbopt.cli import main
    >>> main(["fit", "--maxfun", "0"])
    2
    """
    try:
        args, unknown = _parser().parse_known_args(argv)
        if unknown:
            args.parser.error(_about_unknown(unknown, args.parser))
        args.run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("\nmdbopt: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, head for one, has had enough; Python's own flush at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        print(f"mdbopt: error: {_in_one_line(error)}", file=sys.stderr)
        return FAILED
    return 0


def _about_unknown(unknown: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """Name arguments that a command does not know, and the option that was perhaps meant."""
    known = [name for action in parser._actions for name in action.option_strings]
    given = unknown[0].partition("=")[0]
    close = [name for name in known if name.startswith(given)]
    close = close or difflib.get_close_matches(given, known, n=1)
    hint = f"; perhaps {close[0]} is meant" if close and given.startswith("--") else ""
    return f"unrecognized arguments: {' '.join(unknown)}{hint}"


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    text = " ".join(str(error).split())
    if isinstance(error, (_UsageError, ImportError, OSError, TypeError, ValueError)) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _parser() -> argparse.ArgumentParser:
    # They bring in SciPy, which takes long enough to be interrupted: `main` says so then.
    from mdbopt.cli import diagnose, fit, info, predict, study

    options: dict[str, Any] = {"allow_abbrev": False}
    parser = _Parser(
        prog="mdbopt",
        description="Fit models without tuning step sizes or scaling columns.",
        **options,
    )
    parser.add_argument("--version", action="version", version=f"mdbopt {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (fit, predict, diagnose, study, info):
        summary = (command.__doc__ or "").partition("\n")[0].partition(" – ")[2]
        below = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=summary,
            description=summary,
            formatter_class=_Formatter,
            **options,
        )
        command.add_arguments(below)
        below.set_defaults(run=command.run, parser=below)
    return parser
