"""`mdbopt fit`: what it prints and writes, and what decides it."""

import json

import numpy as np
import pytest
from commands import command, fit_json, run

import mdbopt
from mdbopt import data
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
    "nonzero",
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
    "l1",
    "penalize_intercept",
    "cv",
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
    assert len(np.unique((255 * pixels).round().astype(np.uint8).view(np.uint32))) > 50


def test_picture_of_lbfgs_alone_has_no_step_sizes(capsys, tables):
    pytest.importorskip("matplotlib")
    path = tables / "fit.svg"
    code, *_ = run(capsys, "fit", tables / "two.npz", "--method", "lbfgs", "--plot", path)
    assert code == 0
    assert path.read_text().startswith("<?xml")


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


def test_cross_validation_chooses_l2(capsys):
    summary = fit_json(capsys, "--cv", "3", "--l2", "0.01")
    found = summary["cv"]
    assert (found["folds"], len(found["l2"])) == (3, 17)
    assert (max(found["l2"]), min(found["l2"])) == (1.0, 1e-4)
    assert found["loss"][found["best"]] == min(found["loss"])
    assert summary["l2"] == found["l2"][found["best"]]
    code, out, _ = run(capsys, "fit", "--cv", "3", "--l2", "0.01")
    assert code == 0
    assert f"l2: {summary['l2']:.3g}, of 17 values from 1 to 0.0001, by 3 folds" in out


def test_cross_validation_chooses_l1(capsys):
    arguments = ("--cv", "3", "--l1", "0.05", "--l2", "0", "--gtol", "1e-5")
    summary = fit_json(capsys, *arguments)
    found = summary["cv"]
    assert (found["folds"], len(found["l1"]), set(found["l2"])) == (3, 17, {0.0})
    assert (max(found["l1"]), min(found["l1"])) == (5.0, 5e-4)
    assert found["loss"][found["best"]] == min(found["loss"])
    assert summary["l1"] == found["l1"][found["best"]]
    code, out, _ = run(capsys, "fit", *arguments)
    assert code == 0
    assert f"l1: {summary['l1']:.3g}, of 17 values from 5 to 0.0005, by 3 folds" in out
    assert f"l2 = 0, l1 = {summary['l1']:.3g}" in out


def test_l1_makes_weights_zero(capsys):
    summary = fit_json(capsys, "--l1", "0.05", "--l2", "0")
    assert (summary["l1"], summary["l2"]) == (0.05, 0)
    table = mdbopt.data.load()
    fun = mdbopt.problems.logistic(table.X, table.y, l2=0.0)
    l1 = fun.l1_of_weights(0.05)
    expected = mdbopt.minimize(fun, fun.x0, jac=True, l1=l1, options={"gtol": summary["gtol"]})
    fit = summary["fits"][0]
    assert fit["loss"] == expected.fun
    assert fit["gmax"] == expected.state.gmax <= summary["gtol"]
    assert fit["nonzero"] == np.count_nonzero(expected.x) < summary["weights"]
    code, out, _ = run(capsys, "fit", "--l1", "0.05", "--l2", "0")
    assert code == 0
    assert "l2 = 0, l1 = 0.05, float64" in out
    assert f"{fit['nonzero']} of {summary['weights']}" in out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--l1", "-1"), "--l1: expected a finite number >= 0, got -1.0"),
        (("--l1", "nan"), "--l1: expected a finite number >= 0, got nan"),
        (("--l1", "1", "--compare", "lbfgs"), "--l1: expected 0 with method lbfgs, or one of guar"),
        (("--l1", "1", "--method", "adam"), "--l1: expected 0 with method adam, or one of guarded"),
    ],
)
def test_l1_says_what_it_goes_with(capsys, arguments, error):
    code, out, err = run(capsys, "fit", *arguments)
    assert (code, out) == (2, "")
    assert error in err


def test_without_cross_validation_there_is_none(capsys):
    assert fit_json(capsys)["cv"] is None
