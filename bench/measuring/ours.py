"""mdbopt's side of a comparison: a step of an optimizer, planned or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mdbopt
from mdbopt.kernels._rules import Rule
from measuring import values
from measuring.clock import Call
from measuring.methods import Method

# "plan" has its arguments bound, "step" is given them in each call.
FORMS = ("step", "plan")


def rule_of(method: Method) -> Rule:
    """Return the rule that a method runs."""
    return next(rule for rule in mdbopt.rules() if rule.name == method.rule)


def step(
    method: Method,
    params: list[Any],
    grads: list[Any],
    *,
    form: str = "step",
    fill: Callable[[Any], None] | None = None,
    **options: Any,
) -> Call:
    """Give a callable that makes one update of `params`.

    Parameters
    ----------
    method : Method
        Which one, with its options.
    params, grads : list of array
        What it updates, and by what.
    form : {"step", "plan"}
        Whether each call brings its arguments, or runs what a plan has bound.
    fill : callable, optional
        Told the state before the first step, to put other numbers into it.
    **options
        Of the optimizer, beside the method's: threads, backend, rounding and the like.
    """
    optimizer = getattr(mdbopt, method.optimizer)(**method.options, **options)
    state = optimizer.init(params)
    if fill is not None:
        fill(state)
    if form == "plan":
        planned: Call = optimizer.plan(params, grads, state).step
        return planned
    return lambda: optimizer.step(params, grads, state)


def fresh(
    method: Method, shapes: list[values.Shape], dtype: str, memory: str, **keywords: Any
) -> Call:
    """Give such a callable with arrays of its own."""
    return step(method, *values.parameters(shapes, dtype, memory), **keywords)
