"""Pictures of runs: how fast they converged, the step sizes they found, and methods over problems.

matplotlib is imported when a picture is drawn. No function shows a window or changes a global
setting: without ``ax`` a picture gets a figure of its own, which works without a display.
"""

from __future__ import annotations

import io
import itertools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from mdbopt import _checks, _files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["convergence", "figure_of", "lines", "path", "profile", "step_sizes"]

COLOURS = ("#1f5a94", "#d9792b", "#3f8f5f", "#6f6f6f", "#8d5a9e", "#b5404c", "#2a9299", "#94782c")
# A method has its colour in every picture, whichever others are in it.
METHODS = (
    "guarded", "lbfgs", "box", "ellipsoid", "simplex", "backtracking", "gd", "nesterov",
    "nonmonotone", "polyak", "adgd", "bb", "diagonal-bb", "hypergradient", "rprop", "adagrad",
    "rmsprop", "adam", "sign", "normalized-gd", "osgm", "osgm-best", "diagonal-hessian", "autogd",
    "best-of",
)  # fmt: skip
ALSO_CALLED = {"L-BFGS-B": "lbfgs"}
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1, 2)))
GREY = "#5a5a5a"
OTHERS = "#c4c4c4"

# Longer runs, or lengths that differ by a larger factor, take a logarithmic axis.
MOST_LINEAR = 500
MOST_RATIO = 8.0
# A gap below this is the rounding of f.
LEAST_GAP = 1e-15
# More labels than this cannot be read.
MOST_LABELS = 45
MOST_MARKS = 60
REJECTED: dict[str, Any] = {
    "linestyle": "none",
    "marker": "|",
    "markersize": 5.0,
    "markeredgewidth": 0.7,
    "alpha": 0.55,
}

Array = NDArray[Any]
Results: TypeAlias = Mapping[str, OptimizeResult] | OptimizeResult


def convergence(
    results: Results,
    *,
    ax: Axes | None = None,
    y: str = "gap",
    x: str = "nfev",
    f_star: float | None = None,
) -> Axes:
    """Draw how fast runs converged, one line each, with ticks where a trial point was rejected.

    Parameters
    ----------
    results : dict of str to OptimizeResult, or one OptimizeResult
        What `mdbopt.minimize` returned, by a name for the legend. Anything with a ``trace`` of the
        same columns will do.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, reached by ``ax.figure``.
    y : {"gap", "f", "gmax"}
        "gap": (best f so far - f_star) / (f at x0 - f_star), dimensionless. "f": best f so far.
        "gmax": smallest max|g| of an accepted point so far, in units of the gradient. The axis is
        logarithmic, but for "f" where f is not positive.
    x : {"nfev", "seconds"}
        Evaluations of f and g, or seconds since the start. Logarithmic when a run has more than 500
        evaluations, or takes more than 8 times as long as another.
    f_star : float, optional
        The minimum, in units of f, for "gap"; by default the lowest f of all runs.

    Returns
    -------
    matplotlib.axes.Axes
        ``ax.figure.savefig("fit.png")`` writes the picture.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        When there is no result, one has no trace, or ``x``, ``y`` or ``f_star`` is not as above.

    Examples
    --------
    >>> import numpy as np, mdbopt, mdbopt.plot
    >>> h = np.array([1.0, 1e4])
    >>> fun = lambda x: (0.5 * float(h @ x**2), h * x)
    >>> runs = {m: mdbopt.minimize(fun, np.ones(2), jac=True, method=m) for m in ["box", "gd"]}
    >>> ax = mdbopt.plot.convergence(runs)
    >>> ax.get_xlabel()
    'evaluations of f and its gradient'
    """
    runs = _named(results)
    _checks.choice("y", y, ("gap", "f", "gmax"))
    _checks.choice("x", x, ("nfev", "seconds"))
    for name, run in runs.items():
        if "trace" not in run:
            raise ValueError(f"results: {name!r} has no trace, expected what minimize returns")
    if f_star is not None:
        f_star = _checks.real("f_star", f_star)
    else:
        f_star = min(float(np.min(run.trace["best"])) for run in runs.values())
    ax = _axes(ax, (6.4, 4.0))
    curves = {
        name: (_across(run.trace, x), _up(run.trace, y, f_star)) for name, run in runs.items()
    }
    log_y = y != "f" or all(bool(up.min() > 0.0) for _, up in curves.values())
    places = _places(runs)
    for rank, (name, (across, up)) in enumerate(curves.items()):
        place = places[name]
        # The point that reached the minimum has no place on a logarithmic axis.
        shown = np.where(up > 0.0, up, np.nan) if log_y else up
        amount = f"{len(across):,}" if x == "nfev" else f"{across[-1]:.3g} s"
        ax.plot(across, shown, label=f"{name}  ({amount})", **_style(place, rank))
        _mark_rejections(ax, across, shown, runs[name].trace["accepted"], place)
    if not all(np.all(run.trace["accepted"]) for run in runs.values()):
        ax.plot([], [], label="rejected point", color=GREY, **REJECTED)
    if log_y:
        ax.set_yscale("log")
    if y == "gap":
        seen = np.concatenate([up[up > 0.0] for _, up in curves.values()])
        ax.set_ylim(bottom=max(LEAST_GAP, 0.3 * float(seen.min())) if seen.size else None)
    lengths = [float(across[-1]) for across, _ in curves.values()]
    uneven = max(lengths) > MOST_RATIO * min(lengths) > 0.0
    if uneven or (x == "nfev" and max(lengths) > MOST_LINEAR):
        ax.set_xscale("log")
    ax.set_xlabel("evaluations of f and its gradient" if x == "nfev" else "seconds")
    ax.set_ylabel(
        {"gap": "f above the lowest, relative to the start", "f": "f", "gmax": "max|g|"}[y]
    )
    _finish(ax, title="evaluations" if x == "nfev" else None)
    return ax


