"""Problems of Moré, Garbow and Hillstrom for unconstrained minimisation, with exact gradients.

Each is a sum of squares f(x) = sum_i r_i(x)^2 from its standard start; g = 2 J^T r, J by formula.
Numbers are those of J. J. Moré, B. S. Garbow, K. E. Hillstrom, "Testing Unconstrained Optimization
Software", ACM Transactions on Mathematical Software 7 (1981), section 3. Left out are 17 and 19,
tables of measurements, the linear ones (32 to 34), and 35.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

Array = np.ndarray[Any, np.dtype[np.float64]]
Residuals = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class SumOfSquares:
    """f(x) = sum_i r_i(x)^2: call it for (f, g).

    Attributes
    ----------
    name : str
        Number in the paper and what it is called there.
    residuals : callable
        x of shape (d,) to r of shape (m,) and its Jacobian of shape (m, d).
    start : tuple of float
        The standard start.
    """

    name: str
    residuals: Residuals
    start: tuple[float, ...]

    @property
    def d(self) -> int:
        return len(self.start)

    @property
    def x0(self) -> Array:
        return np.array(self.start, np.float64)

    def __call__(self, x: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            r, J = self.residuals(np.asarray(x, np.float64))
            return float(r @ r), 2.0 * (r @ J)


def _rows(r: list[Any], J: list[list[Any]]) -> tuple[Array, Array]:
    return np.array(r, np.float64), np.array(J, np.float64)


def _columns(r: Array, *columns: Any) -> tuple[Array, Array]:
    """Join the Jacobian from its columns, numbers where one is constant."""
    return r, np.column_stack([np.broadcast_to(column, r.shape) for column in columns])


def rosenbrock(x: Array) -> tuple[Array, Array]:
    """Problem 21, of which problem 1 is the one with two variables."""
    a, b = x[::2], x[1::2]
    m = a.size
    r = np.concatenate([10.0 * (b - a**2), 1.0 - a])
    J = np.zeros((2 * m, 2 * m))
    k = np.arange(m)
    J[k, 2 * k], J[k, 2 * k + 1], J[m + k, 2 * k] = -20.0 * a, 10.0, -1.0
    return r, J


def freudenstein_roth(x: Array) -> tuple[Array, Array]:
    """Problem 2."""
    a, b = x
    return _rows(
        [-13.0 + a + ((5.0 - b) * b - 2.0) * b, -29.0 + a + ((b + 1.0) * b - 14.0) * b],
        [[1.0, 10.0 * b - 3.0 * b**2 - 2.0], [1.0, 3.0 * b**2 + 2.0 * b - 14.0]],
    )


def powell_badly_scaled(x: Array) -> tuple[Array, Array]:
    """Problem 3."""
    a, b = x
    return _rows(
        [1e4 * a * b - 1.0, np.exp(-a) + np.exp(-b) - 1.0001],
        [[1e4 * b, 1e4 * a], [-np.exp(-a), -np.exp(-b)]],
    )


def brown_badly_scaled(x: Array) -> tuple[Array, Array]:
    """Problem 4."""
    a, b = x
    return _rows([a - 1e6, b - 2e-6, a * b - 2.0], [[1.0, 0.0], [0.0, 1.0], [b, a]])


def beale(x: Array) -> tuple[Array, Array]:
    """Problem 5."""
    a, b = x
    i = np.arange(1, 4)
    return _columns(np.array([1.5, 2.25, 2.625]) - a * (1 - b**i), b**i - 1, a * i * b ** (i - 1))


def jennrich_sampson(x: Array) -> tuple[Array, Array]:
    """Problem 6, ten residuals."""
    a, b = x
    i = np.arange(1, 11)
    left, right = np.exp(i * a), np.exp(i * b)
    return _columns(2.0 + 2.0 * i - left - right, -i * left, -i * right)


def helical_valley(x: Array) -> tuple[Array, Array]:
    """Problem 7."""
    a, b, c = x
    square = a**2 + b**2
    turn = np.arctan(b / a) / (2.0 * np.pi) + (0.5 if a < 0.0 else 0.0)
    radius = np.sqrt(square)
    over = 100.0 / (2.0 * np.pi * square)
    return _rows(
        [10.0 * (c - 10.0 * turn), 10.0 * (radius - 1.0), c],
        [[over * b, -over * a, 10.0], [10.0 * a / radius, 10.0 * b / radius, 0.0], [0.0, 0.0, 1.0]],
    )


def bard(x: Array) -> tuple[Array, Array]:
    """Problem 8."""
    y = np.array([14, 18, 22, 25, 29, 32, 35, 39, 37, 58, 73, 96, 134, 210, 439]) / 100.0
    u = np.arange(1.0, 16.0)
    v = 16.0 - u
    w = np.minimum(u, v)
    below = v * x[1] + w * x[2]
    return _columns(y - (x[0] + u / below), -1.0, u * v / below**2, u * w / below**2)


def gaussian(x: Array) -> tuple[Array, Array]:
    """Problem 9."""
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    y = np.array([*half, 0.3989, *half[::-1]])
    shift = (8.0 - np.arange(1, 16)) / 2.0 - x[2]
    bell = np.exp(-x[1] * shift**2 / 2.0)
    return _columns(
        x[0] * bell - y, bell, -x[0] * bell * shift**2 / 2.0, x[0] * bell * x[1] * shift
    )


def meyer(x: Array) -> tuple[Array, Array]:
    """Problem 10."""
    y = np.array([34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147,
                  4427, 3820, 3307, 2872.0])  # fmt: skip
    t = 45.0 + 5.0 * np.arange(1, 17) + x[2]
    power = np.exp(x[1] / t)
    return _columns(x[0] * power - y, power, x[0] * power / t, -x[0] * power * x[1] / t**2)


def gulf(x: Array) -> tuple[Array, Array]:
    """Problem 11, 99 residuals; y_i - x_2 is what the paper's misprint "y_i m i x_2" stands for."""
    t = np.arange(1, 100) / 100.0
    y = 25.0 + (-50.0 * np.log(t)) ** (2.0 / 3.0)
    away = np.abs(y - x[1])
    power = away ** x[2]
    bell = np.exp(-power / x[0])
    return _columns(
        bell - t,
        bell * power / x[0] ** 2,
        bell * x[2] * power / (y - x[1]) / x[0],
        -bell * power * np.log(away) / x[0],
    )


