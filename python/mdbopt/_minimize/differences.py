"""Gradients from values of f alone, in the three schemes of SciPy."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

SCHEMES = ("2-point", "3-point", "cs")
OPTIONS = ("eps", "finite_diff_rel_step", "workers")

# ε of results that are coarser than the points they belong to.
_COARSE = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}

Array = NDArray[np.floating[Any]]


class _Interrupted(Exception):
    """Carries a StopIteration of the objective past SciPy's iterators, which end on one."""

    def __init__(self, stop: StopIteration) -> None:
        self.stop = stop


class Differences:
    """Approximates the gradient at a point from values of f around it.

    In coordinate i, with a step h: ``(f(x + h e_i) - f(x)) / h`` (2-point),
    ``(f(x + h e_i) - f(x - h e_i)) / 2h`` (3-point), ``Im f(x + 1j h e_i) / h`` (cs). The first two
    are forward differences of `scipy.optimize.approx_fprime`.

    Parameters
    ----------
    scheme : str
        One of `SCHEMES`.
    size : int
        Coordinates of a point.
    dtype : dtype
        Of points and gradients.
    options : dict
        ``eps``: h, a number or one for each coordinate, shape (size,). ``finite_diff_rel_step``:
        h over abs(x_i), likewise. Neither: ε^(1/2), for 3-point ε^(1/3), times max(abs(x_i), 1),
        away from 0, where ε is that of the dtype or of a coarser f. ``workers``: like ``map``, or a
        number of processes (-1: as many as processors).
    bounds : array, shape (size, 2), optional
        Within which points stay: a step that would leave them is taken back, or is as long as the
        larger side has room; where 3-point has one side alone, f at h/2 and h makes up for the
        other. A coordinate whose bounds are equal has the derivative 0.
    """

    def __init__(
        self,
        scheme: str,
        size: int,
        dtype: np.dtype[Any],
        options: Mapping[str, Any],
        bounds: NDArray[Any] | None = None,
    ) -> None:
        self.scheme = scheme
        self.evaluations = 2 * size if scheme == "3-point" else size
        self._dtype = dtype
        self._bounds = None if bounds is None else bounds.T.astype(np.float64)
        self._eps = _step_sizes("eps", options.get("eps"), size)
        self._rel_step = _step_sizes(
            "finite_diff_rel_step", options.get("finite_diff_rel_step"), size
        )
        if self._eps is not None and self._rel_step is not None:
            raise ValueError("eps: expected no finite_diff_rel_step beside it, got both")
        self._workers = _checked_workers(options.get("workers"))

    @property
    def exact(self) -> bool:
        """Whether gradients have all digits of their dtype."""
        return self.scheme == "cs"

    def identity(self) -> dict[str, Any]:
        """Name what shapes the gradients."""
        return {"jac": self.scheme, "eps": self._eps, "finite_diff_rel_step": self._rel_step}

    def __call__(
        self, value: Callable[[NDArray[Any]], Any], x: Array, f: float, kind: str
    ) -> Array:
        """Return the gradient at x.

        Parameters
        ----------
        value : callable
            f at a NumPy point, which is complex for cs.
        x : array, shape (size,)
            Where.
        f : float
            f there; where it is not finite, so is the gradient, and nothing is evaluated.
        kind : str
            The dtype of f as it was returned, empty for plain numbers.
        """
        if not np.isfinite(f):
            return np.full(x.shape, np.nan, self._dtype)
        at = x.astype(np.float64)
        epsilon = max(float(np.finfo(self._dtype).eps), _COARSE.get(kind, 0.0))
        with np.errstate(over="ignore"):
            wanted = self._wanted(at, epsilon)
        if self.exact:
            return self._complex_step(value, at, np.abs(wanted))
        steps = self._within(at, self._taken(at, wanted))
        g = self._forward(value, at, f, steps)
        if self.scheme == "3-point":
            back = self._taken(at, -steps)
            both = self._inside(at, back)
            other = self._forward(value, at, f, np.where(both, back, self._taken(at, 0.5 * steps)))
            with np.errstate(all="ignore"):
                g = np.where(both, 0.5 * (g + other), 2.0 * other - g)
        with np.errstate(over="ignore"):
            return g.astype(self._dtype)

    def _wanted(self, x: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
        away = np.where(x >= 0.0, 1.0, -1.0)
        power = 1 / 3 if self.scheme == "3-point" else 1 / 2
        usual: NDArray[np.float64] = epsilon**power * away * np.maximum(np.abs(x), 1.0)
        if self._eps is not None:
            given = self._eps + np.zeros_like(x)
        elif self._rel_step is not None:
            given = self._rel_step * away * np.abs(x)
        else:
            return usual
        return np.asarray(np.where(self._taken(x, given) == 0.0, usual, given))

    def _taken(self, x: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the steps that points of the dtype really make."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (x + steps).astype(self._dtype).astype(np.float64) - x

    def _inside(self, x: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self._bounds is None:
            return np.ones(x.shape, bool)
        lower, upper = self._bounds
        return np.asarray((x + steps >= lower) & (x + steps <= upper))

    def _within(self, x: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return steps that stay within the bounds, 0 where there is no room."""
        if self._bounds is None:
            return steps
        lower, upper = self._bounds
        room = np.where(upper - x >= x - lower, upper - x, lower - x)
        back = self._taken(x, -steps)
        turned = np.where(self._inside(x, back), back, room)
        return np.asarray(np.where(self._inside(x, steps), steps, turned))

    def _forward(
        self,
        value: Callable[[NDArray[Any]], Any],
        x: NDArray[np.float64],
        f: float,
        steps: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        known = {x.tobytes(): f}
        # A step that cannot be made is not evaluated, but takes f as it is.
        held = steps == 0.0 if self._bounds is not None else np.zeros(x.shape, bool)
        steps = np.where(held, 1.0, steps)
        known.update((point.tobytes(), f) for point in itertools.compress(_shifted(x, steps), held))
        if self._workers is not None:
            points = list(itertools.compress(_shifted(x, steps), ~held))
            found = self._map(value, [point.astype(self._dtype) for point in points])
            known.update(zip((point.tobytes() for point in points), found, strict=True))
        outside = np.geterr()

        def look_up(point: NDArray[np.float64]) -> float:
            at = point.tobytes()
            if at in known:
                return known[at]
            try:
                with np.errstate(**outside):
                    return float(value(point.astype(self._dtype)))
            except StopIteration as stop:
                raise _Interrupted(stop) from None

        try:
            with np.errstate(all="ignore"):
                return np.asarray(approx_fprime(x, look_up, steps))
        except _Interrupted as interrupted:
            raise interrupted.stop from None

    def _complex_step(
        self,
        value: Callable[[NDArray[Any]], Any],
        x: NDArray[np.float64],
        steps: NDArray[np.float64],
    ) -> Array:
        dtype = np.result_type(self._dtype, np.complex64)
        points = (point.astype(dtype) for point in _shifted(x, 1j * steps))
        found = (
            [value(point) for point in points]
            if self._workers is None
            else self._map(value, list(points))
        )
        for answer in found:
            if not np.iscomplexobj(answer):
                raise TypeError(
                    "fun: expected a complex number at a complex point (jac='cs'), got "
                    f"{type(answer).__name__}; jac='3-point' asks for real points only"
                )
            if np.size(answer) != 1:
                raise TypeError(
                    "fun: expected one complex number at a complex point (jac='cs'), got "
                    f"{type(answer).__name__} of shape {np.shape(answer)}"
                )
        imaginary = np.array([np.imag(answer) for answer in found], np.float64).ravel()
        with np.errstate(over="ignore"):
            return (imaginary / steps).astype(self._dtype)

    def _map(self, value: Callable[[NDArray[Any]], Any], points: list[NDArray[Any]]) -> list[Any]:
        with _mapper(self._workers) as mapped:
            found = list(mapped(value, points))
        if len(found) != len(points):
            raise ValueError(
                f"workers: expected {len(points)} results, one for each point, got {len(found)}"
            )
        return found


def _shifted(x: NDArray[np.float64], steps: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Give x with one coordinate moved, each in turn."""
    for i, step in enumerate(steps):
        point = x.astype(np.result_type(x, steps))
        point[i] += step
        yield point


@contextlib.contextmanager
def _mapper(workers: Any) -> Iterator[Callable[..., Any]]:
    if callable(workers):
        yield workers
    else:
        with multiprocessing.Pool(None if workers == -1 else workers) as pool:
            yield pool.map


def _step_sizes(name: str, given: Any, size: int) -> NDArray[np.float64] | None:
    if given is None:
        return None
    try:
        steps = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected a number or {size} numbers, got {given!r}") from error
    if steps.shape not in ((), (1,), (size,)):
        raise ValueError(f"{name}: expected a number or {size} numbers, got shape {steps.shape}")
    if not np.isfinite(steps).all() or (steps == 0.0).any():
        raise ValueError(f"{name}: expected finite numbers other than 0, got {given!r}")
    return steps


def _checked_workers(workers: Any) -> Any:
    if workers is None or callable(workers):
        return workers
    if isinstance(workers, bool) or not isinstance(workers, numbers.Integral):
        raise TypeError(
            "workers: expected a callable like map or a number of processes, got "
            f"{type(workers).__name__}"
        )
    if workers < 1 and workers != -1:
        raise ValueError(f"workers: expected a number >= 1, or -1 for all, got {workers}")
    return int(workers)
