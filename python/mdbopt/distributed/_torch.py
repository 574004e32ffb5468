"""PyTorch's process groups as the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def engine(group: Any) -> tuple[Callable[[Numbers], Numbers], int, int]:
    """Return how a group gathers, this process's rank in it, and the number of processes."""
    try:
        import torch.distributed as distributed
    except ImportError as error:
        raise ImportError(
            "mdbopt.distributed: PyTorch is not installed: pip install mdbopt[torch]"
        ) from error
    if not (distributed.is_available() and distributed.is_initialized()):
        raise RuntimeError(
            "group: expected an initialised process group, got none; call "
            "torch.distributed.init_process_group first"
        )
    groups = _groups(group)
    shard, shards = 0, 1
    for one in groups:
        rank, size = distributed.get_rank(one), distributed.get_world_size(one)
        if rank < 0:
            raise ValueError("group: expected one that this process is in, got another")
        shard, shards = shard * size + rank, shards * size

    def gather(values: Numbers) -> Numbers:
        everything = values[None]
        for one in reversed(groups):
            everything = _gathered(everything, one)
        return everything

    return gather, shard, shards


def _groups(group: Any) -> list[Any]:
    """List the groups along each dimension of a mesh, or those that are given."""
    if isinstance(group, (list, tuple)):
        return list(group)
    if not hasattr(group, "mesh_dim_names"):
        return [group]
    return [group.get_group(dimension) for dimension in range(group.ndim)]


def _gathered(values: Numbers, group: Any) -> Numbers:
    """Gather arrays of shape (k, n) to one of shape (processes·k, n)."""
    import torch
    import torch.distributed as distributed

    device = _device(group)
    mine = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    size = distributed.get_world_size(group)
    parts = [torch.empty_like(mine) for _ in range(size)]
    try:
        _finish(distributed.all_gather(parts, mine, group=group, async_op=True), mine, group)
    except RuntimeError as error:
        rank = distributed.get_rank(group)
        missing = _missing(_store(group), rank, size)
        who = f"rank {', '.join(map(str, missing))}" if missing else "a rank"
        raise RuntimeError(
            f"reducer: {who} of {size} has not answered rank {rank}: {error}"
        ) from error
    return np.concatenate([part.cpu().numpy() for part in parts])


def _device(group: Any) -> str:
    """Tell where a group wants its tensors."""
    import torch.distributed as distributed

    return "cuda" if distributed.get_backend(group) == "nccl" else "cpu"


# How long a rank that is in a gather waits until it asks whether another one's has failed; seconds.
UNTIL_ASKED = 1.0
# How long those that are left wait to find one another, after their group has failed; seconds.
PATIENCE = 10.0
BETWEEN_LOOKS = 0.1
# In the store, beside the ranks that are left.
FAILED = "failed"


def _finish(work: Any, mine: Any, group: Any) -> None:
    """Wait for a gather, or until another rank says that its own has failed.

    Of a rank that dies gloo tells those who were about to exchange something with it. The others
    would wait for these, which do not go on.
    """
    if mine.device.type != "cpu":
        work.wait()
        return
    while True:
        try:
            work.wait(timedelta(seconds=UNTIL_ASKED))
            return
        except RuntimeError:
            if work.is_completed():
                work.wait()  # what went wrong, unless it was completed just now
                return
        if _knows(_store(group), FAILED):
            raise RuntimeError("another rank has found that their group has failed")


def _store(group: Any) -> Any:
    """Return where the ranks of a group say that it has failed, None where that is not known."""
    import torch.distributed as distributed

    try:
        name = (group or distributed.group.WORLD).group_name
        store = distributed.distributed_c10d._get_default_store()
        return distributed.PrefixStore(f"mdbopt/{name}", store)
    except (AttributeError, RuntimeError):
        return None


def _knows(store: Any, key: str) -> bool | None:
    """Say whether a key is in the store, None where the store does not answer."""
    try:
        return None if store is None else bool(store.check([key]))
    except RuntimeError:
        return None


def _missing(store: Any, rank: int, size: int) -> list[int]:
    """Find the ranks that do not notice that their group has failed, where its store works."""
    try:
        for key in (FAILED, str(rank)):
            store.set(key, "here")
    except (AttributeError, RuntimeError):
        return []
    asked = [other for other in range(size) if other != rank]
    missing: list[int] = []
    end = time.monotonic() + PATIENCE
    while asked:
        known = {other: _knows(store, str(other)) for other in asked}
        if None in known.values():
            break  # The store's owner has waited as long as we have, and left.
        asked = missing = [other for other in asked if not known[other]]
        if time.monotonic() >= end:
            break
        time.sleep(BETWEEN_LOOKS)
    return missing
