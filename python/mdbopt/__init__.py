"""mdbopt: minimise smooth functions without tuning step sizes or scaling columns.

`minimize` solves in SciPy's manner; `Guarded`, `Box`, `Ellipsoid`, `Simplex` and `Backtracking` are
its searches for loops of your own; `optimizers` holds `AdamW`, `Lion`, `SignDescent` and the other
first-order updates, fused; `kernels` the compiled rules that all are made of; `problems` builds
common objectives; `plot` draws runs.
"""

from importlib import import_module
from typing import Any

from mdbopt import cuda, kernels, optimizers, problems
from mdbopt._core import __version__
from mdbopt._methods import methods
from mdbopt._minimize import minimize
from mdbopt._registry import backends, rules
from mdbopt._scipy import scipy_method
from mdbopt._update_state import UpdateState
from mdbopt.optimizers import (
    OSGM,
    SGD,
    AdaGrad,
    AdaGradNorm,
    Adam,
    AdamW,
    AMSGrad,
    DiagonalHypergradient,
    HypergradientAdam,
    HypergradientSGD,
    Lion,
    NormalizedGD,
    RMSProp,
    Rprop,
    SignDescent,
    Signum,
)
from mdbopt.searches import Backtracking, Box, Ellipsoid, Guarded, Simplex, State

__all__ = [
    "OSGM",
    "SGD",
    "AMSGrad",
    "AdaGrad",
    "AdaGradNorm",
    "Adam",
    "AdamW",
    "Backtracking",
    "Box",
    "DiagonalHypergradient",
    "Ellipsoid",
    "Guarded",
    "HypergradientAdam",
    "HypergradientSGD",
    "Lion",
    "NormalizedGD",
    "RMSProp",
    "Rprop",
    "SignDescent",
    "Signum",
    "Simplex",
    "State",
    "UpdateState",
    "__version__",
    "backends",
    "cuda",
    "kernels",
    "methods",
    "minimize",
    "optimizers",
    "problems",
    "rules",
    "scipy_method",
]


def __getattr__(name: str) -> Any:
    # They bring in matplotlib's and scikit-learn's readers, which not every program needs.
    if name in ("data", "plot"):
        return import_module(f"mdbopt.{name}")
    raise AttributeError(f"module 'mdbopt' has no attribute {name!r}")
