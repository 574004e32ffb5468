"""optimagic's users have `mdbopt.minimize` by name: ``algorithm="mdbopt_guarded"``.

Importing this module puts the algorithm among those of optimagic 0.5 or newer
(``pip install 'mdbopt[optimagic]'``); ``algorithm=mdbopt.optimagic.Guarded`` is the same one.

>>> import numpy as np, optimagic, mdbopt.optimagic
>>> res = optimagic.minimize(lambda x: x @ x, np.ones(3), algorithm="mdbopt_guarded",
...                          jac=lambda x: 2 * x)
>>> res.algorithm, res.success
('mdbopt_guarded', True)
"""

from dataclasses import dataclass
from typing import Any

try:
    import optimagic  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mdbopt.optimagic needs optimagic: pip install 'mdbopt[optimagic]'"
    ) from error

from optimagic import mark
from optimagic.algorithms import ALL_ALGORITHMS, AVAILABLE_ALGORITHMS
from optimagic.optimization.algo_options import (
    CONVERGENCE_FTOL_REL,
    CONVERGENCE_GTOL_ABS,
    STOPPING_MAXFUN,
    STOPPING_MAXITER,
)
from optimagic.optimization.algorithm import Algorithm, InternalOptimizeResult
from optimagic.typing import AggregationLevel, NonNegativeFloat, PositiveInt

from mdbopt._finite import Array
from mdbopt._minimize.minimize import minimize

__all__ = ["Guarded"]


@mark.minimizer(
    name="mdbopt_guarded",
    solver_type=AggregationLevel.SCALAR,
    is_available=True,
    is_global=False,
    needs_jac=True,
    needs_hess=False,
    needs_bounds=False,
    supports_parallelism=False,
    supports_bounds=True,
    supports_infinite_bounds=True,
    supports_linear_constraints=False,
    supports_nonlinear_constraints=False,
)
@dataclass(frozen=True)
class Guarded(Algorithm):
    """The default method of `mdbopt.minimize`, for smooth functions, with bounds or without.

    A quasi-Newton direction proposes, the box of multidimensional backtracking guards it: variables
    may have any scales. Criterion and gradient are always evaluated together, so that
    ``fun_and_jac`` saves time; without a gradient, optimagic's differences stand for it.

    Parameters
    ----------
    convergence_gtol_abs : float, default 1e-5
        Converged when max|g|, with bounds of the projected gradient, is at most this, in units of
        the gradient.
    convergence_ftol_rel : float, default 2e-9
        Converged when an accepted step lowers f by no more than this times max(abs(f), 1).
    stopping_maxfun : int, default 1_000_000
        Evaluations at most; those of differences do not count.
    stopping_maxiter : int, default 1_000_000
        Trial points at most, after the start.
    limited_memory_storage_length : int, optional
        Pairs of steps and gradients that are kept; None for as many as cost little.

    Notes
    -----
    ``result.algorithm_output`` has ``step_sizes``, of optimagic's internal parameters, and
    ``ncut``, as `mdbopt.minimize` returns them.

    Examples
    --------
    >>> import numpy as np, optimagic
    >>> from mdbopt.optimagic import Guarded
    >>> units = np.array([1e-3, 1.0, 1e3])
    >>> res = optimagic.minimize(lambda x: (units * x) @ (units * x), np.ones(3),
    ...                          algorithm=Guarded(convergence_ftol_rel=0.0),
    ...                          jac=lambda x: 2 * units**2 * x)
    >>> bool(res.fun < 1e-3)
    True
    """

    convergence_gtol_abs: NonNegativeFloat = CONVERGENCE_GTOL_ABS
    convergence_ftol_rel: NonNegativeFloat = CONVERGENCE_FTOL_REL
    stopping_maxfun: PositiveInt = STOPPING_MAXFUN
    stopping_maxiter: PositiveInt = STOPPING_MAXITER
    limited_memory_storage_length: PositiveInt | None = None

    def _solve_internal_problem(self, problem: Any, x0: Array) -> InternalOptimizeResult:
        options = {
            "gtol": self.convergence_gtol_abs,
            "ftol": self.convergence_ftol_rel,
            "maxfun": self.stopping_maxfun,
            "maxiter": self.stopping_maxiter,
        }
        if self.limited_memory_storage_length is not None:
            options["memory"] = self.limited_memory_storage_length
        sides = zip(_side(problem.bounds.lower, x0), _side(problem.bounds.upper, x0), strict=True)
        found = minimize(problem.fun_and_jac, x0, jac=True, options=options, bounds=list(sides))
        return InternalOptimizeResult(
            x=found.x,
            fun=found.fun,
            success=found.success,
            message=found.message,
            n_fun_evals=found.nfev,
            n_jac_evals=found.njev,
            n_iterations=found.nit,
            info={"step_sizes": found.step_sizes, "ncut": found.ncut},
        )


def _side(bound: Array | None, x0: Array) -> list[float | None]:
    return [None] * x0.size if bound is None else bound.tolist()


for _known in (ALL_ALGORITHMS, AVAILABLE_ALGORITHMS):
    _known[Guarded.algo_info.name] = Guarded
