"""rules – which method to take, from what was measured: the first rule that applies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mdbopt._diagnose.facts import Facts

# Below this factor a scale for each coordinate changes little.
GAINS = 10.0


@dataclass(frozen=True)
class Rule:
    """A method, when it is taken, and why, in words with the numbers that say so."""

    method: str
    applies: Callable[[Facts], bool]
    reason: Callable[[Facts], str]


def _one_variable(facts: Facts) -> str:
    return "one variable: its step size is all there is to learn, and pairs of points tell it"


def _noise(facts: Facts) -> str:
    return (
        f"f has noise of {facts.noise:.1g} of its value: the run ends, with status 2, where no "
        "further decrease can be told from it"
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


# All name one method: docs/diagnose.md has what was measured, and why no other rule stands here.
RULES = (
    Rule("guarded", lambda facts: facts.size == 1, _one_variable),
    Rule("guarded", lambda facts: facts.is_noisy, _noise),
    Rule("guarded", lambda facts: facts.scaling_gain >= GAINS, _scales),
    Rule("guarded", lambda facts: True, _directions),
)


def choose(facts: Facts) -> tuple[str, str]:
    """Return the method of the first rule that applies, and its reason."""
    rule = next(rule for rule in RULES if rule.applies(facts))
    return rule.method, rule.reason(facts)
