"""bench/solvers.py: counting, resuming, failures, shares of a known table. No time is asserted."""

import importlib.util
import json
import math

import _held_out
import _solvers
import numpy as np
import pytest
import solvers
from _common import build_problem
from _estimators import ESTIMATORS
from _more_garbow_hillstrom import problems
from _peers import PEERS
from _profiles import costs_of, farther, foremost, least_of, shares
from _solvers import Recorder, Run
from _stage_runs import Runs

import mdbopt

ROSENBROCK = dict(problems())["01-rosenbrock"]
QUICK = ["--stage", "functions", "--only", "01-rosenbrock", "--only", "09-gaussian", "--cap", "60"]
FEW = ["--methods", "guarded", "--methods", "gd", "--methods", "BFGS"]
KEY = "functions", "bowl"


def a_run(values, **changes):
    facts = {"message": "ended", "seconds": 1.0, "failed": False} | changes
    values = np.array(values, float)
    return Run(values, np.arange(1.0, len(values) + 1.0), **facts)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestRecorder:
    def test_a_product_counts_as_a_gradient(self):
        H = np.diag([1.0, 10.0])
        record = Recorder(lambda x: (0.5 * x @ H @ x, H @ x), 100)
        x, v = np.array([1.0, 2.0]), np.array([3.0, -1.0])
        record(x)
        assert np.allclose(record.product(x, v), H @ v, rtol=1e-6)
        assert len(record.values) == 2
        # the gradient at a point not evaluated before is another one
        record.product(x + 1.0, v)
        assert len(record.values) == 4
        assert np.isinf(record.values[1:]).all()

    def test_the_last_point_is_not_counted_again(self):
        record = Recorder(ROSENBROCK, 100)
        first = record(ROSENBROCK.x0)
        assert record.again(ROSENBROCK.x0) is not first
        assert record.again(ROSENBROCK.x0)[0] == first[0]
        assert len(record.values) == 1
        record.again(ROSENBROCK.x0 + 1.0)
        assert len(record.values) == 2

    def test_the_cap_ends_a_run(self):
        record = Recorder(ROSENBROCK, 7)

        def forever():
            while True:
                record(ROSENBROCK.x0)

        run = record.run(forever)
        assert (len(run.values), run.message, run.failed) == (7, "evaluations spent", False)

    def test_patience_ends_a_run_that_lowers_nothing(self):
        record = Recorder(lambda x: (abs(x[0] - 5.0), np.zeros(1)), 1000, patience=10)

        def walk():
            for k in range(1000):
                record(np.array([float(k)]))

        run = record.run(walk)
        # 0 to 5 lower f, the next ten do not
        assert (len(run.values), run.message) == (16, "no lower f in 10")
        assert not run.failed

    def test_an_error_is_a_failure(self):
        record = Recorder(ROSENBROCK, 10)

        def solve():
            record(ROSENBROCK.x0)
            raise OverflowError("too far")

        run = record.run(solve)
        assert (run.failed, run.message, len(run.values)) == (True, "OverflowError: too far", 1)

    @pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-constr"])
    def test_methods_of_scipy_minimise(self, method):
        run = _solvers.of_scipy(ROSENBROCK, method, 400, 100)
        assert run.first_below(1e-8) < 300
        assert len(run.values) <= 400
        assert not run.failed


