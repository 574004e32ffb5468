"""Pictures: what they show, what they refuse, and that they leave the process as it was."""

import io
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import OptimizeResult

import mdbopt
import mdbopt.plot

pytest.importorskip("matplotlib")
H = np.array([1e-2, 1.0, 1e3, 1e4])


def fun(x):
    return 0.5 * float(H @ x**2), H * x


@pytest.fixture(scope="module")
def runs():
    options = {"maxfun": 700}
    return {
        method: mdbopt.minimize(fun, np.ones(4), jac=True, method=method, options=options)
        for method in ("box", "ellipsoid", "gd")
    }


def pixels(ax):
    """Return a picture's pixels, each as one number."""
    from matplotlib.image import imread

    file = io.BytesIO()
    ax.figure.savefig(file, format="png")
    file.seek(0)
    return (255 * imread(file)).round().astype(np.uint8).view(np.uint32)


def lines(ax):
    return {
        str(line.get_label()).split("  ")[0]: line
        for line in ax.get_lines()
        if not str(line.get_label()).startswith("_")
    }


@pytest.mark.parametrize("y", ["gap", "f", "gmax"])
@pytest.mark.parametrize("x", ["nfev", "seconds"])
def test_convergence_is_drawn(runs, x, y):
    ax = mdbopt.plot.convergence(runs, x=x, y=y)
    assert ax.get_yscale() == "log"
    assert [*lines(ax)] == ["box", "ellipsoid", "gd", "rejected point"]
    assert len(np.unique(pixels(ax))) > 50


def test_convergence_shows_the_gap(runs):
    ax = mdbopt.plot.convergence(runs, f_star=0.0)
    drawn = lines(ax)["box"]
    best = runs["box"].trace["best"]
    assert np.array_equal(drawn.get_xdata(), np.arange(1, len(best) + 1))
    assert np.allclose(drawn.get_ydata(), best / best[0], rtol=1e-12)


def test_convergence_marks_rejections(runs):
    ax = mdbopt.plot.convergence(runs["box"])
    marks = [line for line in ax.get_lines() if line.get_label() == "_rejected"]
    rejected = np.flatnonzero(~runs["box"].trace["accepted"]) + 1
    (mark,) = marks
    assert 0 < len(mark.get_xdata()) <= mdbopt.plot.MOST_MARKS
    assert set(mark.get_xdata()) <= set(rejected)


def test_gmax_falls(runs):
    ax = mdbopt.plot.convergence(runs, y="gmax")
    for line in lines(ax).values():
        assert (np.diff(line.get_ydata()) <= 0).all()


def test_axis_follows_the_length_of_runs(runs):
    short = mdbopt.minimize(fun, np.ones(4), jac=True, options={"maxfun": 20})
    assert mdbopt.plot.convergence(short).get_xscale() == "linear"
    assert mdbopt.plot.convergence({"short": short, "gd": runs["gd"]}).get_xscale() == "log"


def test_negative_values_take_a_linear_axis():
    run = mdbopt.minimize(lambda x: (fun(x)[0] - 1.0, fun(x)[1]), np.ones(4), jac=True)
    assert mdbopt.plot.convergence(run, y="f").get_yscale() == "linear"
    assert mdbopt.plot.convergence(run).get_yscale() == "log"


def test_a_run_of_one_evaluation():
    run = mdbopt.minimize(fun, np.zeros(4), jac=True)
    assert run.nfev == 1
    for y in ("gap", "f", "gmax"):
        pixels(mdbopt.plot.convergence(run, y=y))
    pixels(mdbopt.plot.step_sizes(run))


def test_step_sizes_are_sorted_by_the_first(runs):
    ax = mdbopt.plot.step_sizes(runs)
    assert ax.get_yscale() == "log"
    drawn = lines(ax)
    assert np.array_equal(drawn["box"].get_ydata(), np.sort(runs["box"].step_sizes))
    order = np.argsort(runs["box"].step_sizes, kind="stable")
    assert np.array_equal(drawn["ellipsoid"].get_ydata(), runs["ellipsoid"].step_sizes[order])


