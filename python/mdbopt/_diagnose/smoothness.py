"""smoothness – whether g changes continuously along a step, and f by what g says.

The interval in which g changes most is halved eight times. Where g is continuous the change halves
with it; where it jumps, as at a kink of f, all of it stays. Over an interval from a to b, with
s = b - a, a smooth f changes by 1/2 <g_a + g_b, s> to within the change of <g, s>.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.probe import Probe

HALVINGS = 8
# What is left of a jump after eight halvings, of which a smooth change keeps 1/256.
JUMP = 0.2
SAME = 1e-5


@dataclass(frozen=True)
class Smoothness:
    """What was seen along one step.

    Attributes
    ----------
    continuous : bool
        Whether the change of g vanishes with the distance.
    consistent : bool
        Whether f changes as its gradients at both ends say.
    quadratic : bool
        Whether g changes alike over the first and the second half.
    """

    continuous: bool
    consistent: bool
    quadratic: bool


def smoothness_along(probe: Probe, step: Array, scales: Array, noise: float | None) -> Smoothness:
    """Look at f and g from x0 to x0 + step; ``scales`` are lengths in which coordinates are alike.

    An end where f is not finite is moved closer to x0.
    """

    def apart(a: Array, b: Array) -> float:
        return float(np.linalg.norm((b - a) * scales))

    far = probe.at(probe.x + step)
    for _ in range(HALVINGS):
        if np.isfinite(far[0]) and np.isfinite(far[1]).all():
            break
        step = step / 4.0
        far = probe.at(probe.x + step)
    else:
        return Smoothness(False, False, False)
    left, right = (0.0, probe.f, probe.g), (1.0, *far)
    floor = 10.0 * ((noise or 0.0) + probe.epsilon)
    first = apart(left[2], right[2])
    consistent, quadratic = True, True
    for k in range(HALVINGS):
        place = (left[0] + right[0]) / 2.0
        middle = (place, *probe.at(probe.x + place * step))
        before, after = apart(left[2], middle[2]), apart(middle[2], right[2])
        if k == 0:
            bend = apart(middle[2] - left[2], right[2] - middle[2])
            quadratic = bend <= SAME * max(before, after)
        for a, b in ((left, middle), (middle, right)):
            length = b[0] - a[0]
            slopes = length * float(a[2] @ step), length * float(b[2] @ step)
            gap = abs((b[1] - a[1]) - (slopes[0] + slopes[1]) / 2.0)
            rounding = floor * (max(abs(a[1]), abs(b[1])) + float(np.abs(a[2] * step).sum()))
            rounding += 1e-3 * max(abs(slope) for slope in slopes)
            consistent &= gap <= abs(slopes[1] - slopes[0]) + rounding
        left, right = (left, middle) if before >= after else (middle, right)
    size = max(float(np.linalg.norm(probe.g * scales)), first)
    left_over = apart(left[2], right[2])
    continuous = left_over <= JUMP * first or left_over <= 1e-6 * size
    return Smoothness(continuous, consistent, quadratic)
