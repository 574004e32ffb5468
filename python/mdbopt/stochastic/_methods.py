"""The methods of `minimize_batches`, their options and defaults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt import _checks

DIRECTIONS = ("sgd", "amsgrad", "adagrad")


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """How a step x − η p∘g is made; ``metric`` names p."""

    growth: float = 2.0  # of η in an epoch, at most
    momentum: float = 0.0
    decay: bool = False  # of the length of steps, to 0 over the run

    @property
    @abstractmethod
    def metric(self) -> str: ...

    def __post_init__(self) -> None:
        _set(self, "growth", _checks.real("growth", self.growth, least=1.0))
        self._below_one("momentum", strict=False)
        if not isinstance(self.decay, (bool, np.bool_)):
            raise TypeError(f"decay: expected a bool, got {type(self.decay).__name__}")

    def _below_one(self, name: str, *, strict: bool = True) -> None:
        value = _checks.real(name, getattr(self, name), least=0.0, strict=strict)
        if value >= 1.0:
            raise ValueError(f"{name}: expected a number below 1, got {value:g}")
        _set(self, name, value)


@dataclass(frozen=True, kw_only=True)
class _Armijo(Method):
    armijo: float
    backtrack: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._below_one("armijo")
        self._below_one("backtrack")


@dataclass(frozen=True, kw_only=True)
class _Directed(Method):
    direction: str = "sgd"

    @property
    def metric(self) -> str:
        return self.direction

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.choice("direction", self.direction, DIRECTIONS)


@dataclass(frozen=True, kw_only=True)
class StochasticBox(_Armijo):
    """A line search in the metric of a box that pairs on one batch cut."""

    armijo: float = 0.5
    backtrack: float = 0.5
    momentum: float = 0.85
    decay: bool = True

    @property
    def metric(self) -> str:
        return "box"


@dataclass(frozen=True, kw_only=True)
class LineSearch(_Armijo, _Directed):
    """SLS: Armijo's condition on the batch that the gradient comes from."""

    armijo: float = 0.1
    backtrack: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Polyak(_Directed):
    """SPS: Polyak's step, as if the batch were all there is."""

    c: float = 0.5
    lower_bound: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _set(self, "c", _checks.real("c", self.c, least=0.0, strict=True))
        _set(self, "lower_bound", _checks.real("lower_bound", self.lower_bound))


def _set(method: Method, name: str, value: float) -> None:
    object.__setattr__(method, name, value)


METHODS: Mapping[str, type[Any]] = {"box": StochasticBox, "sls": LineSearch, "sps": Polyak}