def test_step_sizes_name_the_coordinates(runs):
    ax = mdbopt.plot.step_sizes(runs, names=["flat", "b", "c", "steep"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "steep"
    assert labels[-1] == "flat"
    assert ax.get_xscale() == "log"


def test_step_sizes_of_thousands_of_coordinates():
    steps = np.geomspace(1e-9, 1e9, 5000)
    steps[7] = 0.0
    ax = mdbopt.plot.step_sizes(
        OptimizeResult(step_sizes=steps), names=[f"x{i}" for i in range(5000)]
    )
    assert ax.get_yscale() == "log"
    assert len(np.unique(pixels(ax))) > 50


def test_a_method_has_one_colour_in_every_picture(runs):
    every = mdbopt.plot.convergence(runs)
    for method in runs:
        own = mdbopt.plot.convergence({"another": runs["gd"], method: runs[method]})
        assert lines(own)[method].get_color() == lines(every)[method].get_color()
        assert lines(own)["another"].get_color() != lines(own)[method].get_color()
    assert set(mdbopt.plot.METHODS) == {*mdbopt.methods(), "lbfgs"}
    called = {"L-BFGS-B (SciPy)": runs["gd"], "box (a)": runs["box"], "box (b)": runs["box"]}
    found = [line.get_color() for line in lines(mdbopt.plot.convergence(called)).values()]
    colours = mdbopt.plot.COLOURS
    assert found[:2] == [colours[1], colours[2]]
    assert found[2] not in found[:2]


def test_runs_without_step_sizes_keep_their_colour(runs):
    mixed = {"lbfgs": OptimizeResult(trace=runs["gd"].trace), "box": runs["box"]}
    curves = lines(mdbopt.plot.convergence(mixed))
    dots = lines(mdbopt.plot.step_sizes(mixed))
    assert [*dots] == ["box"]
    assert dots["box"].get_color() == curves["box"].get_color()


# Costs of three methods on four problems, the last of which nobody solves.
COSTS = {
    "guarded": [10.0, 30.0, 20.0, np.inf],
    "gd": [20.0, 15.0, np.inf, np.inf],
    "box": [40.0, np.nan, np.inf, np.nan],
}


def share_at(line, spent):
    """Return the height of a step line at a place."""
    reached = np.flatnonzero(line.get_xdata() <= spent)
    return line.get_ydata()[reached[-1]]


def test_performance_profile_is_over_the_best_of_each_problem():
    drawn = lines(mdbopt.plot.profile(COSTS))
    assert [*drawn] == ["guarded", "gd", "box"]
    # 10/10, 30/15, 20/20; 20/10, 15/15; 40/10
    assert [share_at(drawn["guarded"], t) for t in (1.0, 1.9, 2.0, 4.0)] == [0.5, 0.5, 0.75, 0.75]
    assert [share_at(drawn["gd"], t) for t in (1.0, 1.9, 2.0, 4.0)] == [0.25, 0.25, 0.5, 0.5]
    assert [share_at(drawn["box"], t) for t in (1.0, 3.9, 4.0)] == [0.0, 0.0, 0.25]


def test_data_profile_is_over_the_cost_itself():
    ax = mdbopt.plot.profile(COSTS, kind="data", x="seconds")
    drawn = lines(ax)
    assert [share_at(drawn["guarded"], t) for t in (10, 19, 20, 30)] == [0.25, 0.25, 0.5, 0.75]
    assert [share_at(drawn["gd"], t) for t in (14, 15, 20, 40)] == [0.0, 0.25, 0.5, 0.5]
    assert (ax.get_xlabel(), ax.get_xscale()) == ("seconds", "log")


def test_a_profile_of_methods_that_solve_nothing_is_flat():
    for kind in ("performance", "data"):
        (line,) = lines(mdbopt.plot.profile({"gd": [np.inf]}, kind=kind)).values()
        assert set(line.get_ydata()) == {0.0}


@pytest.mark.parametrize(
    ("costs", "error", "message"),
    [
        ([1.0], TypeError, "costs: expected a dict"),
        ({}, ValueError, "costs: expected at least one method"),
        ({"gd": []}, ValueError, "costs: expected one cost for each problem"),
        ({"gd": [1.0], "box": [1.0, 2.0]}, ValueError, r"got shape \(2,\) for 'box'"),
        ({"gd": 1.0}, ValueError, "costs: expected one cost for each problem"),
        ({"gd": [1.0, 0.0]}, ValueError, "costs: expected costs above 0, got 0 for 'gd'"),
        ({"gd": ["a"]}, TypeError, "costs: expected numbers"),
    ],
)
def test_profile_refusals(costs, error, message):
    with pytest.raises(error, match=message):
        mdbopt.plot.profile(costs)


def test_given_axes_are_drawn_into(runs):
    from matplotlib.figure import Figure

    left, right, last = Figure().subplots(1, 3)
    assert mdbopt.plot.convergence(runs, ax=left) is left
    assert mdbopt.plot.step_sizes(runs, ax=right) is right
    assert mdbopt.plot.profile(COSTS, ax=last) is last
    assert len(left.figure.axes) == 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda r: mdbopt.plot.convergence({}), ValueError, "at least one"),
        (lambda r: mdbopt.plot.convergence([r]), TypeError, "OptimizeResult"),
        (lambda r: mdbopt.plot.convergence({"a": 1}), TypeError, "OptimizeResult"),
        (lambda r: mdbopt.plot.convergence(OptimizeResult(x=1)), ValueError, "no trace"),
        (lambda r: mdbopt.plot.convergence(r, y="loss"), ValueError, "y: expected one of"),
        (lambda r: mdbopt.plot.convergence(r, x="time"), ValueError, "x: expected one of"),
        (lambda r: mdbopt.plot.convergence(r, f_star=np.nan), ValueError, "f_star"),
        (lambda r: mdbopt.plot.profile(COSTS, kind="box"), ValueError, "kind: expected one of"),
        (lambda r: mdbopt.plot.step_sizes(r, names=["a"]), ValueError, "names: expected one"),
        (lambda r: mdbopt.plot.step_sizes(OptimizeResult(x=1)), ValueError, "none has step_sizes"),
        (
            lambda r: mdbopt.plot.step_sizes({"a": r, "b": OptimizeResult(step_sizes=np.ones(3))}),
            ValueError,
            "different lengths",
        ),
    ],
)
def test_refusals(runs, call, error, message):
    with pytest.raises(error, match=message):
        call(runs["box"])


