"""diagnose – measure an objective near a point, and say which method to take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose import words
from mdbopt._diagnose.curvature import Curvature, curvature_of
from mdbopt._diagnose.facts import Facts
from mdbopt._diagnose.gradient import check_gradient
from mdbopt._diagnose.noise import noise_of
from mdbopt._diagnose.probe import Probe
from mdbopt._diagnose.reasons import METHOD, why
from mdbopt._diagnose.smoothness import smoothness_along

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """Which method to take, and why; its ``str`` tells all of it in words.

    Attributes
    ----------
    method : str or None
        A name for `mdbopt.minimize`, or None where no method can be named: ``reason`` says what is
        in the way.
    reason : str
        Why, with the numbers that say so.
    facts : Facts or None
        What was measured; None where f does not let itself be measured at x0.
    evaluations : int
        Evaluations of f (with its gradient, where it has one) that this took.
    """

    method: str | None
    reason: str
    facts: Facts | None
    evaluations: int

    def __str__(self) -> str:
        return words.told(self.method, self.reason, self.facts, self.evaluations)


def diagnose(fun: Any, x0: Any, args: Any = (), *, jac: Any = None) -> Diagnosis:
    r"""Measure an objective near a point, and say which method to take.

    .. math:: \kappa = \frac{\lambda_{\max}(H)}{\lambda_{\min}(H)}, \qquad
              \kappa_J = \kappa(D^{-1/2} H D^{-1/2}), \quad D = \mathrm{diag}(|H_{jj}|)

    with H the Hessian at x0, by differences of gradients. Also measured: the noise of f and g,
    whether g changes continuously and f as g says, and whether g is the gradient of f.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> (f, g)``, or ``-> f`` with ``jac``. Not called at points farther from x0
        than a step that minimises along a scaled gradient, twice its length.
    x0 : array_like of d >= 1 real numbers, finite
        Where to look: where a run would start. Not written to.
    args : tuple, optional
        Further arguments of ``fun`` and ``jac``.
    jac : True, callable, "2-point", "3-point", "cs" or None, optional
        As of `minimize`; None: a pair is taken for f and its gradient, and for a number alone
        gradients are differences, d evaluations each.

    Returns
    -------
    Diagnosis
        ``method``, ``reason``, ``facts``, ``evaluations``. ``method`` is None when f or g is not
        finite at x0, when g is not the gradient of f, when f does not change, and when g is 0.

    Raises
    ------
    TypeError, ValueError
        When ``fun`` cannot be called or returns something else, or when x0 is empty, not finite,
        or not in the CPU's memory.

    Notes
    -----
    * Takes about 3d + 25 evaluations up to d = 50, and about 100 beyond, whatever d is.
    * kappa is that at x0. An f that is no quadratic has others elsewhere.
    * docs/diagnose.md says how often the method is the best, and where it is not.

    References
    ----------
    .. [1] J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> h = np.array([1.0, 1e6])
    >>> found = mdbopt.diagnose(lambda x: (0.5 * float(h @ x**2), h * x), np.ones(2))
    >>> found.method, f"{found.facts.scale_spread:.0f}", f"{found.facts.jacobi_condition:.1f}"
    ('guarded', '1000', '1.0')
    """
    probe = Probe(fun, x0, jac, args)
    if not probe.finite:
        return _nothing(words.not_finite(probe.f, probe.g), probe)
    curvature = curvature_of(probe, fun)
    scales = 1.0 / np.sqrt(curvature.diagonal)
    step, moves = _step(probe, curvature)
    noise, gradient_noise = noise_of(probe, step)
    gradient = None
    if not probe.differences:
        gradient = check_gradient(probe, curvature.diagonal, noise)
    facts = Facts(
        size=probe.x.size,
        precision=probe.epsilon,
        scale_spread=curvature.scale_spread,
        flat_coordinates=curvature.flat,
        condition=curvature.condition,
        jacobi_condition=curvature.jacobi_condition,
        convex=curvature.convex,
        exact_condition=curvature.exact,
        noise=noise,
        gradient_noise=gradient_noise,
        smoothness=smoothness_along(probe, 2.0 * step, scales, noise),
        gradient=gradient,
        class_shares=_class_shares(fun),
    )
    if gradient is not None and not gradient.right:
        return Diagnosis(None, words.wrong_gradient(gradient), facts, probe.evaluations)
    if not moves:
        return Diagnosis(None, words.stationary(facts), facts, probe.evaluations)
    return Diagnosis(METHOD, why(facts), facts, probe.evaluations)


def _nothing(reason: str, probe: Probe) -> Diagnosis:
    return Diagnosis(None, reason, None, probe.evaluations)


def _step(probe: Probe, curvature: Curvature) -> tuple[Array, bool]:
    """Return a step along the gradient scaled by D^-1, to the minimum along it of a parabola.

    Where g is 0 it is a step of `Probe.units`, and the second value False.
    """
    direction = -probe.g / curvature.diagonal
    if not direction.any():
        return 1e-3 * probe.units, False
    direction /= float(np.max(np.abs(direction) / probe.units))
    slope = float(probe.g @ direction)
    curved = float(direction @ probe.product(direction))
    length = abs(slope / curved) if curved != 0.0 else 1.0
    return direction * (length if math.isfinite(length) else 1.0), True


def _class_shares(fun: Any) -> tuple[float, ...] | None:
    index, classes = getattr(fun, "class_index", None), getattr(fun, "classes", None)
    if index is None or classes is None:
        return None
    counts = np.bincount(np.asarray(index), minlength=len(classes))
    return tuple((counts / counts.sum()).tolist())