def step_sizes(
    results: Results, *, ax: Axes | None = None, names: Sequence[str] | None = None
) -> Axes:
    """Draw the step size that each run found for every coordinate, on a logarithmic axis.

    Coordinates are sorted by the step sizes of the first run. The legend tells each run's span,
    its largest step size over its smallest.

    Parameters
    ----------
    results : dict of str to OptimizeResult, or one OptimizeResult
        What `mdbopt.minimize` returned; those without ``step_sizes`` are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, reached by ``ax.figure``.
    names : sequence of str, optional
        One per coordinate; written beside the points when there are at most 45.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        When no result has step sizes, or their number differs between results or from ``names``.

    Examples
    --------
    >>> import numpy as np, mdbopt, mdbopt.plot
    >>> h = np.array([1.0, 1e4])
    >>> res = mdbopt.minimize(lambda x: (0.5 * float(h @ x**2), h * x), np.ones(2), jac=True)
    >>> ax = mdbopt.plot.step_sizes(res, names=["flat", "steep"])
    >>> ax.get_xscale()
    'log'
    """
    named = _named(results)
    places = _places(named)
    runs = {
        name: np.ravel(np.asarray(run.step_sizes, dtype=np.float64))
        for name, run in named.items()
        if "step_sizes" in run
    }
    if not runs:
        raise ValueError("results: none has step_sizes, expected what minimize returns")
    sizes = {len(steps) for steps in runs.values()}
    if len(sizes) > 1:
        raise ValueError(f"results: step_sizes have different lengths, {sorted(sizes)}")
    (size,) = sizes
    if names is not None and len(names) != size:
        raise ValueError(f"names: expected one per coordinate, {size}, got {len(names)}")
    labelled = names is not None and size <= MOST_LABELS
    ax = _axes(ax, (6.4, max(2.4, 0.16 * size + 0.9)) if labelled else (6.4, 4.0))
    first = next(iter(runs.values()))
    order = np.argsort(first, kind="stable")
    ranks = np.arange(1, size + 1)
    dot = 3.6 if size <= 100 else 1.6 if size <= 5000 else 0.8
    for name, steps in runs.items():
        shown = np.where((steps > 0.0) & np.isfinite(steps), steps, np.nan)[order]
        span = float(np.nanmax(shown) / np.nanmin(shown)) if np.isfinite(shown).any() else np.nan
        ax.plot(
            *((shown, ranks) if labelled else (ranks, shown)),
            linestyle="none",
            marker="o",
            markersize=dot,
            markeredgewidth=0.0,
            alpha=0.9,
            color=COLOURS[places[name] % len(COLOURS)],
            # Thousands of vector marks make a heavy file.
            rasterized=size > 2000,
            label=f"{name}  (span {_power(span)})",
        )
    if labelled and names is not None:
        ax.set_xscale("log")
        ax.set_xlabel("step size")
        ax.set_yticks(ranks, [names[i] for i in order])
        ax.set_ylim(0.3, size + 0.7)
    else:
        ax.set_yscale("log")
        ax.set_ylabel("step size")
        ax.set_xlabel(f"coordinates, sorted by {next(iter(runs))}")
    _finish(ax, markerscale=3.6 / dot)
    if labelled:
        ax.tick_params(axis="y", length=0, labelsize=7 if size <= 20 else 5.5)
    return ax


