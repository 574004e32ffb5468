"""mdbopt: minimise smooth functions without tuning step sizes or scaling columns.

`minimize` solves in SciPy's manner, `minimize_batches` a batch at a time, `path` and
`cross_validate` over values of a penalty; `diagnose` says which
method to take; `Guarded`, `Box`, `Ellipsoid`, `Simplex` and `Backtracking` are its searches for
loops of your own; `optimizers` holds `AdamW`, `Lion`, `SignDescent` and the other first-order
updates, fused; `kernels` the compiled rules that all are made of; `problems` builds common
objectives; `plot` draws runs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mdbopt import cuda, kernels, optimizers
from mdbopt._core import __version__
from mdbopt.kernels._backends import backends
from mdbopt.kernels._rules import rules
from mdbopt.optimizers import *  # noqa: F403
from mdbopt.optimizers._groups import Groups, groups
from mdbopt.optimizers._groups_state import GroupsState
from mdbopt.optimizers._state import OptimizerState
from mdbopt.searches import (
    Backtracking,
    Box,
    Ellipsoid,
    Guarded,
    SearchState,
    Simplex,
    WarmStart,
)

if TYPE_CHECKING:
    from mdbopt import problems
    from mdbopt._diagnose.diagnose import Diagnosis, diagnose
    from mdbopt._minimize.methods import methods
    from mdbopt._minimize.minimize import minimize
    from mdbopt._minimize.result import MinimizeResult
    from mdbopt._minimize.scipy_method import scipy_method
    from mdbopt._path.cross_validation import CrossValidation, cross_validate
    from mdbopt._path.path import path
    from mdbopt.stochastic import minimize_batches

__all__ = [
    "Backtracking",
    "Box",
    "CrossValidation",
    "Diagnosis",
    "Ellipsoid",
    "Groups",
    "GroupsState",
    "Guarded",
    "MinimizeResult",
    "OptimizerState",
    "SearchState",
    "Simplex",
    "WarmStart",
    "__version__",
    "backends",
    "cross_validate",
    "cuda",
    "diagnose",
    "groups",
    "kernels",
    "methods",
    "minimize",
    "minimize_batches",
    "optimizers",
    "path",
    "problems",
    "rules",
    "scipy_method",
]
__all__ += optimizers.__all__


# They bring in SciPy, scikit-learn or matplotlib, which take longer than all else, and which not
# every program needs.
_LATER = {
    "CrossValidation": "mdbopt._path.cross_validation",
    "Diagnosis": "mdbopt._diagnose.diagnose",
    "MinimizeResult": "mdbopt._minimize.result",
    "cross_validate": "mdbopt._path.cross_validation",
    "data": "mdbopt.data",
    "diagnose": "mdbopt._diagnose.diagnose",
    "methods": "mdbopt._minimize.methods",
    "minimize": "mdbopt._minimize.minimize",
    "minimize_batches": "mdbopt.stochastic",
    "path": "mdbopt._path.path",
    "plot": "mdbopt.plot",
    "problems": "mdbopt.problems",
    "scipy_method": "mdbopt._minimize.scipy_method",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mdbopt' has no attribute {name!r}")
    module = import_module(_LATER[name])
    value = module if module.__name__ == f"mdbopt.{name}" else getattr(module, name)
    return globals().setdefault(name, value)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
