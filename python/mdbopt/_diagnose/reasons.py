"""reasons – the method that is named, and why, from what was measured."""

from __future__ import annotations

import math

from mdbopt._diagnose.facts import Facts

# docs/diagnose.md has what was measured, and why no other stands here.
METHOD = "guarded"
# Below this factor a scale for each coordinate changes little.
GAINS = 10.0


def why(facts: Facts) -> str:
    """Say why to take `METHOD`, in words with the numbers that say so."""
    if facts.size == 1:
        return "one variable: its step size is all there is to learn, and pairs of points tell it"
    if facts.is_noisy:
        return _noise(facts)
    return _scales(facts) if facts.scaling_gain >= GAINS else _directions(facts)


def _noise(facts: Facts) -> str:
    return (
        f'f has noise of {facts.noise:.1g} of its value: with noise="estimate" of mdbopt.minimize '
        "the run takes it into account, and ends where no further decrease can be told from it"
    )


def _scales(facts: Facts) -> str:
    before = "one beyond what can be told" if math.isinf(facts.condition) else (
        f"{facts.condition:.2g}"
    )  # fmt: skip
    return (
        f"scales of the coordinates lie a factor of {facts.scale_spread:.2g} apart, and one for "
        f"each brings the condition number from {before} to {facts.jacobi_condition:.2g}: its box "
        "learns them"
    )


def _directions(facts: Facts) -> str:
    if math.isinf(facts.jacobi_condition):
        return (
            "what a scale for each coordinate gains cannot be told at x0: its pairs of points "
            "learn curvature in any direction, and its box scales where that explains them"
        )
    return (
        f"a scale for each coordinate gains little (condition number {facts.condition:.2g}, with "
        f"it {facts.jacobi_condition:.2g}): its pairs of points learn what is not along the axes"
    )
