"""The methods of `minimize`: a name, a sentence, and the search it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mdbopt import _checks
from mdbopt._methods._descent import Descent
from mdbopt._methods.adaptive import AdaGrad, Adam, RMSProp, Rprop
from mdbopt._methods.adgd import AdGD
from mdbopt._methods.autogd import AutoGD
from mdbopt._methods.barzilai_borwein import BarzilaiBorwein, DiagonalBarzilaiBorwein
from mdbopt._methods.best_of import BestOf
from mdbopt._methods.diagonal_hessian import DIFFERENCE_OF_DIFFERENCES, DiagonalHessian
from mdbopt._methods.hypergradient import Hypergradient
from mdbopt._methods.line_search import Nonmonotone
from mdbopt._methods.normalized import NormalizedGD, SignDescent
from mdbopt._methods.osgm import OSGM, OSGMBest
from mdbopt._methods.polyak import Polyak
from mdbopt.searches import Backtracking, Box, Ellipsoid, Guarded, Simplex
from mdbopt.searches._base import Search


@dataclass(frozen=True)
class Method:
    """A method of `minimize`: its sentence, its search, and the options it fixes."""

    summary: str
    search: type[Search | Descent]
    fixed: Mapping[str, Any]

    def options(self) -> tuple[str, ...]:
        """Names of the search options that a user may set."""
        return tuple(f.name for f in fields(self.search) if f.name not in self.fixed)

    @property
    def takes_bounds(self) -> bool:
        """Whether it works within bounds, and with a penalty l1."""
        return "bounds" in self.options() and self.fixed.get("proposer", "lbfgs") == "lbfgs"

    def completed(self, options: Mapping[str, Any], fun: Any, *, exact: bool) -> Mapping[str, Any]:
        """Add what the objective tells of the diagonal of its Hessian, where that is asked.

        ``exact`` says whether its gradients have all digits.
        """
        added: dict[str, Any] = {}
        if "diagonal" in self.options():
            added["diagonal"] = getattr(fun, "hessian_diagonal", None)
            if not exact:
                added["difference"] = DIFFERENCE_OF_DIFFERENCES
        return {**added, **options}

    def build(self, options: Mapping[str, Any]) -> Search | Descent:
        """Make the search from the user's options."""
        return self.search(**{**options, **self.fixed})


_METHODS = {
    "guarded": Method(
        "A quasi-Newton direction proposes, the box of multidimensional backtracking guards it.",
        Guarded,
        {},
    ),
    "box": Method("Multidimensional backtracking over a box of step sizes.", Box, {}),
    "ellipsoid": Method(
        "Multidimensional backtracking over an ellipsoid of step sizes.", Ellipsoid, {}
    ),
    "simplex": Method("Multidimensional backtracking over a simplex of step sizes.", Simplex, {}),
    "backtracking": Method(
        "Gradient descent with one step size, found by backtracking and grown after each step.",
        Backtracking,
        {},
    ),
    "gd": Method(
        "Gradient descent with one step size, found by backtracking and never grown.",
        Backtracking,
        {"forward": 1.0},
    ),
    "nesterov": Method(
        "Nesterov's accelerated gradient proposes, the box guards it.",
        Guarded,
        {"proposer": "nesterov"},
    ),
    "nonmonotone": Method(
        "Gradient descent by a line search that lets f rise for a while.", Nonmonotone, {}
    ),
    "polyak": Method(
        "Gradient descent with Polyak's step size, its least value known or estimated.", Polyak, {}
    ),
    "adgd": Method(
        "Gradient descent with a step size from the last two gradients, without a line search.",
        AdGD,
        {},
    ),
    "bb": Method(
        "Gradient descent with the step size of Barzilai and Borwein, f may rise.",
        BarzilaiBorwein,
        {},
    ),
    "diagonal-bb": Method(
        "The step sizes of Barzilai and Borwein, one for each coordinate, f may rise.",
        DiagonalBarzilaiBorwein,
        {"forward": 1.0},
    ),
    "hypergradient": Method(
        "Gradient descent whose step size, or step sizes, follow their own gradient.",
        Hypergradient,
        {},
    ),
    "rprop": Method("Steps by the sign of the gradient, each of a length of its own.", Rprop, {}),
    "adagrad": Method("AdaGrad's direction, its length by a line search.", AdaGrad, {}),
    "rmsprop": Method("RMSProp's direction, its length by a line search.", RMSProp, {}),
    "adam": Method("Adam with one step size throughout.", Adam, {}),
    "sign": Method("Descent along the sign of the gradient.", SignDescent, {}),
    "normalized-gd": Method(
        "Descent along the gradient over its norm, with a heavy ball.", NormalizedGD, {}
    ),
    "osgm": Method(
        "Step sizes learned online by their hypergradient; a step that fails is taken back.",
        OSGM,
        {},
    ),
    "osgm-best": Method(
        "Step sizes and a heavy ball learned online, at rates from the curvature seen.",
        OSGMBest,
        {},
    ),
    "diagonal-hessian": Method(
        "Steps divided by the Hessian's diagonal, their length by a line search.",
        DiagonalHessian,
        {},
    ),
    "autogd": Method(
        "Gradient descent that tries a longer and a shorter step at each point.", AutoGD, {}
    ),
    "best-of": Method(
        "Classic or multidimensional backtracking, whichever promises more.", BestOf, {}
    ),
}


def methods() -> dict[str, str]:
    """List the methods of `minimize` with a sentence each.

    Returns
    -------
    dict of str to str
        The default first.

    Examples
    --------
    >>> import mdbopt
    >>> list(mdbopt.methods())[:7]
    ['guarded', 'box', 'ellipsoid', 'simplex', 'backtracking', 'gd', 'nesterov']
    >>> mdbopt.methods()["bb"]
    'Gradient descent with the step size of Barzilai and Borwein, f may rise.'
    """
    return {name: method.summary for name, method in _METHODS.items()}


def method_name(name: Any) -> str:
    """Return the name of a method in small letters, or raise naming the argument."""
    if isinstance(name, str) and name.lower() in _METHODS:
        return name.lower()
    return _checks.choice("method", name, tuple(_METHODS))


def device_methods() -> tuple[str, ...]:
    """Return the names of methods that work on a CUDA device, and on shards."""
    return tuple(name for name, method in _METHODS.items() if method.search.on_devices)


def bounded_methods() -> tuple[str, ...]:
    """Return the names of methods that work within bounds, and with a penalty l1."""
    return tuple(name for name, method in _METHODS.items() if method.takes_bounds)


def noisy_methods() -> tuple[str, ...]:
    """Return the names of methods that can be told of noise."""
    return tuple(name for name, method in _METHODS.items() if "noise" in method.options())


def find_method(name: Any) -> Method:
    """Return a method by its name, or raise naming the argument."""
    return _METHODS[method_name(name)]
