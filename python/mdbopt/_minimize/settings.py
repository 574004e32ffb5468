"""Options of a run: read, checked, and sorted by whom they are for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning

from mdbopt import _checks
from mdbopt._bounds import bounds_rows, within
from mdbopt._minimize.differences import OPTIONS as DIFFERENCE_OPTIONS
from mdbopt._minimize.methods import (
    bounded_methods,
    device_methods,
    find_method,
    method_name,
    noisy_methods,
)
from mdbopt._minimize.objective import Objective, by_differences
from mdbopt._minimize.run import Limits
from mdbopt._noise import ESTIMATE, noise_levels
from mdbopt._penalty import penalty_numbers

# Absolute, in units of the gradient. float32 cannot do better on objectives near 1.
DEFAULT_GTOL = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-4}
# What differences can reach: SciPy's own default, and in float32 what it advises.
DIFFERENCES_GTOL = {np.dtype(np.float64): 1e-5, np.dtype(np.float32): 1e-3}
# A step that wins less cannot be told from none, and differences alone seldom reach max|g| = 0.
DIFFERENCES_FTOL = {np.dtype(np.float64): 2.0**-52, np.dtype(np.float32): 2.0**-23}
# Iterations, and evaluations of f and its gradient.
DEFAULT_LIMIT = 20_000
# What SciPy's methods call these options.
_HINTS = {
    "maxcor": "the pairs kept are the option memory=",
    "maxfev": "evaluations are limited by the option maxfun=",
    **dict.fromkeys(DIFFERENCE_OPTIONS, "used without a gradient only"),
}
# Options of every run.
_OF_RUNS = ("gtol", "ftol", "maxiter", "maxfun", "disp", "return_all")
# What SciPy's `minimize` takes, and this one does not.
_NOT_TAKEN = {
    **dict.fromkeys(("hess", "hessp"), "curvature is learnt from gradients"),
    "constraints": "there are bounds= only",
}


@dataclass(frozen=True)
class Settings:
    """What options say, by whom they are for."""

    method: str
    gtol: float
    ftol: float
    maxiter: int
    maxfun: int | None
    show: bool
    return_all: bool
    search: Mapping[str, Any]
    bounds: NDArray[Any] | None
    differences: Mapping[str, Any]

    def limits(self, objective: Objective) -> Limits:
        """Return when a run ends; without ``maxfun``, the default for this objective."""
        maxfun = self.maxfun
        if maxfun is None:
            maxfun = DEFAULT_LIMIT * (1 + objective.gradient_calls)
        return Limits(self.gtol, self.ftol, self.maxiter, maxfun)


def read_options(
    method: Any,
    jac: Any,
    options: Mapping[str, Any] | None,
    tol: float | None,
    dtype: np.dtype[Any],
    stacklevel: int,
    bounds: Any = None,
    size: int = 0,
    l1: Any = None,
    noise: Any = None,
) -> Settings:
    """Sort options by whom they are for, check those of the run, and warn of unknown ones.

    ``bounds`` and ``l1`` are those of ``size`` variables.
    """
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dict, got {type(options).__name__}")
    name = method_name(method)
    given = dict(options or {})
    _hand_on_noise(name, noise, given)
    inexact = by_differences(jac) and jac != "cs"
    gtol = given.pop("gtol", None)
    if gtol is None:
        usual = DIFFERENCES_GTOL if inexact else DEFAULT_GTOL
        gtol = usual[dtype] if tol is None else _checks.real("tol", tol, least=0.0)
    gtol = _checks.real("gtol", gtol, least=0.0)
    ftol = given.pop("ftol", None)
    if ftol is None:
        # With noise what a step lowers f by is not what is told of it.
        ftol = DIFFERENCES_FTOL[dtype] if inexact and "noise" not in given else 0.0
    ftol = _checks.real("ftol", ftol, least=0.0)
    maxiter = _checks.limit("maxiter", given.pop("maxiter", None), least=0, default=DEFAULT_LIMIT)
    maxfun = given.pop("maxfun", None)
    if maxfun is not None:
        maxfun = _checks.limit("maxfun", maxfun, least=1, default=DEFAULT_LIMIT)
    show = _checks.truth("disp", given.pop("disp", False))
    return_all = _checks.truth("return_all", given.pop("return_all", False))
    if by_differences(jac) and given.get("reducer") is not None:
        raise ValueError(
            "jac: expected True or a callable with a reducer, as no shard can find its gradient by "
            f"differences alone, got {jac!r}"
        )
    if given.get("reducer") is not None and name not in device_methods():
        raise ValueError(
            f"reducer: method {name!r} does not work on shards, expected none, or one of the "
            f"methods {', '.join(device_methods())}"
        )
    rows = _bounds_of(name, bounds, given, size, dtype)
    _hand_on_penalty(name, l1, given, size)
    of_differences = DIFFERENCE_OPTIONS if by_differences(jac) else ()
    of_search = find_method(name).options()
    _warn_of_unknown([key for key in given if key not in (*of_search, *of_differences)], stacklevel)
    return Settings(
        name,
        gtol,
        ftol,
        maxiter,
        maxfun,
        show,
        return_all,
        search={key: given[key] for key in given if key in of_search},
        bounds=rows,
        differences={key: given[key] for key in given if key in of_differences},
    )


def unknown_argument(name: str, method: Any) -> str:
    """Word the error for an argument that `minimize` does not have."""
    options = (*_OF_RUNS, *DIFFERENCE_OPTIONS, *find_method(method).options())
    if name in options:
        said = f"pass it as options={{{name!r}: …}}"
    else:
        said = _NOT_TAKEN.get(name) or _HINTS.get(name, "")
    return f"minimize: unknown argument {name!r}" + (f"; {said}" if said else "")


def _bounds_of(
    method: str, bounds: Any, given: dict[str, Any], size: int, dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """Read the bounds of a run, and hand them on to the method."""
    if "bounds" in given:
        raise TypeError("bounds: expected an argument of minimize, got an option of that name")
    rows = bounds_rows(bounds, size, sharded=given.get("reducer") is not None)
    if rows is None:
        return None
    if method not in bounded_methods():
        raise ValueError(
            f"bounds: expected none with method {method!r}, or one of the methods "
            f"{', '.join(bounded_methods())}; got ({rows[0, 0]:g}, {rows[0, 1]:g}) for variable 0"
        )
    rows = within(rows, dtype)
    given["bounds"] = rows
    return rows


def _hand_on_penalty(method: str, l1: Any, given: dict[str, Any], size: int) -> None:
    """Read the penalty of a run, and hand it on to the method."""
    if "l1" in given:
        raise TypeError("l1: expected an argument of minimize, got an option of that name")
    numbers = penalty_numbers(l1, size, sharded=given.get("reducer") is not None)
    if numbers is None:
        return
    if method not in bounded_methods():
        raise ValueError(
            f"l1: expected none with method {method!r}, or one of the methods "
            f"{', '.join(bounded_methods())}; got {np.max(numbers):g}"
        )
    given["l1"] = numbers


def _hand_on_noise(method: str, noise: Any, given: dict[str, Any]) -> None:
    """Read the noise of a run; hand its levels, or that they are to be found, on to the method."""
    if "noise" in given:
        raise TypeError("noise: expected an argument of minimize, got an option of that name")
    levels = noise if isinstance(noise, str) and noise == ESTIMATE else noise_levels(noise)
    if levels is None:
        return
    if "noise" not in find_method(method).options():
        raise ValueError(
            f"noise: expected none with method {method!r}, or one of the methods "
            f"{', '.join(noisy_methods())}; got {noise!r}"
        )
    if levels == ESTIMATE and given.get("reducer") is not None:
        raise ValueError(
            "noise: expected numbers with a reducer, as a shard sees its own piece of the "
            f"gradient alone, got {noise!r}"
        )
    given["noise"] = levels


def _warn_of_unknown(names: Sequence[Any], stacklevel: int) -> None:
    if not names:
        return
    hints = [f"{name}: {_HINTS[name]}" for name in names if name in _HINTS]
    warnings.warn(
        f"Unknown solver options: {', '.join(map(str, names))}"
        + (f" ({'; '.join(hints)})" if hints else ""),
        OptimizeWarning,
        stacklevel=stacklevel + 1,
    )
