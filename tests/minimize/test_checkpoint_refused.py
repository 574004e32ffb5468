"""Checkpoints that are damaged, foreign, or of another run are refused; errors name resume."""

import pickle
import random

import numpy as np
import pytest
from recorded import quadratic
from test_checkpoint import OPTIONS, assert_same_run, run, stopping_at

import mdbopt


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "run.npz"
    run(path, options={**OPTIONS, "maxfun": 7})
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(path, good, share):
    path.write_bytes(good[: int(share * len(good))])
    with pytest.raises(ValueError, match="resume"):
        run(resume=path, fun=stopping_at(1))


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_are_refused_or_change_nothing(path, good, seed):
    rng = random.Random(seed)
    damaged = bytearray(good)
    damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(damaged))
    try:
        result = run(resume=path)
    except ValueError as error:
        assert "resume" in str(error)  # noqa: PT017
    else:  # a bit of the archive's own dates or names of no meaning
        assert_same_run(result, run())


def foreign(path, kind):
    if kind == "pickle":
        path.write_bytes(b"\x80\x04K\x01.")
    elif kind == "npz with objects":
        np.savez(path, x=np.array([{}], dtype=object))
    elif kind == "npz":
        np.savez(path, x=np.ones(5), f=1.0)
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, np.ones(5))
    elif kind == "text":
        path.write_text("x = 1\n")
    elif kind == "other format":
        from mdbopt._minimize import checkpoint

        state = mdbopt.Box().init(np.ones(5), 1.0, np.ones(5))
        checkpoint.write(path, {**state, "format": 99})
    else:
        path.mkdir()


@pytest.mark.parametrize(
    "kind", ["pickle", "npz with objects", "npz", "npy", "text", "other format", "folder"]
)
def test_foreign_files_are_refused(path, kind):
    foreign(path, kind)
    with pytest.raises(ValueError, match="resume"):
        run(resume=path, fun=stopping_at(1))


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"run\.npz"):
        run(resume=path, fun=stopping_at(1))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "box"},
        {"options": {**OPTIONS, "memory": 3}},
        {"options": {**OPTIONS, "forward": 1.2}},
        {"x0": np.zeros(6)},
        {"x0": np.zeros(5, np.float32)},
        {"x0": np.zeros(1)},
    ],
)
def test_a_checkpoint_of_another_run_is_refused(path, change):
    run(path, options={**OPTIONS, "maxfun": 7})
    with pytest.raises(ValueError, match="resume"):
        run(resume=path, **{"fun": stopping_at(1), **change})


COLUMNS = ("f", "best", "gmax", "accepted", "ncut", "seconds")


@pytest.mark.parametrize("name", ["identity", "x", "evaluations", *(f"trace_{c}" for c in COLUMNS)])
def test_whole_files_that_lack_an_entry_are_refused(path, name):
    entries = changed(path, name, None)
    assert name not in entries
    with pytest.raises(ValueError, match=r"resume: .*run\.npz"):
        run(resume=path, fun=stopping_at(1))


def changed(path, name, value):
    """Write a whole checkpoint in which one entry is another, or missing; return its entries."""
    from mdbopt._minimize import checkpoint

    run(path, options={**OPTIONS, "maxfun": 7})
    entries = {**checkpoint.read(path), name: value}
    if value is None:
        del entries[name]
    checkpoint.write(path, entries)
    return entries


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trace_f", np.ones(6)),
        ("trace_f", np.ones((7, 1))),
        ("trace_accepted", np.ones(7)),
        ("trace_ncut", np.float64(1.0)),
        ("trace_seconds", np.full(7, np.nan)),
        ("trace_seconds", np.full(7, -1.0)),
        ("pairs_next", 2**31),
        ("x", np.full(5, np.nan)),
        ("x", 1.0),
        ("scale", np.inf),
        ("evaluations", 8),
        ("method", "box"),
    ],
)
def test_whole_files_with_a_hostile_entry_are_refused_by_its_name(path, name, value):
    changed(path, name, value)
    with pytest.raises(ValueError, match=r"resume: .*run\.npz.*") as caught:
        run(resume=path, fun=stopping_at(1))
    assert name in str(caught.value) or (name, value) == ("evaluations", 8)


class Trap:
    """Were it unpickled, a file would tell."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_ever_unpickled(path):
    trap = path.with_name("trap")
    np.savez(path, x=np.array([Trap(trap)], dtype=object), digest=np.array(Trap(trap)))
    with pytest.raises(ValueError, match="resume"):
        run(resume=path, fun=stopping_at(1))
    with np.load(path) as file, pytest.raises(ValueError, match="pickle"):
        mdbopt.Guarded().restore(file)
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ValueError, match="resume"):
        run(resume=path, fun=stopping_at(1))
    assert not trap.exists()


def test_groups_that_differ_late_are_another_run(path):
    # More labels than NumPy prints in full.
    size = 3000
    fun, x0 = quadratic(np.linspace(1, 2, size)), np.ones(size)
    labels = np.arange(size) // 2
    others = labels.copy()
    others[1500:1502] = [750, 751]
    options = {"gtol": 0.0, "maxfun": 5}
    run(path, method="box", fun=fun, x0=x0, options={**options, "groups": labels})
    with pytest.raises(ValueError, match="resume"):
        run(
            resume=path, method="box", fun=fun, x0=x0,
            options={**options, "groups": others},
        )  # fmt: skip


def test_groups_are_the_same_run_in_any_form(path):
    labels = [0, 0, 1, 1, 1]
    options = {**OPTIONS, "maxfun": 7}
    run(path, method="box", options={**options, "groups": labels})
    result = run(resume=path, method="box", options={**OPTIONS, "groups": np.array(labels)})
    assert_same_run(result, run(method="box", options={**OPTIONS, "groups": labels}))
