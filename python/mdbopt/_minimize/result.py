"""What a run returns: SciPy's result, with fields that type checkers know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

if TYPE_CHECKING:
    from mdbopt.searches import SearchState


class MinimizeResult(OptimizeResult):
    """Result of `minimize` and `minimize_batches`: a dict whose keys are attributes, too.

    It adds nothing to `scipy.optimize.OptimizeResult` but the types of its fields, so that an
    editor completes them. ``Returns`` of `minimize` and of `minimize_batches` says what each holds
    and which a run has; one that it does not have raises AttributeError.

    Examples
    --------
    >>> import numpy as np, mdbopt, scipy.optimize
    >>> res = mdbopt.minimize(lambda x: (float(x @ x), 2 * x), np.ones(2), jac=True)
    >>> isinstance(res, mdbopt.MinimizeResult), isinstance(res, scipy.optimize.OptimizeResult)
    (True, True)
    >>> res["nfev"] == res.nfev
    True
    """

    x: Any
    fun: float
    jac: Any
    nit: int
    nfev: int
    njev: int
    status: int
    success: bool
    message: str
    step_sizes: Any
    ncut: int
    accepted: bool
    active: NDArray[np.int8]
    noise: tuple[float, float]
    trace: dict[str, NDArray[Any]]
    state: SearchState
    allvecs: list[Any]
