"""Part updates: steps of optimizers beside those of other libraries, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from measuring import ours, values
from measuring.clock import Pair, Turn, paired
from measuring.kernels import traffic
from measuring.methods import Method
from measuring.peers import Peer
from measuring.yardstick import fastest


@dataclass(frozen=True)
class Where:
    """What a row is about.

    Attributes
    ----------
    method : Method
        The update.
    dtype : str
        Of parameters and gradients.
    label : str
        The name of a model, empty for one array.
    shapes : tuple of tuple of int
        Of the parameters.
    threads : int
        Threads of everybody.
    """

    method: Method
    dtype: str
    label: str
    shapes: tuple[values.Shape, ...]
    threads: int

    @property
    def size(self) -> int:
        """Elements of all parameters."""
        return sum(math.prod(shape) for shape in self.shapes)


def one_array(method: Method, dtype: str, size: int, threads: int) -> Where:
    """Describe an update of one array."""
    return Where(method, dtype, "", ((size,),), threads)


def model(method: Method, dtype: str, name: str, threads: int) -> Where:
    """Describe an update of all parameters of a model."""
    return Where(method, dtype, name, tuple(values.MODELS[name]()), threads)


class Peers:
    """The peers that take part; one that fails is told of once and left out from then on.

    Parameters
    ----------
    peers : sequence of Peer
        Those installed.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.running = list(peers)
        self.failed: dict[str, str] = {}

    def step(self, peer: Peer, where: Where) -> Callable[[], Any] | None:
        """Give a peer's step on arrays of its own, None when it has none like this."""
        if peer.name in self.failed or where.size > peer.most:
            return None
        try:
            if not peer.set_threads(where.threads):
                return None
            params, grads = values.parameters(where.shapes, where.dtype, peer.memory)
            return peer.step(where.method, params, grads)
        except Exception as error:  # whatever a library of others may raise
            self.failed[peer.name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return None


def our_turn(where: Where, memory: str, form: str, **keywords: Any) -> Turn:
    """Give our step on arrays of its own."""
    shapes = list(where.shapes)
    keywords |= {"form": form, "threads": where.threads}
    return Turn(ours.fresh(where.method, shapes, where.dtype, memory, **keywords))


def beside(where: Where, peer: Peer, peers: Peers, span: float) -> Pair | None:
    """Let our step and a peer's take turns; None when the peer has none like this."""
    theirs = peers.step(peer, where)
    if theirs is None:
        return None
    form = "plan" if peer.functional else "step"
    return paired(our_turn(where, peer.memory, form), Turn(theirs), span)


def measure(where: Where, peers: Peers, span: float) -> dict[str, Any]:
    """Time a step, planned and not, a copy of its traffic, and every peer's.

    Parameters
    ----------
    where : Where
        What is updated.
    peers : Peers
        Beside whom.
    span : float
        Seconds for each pair.
    """
    forms = paired(our_turn(where, "numpy", "step"), our_turn(where, "numpy", "plan"), span)
    bytes_ = traffic(ours.rule_of(where.method), where.dtype) * where.size
    row: dict[str, Any] = {
        "rule": where.method.name,
        "dtype": where.dtype,
        "model": where.label,
        "arrays": len(where.shapes),
        "size": where.size,
        "threads": where.threads,
        "seconds_step": forms.ours,
        "seconds_plan": forms.theirs,
        "bytes": bytes_.moved,
        "gb_s": bytes_.moved / forms.theirs / 1e9,
        "copy_gb_s": bytes_.moved / fastest(bytes_, where.threads) / 1e9,
        "peers": {},
    }
    for peer in peers.running:
        pair = beside(where, peer, peers, span)
        if pair is not None:
            row["peers"][peer.name] = {
                "seconds": pair.theirs,
                "seconds_ours": pair.ours,
                "ratio": pair.ratio,
                "low": pair.low,
                "high": pair.high,
            }
    return row
