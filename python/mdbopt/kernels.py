"""Every rule of the core as a function on flat arrays: ``kernels.<rule>(stream, …, scalar=…)``.

Streams are NumPy arrays or any array with ``__dlpack__``, float64 or float32, dense, all of one
size; a search's step sizes (``b``, ``axes``, ``u``, ``p``) are float64 always, secant pairs
float32. On the CPU, streams that are only read may have any strides and come in any form whose
numbers that dtype holds (integers, lists, narrower floats). Output streams are written in place. A
call returns a named tuple of the rule's sums, float64, and ``applied``: False when the rule refused
its input, in which case nothing was written. The same bits come back whatever the number of threads
and the backend.

They live on the CPU or all on one CUDA device (`mdbopt.cuda`). There, a call is queued on the
stream that the library of the first array works on at the time, and waits for the device only when
the rule has sums; ``backend``, ``threads`` and ``flush_subnormals`` are for the CPU alone.

First-order updates (``sgd``, ``adam``, …) also take bfloat16 and float16 parameters and gradients,
with float32 state, and the keywords

* ``lr``: the step size, a number, or an array with one for each element;
* ``copy``: an array of bfloat16 that receives the new float32 parameters in the same walk;
* ``rounding="stochastic"`` with ``seed``: half-precision parameters are rounded up with the
  probability of what falls away, by random bits that follow from the seed and the element's place;
* ``dtype="bfloat16"`` or ``"float16"``: what arrays of uint16 are read as;
* ``flush_subnormals=True``: subnormal numbers count as 0, read and written.

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

import numpy as np

from mdbopt import _checks, _core
from mdbopt._registry import Rule, Stream, rules

ROUNDINGS = ("nearest", "stochastic")
HALF_DTYPES = ("bfloat16", "float16")
UPDATE_KEYWORDS = frozenset(("copy", "dtype", "flush_subnormals", "rounding", "seed"))


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
        options = self._update_options(scalars) if self.rule.update else self._dtype(scalars)
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
                **options,
            )
        )

    def _update_options(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Take the keywords of an update out of those given."""
        name = self.rule.name
        if "lr" not in keywords:
            raise TypeError(f"{name}: lr: expected a number or an array, got nothing")
        lr = keywords.pop("lr")
        if type(lr) is not float or not math.isfinite(lr):
            foreign = hasattr(lr, "__dlpack__") and not isinstance(lr, (np.ndarray, np.generic))
            if getattr(lr, "ndim", 1 if foreign else 0) == 0:
                lr = _checks.real(f"{name}: lr", lr)
        options: dict[str, Any] = {"lr": lr}
        if UPDATE_KEYWORDS.isdisjoint(keywords):
            return options
        options["copy"] = keywords.pop("copy", None)
        options.update(self._dtype(keywords))
        flush = keywords.pop("flush_subnormals", False)
        if not isinstance(flush, (bool, np.bool_)):
            raise TypeError(
                f"{name}: flush_subnormals: expected a bool, got {type(flush).__name__}"
            )
        options["flush_subnormals"] = bool(flush)
        rounding = keywords.pop("rounding", "nearest")
        seed = _checks.whole(f"{name}: seed", keywords.pop("seed", 0), least=0, below=2**64)
        if _checks.choice(f"{name}: rounding", rounding, ROUNDINGS) == "stochastic":
            options["seed"] = seed
        return options

    def _dtype(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Take what arrays of uint16 are read as, where the rule takes half precision."""
        if "dtype" not in keywords or "bfloat16" not in self.rule.bytes:
            return {}
        dtype = keywords.pop("dtype")
        if dtype is not None:
            _checks.choice(f"{self.rule.name}: dtype", dtype, HALF_DTYPES)
        return {"dtype": dtype}

    def __reduce__(self) -> str:
        return self.rule.name  # a global of this module

    def __repr__(self) -> str:
        return f"<kernel {self.rule.name}({', '.join(s.name for s in self.rule.streams)})>"


def _result_type(rule: Rule) -> Any:
    fields = [*(name for name, _ in rule.sums), "applied"]
    named = namedtuple(rule.name, fields)  # type: ignore[misc]
    # Its module has the kernel under this name, so that a pickle finds the type through it.
    body = {"__slots__": (), "__doc__": f"What `{rule.name}` returns.", "__reduce__": _as_sent}
    return type(rule.name, (named,), body)


def _as_sent(result: Any) -> tuple[Any, ...]:
    return _received, (type(result).__name__, tuple(result))


def _received(name: str, values: tuple[Any, ...]) -> Any:
    return _KERNELS[name]._result(*values)


def _docstring(rule: Rule) -> str:
    lines = [f"{rule.summary}.", "", "Parameters", "----------"]
    for stream in rule.streams:
        dtype = stream.fixed or _dtypes_in_words(stream)
        use = {"in": "read", "out": "written", "inout": "read and written"}[stream.role]
        lines += [f"{stream.name} : array of {dtype}", f"    {use}."]
    for name, fallback in rule.scalars:
        default = "" if math.isnan(fallback) else f", default {fallback:g}"
        lines += [f"{name} : float{default}", "    Dimensionless."]
    if rule.update:
        lines += ["lr : float or array", "    Step size, of all elements or one for each."]
        lines += ["copy, rounding, seed, dtype, flush_subnormals", "    See the module."]
    lines += ["", "Returns", "-------"]
    lines += [f"{name} : float" for name, _ in rule.sums]
    lines += ["applied : bool", "    False when the rule refused and wrote nothing."]
    lines += ["", "Notes", "-----", f"{rule.walks} walk(s), {rule.bytes['float64']} bytes per"]
    lines[-1] += " element in float64."
    return "\n".join(lines)


def _dtypes_in_words(stream: Stream) -> str:
    *most, last = dict.fromkeys(stream.dtypes.values())
    return f"{', '.join(most)} or {last}"


_KERNELS = {rule.name: Kernel(index, rule) for index, rule in enumerate(rules())}


globals().update(_KERNELS)  # found without a detour through __getattr__


def __getattr__(name: str) -> Kernel:
    try:
        return _KERNELS[name]
    except KeyError:
        raise AttributeError(f"mdbopt.kernels has no rule {name!r}; see mdbopt.rules()") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *_KERNELS])