class TestRuns:
    def test_costs_are_the_first_evaluation_below_the_goal(self):
        runs = Runs(None, 10)
        runs.keep(KEY, "one", a_run([11.0, 1.05, 3.0, 1.0]), True)
        runs.keep(KEY, "two", a_run([11.0, 1.5, np.nan, 1.01]), True)
        runs.keep(KEY, "fits", a_run([1.0005, 1.0]), False)
        assert runs.settle(KEY, 11.0, {"named": "one"})
        row = runs.settled[KEY]
        assert (row["best"], row["f0"], row["named"]) == (1.0, 11.0, "one")
        one, two, fits = (row["methods"][name] for name in ("one", "two", "fits"))
        # goals are 1.1, 1.001 and 1.0000001
        assert one["evaluations"] == {"1e-02": 2, "1e-04": 4, "1e-08": 4}
        assert two["evaluations"] == {"1e-02": 4, "1e-04": None, "1e-08": None}
        assert fits["evaluations"] == {"1e-02": None, "1e-04": None, "1e-08": None}
        assert fits["seconds"] == {"1e-02": 1.0, "1e-04": 1.0, "1e-08": 2.0}

    def test_a_file_keeps_crossings_once_a_problem_is_whole(self, tmp_path):
        path = tmp_path / "runs.jsonl"
        runs = Runs(path, 5000)
        runs.keep(KEY, "one", a_run(np.geomspace(1.0, 1e-9, 5000)), True)
        long = path.stat().st_size
        assert Runs(path, 5000).missing(KEY, ["one", "two"]) == ["two"]
        assert runs.settle(KEY, 1.0, {})
        assert path.stat().st_size < long / 100
        again = Runs(path, 5000)
        assert again.settled == runs.settled
        assert again.missing(KEY, ["one", "two"]) == ["two"]

    def test_what_was_cut_off_is_run_again(self, tmp_path):
        path = tmp_path / "runs.jsonl"
        runs = Runs(path, 10)
        runs.keep(KEY, "one", a_run([2.0, 1.0]), True)
        runs.keep(KEY, "two", a_run([2.0, 1.5]), True)
        path.write_text(path.read_text()[:-20])
        again = Runs(path, 10)
        assert again.missing(KEY, ["one", "two"]) == ["two"]
        again.keep(KEY, "two", a_run([2.0, 1.5]), True)
        assert Runs(path, 10).missing(KEY, ["one", "two"]) == []

    def test_a_later_method_is_measured_against_what_is_known(self, tmp_path):
        runs = Runs(tmp_path / "runs.jsonl", 10)
        runs.keep(KEY, "one", a_run([2.0, 1.0]), True)
        assert runs.settle(KEY, 2.0, {"d": 3, "named": "one"})
        runs.keep(KEY, "two", a_run([2.0, 1.5, 1.0 + 1e-9]), True)
        assert runs.settle(KEY, 2.0, {"d": 3})
        assert runs.settled[KEY]["named"] == "one"
        methods = runs.settled[KEY]["methods"]
        assert methods["two"]["evaluations"]["1e-08"] == 3
        assert methods["one"]["evaluations"]["1e-08"] == 2

    def test_a_lower_minimum_found_later_starts_the_problem_anew(self, tmp_path):
        path = tmp_path / "runs.jsonl"
        runs = Runs(path, 10)
        runs.keep(KEY, "one", a_run([2.0, 1.0]), True)
        assert runs.settle(KEY, 2.0, {})
        runs.keep(KEY, "two", a_run([2.0, 0.5]), True)
        assert not runs.settle(KEY, 2.0, {})
        assert runs.missing(KEY, ["one", "two"]) == ["one", "two"]
        assert Runs(path, 10).missing(KEY, ["one", "two"]) == ["one", "two"]

    def test_a_run_that_never_was_finite_solves_nothing(self):
        runs = Runs(None, 10)
        runs.keep(KEY, "one", a_run([2.0, 1.0]), True)
        runs.keep(KEY, "lost", a_run([np.nan, np.inf], failed=True), True)
        assert runs.settle(KEY, 2.0, {})
        lost = runs.settled[KEY]["methods"]["lost"]
        assert (lost["failed"], lost["least"]) == (True, None)
        assert set(lost["evaluations"].values()) == {None}

    def test_another_cap_is_refused(self, tmp_path):
        path = tmp_path / "runs.jsonl"
        Runs(path, 10).keep(KEY, "one", a_run([2.0]), True)
        with pytest.raises(SystemExit, match="runs of 10 evaluations, expected --cap 11"):
            Runs(path, 11)


def row_of(problem, f0=10.0, best=0.0, **took):
    methods = {
        method: {"counted": True, "evaluations": {"1e-02": each}, "seconds": {"1e-02": each}}
        for method, each in took.items()
    }
    return {"stage": "s", "problem": problem, "f0": f0, "best": best, "methods": methods}


