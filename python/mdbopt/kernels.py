"""Every rule of the core as a function on flat arrays: ``kernels.<rule>(stream, …, scalar=…)``.

Streams are NumPy arrays or any array with ``__dlpack__`` on the CPU, float64 or float32, dense, all
of one size; step sizes (``b``, ``axes``, ``u``, ``p``) are float64 always, secant pairs float32.
Output streams are written in place. A call returns a named tuple of the rule's sums, float64, and
``applied``: False when the rule refused its input, in which case nothing was written. The same bits
come back whatever the
number of threads and the backend.

`mdbopt.rules` describes all of them.

Examples
--------
>>> import numpy as np
>>> from mdbopt import kernels
>>> x, g = np.array([1.0, 2.0]), np.array([0.5, -1.0])
>>> b, x_trial = np.array([1.0, 0.5]), np.empty(2)
>>> kernels.box_trial(x, g, b, x_trial, step=0.5)
box_trial(decrease=0.375, gmax=1.0, moved=0.25, applied=True)
>>> x_trial
array([0.75, 2.25])
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

from mdbopt import _checks, _core
from mdbopt._registry import Rule, rules


class Kernel:
    """One rule, callable on arrays; see the module's docstring."""

    def __init__(self, index: int, rule: Rule) -> None:
        self._index = index
        self._scalars = dict(rule.scalars)
        self._result = _result_type(rule)
        self.rule = rule
        self.__name__ = rule.name
        self.__doc__ = _docstring(rule)

    def __call__(
        self,
        *streams: Any,
        backend: str | None = None,
        threads: int | None = None,
        **scalars: float,
    ) -> Any:
        """Run the rule; see its own docstring."""
        name = self.rule.name
        values = []
        for key, fallback in self._scalars.items():
            if key not in scalars and math.isnan(fallback):
                raise TypeError(f"{name}: {key}: expected a number, got nothing")
            value = scalars.pop(key, fallback)
            values.append(
                value
                if type(value) is float and math.isfinite(value)
                else _checks.real(f"{name}: {key}", value)
            )
        if scalars:
            known = ", ".join(self._scalars) or "none"
            raise TypeError(f"{name}: unknown scalar {next(iter(scalars))!r}; expected {known}")
        if threads is not None:
            threads = _checks.whole(f"{name}: threads", threads, least=1)
        if backend is not None and not isinstance(backend, str):
            raise TypeError(f"{name}: backend: expected a name, got {type(backend).__name__}")
        return self._result(
            *_core.run(
                self._index,
                *streams,
                scalars=tuple(values),
                backend=backend,
                threads=0 if threads is None else threads,
            )
        )

    def __repr__(self) -> str:
        return f"<kernel {self.rule.name}({', '.join(s.name for s in self.rule.streams)})>"


def _result_type(rule: Rule) -> Any:
    return namedtuple(rule.name, [*(name for name, _ in rule.sums), "applied"])


def _docstring(rule: Rule) -> str:
    lines = [f"{rule.summary}.", "", "Parameters", "----------"]
    for stream in rule.streams:
        dtype = stream.fixed or "float64 or float32"
        use = {"in": "read", "out": "written", "inout": "read and written"}[stream.role]
        lines += [f"{stream.name} : array of {dtype}", f"    {use}."]
    for name, fallback in rule.scalars:
        default = "" if math.isnan(fallback) else f", default {fallback:g}"
        lines += [f"{name} : float{default}", "    Dimensionless."]
    lines += ["", "Returns", "-------"]
    lines += [f"{name} : float" for name, _ in rule.sums]
    lines += ["applied : bool", "    False when the rule refused and wrote nothing."]
    lines += ["", "Notes", "-----", f"{rule.walks} walk(s), {rule.bytes['float64']} bytes per"]
    lines[-1] += " element in float64."
    return "\n".join(lines)


_KERNELS = {rule.name: Kernel(index, rule) for index, rule in enumerate(rules())}


globals().update(_KERNELS)  # found without a detour through __getattr__


def __getattr__(name: str) -> Kernel:
    try:
        return _KERNELS[name]
    except KeyError:
        raise AttributeError(f"mdbopt.kernels has no rule {name!r}; see mdbopt.rules()") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *_KERNELS])
