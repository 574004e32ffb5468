"""facts – what a diagnosis measures, and how it is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mdbopt._diagnose.gradient import GradientCheck
from mdbopt._diagnose.smoothness import Smoothness

# Noise of f above so many times the precision of x0 is more than rounding leaves.
NOISY = 1e4


@dataclass(frozen=True)
class Facts:
    """What was measured near x0.

    Attributes
    ----------
    size : int
        d.
    precision : float
        Epsilon of x0's dtype.
    scale_spread : float
        sqrt(max_j abs(H_jj) / min_j abs(H_jj)), dimensionless: how many times the steepest
        coordinate's scale is that of the flattest.
    flat_coordinates : int
        How many do not change g.
    condition, jacobi_condition : float
        kappa of the Hessian at x0, and that of D^-1/2 H D^-1/2, D = diag(abs(H_jj)); infinite where
        the least eigenvalue is not above the error of differences.
    convex : bool
        Whether the Hessian at x0 has no eigenvalue below 0.
    exact_condition : bool
        Whether the whole Hessian was formed (d <= 50); else both are estimates from below.
    noise, gradient_noise : float or None
        Standard deviation about a smooth function, relative to abs(f), and to abs(<g, u>) along the
        step u; None where it could not be told from f itself.
    smoothness : Smoothness
        What was seen along a step: continuous, consistent, quadratic.
    gradient : GradientCheck or None
        None where the gradient is a difference of f.
    class_shares : tuple of float or None
        Share of the rows that each class has, for problems with classes.
    """

    size: int
    precision: float
    scale_spread: float
    flat_coordinates: int
    condition: float
    jacobi_condition: float
    convex: bool
    exact_condition: bool
    noise: float | None
    gradient_noise: float | None
    smoothness: Smoothness
    gradient: GradientCheck | None
    class_shares: tuple[float, ...] | None

    @property
    def is_noisy(self) -> bool:
        """Whether f has more noise than rounding leaves."""
        return self.noise is not None and self.noise > NOISY * self.precision

    @property
    def scaling_gain(self) -> float:
        """By what factor Jacobi's scaling lowers the condition number, 1 where neither is known."""
        if math.isinf(self.jacobi_condition):
            return 1.0
        return self.condition / self.jacobi_condition
