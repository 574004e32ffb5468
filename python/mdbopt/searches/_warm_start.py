"""What a search starts from beside a point: an earlier search, and how its objective differed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt import _checks, _core
from mdbopt._arrays import is_device, real_array
from mdbopt.searches._state import SearchState

# Methods that carry over what they have learnt, to a run by the same one.
CARRIED = ("guarded", "box", "simplex", "ellipsoid", "backtracking")


@dataclass(frozen=True, eq=False)
class WarmStart:
    r"""An earlier search, whose set of step sizes and pairs a new one of its kind starts with.

    Where the new objective is the old one but for the coefficients of ½ Σ l2_i x_i², the secant
    pairs (s, y) of `Guarded` and the box {0 <= q <= b} are carried over exactly:

    .. math:: y' = y + (l_2' - l_2) \circ s, \qquad
              \frac1{b'} = \max\left(\frac1b + l_2' - l_2,\; l_2'\right)

    So is the one step size of `Backtracking`, with the least of l2' - l2 and the largest l2'. The
    axes of `Simplex` and `Ellipsoid` become larger where l2 has become less, by as much as a step
    size can, and stay as they are where it has grown.

    Where it is not known how the objectives differ, pairs stay as they are, which costs no
    guarantee, and the set becomes 100 times as large: the valid step sizes stay in it where no
    curvature has become less than a hundredth of what it was.

    Where either search has bounds or l1, the set is carried over and pairs are not: they see the
    face of their search alone.

    Parameters
    ----------
    earlier : OptimizeResult or SearchState
        What `mdbopt.minimize` returned, with its ``state``, or a state itself; it is left as it is.
    l2 : pair of float or array, shape (d,), optional
        The coefficients l2 in the objective of ``earlier``, and in the new one; each a number for
        all coordinates or one per coordinate, finite and >= 0, in units of f over x². With groups,
        numbers. The objective without them is taken to be convex.

    Raises
    ------
    TypeError
        When ``earlier`` is neither, or a result of a method that learns no set.
    ValueError
        When ``l2`` is not as above.

    References
    ----------
    docs/paths.md derives both formulas.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> def ridge(x, l2):
    ...     h = np.array([1e-3, 1.0, 1e3])
    ...     g = h * (x - 1.0) + l2 * x
    ...     return 0.5 * float(h @ (x - 1.0) ** 2 + l2 * x @ x), g
    >>> first = mdbopt.minimize(ridge, np.zeros(3), args=(0.1,), jac=True)
    >>> warm = mdbopt.WarmStart(first, l2=(0.1, 0.01))
    >>> second = mdbopt.minimize(ridge, None, args=(0.01,), jac=True, warm_start=warm)
    >>> cold = mdbopt.minimize(ridge, np.zeros(3), args=(0.01,), jac=True)
    >>> second.success, second.nfev < cold.nfev
    (True, True)
    """

    earlier: Any
    l2: tuple[Any, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "earlier", _state_of("earlier", self.earlier))
        if self.l2 is not None:
            object.__setattr__(self, "l2", _pair("l2", self.l2))

    def coefficients(self, size: int) -> tuple[Any, Any] | None:
        """Return l2 as the core takes it at so many variables, or raise."""
        for value in self.l2 or ():
            if np.ndim(value) > 0 and np.shape(value) != (size,):
                raise ValueError(
                    f"l2: expected a number or an array of shape ({size},), got one of shape "
                    f"{np.shape(value)}"
                )
        return self.l2


def warm_start(value: Any) -> WarmStart:
    """Return what is asked for; of a result or a state, without a known change."""
    return value if isinstance(value, WarmStart) else WarmStart(_state_of("warm_start", value))


def _state_of(name: str, earlier: Any) -> SearchState:
    state = earlier if isinstance(earlier, SearchState) else getattr(earlier, "state", None)
    if not isinstance(state, SearchState) or not isinstance(state._core, _core.SearchState):
        raise TypeError(
            f"{name}: expected {'a WarmStart, ' if name == 'warm_start' else ''}a SearchState or a "
            f"result of minimize by one of {', '.join(CARRIED)}, got {type(earlier).__name__}"
            + (" without a state" if state is None else " of another method")
        )
    return state


def _pair(name: str, values: Any) -> tuple[Any, Any]:
    if not isinstance(values, (tuple, list)) or len(values) != 2:
        raise ValueError(f"{name}: expected a pair, that of before and that of now, got {values!r}")
    return _coefficients(name, values[0]), _coefficients(name, values[1])


def _coefficients(name: str, value: Any) -> Any:
    if is_device(value):
        return value
    if np.ndim(value) == 0:
        return _checks.real(name, value, least=0.0)
    array = np.ascontiguousarray(real_array(name, value), dtype=np.float64)
    if not (np.isfinite(array).all() and (array >= 0.0).all()):
        raise ValueError(f"{name}: expected finite numbers >= 0")
    return array