class TestShares:
    ROWS = (
        row_of("p", a=10, b=12, c=100),
        row_of("q", a=30, b=20, c=None),
        row_of("r", a=5, b=None),
        row_of("flat", f0=1.0, best=1.0, a=1, b=None, c=1),
        row_of("nobody", a=None, b=None, c=None),
    )

    def test_shares_of_a_known_table(self):
        costs = costs_of(self.ROWS, "1e-02", "evaluations")
        assert {name: len(each) for name, each in costs.items()} == {"a": 4, "b": 4, "c": 3}
        assert shares(costs, 1.0) == {"a": 0.5, "b": 0.25, "c": 0.0}
        assert shares(costs, 1.2) == {"a": 0.5, "b": 0.5, "c": 0.0}
        assert shares(costs, 1.5) == {"a": 0.75, "b": 0.5, "c": 0.0}
        assert shares(costs, math.inf) == {"a": 0.75, "b": 0.5, "c": 1 / 3}
        assert least_of(costs)["s/q"] == ("b", 20)
        assert foremost(costs, 2) == ["a", "b"]

    def test_what_is_named_is_missed_where_it_is_farther(self):
        costs = costs_of(self.ROWS, "1e-02", "evaluations")
        named = {"s/p": "b", "s/q": "a", "s/r": None, "s/nobody": "a"}
        found = farther(costs, named, 1.2)
        assert set(found) == {"s/q", "s/r", "s/nobody"}
        assert found["s/q"] == {"named": "a", "took": 30, "best": "b", "best took": 20}
        assert set(farther(costs, named, 1.5)) == {"s/r", "s/nobody"}

    def test_uncounted_methods_have_seconds_alone(self):
        row = row_of("p", a=3, fits=1)
        row["methods"]["fits"]["counted"] = False
        assert [*costs_of([row], "1e-02", "evaluations")] == ["a"]
        assert [*costs_of([row], "1e-02", "seconds")] == ["a", "fits"]


