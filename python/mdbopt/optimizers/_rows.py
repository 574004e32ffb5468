"""Rows of arrays that a step touches: checked, and as the runs that the core steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _rules
from mdbopt._arrays import Library
from mdbopt.optimizers import _argument_tree
from mdbopt.optimizers._storage import is_codes

Rows = NDArray[np.int64]
Keys = _argument_tree.Keys


def why_not_by_rows(optimizer: Any) -> str | None:
    """Say why an optimizer steps whole arrays alone; None where it does not."""
    rule = optimizer._rule()
    if _rules.described()[rule]["folds"]:
        return f"since the rule {rule!r} takes sums over whole arrays"
    if any(map(is_codes, optimizer._formats().values())):
        return "with state_dtype='8bit', whose blocks of 256 elements have one unit"
    return optimizer._NOT_BY_ROWS or None


def checked(where: str, given: Any, shape: tuple[int, ...]) -> Rows:
    """Return indices of rows of an array as int64, or raise."""
    if not shape:
        raise ValueError(f"{where}: expected None for an array without axes, which has no rows")
    rows = Library(given).to_host(given, where)
    if rows.size == 0 and isinstance(given, (list, tuple)):
        rows = rows.astype(np.int64)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"{where}: has dtype {rows.dtype}, expected whole numbers")
    if rows.ndim != 1:
        raise ValueError(f"{where}: has shape {rows.shape}, expected one axis")
    outside = (rows < 0) | (rows >= shape[0])
    if outside.any():
        k = int(outside.argmax())
        raise ValueError(
            f"{where}[{k}]: expected a row from 0 to {shape[0] - 1}, got {int(rows[k])}"
        )
    in_order = np.sort(rows)
    twice = in_order[1:] == in_order[:-1]
    if twice.any():
        raise ValueError(
            f"{where}: row {int(in_order[int(twice.argmax())])} is given twice, expected each "
            "once, with the sum of its gradients"
        )
    return np.ascontiguousarray(rows, np.int64)


def runs_of(rows: Rows, missed: Rows) -> Rows:
    """Cut rows into runs that lie one behind the other and have missed as many steps.

    Parameters
    ----------
    rows : numpy.ndarray of int64
        Each once.
    missed : numpy.ndarray of int64
        How many steps each missed.

    Returns
    -------
    numpy.ndarray of int64
        Of shape (runs, 4): the first row of a run, its place among the rows, how many rows it has,
        and how many steps they missed.
    """
    if rows.size == 0:
        return np.empty((0, 4), np.int64)
    breaks = (np.diff(rows) != 1) | (np.diff(missed) != 0)
    begin = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    count = np.diff(np.append(begin, rows.size))
    return np.ascontiguousarray(np.stack([rows[begin], begin, count, missed[begin]], axis=1))


class Touched:
    """The rows that a step touches, of the arrays that are stepped by rows.

    Parameters
    ----------
    label : str
        Names the optimizer in messages.
    given : array, None or nested structure
        What ``step`` was given; None stands for whole arrays, at any place.
    params, grads
        Trees.
    t : int
        Steps that were taken before.
    last : dict
        The step that touched each row last, by the keys of its array; those of arrays that are
        stepped by rows for the first time are added by `count`.
    makes_up : bool
        Whether missed steps are made up for.
    """

    def __init__(
        self,
        label: str,
        given: Any,
        params: Any,
        grads: Any,
        t: int,
        last: dict[Keys, Rows],
        makes_up: bool,
    ) -> None:
        self._t, self._last, self._makes_up = t, last, makes_up
        self._rows: dict[Keys, Rows] = {}
        self.runs = self._walked(f"{label}: rows", given, params, grads, ())

    def _walked(self, where: str, given: Any, params: Any, grads: Any, keys: Keys) -> Any:
        """Give the runs of all arrays below a place."""
        if params is None:
            return None
        if not isinstance(params, (list, tuple, dict)):
            return self._runs(f"{where}{_argument_tree.text(keys)}", given, params, grads, keys)
        below = _items(f"{where}{_argument_tree.text(keys)}", given, params)
        slopes = _parts(grads, params)
        walked = {
            key: self._walked(where, below(key), item, slopes(key), (*keys, key))
            for key, item in _pairs(params)
        }
        return walked if isinstance(params, dict) else list(walked.values())

    def _runs(self, where: str, given: Any, param: Any, grad: Any, keys: Keys) -> Rows | None:
        shape = tuple(getattr(param, "shape", ()))
        last = self._last.get(keys)
        if grad is None or (given is None and last is None):
            return None
        if given is None:
            rows = np.arange(shape[0], dtype=np.int64)
        else:
            rows = checked(where, given, shape)
        self._rows[keys] = rows
        if last is None:
            last = self._last_of(shape)
        missed = self._t - last[rows]
        return runs_of(rows, missed if self._makes_up else np.zeros_like(missed))

    def _last_of(self, shape: tuple[int, ...]) -> Rows:
        return np.full(shape[0], self._t, np.int64)

    def count(self, shapes: Mapping[Keys, tuple[int, ...]]) -> None:
        """Write down that the step was taken."""
        for keys, rows in self._rows.items():
            if keys not in self._last:
                self._last[keys] = self._last_of(shapes[keys])
            self._last[keys][rows] = self._t + 1


def _pairs(tree: Any) -> list[tuple[Any, Any]]:
    return list(tree.items() if isinstance(tree, dict) else enumerate(tree))


def _items(where: str, given: Any, params: Any) -> Callable[[Any], Any]:
    """Give access to the rows below a place, None for None; raise where they are built unlike."""
    if given is None:
        return lambda _: None
    if isinstance(params, dict):
        if not isinstance(given, dict) or given.keys() != params.keys():
            raise ValueError(
                f"{where}: expected None or a dict with the keys {list(params)}, got "
                f"{list(given) if isinstance(given, dict) else type(given).__name__}"
            )
    elif not isinstance(given, (list, tuple)) or len(given) != len(params):
        came = f"{len(given)}" if isinstance(given, (list, tuple)) else type(given).__name__
        raise ValueError(f"{where}: expected None or {len(params)} items, got {came}")
    return given.__getitem__  # type: ignore[no-any-return]


def _parts(grads: Any, params: Any) -> Callable[[Any], Any]:
    """Give access to gradients; what is built unlike the parameters the core refuses by name."""
    alike = (isinstance(grads, dict) and isinstance(params, dict)) or (
        isinstance(grads, (list, tuple)) and isinstance(params, (list, tuple))
    )
    if not alike or len(grads) != len(params):
        return lambda _: ()
    return lambda key: grads.get(key, ()) if isinstance(grads, dict) else grads[key]
