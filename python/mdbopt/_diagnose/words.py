"""words – a diagnosis in plain words."""

from __future__ import annotations

import math

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.facts import Facts
from mdbopt._diagnose.gradient import GradientCheck

# The rarest class has less than this share of what each would have if all were alike.
RARE = 0.2


def told(method: str | None, reason: str, facts: Facts | None, evaluations: int) -> str:
    """Tell the method, its reason, what was measured, and what that took."""
    lines = [f"method: {method or 'none'}", f"  {reason}"]
    if facts is not None:
        lines += ["measured at x0:", *(f"  {line}" for line in _measured(facts))]
    lines.append(f"evaluations: {evaluations}")
    return "\n".join(lines)


def not_finite(f: float, g: Array) -> str:
    """Say what is not finite at x0."""
    if not math.isfinite(f):
        return f"f is {f} at x0: no method can start there, take an x0 where f is finite"
    place = int(np.flatnonzero(~np.isfinite(g))[0])
    return (
        f"f is finite at x0, but coordinate {place} of its gradient is {g[place]}: no method can "
        "start there; take another x0, or see where the gradient divides by zero"
    )


def wrong_gradient(check: GradientCheck) -> str:
    """Say in which coordinate g is not the gradient of f."""
    return (
        f"the gradient is not that of f: in coordinate {check.coordinate} it says "
        f"{check.given:.6g}, and differences of f say {check.measured:.6g}; correct it first, or "
        "use jac='2-point'"
    )


def stationary(facts: Facts) -> str:
    """Say what a gradient of 0 means."""
    if facts.flat_coordinates == facts.size and facts.smoothness.quadratic:
        return "f does not change around x0: there is nothing to minimise there"
    if facts.convex:
        return "the gradient is 0 at x0, and no curvature is negative: x0 is a minimum"
    return (
        "the gradient is 0 at x0, which is no minimum, as some curvature is negative: start a "
        "little away from it"
    )


def _measured(facts: Facts) -> list[str]:
    lines = [_scales(facts), _condition(facts)]
    if facts.size == 1:
        lines = ["one variable: there are no scales to balance"]
    if facts.flat_coordinates:
        lines.append(f"{facts.flat_coordinates} of {facts.size} coordinates do not change g")
    if not facts.convex:
        lines.append("not convex around x0: what a method finds is a local minimum")
    lines += [_noise(facts), *_smoothness(facts), _gradient(facts)]
    if facts.class_shares:
        lines.append(_classes(facts.class_shares))
    return lines


def _scales(facts: Facts) -> str:
    return f"scales of the coordinates lie a factor of {facts.scale_spread:.2g} apart"


def _condition(facts: Facts) -> str:
    least = "" if facts.exact_condition else "at least "
    if not facts.convex:
        return "condition number: none, as some curvature is negative"
    if math.isinf(facts.jacobi_condition):
        return (
            "condition number: beyond what differences of gradients can tell, with the coordinates "
            "scaled as well"
        )
    first = "beyond what can be told" if math.isinf(facts.condition) else f"{facts.condition:.2g}"
    return (
        f"condition number: {least}{first}, with the coordinates scaled "
        f"{least}{facts.jacobi_condition:.2g}"
    )


def _noise(facts: Facts) -> str:
    if facts.noise is None:
        return "noise of f: could not be told from f itself"
    of_gradient = (
        "" if facts.gradient_noise is None else f", of the slope {facts.gradient_noise:.1g}"
    )
    level = f"noise of f: {facts.noise:.1g} of its value{of_gradient}"
    if not facts.is_noisy:
        return level
    return f"{level}; a gap below about {facts.noise:.1g} |f| cannot be seen, nor reached for sure"


def _smoothness(facts: Facts) -> list[str]:
    seen = facts.smoothness
    lines = []
    if not seen.continuous:
        lines.append("the gradient jumps along a step from x0: f has a kink, runs may end early")
    if not seen.consistent:
        lines.append("f does not change along a step as its gradients at both ends say")
    if seen.continuous and seen.consistent:
        kind = "looks quadratic" if seen.quadratic else "is smooth, and no quadratic"
        lines.append(f"f {kind} along a step from x0")
    return lines


def _gradient(facts: Facts) -> str:
    if facts.gradient is None:
        return (
            f"no gradient was given: each takes {facts.size} or more evaluations of f more, and a "
            "gradient by formula or by automatic differentiation is what gains most"
        )
    if facts.gradient.right:
        return "the gradient agrees with differences of f"
    return f"the gradient and differences of f differ by {facts.gradient.error:.1g}"


def _classes(shares: tuple[float, ...]) -> str:
    rarest = min(shares)
    told = f"classes: {len(shares)}, the rarest with {100.0 * rarest:.2g} % of the rows"
    if rarest < RARE / len(shares):
        told += "; accuracy says little of it, weights of rows (sample_weight=) can balance it"
    return told
