"""The command line: what it prints, what it writes, and how it fails."""

import contextlib
import json
import os
import struct
import subprocess
import sys

import pytest
from commands import command, run

import mdbopt
from mdbopt.cli import _model, _runs

ERRORS = [
    (["fit", "missing.csv"], "no such file"),
    (["fit", "."], "is a directory"),
    (
        ["fit", "two.npz", "--method", "newton"],
        "--method: unknown method 'newton', expected guarded",
    ),
    (["fit", "two.npz", "--compare", "box,newton"], "--compare: unknown method 'newton'"),
    (["fit", "two.npz", "--compare", ""], "--compare: unknown method ''"),
    (["fit", "two.npz", "--loss", "hinge"], "invalid choice: 'hinge'"),
    (["fit", "one.npz", "--loss", "logistic"], "one class"),
    (
        ["fit", "one.npz"],
        "the target, y, holds one value in all 60 rows, 1: nothing to learn; --target takes",
    ),
    (
        ["fit", "words.csv", "--loss", "squares"],
        "--loss squares: the target, 'b', the last column, holds words such as 'no'",
    ),
    (["fit", "names.csv"], "the target, 'b', the last column, holds 3 distinct strings in 3 rows"),
    (["fit", "three.npz", "--loss", "logistic"], "3 classes"),
    (["fit", "two.csv", "--target", "z"], "'z'"),
    (["fit", "two.csv", "--target", "9"], "out of range"),
    (["fit", "two.npz", "--l2", "-1"], "--l2"),
    (["fit", "two.npz", "--l2", "nan"], "--l2"),
    (["fit", "two.npz", "--cv", "1"], "--cv"),
    (["fit", "two.npz", "--cv", "1e6"], "--cv"),
    (["fit", "two.npz", "--cv", "none"], "--cv"),
    (["fit", "two.npz", "--cv", "2", "--l2", "0"], "--cv: chooses among multiples of --l2"),
    (["fit", "two.npz", "--gtol", "x"], "--gtol: invalid float value: 'x'"),
    (["fit", "two.npz", "--maxfun", "0"], "--maxfun"),
    (
        ["fit", "two.npz", "--maxfun", "1.5"],
        "--maxfun: expected a whole number such as 300 or 1e4, or none for no limit, got '1.5'",
    ),
    (["fit", "two.npz", "--maxiter", "-3"], "--maxiter: expected a whole number"),
    (["fit", "two.npz", "--n-features", "x"], "--n-features: expected a whole number"),
    (["fit", "two.npz", "--one-hot"], "one_hot is for text with columns; this is .npz"),
    (["fit", "two.npz", "--sep", ";;"], "sep is ';;'"),
    (["fit", "two.npz", "--missing", "drop"], "argument --missing: invalid choice: 'drop'"),
    (["fit", "two.npz", "--save", "no/such/model.npz"], "there is no directory"),
    (["fit", "two.npz", "--save", "."], "is a directory"),
    (["fit", "two.npz", "--save", "two.npz"], "is a file that is read"),
    (["fit", "two.npz", "--save", "a.npz", "--plot", "a.npz"], "--save and --plot"),
    (["fit", "two.npz", "--plot", "fit.xyz"], "should end in one of"),
    (["fit", "two.npz", "extra"], "unrecognized arguments: extra"),
    (
        ["fit", "two.npz", "--metho", "box"],
        "unrecognized arguments: --metho box; perhaps --method is meant (see mdbopt fit --help)",
    ),
    (["predict", "two.npz", "two.npz"], "is not a model that this version of mdbopt fit --save"),
    (["fit", "broken.csv"], "the target, column 'b' holds 'two' (row 2, line 3) among numbers"),
    (["fit", "empty.npz"], "the file is empty"),
    (["fit", "text.npz"], "not an array file"),
    (["walk"], "invalid choice: 'walk'"),
    ([], "required"),
]