def box_three_dimensional(x: Array) -> tuple[Array, Array]:
    """Problem 12, ten residuals."""
    t = 0.1 * np.arange(1, 11)
    first, second, target = np.exp(-t * x[0]), np.exp(-t * x[1]), np.exp(-t) - np.exp(-10.0 * t)
    return _columns(first - second - x[2] * target, -t * first, t * second, -target)


def powell_singular(x: Array) -> tuple[Array, Array]:
    """Problem 13."""
    a, b, c, d = x
    u, v = b - 2.0 * c, a - d
    five, ten = np.sqrt(5.0), np.sqrt(10.0)
    return _rows(
        [a + 10.0 * b, five * (c - d), u**2, ten * v**2],
        [
            [1.0, 10.0, 0.0, 0.0],
            [0.0, 0.0, five, -five],
            [0.0, 2.0 * u, -4.0 * u, 0.0],
            [2.0 * ten * v, 0.0, 0.0, -2.0 * ten * v],
        ],
    )


def wood(x: Array) -> tuple[Array, Array]:
    """Problem 14."""
    a, b, c, d = x
    ninety, ten = np.sqrt(90.0), np.sqrt(10.0)
    return _rows(
        [10.0 * (b - a**2), 1.0 - a, ninety * (d - c**2), 1.0 - c, ten * (b + d - 2.0),
         (b - d) / ten],
        [[-20.0 * a, 10.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -2.0 * ninety * c, ninety],
         [0.0, 0.0, -1.0, 0.0], [0.0, ten, 0.0, ten], [0.0, 1.0 / ten, 0.0, -1.0 / ten]],
    )  # fmt: skip


def kowalik_osborne(x: Array) -> tuple[Array, Array]:
    """Problem 15."""
    y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235,
                  0.0246])  # fmt: skip
    u = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    above, below = u**2 + u * x[1], u**2 + u * x[2] + x[3]
    share = x[0] * above / below**2
    return _columns(y - x[0] * above / below, -above / below, -x[0] * u / below, share * u, share)


def brown_dennis(x: Array) -> tuple[Array, Array]:
    """Problem 16, twenty residuals."""
    t = np.arange(1, 21) / 5.0
    u, v = x[0] + t * x[1] - np.exp(t), x[2] + x[3] * np.sin(t) - np.cos(t)
    return _columns(u**2 + v**2, 2.0 * u, 2.0 * u * t, 2.0 * v, 2.0 * v * np.sin(t))


