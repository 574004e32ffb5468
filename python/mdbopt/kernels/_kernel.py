"""One rule of the core, callable on arrays."""

from __future__ import annotations

import math
from collections import namedtuple
from functools import cache
from typing import Any

import numpy as np

from mdbopt import _checks, _core
from mdbopt.kernels._docstring import docstring
from mdbopt.kernels._rules import Rule, all_rules

ROUNDINGS = ("nearest", "stochastic")
HALF_DTYPES = ("bfloat16", "float16")
UPDATE_KEYWORDS = frozenset(("copy", "dtype", "flush_subnormals", "rounding", "seed"))


class _Docstring:
    """Makes the docstring of a kernel when it is asked for, which few programs do."""

    def __get__(self, kernel: Kernel | None, owner: type) -> str:
        if kernel is None:
            return "One rule, callable on arrays; see `mdbopt.kernels`."
        return docstring(kernel.rule)


class Kernel:
    __doc__ = _Docstring()

    def __init__(self, index: int, rule: Rule) -> None:
        self._index = index
        self._scalars = dict(rule.scalars)
        self._result = _result_type(rule)
        self.rule = rule
        self.__name__ = rule.name

    def __call__(
        self,
        *streams: Any,
        backend: str | None = None,
        threads: int | None = None,
        **scalars: Any,
    ) -> Any:
        """Run the rule; see its own docstring."""
        name = self.rule.name
        options = self._update_options(scalars) if self.rule.takes_lr else self._dtype(scalars)
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
            threads = _checks.threads(f"{name}: threads", threads)
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

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.rule.name,)

    def __repr__(self) -> str:
        return f"<kernel {self.rule.name}({', '.join(s.name for s in self.rule.streams)})>"


def _result_type(rule: Rule) -> Any:
    fields = [*(name for name, _ in rule.sums), "applied"]
    named = namedtuple(rule.name, fields)  # type: ignore[misc]
    # A pickle finds the type through the kernel: no module has it under its name.
    body = {"__slots__": (), "__doc__": f"What `{rule.name}` returns.", "__reduce__": _as_sent}
    return type(rule.name, (named,), body)


def _as_sent(result: Any) -> tuple[Any, ...]:
    return _received, (type(result).__name__, tuple(result))


def _received(name: str, values: tuple[Any, ...]) -> Any:
    return _named(name)._result(*values)


@cache
def all_kernels() -> dict[str, Kernel]:
    """Give every rule of the core by its name."""
    return {rule.name: Kernel(index, rule) for index, rule in enumerate(all_rules())}


def _named(name: str) -> Kernel:
    return all_kernels()[name]
