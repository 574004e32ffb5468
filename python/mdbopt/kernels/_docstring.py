"""The docstring of a kernel: what the core describes, with what is written beside it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping

from mdbopt.kernels._descriptions import DESCRIPTIONS, UPDATE_WORDS, WORDS
from mdbopt.kernels._rules import Rule, Stream

_WIDTH = 88
_USES = {"in": "Read.", "out": "Written.", "inout": "Read and written, in place."}
_FLAGS = """backend : str, optional
    A name of `mdbopt.backends`; the best that this processor supports by default.
threads : int, optional
    As many at most; those of the process by default."""
_UPDATE_FLAGS = """lr : float or array
    Step size: of all elements, or one for each.
copy, rounding, seed, dtype, flush_subnormals
    See `mdbopt.kernels`."""
_RAISES = """TypeError, ValueError
    When a stream is missing, has another dtype or size than above, has gaps where it is
    written, cannot be written or overlaps another, or a keyword is unknown, missing or not
    finite. Nothing was written then."""


def docstring(rule: Rule) -> str:
    """Return the docstring of a rule, in numpydoc's form."""
    return "\n".join(_lines(rule))


def _lines(rule: Rule) -> Iterator[str]:
    known = DESCRIPTIONS.get(rule.name)
    words = UPDATE_WORDS if rule.update else WORDS | dict(known.words if known else {})
    yield f"{rule.summary}."
    yield ""
    if known is not None and known.about:
        yield from textwrap.wrap(known.about, _WIDTH)
        yield ""
    yield from ("Parameters", "----------")
    for stream in rule.streams:
        yield f"{stream.name} : array of {_dtypes(stream)}"
        yield from _indented(f"{words.get(stream.name, '')} {_USES[stream.role]}")
    for name, fallback in rule.scalars:
        yield f"{name} : float" + ("" if math.isnan(fallback) else f", default {fallback:g}")
        yield from _indented(_scalar(rule, name, words))
    yield from (_UPDATE_FLAGS.splitlines() if rule.takes_lr else ())
    yield from _FLAGS.splitlines()
    yield from ("", "Returns", "-------")
    for name, _ in rule.sums:
        yield f"{name} : float"
        yield from _indented(_sum(rule, name, words))
    yield "applied : bool"
    yield "    False when the rule refused and wrote nothing."
    yield from ("", "Raises", "------", *_RAISES.splitlines())
    yield from ("", "Notes", "-----", _traffic(rule))
    if rule.update:
        yield "docs/updates.md says where conventions differ from other libraries'."
    if known is not None and known.source:
        yield from ("", "References", "----------", *textwrap.wrap(known.source, _WIDTH))
    if rule.update or known is not None:
        yield from ("", "Examples", "--------", ">>> import numpy as np")
        yield ">>> from mdbopt import kernels"
        yield from _update_example(rule) if known is None else known.example.splitlines()


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text.strip(), _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _dtypes(stream: Stream) -> str:
    if stream.fixed:
        return stream.fixed
    *most, last = dict.fromkeys(stream.dtypes.values())
    return f"{', '.join(most)} or {last}"


def _scalar(rule: Rule, name: str, words: Mapping[str, str]) -> str:
    if any(name == result for result, _ in rule.sums):
        return "What the last call returned under this name."
    return words.get(name, "As in the formula.")


def _sum(rule: Rule, name: str, words: Mapping[str, str]) -> str:
    if any(name == scalar for scalar, _ in rule.scalars):
        return "What the next call takes as its scalar of this name."
    return words.get(name, "As in the formula.")


def _traffic(rule: Rule) -> str:
    walks = "One walk" if rule.walks == 1 else f"{rule.walks} walks"
    return f"{walks} over memory, {rule.bytes['float64']} bytes per element in float64."


def _update_example(rule: Rule) -> Iterator[str]:
    """Give a step from arrays of ones, which every update takes."""
    names = ", ".join(stream.name for stream in rule.streams)
    needed = (name for name, fallback in rule.scalars if math.isnan(fallback))
    scalars = "".join(f", {name}=1.0" for name in needed)
    yield f">>> {names} = (np.ones(2) for _ in range({len(rule.streams)}))"
    yield f">>> kernels.{rule.name}({names}, lr=0.1{scalars}).applied"
    yield "True"
