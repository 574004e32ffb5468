"""Bounded problems: tables, classic test functions, nonnegative least squares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import _common
import _more_garbow_hillstrom
import numpy as np
from scipy.optimize import Bounds

import mdbopt

SEED = 0
OTHERS = ("ionosphere", "splice", "sonar", "phishing", "mushrooms", "mg_scale",
          "breast-cancer_scale", "a9a")  # fmt: skip


@dataclass(frozen=True)
class Bounded:
    """An objective, where it starts, which is within its bounds, and how it is counted."""

    name: str
    family: str
    fun: Callable[[Any], tuple[float, Any]]
    x0: np.ndarray[Any, np.dtype[np.float64]]
    bounds: Bounds

    def __call__(self, x: Any) -> tuple[float, Any]:
        return self.fun(x)


def of_tables(data: _common.Data) -> Iterator[Bounded]:
    """Give every table twice: weights >= 0, and between bounds around the minimiser.

    The intercept, which comes last, is free.
    """
    rng = np.random.default_rng(SEED)
    for family, names in (("raw", _common.RAW), ("other", OTHERS)):
        for name in names:
            problem = data.problem(name)
            free = np.append(np.zeros(problem.d - 1), np.inf)
            yield _within(name, f"nonnegative, {family}", problem, Bounds(-free, np.inf))
            best = mdbopt.minimize(problem, problem.x0, jac=True, options={"maxfun": 3000}).x
            side = np.abs(best) * np.exp(rng.uniform(np.log(0.2), np.log(3.0), problem.d)) + free
            yield _within(name, f"two-sided, {family}", problem, Bounds(-side, side))


def _within(name: str, family: str, fun: Any, bounds: Bounds) -> Bounded:
    return Bounded(name, family, fun, np.clip(fun.x0, bounds.lb, bounds.ub), bounds)


Residuals = Callable[[Any], tuple[Any, Any]]


def _squares(residuals: Residuals) -> Callable[[Any], tuple[float, Any]]:
    def fun(x: Any) -> tuple[float, Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            r, jacobian = residuals(x)
            return float(r @ r), 2 * jacobian.T @ r

    return fun


def _rosenbrock(x: Any) -> tuple[Any, Any]:
    odd, even = x[::2], x[1::2]
    jacobian = np.zeros((x.size, x.size))
    k = np.arange(0, x.size, 2)
    jacobian[k, k], jacobian[k, k + 1], jacobian[k + 1, k] = -20 * odd, 10.0, -1.0
    return np.ravel([10 * (even - odd**2), 1 - odd], order="F"), jacobian


def _powell_singular(x: Any) -> tuple[Any, Any]:
    a, b, c, d = x
    s, t = 5**0.5, 10**0.5
    r = np.array([a + 10 * b, s * (c - d), (b - 2 * c) ** 2, t * (a - d) ** 2])
    u, v = 2 * (b - 2 * c), 2 * t * (a - d)
    return r, np.array([[1, 10, 0, 0], [0, 0, s, -s], [0, u, -2 * u, 0], [v, 0, 0, -v]])


def _beale(x: Any) -> tuple[Any, Any]:
    i = np.arange(1, 4)
    r = np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** i)
    return r, np.stack([-(1 - x[1] ** i), x[0] * i * x[1] ** (i - 1.0)], axis=1)


def _brown_badly_scaled(x: Any) -> tuple[Any, Any]:
    a, b = x
    return np.array([a - 1e6, b - 2e-6, a * b - 2]), np.array([[1, 0], [0, 1], [b, a]])


def _wood(x: Any) -> tuple[Any, Any]:
    a, b, c, d = x
    s, t, u = 90**0.5, 10**0.5, 10**-0.5
    r = np.array([10 * (b - a * a), 1 - a, s * (d - c * c), 1 - c, t * (b + d - 2), u * (b - d)])
    rows = [[-20 * a, 10, 0, 0], [-1, 0, 0, 0], [0, 0, -2 * s * c, s], [0, 0, -1, 0]]
    return r, np.array([*rows, [0, t, 0, t], [0, u, 0, -u]])


def _trigonometric(x: Any) -> tuple[Any, Any]:
    i = np.arange(1, x.size + 1)
    r = x.size - np.cos(x).sum() + i * (1 - np.cos(x)) - np.sin(x)
    return r, np.tile(np.sin(x), (x.size, 1)) + np.diag(i * np.sin(x) - np.cos(x))


def _variably_dimensioned(x: Any) -> tuple[Any, Any]:
    i = np.arange(1.0, x.size + 1)
    s = i @ (x - 1)
    return np.append(x - 1, [s, s * s]), np.vstack([np.eye(x.size), i, 2 * s * i])


def _broyden_tridiagonal(x: Any) -> tuple[Any, Any]:
    padded = np.pad(x, 1)
    r = (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1
    n = x.size
    return r, np.diag(3 - 4 * x) - np.eye(n, k=-1) - 2 * np.eye(n, k=1)


def of_functions() -> Iterator[Bounded]:
    """Give functions of Moré, Garbow and Hillstrom (1981) with bounds that hold some variables.

    Where f is not convex a path is a matter of luck, so each begins at the published start and at
    nine points near it.
    """
    eight = np.arange(8)
    chain = np.tile([-1.2, 1.0], 4)
    cases = [
        ("Rosenbrock", _rosenbrock, [-1.2, 1.0], [-50, 0], [0.5, 100]),
        ("Rosenbrock, free at its minimiser", _rosenbrock, [-1.2, 1.0], [-2, -2], [2, 2]),
        ("extended Rosenbrock", _rosenbrock, chain, [-2] * 8, np.where(eight % 4, 2, 0.7)),
        ("Powell singular", _powell_singular, [3, -1, 0, 1], [0.1, -20, -1, -1], [100, 20, 1, 50]),
        ("Beale", _beale, [1, 1], [0.6, 0.5], [10, 100]),
        ("Beale, free at its minimiser", _beale, [1, 1], [0, -4], [4, 4]),
        ("Brown badly scaled", _brown_badly_scaled, [1, 1], [0, 3e-5], [1e6, 100]),
        ("Wood", _wood, [-3, -1, -3, -1], [-100] * 4, [0, 10, 100, 100]),
        ("Wood, free at its minimiser", _wood, [-3, -1, -3, -1], [-4] * 4, [4] * 4),
        ("trigonometric", _trigonometric, [0.1] * 10, [0.01] * 10, np.arange(5, 105, 10.0)),
        ("variably dimensioned", _variably_dimensioned, 1 - np.arange(1, 11) / 10, [-1] * 10,
         [0.5, *[2] * 9]),
        ("Broyden tridiagonal", _broyden_tridiagonal, [-1] * 10, [-0.6] * 10, [5] * 10),
    ]  # fmt: skip
    for name, residuals, x0, lower, upper in cases:
        bounds = Bounds(np.array(lower, float), np.array(upper, float))
        rng = np.random.default_rng(SEED)
        published = np.array(x0, float)
        for k in range(10):
            start = published + 0.2 * (k > 0) * (1 + np.abs(published)) * rng.normal(size=len(x0))
            start = np.clip(start, bounds.lb, bounds.ub)
            yield Bounded(f"{name}, {k}", "functions", _squares(residuals), start, bounds)


def of_boxes() -> Iterator[Bounded]:
    """Give the standard functions of Moré, Garbow and Hillstrom, each in six boxes drawn at random.

    Sides are 0.3 to 50 times 1 + |x0| away from x0; in every third box half of them are infinite.
    The last three begin near x0.
    """
    for number, (name, fun) in enumerate(_more_garbow_hillstrom.problems()):
        rng = np.random.default_rng([SEED, number])
        size = 1 + np.abs(fun.x0)
        for k in range(6):
            sides = np.exp(rng.uniform(np.log(0.3), np.log(50.0), (2, fun.d))) * size
            if k % 3 == 2:
                sides[rng.uniform(size=sides.shape) < 0.5] = np.inf
            bounds = Bounds(fun.x0 - sides[0], fun.x0 + sides[1])
            start = fun.x0 + 0.1 * (k > 2) * size * rng.normal(size=fun.d)
            start = np.clip(start, bounds.lb, bounds.ub)
            if np.isfinite(fun(start)[0]):
                yield Bounded(f"{name}, {k}", "functions in boxes", fun, start, bounds)


def of_least_squares() -> Iterator[Bounded]:
    """Give nonnegative least squares: random rows, alike and in units of their own, smooth ones."""
    for seed, (rows, size, decades) in enumerate(
        [(100, 30, 0), (100, 30, 2), (300, 100, 0), (300, 100, 3), (50, 200, 0), (50, 200, 1)]
    ):
        rng = np.random.default_rng(seed)
        table = rng.uniform(size=(rows, size)) * 10.0 ** rng.uniform(-decades, decades, size)
        weights = rng.normal(size=size).clip(0) / np.abs(table).max(axis=0)
        yield _nonnegative(f"random {rows} x {size}, {decades} decades", table, weights, rng)
    at, width = np.linspace(0, 1, 80), 0.05
    table = np.exp(-0.5 * ((at[:, None] - at[None, :]) / width) ** 2)
    rng = np.random.default_rng(SEED)
    yield _nonnegative("blurred peaks", table, rng.normal(size=80).clip(1) - 1, rng)


def _nonnegative(name: str, table: Any, weights: Any, rng: Any) -> Bounded:
    target = table @ weights
    target = target + 0.01 * np.abs(target).max() * rng.normal(size=target.size)

    def fun(w: Any) -> tuple[float, Any]:
        r = table @ w - target
        return float(0.5 * r @ r / r.size), table.T @ r / r.size

    return Bounded(name, "least squares", fun, np.zeros(weights.size), Bounds(0.0, np.inf))
