"""Real processes that meet by PyTorch's gloo and by MPI: one path, and one end."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rank
from processes import by_mpi, by_torch, made_once, succeeded

import mdbopt
import mdbopt.distributed
from mdbopt.distributed import _torch

SCRIPT = Path(rank.__file__)
EXAMPLE = SCRIPT.parents[3] / "examples" / "shards.py"
ENGINES = {"torch": by_torch, "mpi": by_mpi}
engines = pytest.mark.parametrize("engine", ENGINES)


def run_all(engine, folder):
    """Run the tasks of every number of ranks, in groups: each start takes seconds."""
    mesh = ["mesh"] if engine == "torch" else []
    succeeded(ENGINES[engine](4, SCRIPT, engine, folder, "1", "2", "3", "4", *mesh))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Give what gives the folder of a number of ranks, and what they said of a task."""

    def of(engine, task, ranks, name=None):
        pytest.importorskip({"torch": "torch", "mpi": "mpi4py"}[engine])
        whole = made_once(tmp_path_factory, engine, lambda made: run_all(engine, made))
        folder = whole / (name or str(ranks))
        said = [json.loads((folder / f"told-{k}.json").read_text()) for k in range(ranks)]
        return folder, [each[task] for each in said]

    return of


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
def test_every_number_of_ranks_takes_one_path(engine, ranks, told, alone):
    folder, said = told(engine, "paths", ranks)
    for each in said:
        for method, (nfev, ncut, fun, messages) in each.items():
            result = alone[method]
            assert (nfev, ncut, fun) == (result.nfev, result.ncut, result.fun)
            before = 10  # the first point
            assert messages <= before + {"guarded": 5}.get(method, 3) * nfev
    for method, result in alone.items():
        pieces = [np.load(folder / f"{method}-{k}.npy") for k in range(ranks)]
        assert np.array_equal(np.concatenate(pieces), result.x)


@engines
def test_a_bound_of_the_norm_is_of_all_ranks(engine, told):
    folder, norms = told(engine, "bounded_steps", 3)
    x = rank.START.copy()
    optimizer = mdbopt.AdamW(lr=0.1)
    state = optimizer.init(x)
    assert norms == [[optimizer.step(x, x.copy(), state, max_norm=0.5) for _ in range(5)]] * 3
    pieces = [np.load(folder / f"steps-{k}.npy") for k in range(3)]
    assert np.array_equal(np.concatenate(pieces), x)


@engines
def test_groups_have_one_norm_and_one_end_on_all_ranks(engine, told):
    folder, said = told(engine, "grouped_steps", 3)
    params = [rank.START.copy(), rank.CURVATURES.copy()]
    optimizer = rank.groups()
    state = optimizer.init(params)
    gradients = lambda: [x.copy() for x in params]  # noqa: E731
    norms = [optimizer.step(params, gradients(), state, max_norm=0.5) for _ in range(5)]
    assert [each[0] for each in said] == [norms] * 3
    pieces = [np.split(np.load(folder / f"groups-{k}.npy"), 2) for k in range(3)]
    for k, x in enumerate(params):
        assert np.array_equal(np.concatenate([piece[k] for piece in pieces]), x)
    (first, own, third) = (each[1] for each in said)
    assert own.startswith("ValueError: Groups: grads[1] has shape (3,)")
    assert first == third == f"RuntimeError: shard 1 has failed: {own}"[: len(first)]
    assert len(first) > 60


@engines
def test_a_rank_that_raises_ends_all(engine, told):
    _, (first, own, third) = told(engine, "raising", 3)
    assert own == "KeyError: 'lost'"
    assert first == third == "RuntimeError: shard 1 has failed: KeyError: 'lost'"


@engines
def test_options_that_differ_are_refused_on_all(engine, told):
    for text in told(engine, "disagreeing", 2)[1]:
        assert text.startswith("gamma: expected the same on every shard, got 0.1 on shard 0")


def test_a_rank_that_dies_ends_the_others_and_is_named(tmp_path):
    # Of four, one has no neighbour that has died.
    by_torch(4, SCRIPT, "torch", tmp_path, "dying")
    for k in (0, 2, 3):
        text = json.loads((tmp_path / "dying" / f"told-{k}.json").read_text())["dying"]
        assert text.startswith(f"reducer: rank 1 of 4 has not answered rank {k}: "), text


class Store:
    """Where some ranks are known at each look, which begins with rank 0, until it leaves."""

    def __init__(self, *looks):
        self.looks, self.known = iter(looks), ""

    def set(self, key, _):
        assert key in (_torch.FAILED, "2")

    def check(self, keys):
        if keys == ["0"]:
            self.known = next(self.looks, None)
        if self.known is None:
            raise RuntimeError("connection closed")
        return keys[0] in self.known


@pytest.mark.parametrize(
    ("store", "patience", "missing"),
    [
        (Store("", "1", "013"), 60.0, []),
        (Store("13"), 0.0, [0]),
        # The dead alone is blamed where the store leaves meanwhile, and no one where it has left.
        (Store("1", "13"), 60.0, [0]),
        (Store(), 60.0, []),
        (None, 60.0, []),
    ],
)
def test_who_is_blamed(store, patience, missing, monkeypatch):
    monkeypatch.setattr(_torch, "PATIENCE", patience)
    monkeypatch.setattr(_torch, "BETWEEN_LOOKS", 0.0)
    assert _torch._missing(store, 2, 4) == missing


def test_a_mesh_meets_along_its_dimensions(told):
    for k, said in enumerate(told("torch", "by_mesh", 4, "mesh")[1]):
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
def test_the_example_says_the_same_on_any_number_of_ranks(engine):
    lines = {
        succeeded(ENGINES[engine](ranks, EXAMPLE, engine)).split(" after ")[0] for ranks in (1, 2)
    }
    assert len(lines) == 1
    assert lines.pop().startswith("f = ")
