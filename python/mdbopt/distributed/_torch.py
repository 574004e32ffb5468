"""PyTorch's process groups as the engine."""

from __future__ import annotations

from collections.abc import Callable
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
        distributed.all_gather(parts, mine, group=group)
    except RuntimeError as error:
        rank = distributed.get_rank(group)
        missing = _missing(group, rank, size)
        who = f"rank {', '.join(map(str, missing))}" if missing else "a rank"
        raise RuntimeError(
            f"reducer: {who} of {size} has not answered rank {rank}: {error}"
        ) from error
    return np.concatenate([part.cpu().numpy() for part in parts])


def _device(group: Any) -> str:
    """Tell where a group wants its tensors."""
    import torch.distributed as distributed

    return "cuda" if distributed.get_backend(group) == "nccl" else "cpu"


# How long those that are left wait to find one another, after their group has failed; seconds.
PATIENCE = 10.0


def _missing(group: Any, rank: int, size: int) -> list[int]:
    """Find the ranks that do not notice that their group has failed, where its store works."""
    from datetime import timedelta

    import torch.distributed as distributed

    try:
        store = distributed.PrefixStore(
            f"mdbopt/failed/{distributed.get_process_group_ranks(group)}",
            distributed.distributed_c10d._get_default_store(),
        )
        store.set(str(rank), "here")
    except (AttributeError, RuntimeError):
        return []
    missing: list[int] = []
    wait = timedelta(seconds=PATIENCE)
    for other in range(size):
        if other == rank:
            continue
        try:
            store.wait([str(other)], wait)
        except (RuntimeError, distributed.DistStoreError):
            wait = timedelta(seconds=1.0)  # all who are left have had their time
            answers = _answers(store, str(rank))
            if answers or not missing:
                missing.append(other)
            if not answers:
                break  # Its owner has waited as long as we have, and left: it knows of no one else.
    return missing


def _answers(store: Any, key: str) -> bool:
    try:
        return bool(store.check([key]))
    except RuntimeError:
        return False
