"""A method of mdbopt as a callable method of ``scipy.optimize.minimize``."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from typing import Any

from scipy.optimize import OptimizeWarning

from mdbopt._minimize.differences import OPTIONS as DIFFERENCE_OPTIONS
from mdbopt._minimize.methods import method_name
from mdbopt._minimize.minimize import run_to_end, show
from mdbopt._minimize.objective import Objective, by_differences, start_point, start_within
from mdbopt._minimize.result import MinimizeResult
from mdbopt._minimize.settings import read_options

# From a method that SciPy calls to the line that called SciPy.
_CALLER = 3


class ScipyMethod:
    """What `scipy_method` returns; SciPy calls it with its own argument names."""

    def __init__(self, name: str) -> None:
        self.name = method_name(name)

    def __call__(
        self,
        fun: Callable[..., Any],
        x0: Any,
        args: Any = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        tol: float | None = None,
        **options: Any,
    ) -> MinimizeResult:
        start = start_point(x0)
        _check_unconstrained(constraints)
        if hess is not None:
            self._warn("Hessian information (hess)")
        if hessp is not None:
            self._warn("Hessian-vector product information (hessp)")
        for name, least in (("maxiter", 0), ("maxfun", 1)):
            if name in options:
                options[name] = _whole_limit(options[name], least)
        if not by_differences(jac):
            options = {key: options[key] for key in options if key not in DIFFERENCE_OPTIONS}
        l1, noise = options.pop("l1", None), options.pop("noise", None)
        settings = read_options(
            self.name, jac, options, tol, start.dtype, _CALLER + 1, bounds, start.size, l1, noise
        )
        start = start_within(start, settings.bounds, stacklevel=_CALLER + 1)
        run, status = run_to_end(
            Objective(fun, jac, args, start, settings.differences, settings.bounds),
            start,
            settings,
            callback,
        )
        result = run.result(status)
        run.fall_through(result)
        if settings.show:
            if not result.success:
                warnings.warn(result.message, OptimizeWarning, stacklevel=_CALLER)
            show(run, result, heading=result.success)
        return result

    def _warn(self, what: str) -> None:
        warnings.warn(
            f"Method {self.name} does not use {what}.", RuntimeWarning, stacklevel=_CALLER + 1
        )

    def __repr__(self) -> str:
        return f"mdbopt.scipy_method({self.name!r})"


def _check_unconstrained(constraints: Any) -> None:
    empty = isinstance(constraints, (tuple, list, dict)) and not constraints
    if constraints is not None and not empty:
        raise ValueError(
            "constraints: expected none, as mdbopt takes bounds alone, got "
            f"{type(constraints).__name__}; method='SLSQP' of scipy.optimize.minimize takes them"
        )


def _whole_limit(limit: Any, least: int) -> Any:
    """Make a whole number of a limit that is none, or below the least, as SciPy takes them."""
    number = isinstance(limit, (numbers.Integral, float)) and not isinstance(limit, bool)
    return max(least, math.ceil(limit)) if number and math.isfinite(limit) else limit


def scipy_method(name: str = "guarded", *arguments: Any, **keywords: Any) -> ScipyMethod:
    """Make a method for ``scipy.optimize.minimize(..., method=...)``.

    It ends as SciPy's own methods do, where those differ from `minimize`: with ``disp``, a run that
    fails gives its message as an OptimizeWarning; the result of an unbounded objective that was
    -inf somewhere is that point; limits may be any numbers; options of differences may stand beside
    a gradient; ``hess`` and ``hessp`` give a RuntimeWarning that they are not used.

    Parameters
    ----------
    name : str
        One of `mdbopt.methods`.
    *arguments, **keywords
        None. They are here to say what is missing where SciPy was given `scipy_method` itself.

    Returns
    -------
    callable
        SciPy calls it with the objective, the start and the options.

    Raises
    ------
    TypeError
        When SciPy calls it, as in ``method=mdbopt.scipy_method``.
    ValueError
        For an unknown method; at the call, for constraints and for what `minimize` refuses.

    Notes
    -----
    ``l1`` and ``noise`` of `minimize` are among the options.

    SciPy hands "2-point", "3-point" and "cs" for ``jac`` to a callable method as None, so all of
    them mean forward differences here. `minimize` takes each; the message of the result names what
    was used.

    Examples
    --------
    >>> import mdbopt, numpy as np, scipy.optimize
    >>> res = scipy.optimize.minimize(lambda x: (float(x @ x), 2 * x), np.ones(3), jac=True,
    ...                               method=mdbopt.scipy_method("guarded"))
    >>> res.success
    True
    """
    if arguments or keywords or callable(name):
        raise TypeError(
            "scipy_method: expected the name of a method, got what SciPy calls a method with; pass "
            "method=mdbopt.scipy_method(), with parentheses"
        )
    return ScipyMethod(name)
