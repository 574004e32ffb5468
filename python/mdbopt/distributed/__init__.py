"""Shards that meet by PyTorch's process groups or by MPI, and states that change their number.

`mdbopt.searches` says what shards are, and docs/shards.md what every one of them does::

    reducer = mdbopt.distributed.Reducer.mpi(MPI.COMM_WORLD)
    own = reducer.piece(d)

    def fun(w):                                   # this shard's columns of a table
        margins = y * reducer.add(X[:, own] @ w)  # the whole product, the same on every shard
        loss, slope = losses(margins)
        return loss, X[:, own].T @ slope

    result = mdbopt.minimize(fun, np.zeros(own.stop - own.start), jac=True, reducer=reducer)
"""

from mdbopt.distributed._reducer import Reducer, piece
from mdbopt.distributed._states import merge, split

__all__ = ["Reducer", "merge", "piece", "split"]
