"""Part kernels: bytes a second of every rule, called from Python, beside loops of its traffic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mdbopt.kernels import _internal
from mdbopt.kernels._rules import Rule
from measuring import values
from measuring.clock import Turn, interleaved, seconds
from measuring.yardstick import Copy, Loop, Traffic

ROUNDS = 3
# Calls between two refills: what shrinks by half at every one stays an ordinary number.
MOST = 400
# for scalars without a default: small steps, so that repeated calls stay within the numbers
UNGIVEN = 1e-3
# Where a small number makes a rule refuse, or a result leave the ordinary numbers: it would then
# walk half of its way, or another.
SCALARS: dict[str, dict[str, float]] = {
    "apply_metric": {"one": 1.0},
    "ellipsoid_cut": {"cut": 1e3},
    "rescale": {"factor": 0.999},
}
NAMED_SCALARS = {"t": 5.0}
# Streams that are a mask: what they multiply must come back.
MASKS = {"restrict": ("q",)}


@dataclass(frozen=True)
class Where:
    """What a row is about.

    Attributes
    ----------
    rule : str
        Its name.
    dtype : str
        Of the call.
    backend : str
        Name of a backend.
    size : int
        Elements of each stream.
    threads : int
        Threads of the call.
    """

    rule: str
    dtype: str
    backend: str
    size: int
    threads: int


class Case:
    """A rule with arrays to run on."""

    def __init__(self, rule: Rule, where: Where, streams: values.Streams) -> None:
        self._kernel = getattr(_internal, rule.name)
        self._refill = streams.refill
        self._streams = [
            streams.get(k, stream.dtype(where.dtype), where.size)
            for k, stream in enumerate(rule.streams)
        ]
        for stream, array in zip(rule.streams, self._streams, strict=True):
            if stream.name in MASKS.get(rule.name, ()):
                array[:] = 1
        self._updated = [k for k, stream in enumerate(rule.streams) if stream.role == "inout"]
        self._keywords: dict[str, Any] = {
            name: NAMED_SCALARS.get(name, UNGIVEN)
            for name, fallback in rule.scalars
            if math.isnan(fallback)
        }
        self._keywords |= SCALARS.get(rule.name, {})
        if rule.takes_lr:
            self._keywords["lr"] = UNGIVEN
        self._keywords |= {"backend": where.backend, "threads": where.threads}

    def __call__(self) -> bool:
        """Run the rule; False when it refused."""
        return bool(self._kernel(*self._streams, **self._keywords).applied)

    def refill(self) -> None:
        """Put back what the rule has updated."""
        for k in self._updated:
            self._refill(k, self._streams[k])

    def turn(self, least: float) -> Any:
        """Give something that times a call; None when the rule refuses these arrays."""
        self.refill()
        if not self():
            return None
        # some refuse what they have updated themselves
        if not self():
            return lambda: statistics.median(self._single() for _ in range(9))
        turn = Turn(self, self.refill, MOST)
        turn.prepare(least)
        return turn

    def _single(self) -> float:
        self.refill()
        return seconds(self)


def traffic(rule: Rule, dtype: str) -> Traffic:
    """Bytes per element that a rule moves."""
    widths = dict.fromkeys(("in", "out", "inout"), 0)
    for stream in rule.streams:
        widths[stream.role] += values.width(stream.dtype(dtype))
    # a second walk reads again
    read = rule.bytes[dtype] - 2 * widths["inout"] - widths["out"]
    return Traffic(widths["inout"], widths["out"], read)


def measure(rule: Rule, where: Where, span: float, streams: values.Streams) -> dict[str, Any]:
    """Time a rule and the loops of its traffic in turn, for about `span` seconds."""
    bytes_ = traffic(rule, where.dtype) * where.size
    turn = Case(rule, where, streams).turn(span / (3 * ROUNDS))
    if turn is None:
        return {"seconds": math.nan}
    copy, loop = Copy(bytes_.moved, where.threads), Loop(bytes_, where.threads)
    found = interleaved({"ours": turn, "copy": copy, "loop": loop}, ROUNDS)
    return {
        "seconds": found["ours"],
        "gb_s": bytes_.moved / found["ours"] / 1e9,
        "copy_gb_s": bytes_.moved / found["copy"] / 1e9,
        "loop_gb_s": bytes_.moved / found["loop"] / 1e9,
        "percent_copy": 100.0 * min(found["copy"], found["loop"]) / found["ours"],
    }


def cases(
    rules: Container[str] | None,
    dtypes: Sequence[str],
    backends: Sequence[str],
    sizes: Sequence[int],
    threads: Sequence[int],
) -> Iterator[tuple[Rule, Where]]:
    """Run through the rules and all that is asked of them."""
    for rule in _internal.RULES:
        if rules is not None and rule.name not in rules:
            continue
        # a rule on step sizes alone knows one dtype
        follows = any(not stream.fixed for stream in rule.streams)
        for dtype in dtypes if follows else ("float64",):
            if dtype not in rule.bytes:
                continue
            for backend in backends:
                for size in sizes:
                    for count in threads:
                        yield rule, Where(rule.name, dtype, backend, size, count)


def over_rules(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum up by dtype, backend, size and threads: the median rule and the least."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if not math.isnan(row["seconds"]):
            key = tuple(row[name] for name in ("dtype", "backend", "size", "threads"))
            groups.setdefault(key, []).append(row)
    summary = []
    for (dtype, backend, size, threads), chosen in groups.items():
        least = min(chosen, key=lambda row: float(row["percent_copy"]))
        summary.append(
            {
                "dtype": dtype,
                "backend": backend,
                "size": size,
                "threads": threads,
                "rules": len(chosen),
                "median": statistics.median(row["percent_copy"] for row in chosen),
                "least": least["percent_copy"],
                "of": least["rule"],
            }
        )
    return summary
