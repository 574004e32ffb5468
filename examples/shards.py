"""Logistic regression whose columns lie apart: each process reads its own, and none has them all.

mpirun -n 4 python examples/shards.py mpi
torchrun --nproc-per-node 4 examples/shards.py torch
"""

import sys

import numpy as np

import mdbopt
from mdbopt.distributed import Reducer

ROWS, COLUMNS = 500, 3000


def columns(own):
    """Stand for reading some columns of a table, each in a unit of its own."""
    drawn = [np.random.default_rng(k).normal(size=ROWS) for k in range(own.start, own.stop)]
    units = 10.0 ** np.linspace(-3, 3, COLUMNS)[own]
    return np.array(drawn).reshape(-1, ROWS).T * units


def fit(reducer):
    own = reducer.piece(COLUMNS)
    X = columns(own)
    y = np.sign(np.random.default_rng(COLUMNS).normal(size=ROWS))

    def fun(w):
        margins = y * reducer.add(X @ w)  # of all columns, with the same bits everywhere
        penalty = 0.5 * float(reducer.add(w @ w)) / ROWS
        loss = float(np.logaddexp(0.0, -margins).mean()) + penalty
        slope = -y / (1.0 + np.exp(margins)) / ROWS
        return loss, X.T @ slope + w / ROWS

    return mdbopt.minimize(fun, np.zeros(X.shape[1]), jac=True, reducer=reducer)


def main():
    if sys.argv[1] == "torch":
        import torch.distributed

        torch.distributed.init_process_group("gloo")
        reducer = Reducer.torch()
    else:
        reducer = Reducer.mpi()
    result = fit(reducer)
    if reducer.shard == 0:
        print(f"f = {result.fun:.6g} after {result.nfev} evaluations on {reducer.shards} shards")
    if sys.argv[1] == "torch":
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
