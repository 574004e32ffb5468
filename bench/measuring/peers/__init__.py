"""Other libraries' updates, each imported when it is asked for and only if it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from measuring.clock import Call
from measuring.machine import version
from measuring.methods import Method


@dataclass(frozen=True)
class Peer:
    """A way to make the same update.

    Attributes
    ----------
    name : str
        What ``--peers`` takes, and the head of its column.
    package : str
        What must be importable.
    distribution : str
        What pip installs.
    module : str
        The file beside this one that knows the library. Its ``step(name, method, params, grads)``
        returns a callable that makes one update in place, or None for what the library lacks; its
        ``set_threads(count)`` says False when the library cannot be held to that number.
    memory : {"numpy", "torch"}
        Whose arrays it updates; mdbopt is given the same kind.
    functional : bool
        Whether it is called with all arrays at once, without an optimizer's bookkeeping. Then it
        is set beside our planned step.
    most : int
        Elements at most: what takes temporaries of many arrays is left out beyond.
    """

    name: str
    package: str
    distribution: str
    module: str
    memory: str = "torch"
    functional: bool = False
    most: int = 1 << 62

    @property
    def installed(self) -> bool:
        """Whether its package can be found; nothing is imported."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def version(self) -> str | None:
        """Version of the distribution."""
        return version(self.distribution)

    def step(self, method: Method, params: list[Any], grads: list[Any]) -> Call | None:
        """Give a callable that makes one update of `params`, None when there is no such update."""
        call: Call | None = self._library().step(self.name, method, params, grads)
        return call

    def set_threads(self, count: int) -> bool:
        """Hold the library to so many threads; False where it cannot be."""
        return bool(self._library().set_threads(count))

    def _library(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.module}")


PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", "torch", "torch", "_torch"),
        Peer("torch-functional", "torch", "torch", "_torch", functional=True),
        Peer("torch-foreach", "torch", "torch", "_torch", most=20_000_000),
        Peer("deepspeed", "deepspeed", "deepspeed", "_deepspeed"),
        Peer("lion-pytorch", "lion_pytorch", "lion-pytorch", "_torch_extras", most=20_000_000),
        Peer(
            "pytorch-optimizer",
            "pytorch_optimizer",
            "pytorch_optimizer",
            "_torch_extras",
            most=20_000_000,
        ),
        Peer("jax", "optax", "optax", "_jax", memory="numpy", most=20_000_000),
        Peer("numba", "numba", "numba", "_numba", memory="numpy"),
        Peer("numpy", "numpy", "numpy", "_numpy", memory="numpy", most=20_000_000),
    )
}


def chosen(names: Sequence[str] | None) -> tuple[list[Peer], list[Peer]]:
    """Split the peers of these names (None: all) into those installed and those not."""
    asked = [PEERS[name] for name in (PEERS if names is None else names)]
    return [peer for peer in asked if peer.installed], [p for p in asked if not p.installed]
