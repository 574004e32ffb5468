"""Bounds and the penalty Σ l1 |x|: given for tensors, had for the one vector that they are."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mdbopt import _checks
from mdbopt._arrays import real_value
from mdbopt._bounds import bounds_rows
from mdbopt._penalty import penalty_numbers
from mdbopt.torch._dtensors import local
from mdbopt.torch._parameters import plain


def rows_of(label: str, bounds: Any, params: list[Any]) -> NDArray[np.float64] | None:
    """Return rows (lower, upper), one for each coordinate or one for all; None without bounds.

    Parameters
    ----------
    label : str
        The search's, for errors.
    bounds : None, tuple, or list
        A pair (lower, upper) for all tensors, or a list with a pair or None for each. A side is
        None, a number, or a tensor that broadcasts to the parameter's shape.
    params : list of tensors
        Those of the search; of a DTensor the piece that is here.

    Raises
    ------
    TypeError, ValueError
        When they are of another form, number or shape, NaN, or a lower one is above its upper one.
    """
    if bounds is None:
        return None
    if isinstance(bounds, tuple) and not any(_is_array(side) for side in bounds):
        name = f"{label}: bounds"
        pair = [_number(name, side) for side in _sides(name, bounds)]
        with _errors_of(label):
            return bounds_rows([pair])
    rows = []
    for k, (pair, param) in enumerate(_for_each(f"{label}: bounds", bounds, params)):
        name = f"{label}: bounds of params[{k}]"
        sides = _sides(name, (None, None) if pair is None else pair)
        rows.append(np.stack([_spread(name, side, param) for side in sides], axis=1))
        with _errors_of(f"{label}: params[{k}]"):
            bounds_rows(rows[-1])
    return np.concatenate(rows)


def penalties_of(label: str, l1: Any, params: list[Any]) -> float | NDArray[np.float64] | None:
    """Return a number for all coordinates, or one for each; None without a penalty.

    Parameters
    ----------
    label : str
        The search's, for errors.
    l1 : None, float, tensor, or list
        A number, or a tensor that broadcasts to the shape of each parameter; or a list with one of
        these for each. 0 exempts a coordinate.
    params : list of tensors
        As for `rows_of`.

    Raises
    ------
    TypeError, ValueError
        When it is of another form, number or shape, NaN, infinite or negative.
    """
    if l1 is None:
        return None
    if not isinstance(l1, list) and not _is_array(l1):
        return _checks.real(f"{label}: l1", plain(l1), least=0.0)
    numbers = []
    for k, (each, param) in enumerate(_for_each(f"{label}: l1", l1, params)):
        numbers.append(_spread(f"{label}: l1 of params[{k}]", plain(each), param))
        with _errors_of(f"{label}: params[{k}]"):
            penalty_numbers(numbers[-1], sharded=True)
    return np.concatenate(numbers)


@contextlib.contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Say in the errors of values whose they are."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() != 1


def _for_each(name: str, given: Any, params: list[Any]) -> list[tuple[Any, Any]]:
    """Pair what is given with the tensors: a list has an entry for each, all else is for all."""
    if not isinstance(given, list):
        return [(given, param) for param in params]
    if len(given) != len(params):
        raise ValueError(
            f"{name}: expected a list with one entry for each of {len(params)} tensors, got "
            f"{len(given)}"
        )
    return list(zip(given, params, strict=True))


def _sides(name: str, pair: Any) -> tuple[Any, Any]:
    """Return the lower and the upper side, numbers or tensors; infinite ones for None."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            f"{name}: expected a pair (lower, upper), or a list with a pair or None for each "
            f"tensor, got {pair!r}"
        )
    lower, upper = (plain(side) for side in pair)
    return -math.inf if lower is None else lower, math.inf if upper is None else upper


def _number(name: str, value: Any) -> float:
    """Return a number that may be infinite."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: expected a number or a tensor, got {type(value).__name__}")
    return real_value(name, value, "a number")


def _spread(name: str, value: Any, param: Any) -> NDArray[np.float64]:
    """Return a number for each element of a tensor, in float64."""
    shape = local(param).shape
    if not isinstance(value, torch.Tensor):
        return np.full(math.prod(shape), _number(name, value))
    given = local(value.detach()).to(device="cpu", dtype=torch.float64)
    try:
        numbers: NDArray[np.float64] = given.expand(shape).reshape(-1).numpy()
    except RuntimeError:
        raise ValueError(
            f"{name}: expected a shape that broadcasts to {tuple(shape)}, got {tuple(given.shape)}"
        ) from None
    return numbers