def test_matplotlib_is_asked_for_by_its_extra(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"mdbopt\[plot\]"):
        mdbopt.plot.convergence(runs)


def test_nothing_is_imported_before_it_is_needed_or_changed_by_drawing():
    code = """
import sys, mdbopt, mdbopt.plot, mdbopt.cli
assert not any(name.partition(".")[0] == "matplotlib" for name in sys.modules)
import numpy as np, matplotlib
def settings():  # reading "backend" would choose one, and import pyplot
    return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
before = settings()
run = mdbopt.minimize(lambda x: (float(x @ x), 2 * x), np.ones(3), jac=True)
mdbopt.plot.convergence(run); mdbopt.plot.step_sizes(run)
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_path_has_a_line_for_each_weight():
    fun = mdbopt.problems.least_squares(np.eye(3) * [1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    runs = mdbopt.path(fun, [0.0, 0.1, 1.0])
    ax = mdbopt.plot.path(runs, names=["a", "b", "c", "intercept"])
    drawn = {line.get_label(): line for line in ax.lines}
    assert set(drawn) == {"a", "b", "c", "intercept"}
    np.testing.assert_array_equal(drawn["b"].get_xdata(), [0.1, 1.0])
    weights = np.array([runs[1].x[1], runs[2].x[1]])
    np.testing.assert_allclose(drawn["b"].get_ydata(), weights / np.abs(weights).max())
    scaled = mdbopt.plot.path(runs, scales=[2.0] * 4)
    largest = max(np.abs(line.get_ydata()).max() for line in scaled.lines)
    assert largest == 2.0 * max(np.abs(run.x).max() for run in runs[1:])


def test_a_path_over_l1_is_drawn_over_l1():
    fun = mdbopt.problems.least_squares(np.eye(3) * [1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    runs = mdbopt.path(fun, l2=[0.1, 0.2, 0.3], l1=[0.0, 0.1, 0.01])
    ax = mdbopt.plot.path(runs, scales=[1.0] * 4)
    assert ax.get_xlabel() == "l1"
    for line in ax.lines:
        np.testing.assert_array_equal(line.get_xdata(), [0.01, 0.1])
    drawn = {tuple(line.get_ydata()) for line in ax.lines}
    assert drawn == set(zip(runs[2].x.tolist(), runs[1].x.tolist(), strict=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"results": []}, "at least one result"),
        ({"names": ["a"]}, "names: expected one per weight, 3, got 1"),
        ({"scales": [1.0]}, "scales: expected one per weight, 3, got 1"),
    ],
)
def test_a_path_refuses(change, words):
    fun = mdbopt.problems.least_squares(np.eye(2), [1.0, 2.0])
    arguments = {"results": mdbopt.path(fun, [0.1])} | change
    with pytest.raises(ValueError, match=words):
        mdbopt.plot.path(arguments.pop("results"), **arguments)


def test_a_path_of_zero_alone_has_no_place():
    fun = mdbopt.problems.least_squares(np.eye(2), [1.0, 2.0])
    with pytest.raises(ValueError, match="l2 > 0"):
        mdbopt.plot.path(mdbopt.path(fun, [0.0]))
