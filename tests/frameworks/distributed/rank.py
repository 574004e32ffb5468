"""What one process of a run does: ``python rank.py ENGINE FOLDER SIZE...``.

At each number of processes, which meet in groups of the first ones, it does the tasks of `TASKS`.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

import mdbopt
from mdbopt import _core
from mdbopt.distributed import Reducer

D = 5000
CURVATURES = np.exp(2.0 * np.random.default_rng(0).normal(size=D))
START = np.random.default_rng(1).normal(size=D)
METHODS = ("box", "ellipsoid", "simplex", "guarded", "backtracking")


def objective(x):
    root = np.sqrt(1.0 + x**2)
    return float(CURVATURES @ (root - 1.0)), CURVATURES * x / root


def whole_of(reducer, own, piece):
    padded = np.zeros(D)
    padded[piece] = own
    return reducer.add(padded)


def minimised(reducer, method):
    piece = reducer.piece(D)

    def fun(x):
        f, g = objective(whole_of(reducer, x, piece))
        return f, g[piece]

    options = {"maxfun": 60, "gtol": 0.0}
    return mdbopt.minimize(
        fun, START[piece], jac=True, method=method, options=options, reducer=reducer
    )


def paths(reducer, folder):
    """Save the piece of x that each method ends at; tell its counts."""
    told = {}
    for method in METHODS:
        _core.take_reductions()
        result = minimised(reducer, method)
        messages, _ = _core.take_reductions()
        np.save(folder / f"{method}-{reducer.shard}.npy", result.x)
        told[method] = [result.nfev, result.ncut, result.fun, messages]
    return told


def bounded_steps(reducer, folder):
    """Take steps whose norm is that of all pieces together."""
    x = START[reducer.piece(D)].copy()
    optimizer = mdbopt.AdamW(lr=0.1, reducer=reducer)
    state = optimizer.init(x)
    norms = [optimizer.step(x, x.copy(), state, max_norm=0.5) for _ in range(5)]
    np.save(folder / f"steps-{reducer.shard}.npy", x)
    return norms


def groups(reducer=None):
    first, second = (kind(0.1, reducer=reducer) for kind in (mdbopt.AdamW, mdbopt.NormalizedGD))
    return mdbopt.groups([(first, "0"), (second, "1")])


def grouped_steps(reducer, folder):
    """Take steps of groups under one norm, until rank 1 fails in the last one."""
    piece = reducer.piece(D)
    params = [START[piece].copy(), CURVATURES[piece].copy()]
    optimizer = groups(reducer)
    state = optimizer.init(params)
    gradients = lambda: [x.copy() for x in params]  # noqa: E731
    norms = [optimizer.step(params, gradients(), state, max_norm=0.5) for _ in range(5)]
    np.save(folder / f"groups-{reducer.shard}.npy", np.concatenate(params))
    short = [START[piece], np.ones(3) if reducer.shard == 1 else CURVATURES[piece]]
    try:
        optimizer.step(params, short, state)
    except Exception as error:
        return norms, f"{type(error).__name__}: {error}"
    return norms, "nothing"


def raising(reducer, folder):
    """Rank 1 fails at its fourth evaluation."""
    piece = reducer.piece(D)
    calls = []

    def fun(x):
        calls.append(None)
        if reducer.shard == 1 and len(calls) == 4:
            raise KeyError("lost")
        f, g = objective(whole_of(reducer, x, piece)) if reducer.shards == 1 else (1.0, x)
        return f / len(calls), g

    try:
        mdbopt.minimize(fun, START[piece], jac=True, reducer=reducer)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def dying(reducer, folder):
    """Rank 1 leaves without a word."""
    if reducer.shard == 1:
        os._exit(3)
    try:
        reducer(np.ones(3))
    except RuntimeError as error:
        return str(error)
    return "nothing"


def disagreeing(reducer, folder):
    try:
        mdbopt.Box(gamma=0.1 + reducer.shard, reducer=reducer).init(np.ones(3), 1.0, np.ones(3))
    except RuntimeError as error:
        return str(error)
    return "nothing"


def by_mesh(reducer, folder):
    """Meet by a mesh of two dimensions, and by one of them."""
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
    both, one = Reducer.torch(mesh), Reducer.torch(mesh["shard"])
    own = np.array([float(reducer.shard)])
    return [both.shard, both.shards, both(own).ravel().tolist(), one.shards, one(own).tolist()]


TASKS = {
    "1": (paths,),
    "2": (paths, disagreeing),
    "3": (paths, bounded_steps, grouped_steps, raising),
    "4": (paths,),
    "mesh": (by_mesh,),
    "dying": (dying,),
}


def reducer_of(engine, size):
    """Make the reducer of the first processes; None on the others."""
    if engine == "mpi":
        from mpi4py import MPI

        world = MPI.COMM_WORLD
        if int(size) == world.size:
            return Reducer.mpi()
        inside = world.rank < int(size)
        group = world.Split(0 if inside else MPI.UNDEFINED, world.rank)
        return Reducer.mpi(group) if inside else None
    import torch.distributed

    group = torch.distributed.new_group(range(int(size))) if size.isdigit() else None
    inside = not size.isdigit() or torch.distributed.get_rank() < int(size)
    return Reducer.torch(group) if inside else None


def main():
    engine, folder, *sizes = sys.argv[1:]
    if engine == "torch":
        from datetime import timedelta

        import torch.distributed

        torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=15))
    for size in sizes:
        reducer = reducer_of(engine, size)
        if reducer is None:
            continue
        here = Path(folder) / size
        here.mkdir(exist_ok=True)
        told = {task.__name__: task(reducer, here) for task in TASKS[size]}
        (here / f"told-{reducer.shard}.json").write_text(json.dumps(told), encoding="utf-8")
    if engine == "torch" and sizes != ["dying"]:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