class TestStage:
    def test_a_stage_prints_draws_and_writes(self, tmp_path, capsys):
        pytest.importorskip("matplotlib")
        picture, figures = tmp_path / "profiles.png", tmp_path / "figures.json"
        solvers.main([*QUICK, *FEW, "--plot", str(picture), "--json", str(figures)])
        out = capsys.readouterr().out
        assert "functions: 2 problems" in out
        assert "guarded: within 1.2 of the best on" in out
        assert "diagnose: within 1.5 of the best on" in out
        assert picture.read_bytes().startswith(b"\x89PNG")
        read = json.loads(figures.read_text())
        assert read["functions"]["guarded"]["pairs"] == 6
        assert {row["problem"] for row in read["rows"]} == {"01-rosenbrock", "09-gaussian"}
        assert set(read["rows"][0]["methods"]) == {"guarded", "gd", "BFGS"}
        took = read["functions"]["problems"]["functions/01-rosenbrock"]["1e-08"]["guarded"]
        run = _solvers.ours(ROSENBROCK, "guarded", {}, cap=60)
        assert run.values[took - 1] <= 1e-8 * run.values[0] < min(run.values[: took - 1])

    def test_an_interrupted_stage_goes_on(self, tmp_path, capsys, monkeypatch):
        path = tmp_path / "runs.jsonl"
        quick = [*QUICK, *FEW, "--runs", str(path)]
        ran = []

        def interrupted(problem, method, *arguments, **options):
            ran.append((problem.name, method))
            if len(ran) == 4:
                raise KeyboardInterrupt
            return _solvers.ours(problem, method, *arguments, **options)

        monkeypatch.setattr(solvers, "ours", interrupted)
        with pytest.raises(KeyboardInterrupt):
            solvers.main(quick)
        # the first problem is whole, of the second there is one run
        assert [row.get("method") for row in lines_of(path)] == [None, "guarded"]
        solvers.main(quick)
        assert ran[:2] == [("01-rosenbrock", "guarded"), ("01-rosenbrock", "gd")]
        assert ran[2:] == [("09-gaussian", "guarded"), ("09-gaussian", "gd"), ("09-gaussian", "gd")]
        capsys.readouterr()
        solvers.main(quick)
        assert len(ran) == 5
        assert "functions: 2 problems" in capsys.readouterr().out
        # a method that comes later is run alone
        solvers.main([*quick, "--methods", "L-BFGS-B"])
        assert len(ran) == 5
        assert "L-BFGS-B " in capsys.readouterr().out

    def test_a_failed_run_is_shown(self, tmp_path, capsys, monkeypatch):
        def diverges(problem, method, *arguments, **options):
            if method != "gd":
                return _solvers.ours(problem, method, *arguments, **options)
            return a_run([problem(problem.x0)[0], np.inf], failed=True, message="f has no bound")

        monkeypatch.setattr(solvers, "ours", diverges)
        solvers.main([*QUICK, *FEW])
        out = capsys.readouterr().out
        assert "failed: gd on 01-rosenbrock (f has no bound); 09-gaussian (f has no bound)" in out

    def test_every_method_of_mdbopt_and_scipy_takes_part(self):
        names = set(solvers.methods_for(ROSENBROCK, None))
        scipy = {"L-BFGS-B", "L-BFGS-B, as many pairs", "BFGS", "CG", "Newton-CG", "trust-constr"}
        assert names >= set(mdbopt.methods()) | scipy
        assert names <= set(solvers.all_names())

    def test_absent_libraries_are_named(self, capsys, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert not set(solvers.methods_for(ROSENBROCK, None)) & {peer.name for peer in PEERS}
        solvers.main([*QUICK, "--methods", "guarded"])
        out = capsys.readouterr().out
        assert "nlopt is not installed: without NLopt LBFGS, NLopt VAR2, NLopt TNEWTON" in out
        assert "torch is not installed: without torch LBFGS" in out

    def test_large_problems_leave_matrices_out(self):
        d = _solvers.LARGEST_MATRIX + 1
        problem = mdbopt.problems.quadratic(np.ones(d))
        names = set(solvers.methods_for(problem, None))
        assert not names & {"BFGS", "optimistix BFGS", "NLopt VAR2"}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--methods", "guarded", "--methods", "newton"], "--methods: no 'newton', expected"),
            (["--cap", "0"], "--cap: expected a whole number >= 1, got 0"),
            (["--stage", "functions", "--only", "heart"], "--only, --methods: no problem"),
            (["--stage", "functions", "--methods", "skglm LBFGS"], "--only, --methods: no problem"),
        ],
    )
    def test_refusals(self, capsys, arguments, message):
        with pytest.raises(SystemExit):
            solvers.main(arguments)
        assert message in capsys.readouterr().err

    def test_scikit_learns_tables_stand_in_for_a_folder(self, capsys, monkeypatch):
        pytest.importorskip("sklearn")
        monkeypatch.delenv("MDBOPT_BENCH_DATA", raising=False)
        solvers.main(["--methods", "guarded", "--only", "sk-linnerud/raw"])
        assert "tables: 1 problems" in capsys.readouterr().out


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: each.name)
def test_estimators_have_the_same_objective(estimator):
    if not estimator.installed:
        pytest.skip(f"{estimator.package} is not installed")
    pytest.importorskip("sklearn")
    rows = dict(_held_out.tables())["sk-iris-2/scaled"]
    problem = build_problem(*rows)
    least = _solvers.ours(problem, "guarded", {}).values.min()
    run = estimator.run(problem, rows, 512)
    assert not run.failed
    assert len(run.values) == len(run.moments)
    assert least - 1e-12 <= run.values.min() <= least * (1.0 + 1e-6)
    if estimator.squares:
        X, y, _ = dict(_held_out.tables())["sk-diabetes/scaled"]
        squares = build_problem(X, y, False)
        least = _solvers.ours(squares, "guarded", {}).values.min()
        run = estimator.run(squares, (X, y, False), 512)
        assert least * (1.0 - 1e-12) <= run.values.min() <= least * (1.0 + 1e-6)