@pytest.mark.parametrize(("args", "message"), ERRORS, ids=lambda value: str(value)[:50])
def test_errors_take_one_line(capsys, monkeypatch, tables, args, message):
    if "--plot" in args:
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tables)
    (tables / "broken.csv").write_text("a,b\n1,2.5\n3,two\n")
    (tables / "empty.npz").write_text("")
    (tables / "words.csv").write_text("a,b\n1,no\n2,yes\n")
    (tables / "names.csv").write_text("a,b\n1,x\n2,y\n3,z\n")
    (tables / "text.npz").write_text("hello")
    before = sorted(tables.iterdir())
    code, out, err = run(capsys, *args)
    assert (code, out) == (2, "")
    assert err.startswith("mdbopt: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(tables.iterdir()) == before


def test_places_are_checked_before_the_fit(capsys, monkeypatch, tables):
    def no_fit(*_args, **_options):
        pytest.fail("a fit began")

    monkeypatch.setattr(_runs, "fit", no_fit)
    for option in ("--save", "--plot"):
        code, *_ = run(capsys, "fit", tables / "two.npz", option, tables / "no" / "file.png")
        assert code == 2


def test_matplotlib_is_asked_for_by_its_extra(capsys, monkeypatch, tables):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = run(capsys, "fit", tables / "two.npz", "--plot", tables / "fit.png")
    assert code == 2
    assert "pip install 'mdbopt[plot]'" in err


def test_failed_write_leaves_no_part(capsys, monkeypatch, tables):
    def full(*_args, **_members):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_model.np, "savez", full)
    code, out, err = run(capsys, "fit", tables / "two.npz", "--save", tables / "model.npz")
    assert code == 2
    assert out.splitlines()[-1].startswith("guarded")  # the result of the run is not lost
    assert "No space left" in err
    assert not list(tables.glob("model*"))


def test_interrupt(capsys, monkeypatch, tables):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_runs, "fit", interrupted)
    code, out, err = run(capsys, "fit", tables / "two.npz", "--save", tables / "model")
    assert (code, out, err) == (130, "", "\nmdbopt: interrupted\n")
    assert not (tables / "model.npz").exists()


def test_interrupt_while_the_commands_are_loaded():
    program = """
import builtins, sys
from mdbopt.cli import main
whole = builtins.__import__
def interrupted(name, *rest):
    if name.startswith("scipy"):
        raise KeyboardInterrupt
    return whole(name, *rest)
builtins.__import__ = interrupted
sys.exit(main(["fit"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nmdbopt: interrupted\n")


def test_unexpected_errors_are_named(capsys, monkeypatch, tables):
    def broken(*_args, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr(_runs, "fit", broken)
    code, _, err = run(capsys, "fit", tables / "two.npz")
    assert (code, err) == (2, "mdbopt: error: ZeroDivisionError\n")


def test_help_and_version(capsys):
    code, out, err = run(capsys, "--version")
    assert (code, out, err) == (0, f"mdbopt {mdbopt.__version__}\n", "")
    for args in (["--help"], ["fit", "--help"], ["predict", "--help"], ["info", "--help"]):
        code, out, err = run(capsys, *args)
        assert code == 0
        assert err == ""
        assert out.isascii()
        assert out.startswith("usage: mdbopt")


def test_info(capsys):
    code, out, err = run(capsys, "info")
    assert (code, err) == (0, "")
    assert f"mdbopt     {mdbopt.__version__}" in out
    line = "CUDA       not available: " if mdbopt.cuda.why_not() else "CUDA       cuda:0 "
    assert line + mdbopt.cuda.why_not() in out
    code, out, _ = run(capsys, "info", "--json")
    found = json.loads(out)
    assert code == 0
    assert sum(backend["active"] for backend in found["backends"]) == 1
    assert {b["name"] for b in found["backends"]} == {b.name for b in mdbopt.backends()}
    assert found["threads"] >= 1
    assert found["dtypes"] == ["float64", "float32"]
    assert found["cuda"]["available"] == mdbopt.cuda.is_available()
    assert bool(found["cuda"]["devices"]) == found["cuda"]["available"]
    assert found["extras"].keys() == {
        "data", "optimagic", "plot", "progress", "scikit-learn",
    }  # fmt: skip
    assert found["extras"]["data"].keys() == {"pandas", "scikit-learn"}


def test_as_a_command(tables):
    done = command("fit", tables / "two.npz", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["fits"][0]["success"]
    failed = command("fit", tables / "none.csv")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("mdbopt: error: ")
    assert failed.stderr.count("\n") == 1


def test_a_closed_pipe_is_quiet(tables):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mdbopt", "info"],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 2
    assert done.stderr == ""


def test_a_terminal_gets_a_live_line(tables):
    pytest.importorskip("tqdm")
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    # tqdm shows nothing on a terminal without columns.
    size = struct.pack("HHHH", 24, 100, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    done = subprocess.run(
        [sys.executable, "-m", "mdbopt", "fit", str(tables / "two.npz"), "--json"],
        stdout=subprocess.PIPE, stderr=theirs, text=True, check=False, timeout=120,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux reports the end as an error
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert done.returncode == 0
    assert "fits" in json.loads(done.stdout)
    assert b"\rguarded:" in shown
    assert b"max|g|=" in shown
    # a converged run is at its end, far below the limit
    evaluations = json.loads(done.stdout)["fits"][0]["nfev"]
    assert "100%|" in shown.decode()
    assert f"{evaluations}/{evaluations} " in shown.decode()
