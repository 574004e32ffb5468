"""A method of mdbopt as a callable method of ``scipy.optimize.minimize``."""

from __future__ import annotations

from typing import Any

from mdbopt._methods import find_method
from mdbopt._minimize import minimize


class ScipyMethod:
    """What `scipy_method` returns; SciPy calls it with its own argument names."""

    def __init__(self, name: str) -> None:
        find_method(name)
        self.name = name

    def __call__(
        self,
        fun: Any,
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Any = None,
        tol: float | None = None,
        **options: Any,
    ) -> Any:
        for name, given in (("bounds", bounds), ("constraints", constraints)):
            empty = isinstance(given, (tuple, list, dict)) and not given
            if given is not None and not empty:
                raise ValueError(f"{name}: mdbopt solves unconstrained problems only")
        return minimize(
            fun, x0, args, method=self.name, jac=jac, callback=callback, tol=tol, options=options
        )

    def __repr__(self) -> str:
        return f"mdbopt.scipy_method({self.name!r})"


def scipy_method(name: str = "guarded") -> ScipyMethod:
    """Make a method for ``scipy.optimize.minimize(..., method=...)``.

    Parameters
    ----------
    name : str
        One of `mdbopt.methods`.

    Returns
    -------
    callable
        SciPy calls it with the objective, the start and the options.

    Raises
    ------
    ValueError
        For an unknown method; at the call, for bounds or constraints, and without a gradient
        (``jac=True`` or a callable).

    Examples
    --------
    >>> import mdbopt, numpy as np, scipy.optimize
    >>> res = scipy.optimize.minimize(lambda x: (float(x @ x), 2 * x), np.ones(3), jac=True,
    ...                               method=mdbopt.scipy_method("guarded"))
    >>> res.success
    True
    """
    return ScipyMethod(name)
