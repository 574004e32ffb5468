"""One far trial must not ruin a run: families of functions that grow as nowhere near x.

The evaluations are compared with SciPy's L-BFGS-B from the same starts.
"""

import contextlib

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

import mdbopt

CAP = 3000
GTOL = 1e-6


def exponential(rng):
    """exp(x) − 2x."""
    for start in rng.uniform(-20, 20, 200):
        yield lambda x: (float(np.exp(x[0]) - 2 * x[0]), np.exp(x) - 2), np.array([start])


def exponentials(rng):
    """Σ a exp(b x) − c x, of either direction and any width."""
    for _ in range(60):
        size = int(rng.integers(2, 21))
        a = 10 ** rng.uniform(-2, 2, size)
        b = 10 ** rng.uniform(-1, 1, size) * rng.choice([-1, 1], size)
        c = a * b * 10 ** rng.uniform(-1, 1, size)

        def fun(x, a=a, b=b, c=c):
            grown = a * np.exp(b * x)
            return float((grown - c * x).sum()), grown * b - c

        yield fun, rng.uniform(-10, 10, size)


def log_sums(rng):
    """log Σ exp(Ax + b), slightly convex."""
    for _ in range(60):
        size = int(rng.integers(2, 11))
        A, b = rng.standard_normal((3 * size, size)), rng.standard_normal(3 * size)

        def fun(x, A=A, b=b):
            z = A @ x + b
            shares = np.exp(z - z.max())
            total = shares.sum()
            f = z.max() + np.log(total) + 5e-4 * (x @ x)
            return float(f), A.T @ (shares / total) + 1e-3 * x

        yield fun, rng.uniform(-10, 10, size)


def reciprocals(rng):
    """Σ a/x + c x on x > 0."""
    for _ in range(60):
        size = int(rng.integers(1, 11))
        a, c = 10 ** rng.uniform(-3, 3, size), 10 ** rng.uniform(-3, 3, size)

        def fun(x, a=a, c=c):
            if (x <= 0).any():
                return np.inf, np.full_like(x, np.nan)
            return float((a / x + c * x).sum()), c - a / x**2

        yield fun, 10 ** rng.uniform(-3, 3, size)


def offset_logistic(rng):
    """A column that is 1e2 to 1e6 with a spread of 1, beside columns around 0."""
    for _ in range(40):
        size = int(rng.integers(2, 11))
        X = rng.standard_normal((60, size))
        X[:, 0] += 10 ** rng.uniform(2, 6)
        y = np.where(rng.random(60) < 0.5, -1.0, 1.0)

        def fun(x, X=X, y=y):
            z = -y * (X @ x)
            share = 1 / (1 + np.exp(np.minimum(-z, 700)))
            f = np.logaddexp(0, z).mean() + x @ x / 120
            return float(f), -X.T @ (y * share) / 60 + x / 60

        yield fun, rng.uniform(-10, 10, size)


def morse(rng):
    """2.5 (1 − exp(−1.5 (r − ½)))²."""

    def fun(x):
        bond = np.exp(-1.5 * (x - 0.5))
        return 2.5 * float((1 - bond[0]) ** 2), 7.5 * (1 - bond) * bond

    for start in rng.uniform(-1, 4, 200):
        yield fun, np.array([start])


def clusters(rng):
    """Lennard-Jones clusters of 3 to 8 atoms."""
    for _ in range(60):
        atoms = int(rng.integers(3, 9))
        first, second = np.triu_indices(atoms, 1)

        def fun(x, atoms=atoms, first=first, second=second):
            points = x.reshape(atoms, 3)
            apart = points[first] - points[second]
            squares = (apart**2).sum(axis=1)
            sixth = 1 / squares**3
            pull = (4 * (6 * sixth - 12 * sixth**2) / squares)[:, None] * apart
            g = np.zeros_like(points)
            np.add.at(g, first, pull)
            np.add.at(g, second, -pull)
            return float(4 * (sixth**2 - sixth).sum()), g.ravel()

        yield fun, (rng.uniform(-1, 1, (atoms, 3)) * atoms ** (1 / 3)).ravel()


def valleys(rng):
    """Rosenbrock's function of 2 to 10 variables."""
    for _ in range(40):
        start = rng.uniform(-2, 2, 2 * int(rng.integers(1, 6)))
        yield lambda x: (float(rosen(x)), rosen_der(x)), start


CONVEX = (exponential, exponentials, log_sums, reciprocals, offset_logistic)
OTHER = (morse, clusters, valleys)


class EndError(Exception):
    """The peer has arrived, or it is too late."""


def is_slow(fun, x0, result):
    """Say whether L-BFGS-B gets to an f as low in less than a third of the evaluations."""
    allowed = (result.nfev - 1) // 3 if result.success else CAP
    count, best = 0, np.inf

    def counted(x):
        nonlocal count, best
        count += 1
        f, g = fun(x)
        if np.abs(g).max() <= GTOL:
            best = f
            raise EndError
        if count >= allowed:
            raise EndError
        return f, g

    options = {"ftol": 0.0, "gtol": 0.0, "maxfun": CAP, "maxiter": CAP}
    if allowed > 0:
        with contextlib.suppress(EndError):
            scipy_minimize(counted, x0, jac=True, method="L-BFGS-B", options=options)
    return best <= result.fun + 1e-6 * abs(result.fun)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("family", [*CONVEX, *OTHER], ids=lambda family: family.__name__)
def test_starts_are_solved_in_a_few_times_the_evaluations_of_lbfgsb(family):
    cases = list(family(np.random.default_rng(20)))
    options = {"gtol": GTOL, "maxfun": CAP}
    results = [mdbopt.minimize(fun, x0, jac=True, options=options) for fun, x0 in cases]
    if family in CONVEX:
        assert sum(result.success for result in results) >= 0.995 * len(cases)
    slow = [is_slow(*case, result) for case, result in zip(cases, results, strict=True)]
    assert sum(slow) <= 0.02 * len(cases)


def test_a_box_that_was_cut_to_nothing_is_opened_anew():
    """Beyond 1 in either direction lies a wall of curvature 1e40 that no step stays clear of."""
    rng = np.random.default_rng(21)
    centre = rng.uniform(-0.5, 0.5, 4)

    def fun(x):
        over = np.maximum(np.abs(x) - 1, 0)
        f = 0.5e-3 * ((x - centre) ** 2).sum() + 0.5e40 * (over**2).sum()
        return float(f), 1e-3 * (x - centre) + 1e40 * over * np.sign(x)

    result = mdbopt.minimize(fun, np.full(4, 0.9), jac=True, options={"gtol": 1e-9})
    assert result.success
    assert result.nfev <= 200


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_start_far_out_on_the_flat_side_is_solved():
    result = mdbopt.minimize(
        lambda x: (float(np.exp(x[0]) - 2 * x[0]), np.exp(x) - 2), [-15.0], jac=True
    )
    assert result.success
    assert abs(result.x[0] - np.log(2)) <= 1e-8
    assert result.nfev <= 60
