"""curvature – scales and condition numbers of a Hessian, by differences of gradients.

With H the Hessian at x0 and D = diag(abs(H_jj)),

    scale spread = sqrt(max_j D_jj / min_j D_jj),
    kappa = lambda_max(H) / lambda_min(H),   Jacobi's kappa = the same of D^-1/2 H D^-1/2.

Up to 50 variables H is formed, a column for each evaluation. Beyond, Lanczos's method estimates
both kappas, from below: Y. Saad, "Numerical Methods for Large Eigenvalue Problems" (2011), section
6.6. Its diagonal is that of the problem where it has one, else an estimate from products with
random signs: C. Bekas, E. Kokiopoulou, Y. Saad, "An estimator for the diagonal of a matrix",
Applied Numerical Mathematics 57 (2007).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.probe import Probe
from mdbopt.problems import Problem
from mdbopt.problems._spectrum import ritz_pairs

DENSE = 50
STEPS = 20
SIGNS = 10
# Of a product by differences: what else is in it is their error.
NOTHING_LEFT = 1e-6
# Differences of gradients have about half of the digits.
DIGITS_LEFT = 100.0


@dataclass(frozen=True)
class Curvature:
    """What the Hessian at x0 says.

    Attributes
    ----------
    diagonal : ndarray of shape (d,)
        abs(H_jj), positive: the least one above 0 stands for those that are 0.
    flat : int
        Number of coordinates along which g does not change.
    condition, jacobi_condition : float
        kappa, and that after Jacobi's scaling; infinite where the least eigenvalue is 0 within the
        error of differences.
    convex : bool
        Whether no eigenvalue is below 0 by more than that error.
    exact : bool
        Whether the Hessian was formed; otherwise condition numbers are estimates from below.
    """

    diagonal: Array
    flat: int
    condition: float
    jacobi_condition: float
    convex: bool
    exact: bool

    @property
    def scale_spread(self) -> float:
        """How many times the steepest coordinate's scale is that of the flattest."""
        return math.sqrt(float(self.diagonal.max() / self.diagonal.min()))


def curvature_of(probe: Probe, fun: Any) -> Curvature:
    """Measure the curvature at x0."""
    d = probe.x.size
    error = DIGITS_LEFT * math.sqrt(probe.gradient_epsilon)
    if d <= DENSE:
        H = np.column_stack([probe.product(unit) for unit in np.eye(d)])
        diagonal, flat = _positive(np.diagonal(H))
        root = np.sqrt(diagonal)
        # scaled before it is made symmetric: columns have errors of their own size
        scaled = H / root / root[:, None]
        scaled = (scaled + scaled.T) / 2.0
        values = np.linalg.eigvalsh(scaled)
        condition = _condition_of_raw(scaled, root, values, error)
        return Curvature(
            diagonal, flat, condition, _ratio(values, error), _convex(values, error), True
        )
    known = isinstance(fun, Problem)
    diagonal, flat = _positive(fun.hessian_diagonal(probe.x) if known else _estimate(probe))
    root = np.sqrt(diagonal)
    raw = _ritz_values(probe.product, d)
    values = _ritz_values(lambda v: probe.product(v / root) / root, d)
    return Curvature(
        diagonal,
        flat,
        _ratio(raw, error),
        _ratio(values, error),
        _convex(values, error),
        False,
    )


def _condition_of_raw(scaled: Array, root: Array, values: Array, error: float) -> float:
    """Return kappa of the unscaled Hessian, whose least eigenvalue is lost in rounding of H itself.

    The inverse is taken of the scaled one, which has digits to lose, and scaled back.
    """
    if not values[0] > error * values[-1]:
        return math.inf
    largest = np.linalg.eigvalsh(scaled * root * root[:, None])[-1]
    return float(largest * np.linalg.eigvalsh(np.linalg.inv(scaled) / root / root[:, None])[-1])


def _positive(diagonal: Array) -> tuple[Array, int]:
    sizes = np.abs(np.asarray(diagonal, np.float64))
    moving = sizes > 0.0
    least = float(sizes[moving].min()) if moving.any() else 1.0
    return np.where(moving, sizes, least), int(np.count_nonzero(~moving))


def _estimate(probe: Probe) -> Array:
    signs = np.random.default_rng(2007).choice([-1.0, 1.0], (SIGNS, probe.x.size))
    diagonal: Array = np.mean([sign * probe.product(sign) for sign in signs], axis=0)
    return diagonal


def _ritz_values(product: Callable[[Array], Array], size: int) -> Array:
    start = np.random.default_rng(1950).standard_normal(size)
    return ritz_pairs(product, start, STEPS, NOTHING_LEFT)[0]


def _ratio(values: Array, error: float) -> float:
    largest = float(np.abs(values).max())
    return largest / float(values[0]) if values[0] > error * largest else math.inf


def _convex(values: Array, error: float) -> bool:
    return bool(values[0] >= -error * float(np.abs(values).max()))
