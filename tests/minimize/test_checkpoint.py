"""Checkpoints: a run stopped at any instant, even killed, continues to the same bits."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from recorded import ALL_METHODS, METHODS, classification, logistic

import mdbopt

FEATURES, LABELS = classification(count=40)
FUN = logistic(FEATURES, LABELS, l2=0.01)
X0 = np.zeros(5)
OPTIONS = {"gtol": 0.0, "maxfun": 40}


class Stop(Exception):
    pass


def run(path=None, resume=None, method="guarded", fun=FUN, x0=X0, options=OPTIONS, **arguments):
    return mdbopt.minimize(
        fun, x0, jac=True, method=method, options=options, checkpoint=path, resume=resume,
        **arguments,
    )  # fmt: skip


def stopping_at(evaluation, error=Stop, fun=FUN):
    """Return an objective that raises at that evaluation, x0 being the first."""
    count = 0

    def stopping(x):
        nonlocal count
        count += 1
        if count == evaluation:
            raise error
        return fun(x)

    return stopping


def assert_same_run(first, second):
    for name in ("x", "jac", "step_sizes"):
        np.testing.assert_array_equal(first[name], second[name])
    for name in ("fun", "nit", "nfev", "status", "ncut", "message"):
        assert first[name] == second[name]
    for name, column in first.trace.items():
        if name != "seconds":
            np.testing.assert_array_equal(column, second.trace[name])
    assert (np.diff(second.trace["seconds"]) >= 0).all()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.mark.parametrize("method", ALL_METHODS)
def test_stopped_at_any_evaluation_it_continues_to_the_same_bits(path, method):
    whole = run(method=method)
    for evaluation in range(2, whole.nfev + 1):
        with pytest.raises(Stop):
            run(path, method=method, fun=stopping_at(evaluation))
        assert_same_run(run(resume=path, method=method), whole)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
def test_float32_and_a_chain_of_stops(path, method, dtype):
    features, labels = classification(count=40, dtype=dtype)
    fun, x0 = logistic(features, labels, l2=0.01), np.zeros(5, dtype)
    whole = run(method=method, fun=fun, x0=x0)
    with pytest.raises(Stop):
        run(path, method=method, fun=stopping_at(5, fun=fun), x0=x0)
    for _ in range(whole.nfev):
        try:
            result = run(path, path, method=method, fun=stopping_at(4, fun=fun), x0=x0)
            break
        except Stop:
            continue
    assert_same_run(result, whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit, StopIteration])
def test_whatever_is_raised_passes_and_is_saved(path, error):
    with pytest.raises(error):
        run(path, fun=stopping_at(10, error))
    assert_same_run(run(resume=path), run())


@pytest.mark.parametrize("method", METHODS)
def test_the_checkpoint_of_an_interrupted_run_holds_the_best_point(path, method):
    with pytest.raises(Stop):
        run(path, method=method, fun=stopping_at(20))
    saved = np.load(path)
    values = saved["trace_f"]
    assert len(values) == 19
    assert saved["f"] == FUN(saved["x"])[0] == values[saved["trace_accepted"]][-1]


def test_an_exception_of_the_callback_saves_too(path):
    def callback(intermediate_result):
        if intermediate_result.nit == 7:
            raise Stop

    with pytest.raises(Stop):
        run(path, callback=callback)
    assert len(np.load(path)["trace_f"]) == 8
    assert_same_run(run(resume=path), run())


@pytest.mark.parametrize("limit", [1, 2, 17])
def test_a_finished_run_continues_with_larger_limits(path, limit):
    part = run(path, options={**OPTIONS, "maxfun": limit})
    assert part.nfev == limit
    assert_same_run(run(resume=path), run())


def test_a_run_stopped_by_its_callback_continues(path):
    run(path, callback=lambda x: True)
    assert_same_run(run(resume=path), run())


def test_a_converged_run_takes_no_further_evaluation(path):
    whole = run(path, options={"gtol": 1e-6})
    result = run(resume=path, options={"gtol": 1e-6}, fun=stopping_at(1))
    assert_same_run(result, whole)


def test_every_evaluation_is_saved_with_every_1(path):
    lengths = []

    def looking(x):
        lengths.append(len(np.load(path)["trace_f"]) if path.exists() else 0)
        return FUN(x)

    result = run(path, fun=looking, every=1)
    assert lengths == [0, 0, *range(2, result.nfev)]


def test_every_counts_evaluations(path):
    times = set()

    def looking(x):
        if path.exists():
            times.add(len(np.load(path)["trace_f"]))
        return FUN(x)

    run(path, method="box", fun=looking, every=10)
    assert times == {10, 20, 30}


def test_checkpoints_change_no_bit_and_leave_one_file(path):
    assert_same_run(run(path, every=3), run())
    assert os.listdir(path.parent) == [path.name]


def test_the_name_is_taken_as_it_is(tmp_path):
    for name in ("run", "run.ckpt", "run.npz"):
        run(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["run", "run.ckpt", "run.npz"]
    assert_same_run(run(resume=str(tmp_path / "run")), run())


def test_auto_starts_and_then_continues(path):
    whole = run()
    for evaluation in (5, 9, None):
        fun = FUN if evaluation is None else stopping_at(evaluation)
        try:
            result = run(path, "auto", fun=fun)
        except Stop:
            assert path.exists()
    assert_same_run(result, whole)
    again = run(path, "auto", fun=stopping_at(1))  # it had ended: nothing is left to evaluate
    assert_same_run(again, whole)


def test_auto_needs_a_checkpoint_and_says_so():
    with pytest.raises(ValueError, match=r'resume: "auto" .* checkpoint='):
        run(resume="auto")


def test_auto_is_a_word_and_no_file(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    run("auto", options={**OPTIONS, "maxfun": 7})
    assert run(path, "auto", options={**OPTIONS, "maxfun": 3}).nfev == 3
    assert_same_run(run(resume="./auto"), run())
    assert_same_run(run(resume=pathlib.Path("auto")), run())


def test_auto_refuses_a_damaged_file(path):
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"resume: .*run\.npz is not a whole checkpoint"):
        run(path, "auto", fun=stopping_at(1))


def test_links_to_a_checkpoint_stay(path):
    target = path.with_name("target.npz")
    path.symlink_to(target)
    run(path, "auto", fun=FUN, options={**OPTIONS, "maxfun": 9}, every=2)
    assert path.is_symlink()
    target.chmod(0o600)
    assert_same_run(run(path, "auto"), run())
    assert path.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600


def test_interrupted_between_judgement_and_trace(path, monkeypatch):
    from mdbopt._minimize import run as run_module

    record, count = run_module.Run._record, 0

    def interrupted(self, f):
        nonlocal count
        count += 1
        if count == 7:
            raise KeyboardInterrupt
        return record(self, f)

    monkeypatch.setattr(run_module.Run, "_record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(path)
    monkeypatch.undo()
    assert_same_run(run(resume=path), run())


def test_only_shape_and_dtype_of_x0_matter_when_resuming(path):
    run(path, options={**OPTIONS, "maxfun": 7})
    assert_same_run(run(resume=path, x0=np.full(5, 9.0)), run())


LOOP = """
import sys, numpy as np, mdbopt
from recorded import classification, logistic
features, labels = classification(count=40)
print("ready", flush=True)
while True:
    mdbopt.minimize(
        logistic(features, labels, l2=0.01), np.zeros(5), jac=True,
        options=dict(gtol=0.0, maxfun=40), checkpoint=sys.argv[1], every=1,
    )
"""


def test_kill_at_random_instants_leaves_a_whole_file(path):
    whole = run()
    rng = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, env=environment
        )
        assert process.stdout.readline() == b"ready\n"
        while not path.exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert_same_run(run(resume=path), whole)


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_be_written_is_reported_before_the_first_evaluation(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=folder):
        run(tmp_path / folder / "run.npz", fun=stopping_at(1, AssertionError))


def test_a_failing_write_does_not_hide_what_the_objective_raised(path):
    def fun(x):
        if path.parent.exists():
            for file in path.parent.iterdir():
                file.unlink()
            path.parent.rmdir()
        raise Stop

    def first_then_remove(x, count=[0]):  # noqa: B006
        count[0] += 1
        return FUN(x) if count[0] < 5 else fun(x)

    path = pathlib.Path(path.parent) / "folder" / "run.npz"
    path.parent.mkdir()
    with pytest.raises(Stop):
        run(path, fun=first_then_remove)
