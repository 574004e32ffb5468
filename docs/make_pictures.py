"""Draw the pictures of README.md and paths.md: python docs/make_pictures.py.

With a folder in which `make studies` has left pictures, those of studies.md are made from them:
python docs/make_pictures.py build/studies. It needs mdbopt[data,plot].
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

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


def path(table):
    fun = problems.logistic(table.X, table.y)
    figure = Figure(figsize=(7.2, 3.6), dpi=120, layout="constrained")
    runs = mdbopt.path(fun, np.logspace(2, -2, 17) / fun.n)
    scales = [*table.X.std(axis=0), 0.0]  # the intercept is not penalised
    names = [*table.feature_names, "intercept"]
    plot.path(runs, ax=figure.subplots(), names=names, scales=scales)
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
    save(path(table), "path.png")
    scaled = (table.X - table.X.mean(axis=0)) / table.X.std(axis=0)
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
