"""Draw the pictures of README.md and of the pages beside this file: python docs/make_pictures.py.

With a folder in which `make studies` has left pictures, those of studies.md are made from them:
python docs/make_pictures.py build/studies. It needs mdbopt[data,plot].
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy.optimize import minimize

import mdbopt
from mdbopt import data, plot, problems
from mdbopt.cli import _runs

METHODS = ("guarded", "lbfgs", "ellipsoid", "box")
LEGEND = {"lbfgs": "L-BFGS-B (SciPy)"}


def fits(X, y):
    fun = problems.logistic(X, y, l2=1 / len(y), penalize_intercept=True)
    return {
        LEGEND.get(method, method): _runs.fit(fun, method, _runs.Limits(1e-8), show=False)
        for method in METHODS
    }


def path(table, runs, scales):
    figure = Figure(figsize=(7.2, 3.6), dpi=120, layout="constrained")
    names = [*table.feature_names, "intercept"]
    # The intercept is not penalised.
    plot.path(runs, ax=figure.subplots(), names=names, scales=[*scales, 0.0])
    return figure


def l2_path(table):
    fun = problems.logistic(table.X, table.y)
    return path(table, mdbopt.path(fun, np.logspace(2, -2, 17) / fun.n), table.X.std(axis=0))


def l1_path(table):
    scaled = (table.X - table.X.mean(axis=0)) / table.X.std(axis=0)
    fun = problems.logistic(scaled, table.y)
    runs = mdbopt.path(fun, l2=0.0, l1=np.logspace(-0.4, -3, 40))
    return path(table, runs, np.ones(scaled.shape[1]))


def noise(X, y):
    """Draw f − f* where x is after each evaluation, of runs told of noise and not, and L-BFGS-B."""
    fun = problems.logistic(X, y, l2=1 / len(y), penalize_intercept=True)
    f, g = fun(fun.x0)
    least = mdbopt.minimize(fun, fun.x0, jac=True, options={"gtol": 0}).fun
    levels = 1e-3 * (f - least), 1e-4 * float(np.linalg.norm(g))
    figure = Figure(figsize=(7.2, 3.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for label, given in (("guarded, told", levels), ("guarded, not told", None), ("L-BFGS-B", 0)):
        draw, told, exact = np.random.default_rng(0), [], []

        def noisy(w, draw=draw, told=told, exact=exact):
            f, g = fun(w)
            told.append(f + 0.5 * levels[0] * draw.normal())
            exact.append(f - least)
            off = draw.normal(size=g.size) / np.sqrt(g.size)
            return told[-1], g + 0.5 * levels[1] * off

        if label == "L-BFGS-B":
            options = {"ftol": 0.0, "gtol": 1e-8}
            minimize(noisy, fun.x0, jac=True, method="L-BFGS-B", options=options)
            kept = np.equal(told, np.minimum.accumulate(told))
        else:
            run = mdbopt.minimize(noisy, fun.x0, jac=True, noise=given)
            kept = run.trace["accepted"]
        at = np.maximum.accumulate(np.where(kept, np.arange(kept.size), 0))
        axes.semilogy(1 + np.arange(kept.size), np.array(exact)[at], label=label)
        axes.plot(kept.size, exact[at[-1]], "o", color=axes.lines[-1].get_color())
    axes.axhline(levels[0], color="0.6", linewidth=0.8, linestyle="--", label="noise of f")
    axes.set_xlabel("evaluations of f and its gradient")
    axes.set_ylabel("f − f*")
    axes.legend(frameon=False)
    return figure


def bounded(X, y):
    """Draw f − f* after each evaluation of runs whose weights may not be positive."""
    fun = problems.logistic(X, y, l2=1 / len(y), penalize_intercept=True)
    bounds = [*[(None, 0.0)] * (fun.x0.size - 1), (None, None)]
    values = {}
    for label, method in (("guarded", "guarded"), ("L-BFGS-B", "L-BFGS-B"), ("box", "box")):
        told = values[label] = []

        def counted(w, told=told):
            f, g = fun(w)
            told.append(f)
            return f, g

        if label == "L-BFGS-B":
            options = {"ftol": 0.0, "gtol": 1e-10, "maxfun": 3000, "maxiter": 3000}
            minimize(counted, fun.x0, jac=True, method=method, bounds=bounds, options=options)
        else:
            options = {"gtol": 0.0, "maxfun": 3000}
            mdbopt.minimize(
                counted, fun.x0, jac=True, method=method, bounds=bounds, options=options
            )
    least = min(map(min, values.values()))
    figure = Figure(figsize=(7.2, 3.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for label, told in values.items():
        best = np.minimum.accumulate(told)[:3000] - least
        axes.loglog(1 + np.arange(best.size), np.maximum(best, 1e-16), label=label)
    axes.set_ylim(1e-13, None)
    axes.set_xlim(1, 3000)
    axes.set_xlabel("evaluations of f and its gradient")
    axes.set_ylabel("f − f*")
    axes.legend(frameon=False)
    return figure


def save(figure, name):
    figure.savefig(
        Path(__file__).with_name(name), pil_kwargs={"optimize": True}, metadata={"Software": None}
    )


def of_studies(folder):
    """Bring the pictures that docs/studies has to the width of a page, in 64 colours."""
    for target in sorted(Path(__file__).with_name("studies").glob("*.png")):
        picture = Image.open(folder / target.name).convert("RGB")
        size = [length * 2 // 3 for length in picture.size]
        picture.resize(size, Image.Resampling.LANCZOS).quantize(64).save(target, optimize=True)


def main():
    table = data.breast_cancer()
    save(l2_path(table), "path.png")
    save(l1_path(table), "l1_path.png")
    save(bounded(table.X, table.y), "bounds.png")
    scaled = (table.X - table.X.mean(axis=0)) / table.X.std(axis=0)
    save(noise(scaled, table.y), "noise.png")
    figure = Figure(figsize=(9.2, 3.5), dpi=120, layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, X, title in (
        (axes[0], table.X, "columns as measured"),
        (axes[1], scaled, "columns scaled to unit variance"),
    ):
        plot.convergence(fits(X, table.y), ax=ax)
        ax.set_title(title, fontsize=9.5, loc="left")
        ax.set_xlim(1, 2.5e4)
    axes[1].set_ylabel("")
    save(figure, "convergence.png")


if __name__ == "__main__":
    if sys.argv[1:]:
        of_studies(Path(sys.argv[1]))
    else:
        main()