def biggs_exp6(x: Array) -> tuple[Array, Array]:
    """Problem 18, thirteen residuals."""
    t = 0.1 * np.arange(1, 14)
    y = np.exp(-t) - 5.0 * np.exp(-10.0 * t) + 3.0 * np.exp(-4.0 * t)
    e1, e2, e5 = np.exp(-t * x[0]), np.exp(-t * x[1]), np.exp(-t * x[4])
    return _columns(
        x[2] * e1 - x[3] * e2 + x[5] * e5 - y,
        -t * x[2] * e1, t * x[3] * e2, e1, -e2, -t * x[5] * e5, e5,
    )  # fmt: skip


def watson(x: Array) -> tuple[Array, Array]:
    """Problem 20."""
    t = np.arange(1, 30)[:, None] / 29.0
    j = np.arange(x.size)
    powers = t**j
    total = powers @ x
    slopes = np.hstack([np.zeros((29, 1)), j[1:] * powers[:, :-1]])
    J = np.zeros((31, x.size))
    J[:29] = slopes - 2.0 * total[:, None] * powers
    J[29, 0] = J[30, 1] = 1.0
    J[30, 0] = -2.0 * x[0]
    return np.array([*(slopes @ x - total**2 - 1.0), x[0], x[1] - x[0] ** 2 - 1.0]), J


def extended_powell_singular(x: Array) -> tuple[Array, Array]:
    """Problem 22: problem 13 for every four variables."""
    parts = [powell_singular(part) for part in x.reshape(-1, 4)]
    return np.concatenate([r for r, _ in parts]), block_diag(*(J for _, J in parts))


def penalty_one(x: Array) -> tuple[Array, Array]:
    """Problem 23."""
    root = np.sqrt(1e-5)
    r = np.array([*(root * (x - 1.0)), x @ x - 0.25])
    return r, np.vstack([root * np.eye(x.size), 2.0 * x])


def penalty_two(x: Array) -> tuple[Array, Array]:
    """Problem 24."""
    n = x.size
    root = np.sqrt(1e-5)
    i = np.arange(2, n + 1)
    y = np.exp(i / 10.0) + np.exp((i - 1) / 10.0)
    waves = np.exp(x / 10.0)
    weights = np.arange(n, 0, -1.0)
    slopes = root * np.diag(waves / 10.0)[1:]
    J = np.zeros((2 * n, n))
    J[0, 0] = 1.0
    J[1:n] = slopes + root * np.eye(n)[:-1] * (waves / 10.0)
    J[n:-1] = slopes
    J[-1] = 2.0 * weights * x
    r = np.concatenate([
        [x[0] - 0.2],
        root * (waves[1:] + waves[:-1] - y),
        root * (waves[1:] - np.exp(-0.1)),
        [weights @ x**2 - 1.0],
    ])  # fmt: skip
    return r, J


def variably_dimensioned(x: Array) -> tuple[Array, Array]:
    """Problem 25."""
    i = np.arange(1.0, x.size + 1.0)
    total = float(i @ (x - 1.0))
    return np.array([*(x - 1.0), total, total**2]), np.vstack([np.eye(x.size), i, 2.0 * total * i])


def trigonometric(x: Array) -> tuple[Array, Array]:
    """Problem 26."""
    n = x.size
    i = np.arange(1.0, n + 1.0)
    J = np.tile(np.sin(x), (n, 1)) + np.diag(i * np.sin(x) - np.cos(x))
    return n - np.cos(x).sum() + i * (1.0 - np.cos(x)) - np.sin(x), J


def brown_almost_linear(x: Array) -> tuple[Array, Array]:
    """Problem 27."""
    n = x.size
    r = x + x.sum() - (n + 1.0)
    J = np.ones((n, n)) + np.eye(n)
    r[-1] = np.prod(x) - 1.0
    J[-1] = [np.prod(np.delete(x, j)) for j in range(n)]
    return r, J


def _inner_points(n: int) -> tuple[float, Array]:
    """Return h = 1/(n + 1) and t_i = ih, of the two problems of a boundary value problem."""
    h = 1.0 / (n + 1)
    return h, h * np.arange(1, n + 1)


def discrete_boundary_value(x: Array) -> tuple[Array, Array]:
    """Problem 28."""
    n = x.size
    h, t = _inner_points(n)
    wide = np.concatenate([[0.0], x, [0.0]])
    shifted = x + t + 1.0
    r = 2.0 * x - wide[:-2] - wide[2:] + h**2 * shifted**3 / 2.0
    return r, np.diag(2.0 + 1.5 * h**2 * shifted**2) - np.eye(n, k=-1) - np.eye(n, k=1)


