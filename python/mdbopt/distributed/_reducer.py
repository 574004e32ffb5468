"""A reducer over an engine that gathers arrays from all shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdbopt import _checks
from mdbopt.distributed import _mpi, _torch

Numbers = NDArray[np.float64]

# Elements at which sums have the bits of the whole, wherever shards begin.
CHUNK = 1024


def piece(size: int, shard: int, shards: int) -> slice:
    """Give the elements of a vector that one of several shards holds.

    Shards begin at multiples of 1024, where results have the bits of the whole, and are as long as
    one another up to one such chunk; the last ones of a short vector are empty.

    Parameters
    ----------
    size : int
        Elements of the whole, >= 0.
    shard, shards : int
        Which one of how many, 0 <= shard < shards.

    Returns
    -------
    slice

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or out of its range.

    Examples
    --------
    >>> from mdbopt.distributed import piece
    >>> [piece(5000, shard, 3) for shard in range(3)]
    [slice(0, 1024, None), slice(1024, 3072, None), slice(3072, 5000, None)]
    """
    size = _checks.whole("size", size, least=0)
    shards = _checks.whole("shards", shards, least=1)
    shard = _checks.whole("shard", shard, least=0, below=shards)
    chunks = -(-size // CHUNK)
    first, last = (k * chunks // shards * CHUNK for k in (shard, shard + 1))
    return slice(min(first, size), min(last, size))


class Reducer:
    """How shards meet; ``reducer=`` of `minimize`, searches and optimizers.

    Made by `Reducer.torch` or `Reducer.mpi`. Called with float64 values of shape (n,), it returns
    what all shards gave, shape (shards, n), in the order of their ranks.

    Attributes
    ----------
    shard, shards : int
        Which one of how many this is.

    Examples
    --------
    >>> import numpy as np
    >>> from mdbopt.distributed import Reducer
    >>> alone = Reducer(lambda values: values[None], shard=0, shards=1)
    >>> alone.add(np.arange(3.0))
    array([0., 1., 2.])
    """

    def __init__(self, gather: Callable[[Numbers], Numbers], *, shard: int, shards: int) -> None:
        self._gather = _checks.function("gather", gather)
        self.shards = _checks.whole("shards", shards, least=1)
        self.shard = _checks.whole("shard", shard, least=0, below=self.shards)

    @classmethod
    def torch(cls, group: Any = None) -> Reducer:
        """Meet by a process group of PyTorch.

        Parameters
        ----------
        group : torch.distributed.ProcessGroup, DeviceMesh or list of ProcessGroup, optional
            Of gloo, NCCL or another backend that gathers tensors; the default group when None. Of a
            mesh all dimensions shard, the last one fastest: give ``mesh["shard"]`` for one of them.
            A list has the groups along such dimensions.

        Raises
        ------
        ImportError
            When PyTorch is not installed: ``pip install mdbopt[torch]``.
        RuntimeError
            When no process group is initialised; later, when a process has not answered in the
            group's timeout, with the ranks that are missing where that can be found out.
        ValueError
            When this process is not a member of the group.
        """
        gather, shard, shards = _torch.engine(group)
        return cls(gather, shard=shard, shards=shards)

    @classmethod
    def mpi(cls, communicator: Any = None) -> Reducer:
        """Meet by MPI.

        Parameters
        ----------
        communicator : mpi4py.MPI.Comm, optional
            ``MPI.COMM_WORLD`` when None.

        Raises
        ------
        ImportError
            When mpi4py is not installed: ``pip install mdbopt[distributed]``.
        TypeError
            When it is no communicator of mpi4py.
        """
        gather, shard, shards = _mpi.engine(communicator)
        return cls(gather, shard=shard, shards=shards)

    def __call__(self, values: Numbers) -> Numbers:
        """Give values to all shards; return what all of them gave."""
        everything: Numbers = self._gather(values)
        return everything

    def piece(self, size: int) -> slice:
        """Give the elements of a vector of this size that this shard holds; see `piece`."""
        return piece(size, self.shard, self.shards)

    def add(self, values: ArrayLike) -> Numbers:
        """Return the sum over all shards, with the same bits on every one.

        Parameters
        ----------
        values : array of float64, or what becomes one, of the same shape on all shards
            This shard's part.

        Returns
        -------
        array of float64
            Of that shape: the parts added in the order of the shards.
        """
        part = np.asarray(values, np.float64)
        parts = self(np.ascontiguousarray(part).ravel())
        total: Numbers = parts[0].copy()
        for other in parts[1:]:
            total += other
        return total.reshape(part.shape)