def path(
    results: Sequence[OptimizeResult],
    *,
    ax: Axes | None = None,
    names: Sequence[str] | None = None,
    scales: Any = None,
) -> Axes:
    """Draw the weights of a path over l2, or over l1 where that is not 0, one line each.

    Parameters
    ----------
    results : sequence of OptimizeResult
        What `mdbopt.path` returned, at least one. A penalty of 0 has no place on the axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, reached by ``ax.figure``.
    names : sequence of str, optional
        One per weight, for a legend of at most 8 lines: of those that are largest on the path. The
        others are grey.
    scales : array_like of shape (d,), optional
        What each weight is multiplied by, such as the standard deviation of its column. By default
        each is drawn over its own largest magnitude, as weights of raw columns differ in units.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        When there is no result, one has no l2, or ``names`` or ``scales`` has another length than
        x.

    Examples
    --------
    >>> import mdbopt, mdbopt.plot
    >>> fun = mdbopt.problems.least_squares([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> ax = mdbopt.plot.path(mdbopt.path(fun, l2=[1.0, 0.1, 0.01]))
    >>> ax.get_xlabel()
    'l2'
    """
    runs = list(results) if not isinstance(results, Mapping) else []
    if not runs or not all("l2" in run for run in runs):
        raise ValueError("results: expected a sequence of at least one result, each with an l2")
    over = "l1" if any(run.get("l1", 0.0) > 0.0 for run in runs) else "l2"
    shown = sorted((run for run in runs if run[over] > 0.0), key=lambda run: run[over])
    if not shown:
        raise ValueError("results: expected one with l2 > 0 or l1 > 0, got none")
    weights = np.array([np.asarray(run.x, dtype=np.float64) for run in shown])
    size = weights.shape[1]
    for name, value in (("names", names), ("scales", scales)):
        if value is not None and len(value) != size:
            raise ValueError(f"{name}: expected one per weight, {size}, got {len(value)}")
    if scales is None:
        largest = np.abs(weights).max(axis=0)
        weights = weights / np.where(largest > 0.0, largest, 1.0)
    else:
        weights = weights * np.asarray(scales, dtype=np.float64)
    ax = _axes(ax, (6.4, 4.0))
    order = np.argsort(-np.abs(weights).max(axis=0), kind="stable")
    for place, weight in enumerate(order):
        named = names is not None and place < len(COLOURS)
        style = _style(place % len(COLOURS), place) | {"linewidth": 1.0}
        if names is not None and not named:
            style["color"] = OTHERS
        label = names[weight] if names is not None and named else "_weight"
        ax.plot([run[over] for run in shown], weights[:, weight], label=label, **style)
    ax.set_xscale("log")
    ax.set_xlabel(over)
    ax.set_ylabel("weight over its largest magnitude" if scales is None else "weight, scaled")
    if names is None:
        _finish(ax, handles=[])
    else:
        _finish(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def lines(
    series: Mapping[str, tuple[Any, Any]],
    *,
    ax: Axes | None = None,
    x: str = "",
    y: str = "",
    log: str = "",
    marks: bool = False,
) -> Axes:
    """Draw series of numbers by name, in the look of the other pictures.

    Parameters
    ----------
    series : dict of str to (array_like, array_like)
        x and y of each, of one shape (k,).
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    x, y : str
        What the axes say.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic; numbers that are not above 0 have no place on such an axis.
    marks : bool
        Dots in place of lines.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        When ``log`` is not as above.

    Examples
    --------
    >>> import mdbopt.plot
    >>> ax = mdbopt.plot.lines({"squares": ([1, 2, 4], [1, 4, 16])}, log="xy")
    >>> ax.get_xscale()
    'log'
    """
    _checks.choice("log", log, ("", "x", "y", "xy"))
    ax = _axes(ax, (6.4, 4.0))
    for place, (name, (across, up)) in enumerate(series.items()):
        style = _style(place, place)
        if marks:
            style |= {"linestyle": "none", "marker": "o", "markersize": 3.0}
        ax.plot(across, up, label=name, **style)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    _finish(ax)
    return ax


def profile(
    costs: Mapping[str, Any],
    *,
    kind: str = "performance",
    ax: Axes | None = None,
    x: str = "evaluations",
) -> Axes:
    r"""Draw which share of problems each method solves, over what it may spend.

    .. math:: \rho_s(\tau) = \frac1{|P|} \bigl|\{p : t_{p,s} \le \tau \min_r t_{p,r}\}\bigr|,
              \qquad d_s(\alpha) = \frac1{|P|} \bigl|\{p : t_{p,s} \le \alpha\}\bigr|

    with t the cost of a method s on a problem p of P: the performance profile and the data profile.

    Parameters
    ----------
    costs : dict of str to array_like of shape (problems,)
        t by method: evaluations, seconds, anything above 0; infinite or NaN where the method does
        not solve the problem. A problem that no method solves counts as unsolved by each.
    kind : {"performance", "data"}
        Over multiples of the best method's cost, or over the cost itself.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, reached by ``ax.figure``.
    x : str
        What costs are, for the label.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        When there is no method or no problem, when lengths differ, or a cost is not above 0.

    References
    ----------
    .. [1] E. D. Dolan, J. J. Moré, "Benchmarking optimization software with performance profiles",
       Mathematical Programming 91 (2002).
    .. [2] J. J. Moré, S. M. Wild, "Benchmarking derivative-free optimization algorithms", SIAM J.
       Optim. 20 (2009), whose data profiles count costs in units of d + 1 evaluations.

    Examples
    --------
    >>> import mdbopt.plot
    >>> ax = mdbopt.plot.profile({"guarded": [10, 20, 30], "gd": [500, 20, float("inf")]})
    >>> [float(share) for share in ax.get_lines()[1].get_ydata()[-2:]]
    [0.6666666666666666, 0.6666666666666666]
    """
    _checks.choice("kind", kind, ("performance", "data"))
    table = _costs(costs)
    with np.errstate(invalid="ignore"):
        least = table.min(axis=0) if kind == "performance" else np.ones(table.shape[1])
        spent = np.where(np.isfinite(table), table / least, np.inf)
    seen = spent[np.isfinite(spent)]
    last = 1.1 * float(seen.max()) if seen.size else 2.0
    ax = _axes(ax, (6.4, 4.0))
    places = _places(costs)
    for rank, name in enumerate(costs):
        solved = np.sort(spent[rank][np.isfinite(spent[rank])])
        across = np.concatenate([[seen.min() if seen.size else 1.0], solved, [last]])
        up = np.concatenate([[0.0], np.arange(1.0, solved.size + 1.0), [solved.size]])
        ax.step(across, up / table.shape[1], where="post", label=name, **_style(places[name], rank))
    ax.set_xscale("log")
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(f"{x}, over those of the best method" if kind == "performance" else x)
    ax.set_ylabel("share of problems solved")
    # most curves have risen there
    _finish(ax, loc="lower right")
    return ax


def figure_of(panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many axes side by side, which works without a display.

    Parameters
    ----------
    panels : int
        Number of axes, >= 1.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import mdbopt.plot
    >>> figure, axes = mdbopt.plot.figure_of(2)
    >>> len(axes)
    2
    """
    count = _checks.whole("panels", panels, least=1)
    figure = _figure((4.6 * count, 3.6))
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _costs(costs: Any) -> Array:
    """Return costs as a table of methods by problems, infinite where a problem is not solved."""
    if not isinstance(costs, Mapping):
        raise TypeError(f"costs: expected a dict of costs by method, got {type(costs).__name__}")
    if not costs:
        raise ValueError("costs: expected at least one method")
    try:
        rows = {name: np.asarray(row, dtype=np.float64) for name, row in costs.items()}
    except (TypeError, ValueError) as error:
        raise TypeError(f"costs: expected numbers for each method, {error}") from error
    length = next(iter(rows.values())).size
    for name, row in rows.items():
        if row.shape != (length,) or length == 0:
            raise ValueError(
                f"costs: expected one cost for each problem, as many for each method, got shape "
                f"{row.shape} for {name!r}"
            )
        if (row <= 0.0).any():
            raise ValueError(f"costs: expected costs above 0, got {row.min():g} for {name!r}")
    table = np.array(list(rows.values()))
    return np.where(np.isnan(table), np.inf, table)


def _named(results: Results) -> Mapping[str, OptimizeResult]:
    # An OptimizeResult is a dict, too.
    if isinstance(results, OptimizeResult):
        return {str(results.get("method", "run")): results}
    named: Any = results
    if not isinstance(named, Mapping) or not all(
        isinstance(run, OptimizeResult) for run in named.values()
    ):
        raise TypeError("results: expected an OptimizeResult, or a dict of them by name")
    if not named:
        raise ValueError("results: expected at least one")
    return named


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    return _figure(size).subplots() if ax is None else ax


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'mdbopt[plot]'") from error
    return Figure(figsize=size, dpi=160, layout="constrained")


def _places(names: Iterable[str]) -> dict[str, int]:
    """Return where the colour of each run is: its method's own, or else one that is free."""
    own: dict[str, int] = {}
    for name in names:
        method = name.partition(" (")[0]
        method = ALSO_CALLED.get(method, method)
        if method in METHODS and METHODS.index(method) not in own.values():
            own[name] = METHODS.index(method)
    free = (place for place in itertools.count() if place not in own.values())
    return {name: own[name] if name in own else next(free) for name in names}


def _style(place: int, rank: int) -> dict[str, Any]:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
        "linewidth": 1.3,
        # The first run is the one that is compared with the others.
        "zorder": 3.0 - 0.01 * rank,
    }


def _across(trace: Mapping[str, Array], x: str) -> Array:
    return np.asarray(trace["seconds"]) if x == "seconds" else np.arange(1.0, len(trace["f"]) + 1.0)


def _up(trace: Mapping[str, Array], y: str, f_star: float) -> Array:
    if y == "gmax":
        # A rejected point is not where the run stands.
        gmax = np.asarray(trace["gmax"], dtype=np.float64)
        return np.fmin.accumulate(np.where(trace["accepted"], gmax, np.inf))
    best = np.asarray(trace["best"], dtype=np.float64)
    if y == "f":
        return best
    return (best - f_star) / (best[0] - f_star if best[0] != f_star else 1.0)


def _mark_rejections(ax: Axes, across: Array, up: Array, accepted: Array, place: int) -> None:
    rejected = np.flatnonzero(~np.asarray(accepted, dtype=bool))
    if rejected.size > MOST_MARKS:
        # Even on a logarithmic axis, where the last thousands would be one thick bar.
        places = np.geomspace(1.0, rejected.size, MOST_MARKS).astype(int) - 1
        rejected = rejected[np.unique(places)]
    colour = COLOURS[place % len(COLOURS)]
    ax.plot(across[rejected], up[rejected], color=colour, label="_rejected", **REJECTED)


def _power(value: float) -> str:
    if not np.isfinite(value):
        return "?"
    if value < 1000.0:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\cdot10^{{{int(exponent)}}}$"


def _finish(ax: Axes, **legend_options: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=GREY, linewidth=0.7)
    ax.tick_params(which="both", labelsize=8, color=GREY, width=0.6)
    ax.tick_params(which="minor", length=0)
    ax.grid(True, which="major", color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.xaxis.label.set(size=9, color=GREY)
    ax.yaxis.label.set(size=9, color=GREY)
    look = {"frameon": False, "fontsize": 8, "handlelength": 1.4, "labelspacing": 0.3}
    legend = ax.legend(**look, **legend_options)
    legend.get_title().set(fontsize=8, color=GREY)


def save_picture(path: pathlib.Path, figure: Figure) -> None:
    """Replace a file in one step by a picture of the kind that its ending names."""
    kind = path.suffix[1:].lower()
    if kind == "pgf":  # text, for which matplotlib wants a file of text
        text = io.StringIO()
        figure.savefig(text, format=kind)
        _files.replace(path, lambda file: file.write(text.getvalue().encode()))
    else:
        _files.replace(path, lambda file: figure.savefig(file, format=kind))
