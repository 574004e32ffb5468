"""The command line: what it prints, what it writes, and how it fails."""

import contextlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mdbopt
from mdbopt import cli, data
from mdbopt.cli import _model, _runs

FIT_KEYS = {
    "method",
    "nfev",
    "nfev_to_gap",
    "nit",
    "ncut",
    "seconds",
    "loss",
    "gmax",
    "score",
    "status",
    "success",
    "message",
}
KEYS = {
    "version",
    "table",
    "rows",
    "columns",
    "weights",
    "target",
    "note",
    "loss",
    "loss_reason",
    "l2",
    "penalize_intercept",
    "dtype",
    "gtol",
    "maxfun",
    "maxiter",
    "gap",
    "score",
    "fits",
    "model",
    "plot",
}


@pytest.fixture
def tables(tmp_path):
    """Small tables of each kind, as files."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 3)) * [1.0, 100.0, 0.01]
    z = X @ [1.0, 0.01, 100.0]
    noise = rng.standard_normal(60)
    targets = {
        "two": (z + noise > 0).astype(float),
        "three": np.digitize(z + noise, [-0.5, 0.5]).astype(float),
        "real": z + 0.1 * noise,
        "one": np.ones(60),
    }
    for name, y in targets.items():
        np.savez(tmp_path / f"{name}.npz", X=X, y=y, feature_names=["a", "b", "c"])
        np.savetxt(
            tmp_path / f"{name}.csv",
            np.column_stack([y, X]),
            delimiter=",",
            header="y,a,b,c",
            comments="",
        )
    return tmp_path


def run(capsys, *args):
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def fit_json(capsys, *args):
    code, out, _ = run(capsys, "fit", *args, "--json")
    assert code == 0
    return json.loads(out)


def cells(line):
    return line.split()


def test_fit_prints_a_table(capsys, tables):
    code, out, err = run(capsys, "fit", tables / "two.npz", "--method", "box")
    title, target, loss, blank, header, row = out.splitlines()
    assert code == 0
    assert title == "two: 60 rows, 3 columns, logistic loss, l2 = 0.0167, float64"
    assert target == "target: y"
    assert loss == (
        "loss: logistic, as the target holds two values, 0 and 1: classes "
        "(--loss takes squares, softmax, svm)"
    )
    assert blank == ""
    assert cells(header) == [
        "method", "evaluations", "seconds", "loss", "max|g|", "accuracy", "status",
    ]  # fmt: skip
    assert cells(row)[0] == "box"
    assert cells(row)[-1] == "converged"
    assert err.startswith("box: ")


def test_comparison_counts_evaluations_to_the_best(capsys, tables):
    code, out, err = run(
        capsys, "fit", tables / "two.npz", "--compare", "guarded,box,lbfgs", "--maxfun", 400
    )
    header, *rows = out.splitlines()[4:]
    assert code == 0
    assert header.split()[:3] == ["method", "evaluations", "to"]
    assert [row.split()[0] for row in rows] == ["guarded", "box", "lbfgs"]
    assert len({len(row[: row.rindex("0.")]) for row in rows}) == 1  # aligned
    assert [line.split(":")[0] for line in err.splitlines()] == ["guarded", "box", "lbfgs"]


def test_lbfgs_is_recorded_like_the_others(capsys, tables):
    summary = fit_json(capsys, tables / "two.npz", "--compare", "lbfgs", "--gtol", "1e-6")
    ours, scipys = summary["fits"]
    assert scipys["method"] == "lbfgs"
    assert scipys["loss"] == pytest.approx(ours["loss"], rel=1e-9)
    assert scipys["status"] == ours["status"] == 0
    assert scipys["gmax"] <= 1e-6
    for fit in (ours, scipys):
        assert 1 < fit["nfev_to_gap"] <= fit["nfev"]


def test_lbfgs_trace(tables):
    table = data.load(tables / "two.npz")
    fun = mdbopt.problems.logistic(table.X, table.y, l2=0.01)
    ours, scipys = (
        _runs.fit(fun, m, _runs.Limits(1e-6, 300), show=False) for m in ("box", "lbfgs")
    )
    assert set(scipys.trace) == set(ours.trace)
    for name, column in ours.trace.items():
        assert scipys.trace[name].dtype == column.dtype
        assert len(scipys.trace[name]) == scipys.nfev
    assert scipys.trace["accepted"].sum() == scipys.nit + 1
    assert scipys.trace["f"][0] == ours.trace["f"][0]
    assert scipys.trace["best"][-1] == scipys.fun
    assert (np.diff(scipys.trace["seconds"]) >= 0).all()


def test_json_is_one_object_and_nothing_else(capsys, tables):
    code, out, err = run(capsys, "fit", tables / "three.npz", "--json", "--compare", "lbfgs")
    summary = json.loads(out)
    assert (code, err) == (0, "")
    assert set(summary) == KEYS
    assert all(set(fit) == FIT_KEYS for fit in summary["fits"])
    assert (summary["loss"], summary["weights"], summary["score"]) == ("softmax", 12, "accuracy")
    assert summary["l2"] == 1 / 60


@pytest.mark.parametrize(
    ("table", "loss", "score"),
    [("two", "logistic", "accuracy"), ("three", "softmax", "accuracy"), ("real", "squares", "r2")],
)
def test_loss_follows_the_targets(capsys, tables, table, loss, score):
    summary = fit_json(capsys, tables / f"{table}.csv", "--target", "y")
    assert (summary["loss"], summary["score"]) == (loss, score)
    assert summary["fits"][0]["score"] > 0.5


def test_options_reach_the_problem(capsys, tables):
    summary = fit_json(
        capsys, tables / "two.csv", "--target", 0, "--loss", "svm", "--l2", 0.5, "--dtype",
        "float32", "--maxfun", 30, "--method", "backtracking",
    )  # fmt: skip
    assert (summary["loss"], summary["l2"], summary["dtype"]) == ("svm", 0.5, "float32")
    assert summary["gtol"] == 1e-4
    assert summary["fits"][0]["nfev"] <= 30


def test_limit_is_no_failure(capsys, tables):
    code, out, _ = run(capsys, "fit", tables / "real.npz", "--method", "box", "--maxfun", 3)
    assert code == 0
    assert out.splitlines()[-1].split()[-1] == "limit"


def test_without_data_the_real_table(capsys):
    pytest.importorskip("sklearn")
    summary = fit_json(capsys, "--maxfun", 20)
    assert (summary["table"], summary["rows"], summary["columns"]) == ("breast-cancer", 569, 30)


@pytest.mark.parametrize("table", ["two", "three", "real"])
def test_saved_model_predicts(capsys, tables, table):
    path = tables / "model.npz"
    code, out, _ = run(capsys, "fit", tables / f"{table}.npz", "--save", path)
    assert code == 0
    assert out.splitlines()[-1] == f"model: {path}"
    model = np.load(path, allow_pickle=False)
    assert set(model) == {
        "weights", "intercept", "loss", "classes", "feature_names", "l2", "version",
        "penalize_intercept", "columns", "named", "target", "target_place", "categories",
        "category_counts", "means", "zero_based",
    }  # fmt: skip
    assert list(model["feature_names"]) == ["a", "b", "c"]
    assert str(model["version"]) == mdbopt.__version__
    assert bool(model["intercept"])
    source = data.load(tables / f"{table}.npz")
    z = source.X @ model["weights"][:-1] + model["weights"][-1]
    if table == "two":
        right = model["classes"][(z > 0).astype(int)] == source.y
    elif table == "three":
        right = model["classes"][z.argmax(axis=1)] == source.y
    else:
        right = abs(z - source.y) < 1.0
    assert right.mean() > 0.6
    assert not list(tables.glob("*.part"))


def test_picture_is_drawn(capsys, tables):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    path = tables / "fit.png"
    code, out, _ = run(
        capsys, "fit", tables / "two.npz", "--compare", "box,lbfgs", "--maxfun", 300, "--plot", path
    )
    assert code == 0
    assert out.splitlines()[-1] == f"picture: {path}"
    pixels = imread(path)
    assert pixels.shape[0] > 300
    assert pixels.shape[1] > 600
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50


def test_picture_of_lbfgs_alone_has_no_step_sizes(capsys, tables):
    pytest.importorskip("matplotlib")
    path = tables / "fit.svg"
    code, *_ = run(capsys, "fit", tables / "two.npz", "--method", "lbfgs", "--plot", path)
    assert code == 0
    assert path.read_text().startswith("<?xml")


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


def test_an_interrupted_comparison_keeps_what_has_ended(capsys, monkeypatch, tables):
    fit = _runs.fit

    def interrupted(fun, method, limits, **options):
        if method == "gd":
            raise KeyboardInterrupt
        return fit(fun, method, limits, **options)

    monkeypatch.setattr(_runs, "fit", interrupted)
    arguments = ("fit", tables / "two.npz", "--compare", "lbfgs,gd,box")
    code, out, err = run(capsys, *arguments, "--save", tables / "model")
    assert code == 130
    assert [line.split()[0] for line in out.splitlines()[5:]] == ["guarded", "lbfgs", "model:"]
    assert err.endswith("\nmdbopt: interrupted\n")
    assert _model.load(tables / "model.npz").loss == "logistic"
    code, out, _ = run(capsys, *arguments, "--json")
    assert (code, len(json.loads(out)["fits"])) == (130, 2)


def test_limits_are_whole_numbers_however_written(capsys, tables):
    for text, maxfun in (("1e1", 10), ("10.0", 10), ("none", None), ("inf", None), ("NONE", None)):
        summary = fit_json(capsys, tables / "two.npz", "--maxfun", text, "--compare", "lbfgs")
        assert summary["maxfun"] == maxfun
        ended_early = [fit["status"] == 1 for fit in summary["fits"]]
        assert ended_early == [maxfun is not None] * 2
    summary = fit_json(capsys, tables / "two.npz", "--maxiter", "1e0", "--compare", "lbfgs")
    assert (summary["maxiter"], summary["maxfun"]) == (1, 20_000)
    assert [fit["nit"] for fit in summary["fits"]] == [1, 1]
    summary = fit_json(capsys, tables / "two.npz", "--maxiter", "none")
    assert (summary["maxiter"], summary["fits"][0]["status"]) == (None, 0)


def test_methods_are_listed(capsys):
    code, out, err = run(capsys, "fit", "--list-methods")
    assert (code, err) == (0, "")
    assert out.splitlines() == [*mdbopt.methods(), "lbfgs"]
    _, out, _ = run(capsys, "fit", "--help")
    assert all(method in out for method in mdbopt.methods())


@pytest.mark.parametrize(("given", "written"), [
    ("model", "model.npz"), ("m.csv", "m.csv.npz"), ("m.v2", "m.v2.npz"), ("m.npz", "m.npz"),
])  # fmt: skip
def test_a_model_is_saved_where_savez_would(capsys, tables, given, written):
    code, out, _ = run(capsys, "fit", tables / "two.npz", "--save", tables / given)
    assert code == 0
    assert out.splitlines()[-1] == f"model: {tables / written}"
    assert _model.load(tables / written).weights.shape == (4,)
    np.savez(tables / f"savez-{given}", a=1)
    assert (tables / f"savez-{written}").exists()


def test_the_output_says_what_was_decided(capsys, tables):
    (tables / "t.csv").write_text(
        ",a,word\n" + "".join(f"{k},{k % 7},w{k % 3}\n" for k in range(30))
    )
    code, out, _ = run(capsys, "fit", tables / "t.csv", "--maxfun", 5)
    assert code == 0
    target, loss, note = out.splitlines()[1:4]
    assert target == "target: 'word', the last column (--target NAME takes another)"
    assert loss == (
        "loss: softmax, as the target holds 3 distinct words: classes "
        "(--loss takes logistic, squares, svm)"
    )
    assert note == "note: the first column, which has no name, is taken for the names of the rows"
    summary = fit_json(capsys, tables / "t.csv", "--maxfun", 5)
    assert summary["target"] == "'word', the last column"
    assert summary["loss_reason"] == "the target holds 3 distinct words: classes"
    assert summary["note"].startswith("the first column")
    # the advice, followed
    code, out, _ = run(
        capsys, "fit", tables / "t.csv", "--target", "a", "--loss", "squares", "--one-hot"
    )
    assert (code, out.splitlines()[1]) == (0, "target: 'a'")
    assert "loss: " not in out
    assert fit_json(capsys, tables / "three.npz", "--loss", "squares")["loss_reason"] == "--loss"


def test_files_are_read_as_asked(capsys, tables):
    (tables / "t.txt").write_text("3^1^4\n1,5^^7\n3,5^x^8\n2,5^y^8\n")
    summary = fit_json(
        capsys, tables / "t.txt", "--header", "--sep", "^", "--decimal", ",", "--one-hot",
        "--missing", "mean", "--target", "4", "--loss", "squares",
    )  # fmt: skip
    assert (summary["columns"], summary["rows"], summary["target"]) == (3, 3, "'4'")
    (tables / "t.svm").write_text("1 2:1\n0 2:3\n1 2:5 3:1\n")
    summary = fit_json(capsys, tables / "t.svm", "--zero-based", "--n-features", "1e1")
    assert (summary["columns"], summary["note"]) == (10, "")
    assert "count from 1" in fit_json(capsys, tables / "t.svm")["note"]
    assert fit_json(capsys, tables / "t.svm", "--no-zero-based")["columns"] == 3


def test_a_table_from_standard_input(tables):
    text = (tables / "two.csv").read_text()
    done = command("fit", "-", "--target", "y", "--json", input=text)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["table"], summary["rows"], summary["loss"]) == ("stdin", 60, "logistic")


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
    assert found["extras"].keys() == {"data", "plot", "progress"}
    assert found["extras"]["data"].keys() == {"pandas", "scikit-learn"}


def test_the_lines_of_the_readme_run(capsys):
    pytest.importorskip("sklearn")
    readme = Path(__file__).resolve().parent.parent / "README.md"
    if not readme.is_file():
        pytest.skip("no README.md beside the tests")
    lines = readme.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(compile(lines, str(readme), "exec"), {})
    assert capsys.readouterr().out.startswith("Converged: ")


def command(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "mdbopt", *map(str, args)],
        capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip


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