def discrete_integral_equation(x: Array) -> tuple[Array, Array]:
    """Problem 29."""
    h, t = _inner_points(x.size)
    before = np.tril(np.outer(1.0 - t, t))
    kernel = h / 2.0 * (before + np.triu(np.outer(t, 1.0 - t), 1))
    shifted = x + t + 1.0
    return x + kernel @ shifted**3, np.eye(x.size) + kernel * (3.0 * shifted**2)


def broyden_banded(x: Array) -> tuple[Array, Array]:
    """Problem 31: five neighbours below, one above."""
    n = x.size
    away = np.subtract.outer(np.arange(n), np.arange(n))
    near = ((away <= 5) & (away >= -1) & (away != 0)).astype(float)
    r = x * (2.0 + 5.0 * x**2) + 1.0 - near @ (x * (1.0 + x))
    return r, np.diag(2.0 + 15.0 * x**2) - near * (1.0 + 2.0 * x)


def broyden_tridiagonal(x: Array) -> tuple[Array, Array]:
    """Problem 30."""
    wide = np.concatenate([[0.0], x, [0.0]])
    r = (3.0 - 2.0 * x) * x - wide[:-2] - 2.0 * wide[2:] + 1.0
    n = x.size
    return r, np.diag(3.0 - 4.0 * x) - np.eye(n, k=-1) - 2.0 * np.eye(n, k=1)


def _boundary_start(n: int) -> tuple[float, ...]:
    t = _inner_points(n)[1]
    return tuple(t * (t - 1.0))


PROBLEMS = tuple(
    SumOfSquares(name, residuals, start)
    for name, residuals, start in (
        ("01-rosenbrock", rosenbrock, (-1.2, 1.0)),
        ("02-freudenstein-roth", freudenstein_roth, (0.5, -2.0)),
        ("03-powell-badly-scaled", powell_badly_scaled, (0.0, 1.0)),
        ("04-brown-badly-scaled", brown_badly_scaled, (1.0, 1.0)),
        ("05-beale", beale, (1.0, 1.0)),
        ("06-jennrich-sampson", jennrich_sampson, (0.3, 0.4)),
        ("07-helical-valley", helical_valley, (-1.0, 0.0, 0.0)),
        ("08-bard", bard, (1.0, 1.0, 1.0)),
        ("09-gaussian", gaussian, (0.4, 1.0, 0.0)),
        ("10-meyer", meyer, (0.02, 4000.0, 250.0)),
        ("11-gulf", gulf, (5.0, 2.5, 0.15)),
        ("12-box-three-dimensional", box_three_dimensional, (0.0, 10.0, 20.0)),
        ("13-powell-singular", powell_singular, (3.0, -1.0, 0.0, 1.0)),
        ("14-wood", wood, (-3.0, -1.0, -3.0, -1.0)),
        ("15-kowalik-osborne", kowalik_osborne, (0.25, 0.39, 0.415, 0.39)),
        ("16-brown-dennis", brown_dennis, (25.0, 5.0, -5.0, -1.0)),
        ("18-biggs-exp6", biggs_exp6, (1.0, 2.0, 1.0, 1.0, 1.0, 1.0)),
        ("20-watson", watson, (0.0,) * 6),
        ("21-extended-rosenbrock", rosenbrock, (-1.2, 1.0) * 10),
        ("22-extended-powell-singular", extended_powell_singular, (3.0, -1.0, 0.0, 1.0) * 5),
        ("23-penalty-one", penalty_one, tuple(range(1, 11))),
        ("24-penalty-two", penalty_two, (0.5,) * 10),
        ("25-variably-dimensioned", variably_dimensioned, tuple(1 - k / 10 for k in range(1, 11))),
        ("26-trigonometric", trigonometric, (0.1,) * 10),
        ("27-brown-almost-linear", brown_almost_linear, (0.5,) * 10),
        ("28-discrete-boundary-value", discrete_boundary_value, _boundary_start(10)),
        ("29-discrete-integral-equation", discrete_integral_equation, _boundary_start(10)),
        ("30-broyden-tridiagonal", broyden_tridiagonal, (-1.0,) * 10),
        ("31-broyden-banded", broyden_banded, (-1.0,) * 10),
    )
)


def problems() -> Iterator[tuple[str, SumOfSquares]]:
    """Yield each with its name."""
    for problem in PROBLEMS:
        yield problem.name, problem
