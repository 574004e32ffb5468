"""Real processes that meet by PyTorch's gloo and by MPI: one path, and one end."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rank

import mdbopt
import mdbopt.distributed

SCRIPT = Path(rank.__file__)
EXAMPLE = SCRIPT.parents[3] / "examples" / "shards.py"
ALLOWED = 120  # seconds
# What Open MPI asks for in containers.
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def by_torch(task, ranks, folder):
    pytest.importorskip("torch", reason="torch is not installed")
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, "torch", task, folder],
            env={**os.environ, **common, "RANK": str(k), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(ranks)
    ]
    return [(p.communicate(timeout=ALLOWED)[1], p.returncode) for p in processes]


def mpirun():
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.is_file() else shutil.which("mpirun")


def by_mpi(task, ranks, folder):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if mpirun() is None:
        pytest.skip("no mpirun here")
    command = [mpirun(), "--oversubscribe", "-n", str(ranks)]
    done = subprocess.run(
        [*command, sys.executable, SCRIPT, "mpi", task, folder],
        env={**os.environ, **AS_ROOT, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=ALLOWED,
        check=False,
    )
    return [(done.stderr, done.returncode)]


ENGINES = {"torch": by_torch, "mpi": by_mpi}
engines = pytest.mark.parametrize("engine", ENGINES)


def told(engine, task, ranks, folder, *, of=None):
    """Run a task; give what the ranks said."""
    for words, code in ENGINES[engine](task, ranks, folder):
        assert of is not None or code == 0, words
    listed = range(ranks) if of is None else of
    return [json.loads((folder / f"told-{k}.json").read_text()) for k in listed]


@pytest.fixture(scope="module")
def alone():
    """Give the paths of one process that holds everything."""
    options = {"maxfun": 60, "gtol": 0.0}
    return {
        method: mdbopt.minimize(
            rank.objective, rank.START, jac=True, method=method, options=options
        )
        for method in rank.METHODS
    }


@engines
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_every_number_of_ranks_takes_one_path(engine, ranks, tmp_path, alone):
    for said in told(engine, "paths", ranks, tmp_path):
        for method, (nfev, ncut, fun, messages) in said.items():
            result = alone[method]
            assert (nfev, ncut, fun) == (result.nfev, result.ncut, result.fun)
            before = 10  # the first point
            assert messages <= before + {"guarded": 5}.get(method, 3) * nfev
    for method, result in alone.items():
        pieces = [np.load(tmp_path / f"{method}-{k}.npy") for k in range(ranks)]
        assert np.array_equal(np.concatenate(pieces), result.x)


@engines
def test_a_bound_of_the_norm_is_of_all_ranks(engine, tmp_path):
    norms = told(engine, "bounded_steps", 3, tmp_path)
    x = rank.START.copy()
    optimizer = mdbopt.AdamW(lr=0.1)
    state = optimizer.init(x)
    assert norms == [[optimizer.step(x, x.copy(), state, max_norm=0.5) for _ in range(5)]] * 3
    assert np.array_equal(
        np.concatenate([np.load(tmp_path / f"steps-{k}.npy") for k in range(3)]), x
    )


@engines
def test_a_rank_that_raises_ends_all(engine, tmp_path):
    first, own, third = told(engine, "raising", 3, tmp_path)
    assert own == "KeyError: 'lost'"
    assert first == third == "RuntimeError: shard 1 has failed: KeyError: 'lost'"


@engines
def test_options_that_differ_are_refused_on_all(engine, tmp_path):
    for text in told(engine, "disagreeing", 2, tmp_path):
        assert text.startswith("gamma: expected the same on every shard, got 0.1 on shard 0")


def test_a_rank_that_dies_ends_the_others_and_is_named(tmp_path):
    for k, text in zip((0, 2), told("torch", "dying", 3, tmp_path, of=(0, 2)), strict=True):
        assert text.startswith(f"reducer: rank 1 of 3 has not answered rank {k}: "), text


def test_a_mesh_meets_along_its_dimensions(tmp_path):
    for k, said in enumerate(told("torch", "by_mesh", 4, tmp_path)):
        row = [2.0 * (k // 2), 2.0 * (k // 2) + 1.0]
        assert said == [k, 4, [0.0, 1.0, 2.0, 3.0], 2, [[one] for one in row]]


def test_a_group_must_be_initialised():
    pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(RuntimeError, match="group: expected an initialised process group"):
        mdbopt.distributed.Reducer.torch()


def test_a_communicator_must_be_one():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    command = [sys.executable, "-c", "from mdbopt.distributed import Reducer; Reducer.mpi(3)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "communicator: expected a communicator of mpi4py, got int" in done.stderr


@engines
def test_the_example_says_the_same_on_any_number_of_ranks(engine, tmp_path):
    pytest.importorskip({"torch": "torch", "mpi": "mpi4py"}[engine])
    if engine == "mpi" and mpirun() is None:
        pytest.skip("no mpirun here")
    lines = set()
    for ranks in (1, 2):
        if engine == "torch":
            start = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}"]
            start.append(f"--master-port={free_port()}")
        else:
            start = [mpirun(), "--oversubscribe", "-n", str(ranks), sys.executable]
        done = subprocess.run(
            [*start, EXAMPLE, engine],
            env={**os.environ, **AS_ROOT, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=ALLOWED,
            check=True,
        )
        lines.add(done.stdout.split(" after ")[0])
    assert len(lines) == 1
    assert lines.pop().startswith("f = ")
