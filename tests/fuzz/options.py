"""Arguments of optimizers, searches and `minimize`: a result, or an error that names one."""

import contextlib
import inspect
import io

import numpy as np
from scipy.optimize import OptimizeWarning
from source import WORDS, Source, refused, require, show, warned

import mdbopt
from mdbopt._minimize.methods import find_method

OPTIMIZERS = [getattr(mdbopt, name) for name in mdbopt.optimizers.__all__]
SEARCHES = [mdbopt.Backtracking, mdbopt.Box, mdbopt.Ellipsoid, mdbopt.Guarded, mdbopt.Simplex]
CURVATURES = np.array([1.0, 3.0, 10.0, 0.1, 30.0])
NAMES = {
    kind: [name for name in inspect.signature(kind).parameters if name != "reducer"]
    for kind in (*OPTIMIZERS, *SEARCHES)
}
MOST_CALLS = 60


class Enough(Exception):
    """A run has been let to go on for long enough."""


def fuzzed(source, names):
    """Return values for a few of these names, seldom for another."""
    names = [*names, source.pick(WORDS)] if source.seldom(16) else names
    return {source.pick(names): likely(source) for _ in range(source.below(4))}


def likely(source):
    """Return a value, more often one that may have a meaning."""
    kind = source.below(4)
    if kind == 0:
        return source.pick([0.1, 0.5, 0.9, 1.0, 0, 1, 2, 3, True, False, None, 1e-3, 1e-8, 10])
    return source.pick(WORDS) if kind == 1 else source.value()


def of_optimizer(source):
    kind = source.pick(OPTIMIZERS)
    given = fuzzed(source, NAMES[kind])
    show(kind.__name__, given)
    try:
        optimizer = kind(**given)
    except (TypeError, ValueError) as error:
        return refused(error, given, kind.__name__)
    repr(optimizer)
    dtype = source.pick([np.float64, np.float32])
    x = np.ones(5, dtype)
    params = source.pick([x, {"a": x, "b": np.ones((2, 3), dtype)}])
    whole = source.goes_on()
    try:
        state = optimizer.init(params)
        for _ in range(3 if whole else 1):
            with np.errstate(all="ignore"):
                grads = CURVATURES.astype(dtype) * x
            optimizer.step(params, grads if params is x else {"a": grads, "b": params["b"]}, state)
        if whole:
            optimizer.restore(params, dict(state))
    except RuntimeWarning as warning:
        warned(warning)
    except (TypeError, ValueError) as error:
        # What becomes of a state for steps that are beyond all numbers is refused later.
        refused(error, [*given, "saved", "params"], "steps of", optimizer)
    return None


def of_search(source):
    kind = source.pick(SEARCHES)
    given = fuzzed(source, NAMES[kind])
    show(kind.__name__, given)
    try:
        search = kind(**given)
        repr(search)
        x = np.zeros(5, source.pick([np.float64, np.float32]))
        whole = source.goes_on()
        f, g = evaluate(x)
        state = search.init(x, f, g)
        for _ in range(8 if whole else 1):
            if search.converged(state):
                break
            y = search.propose(state)
            f, g = evaluate(y)
            search.judge(state, f, g)
        if whole:
            search.restore(dict(state))
    except (TypeError, ValueError) as error:
        refused(error, given, kind.__name__)


def evaluate(x):
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        h = CURVATURES if x.shape == (5,) else np.resize(CURVATURES, x.shape)
        return float(0.5 * np.sum(h * (wide - 1.0) ** 2)), (h * (wide - 1.0)).astype(x.dtype)


def of_minimize(source):
    calls = 0

    def fun(x):
        nonlocal calls
        calls += 1
        if calls > most:
            raise Enough
        return evaluate(x)

    method = source.pick(sorted(METHODS)) if not source.seldom(32) else source.value()
    options = fuzzed(source, METHODS.get(method, OPTIONS) if isinstance(method, str) else OPTIONS)
    arguments = fuzzed(source, ["tol", "bounds", "l1", "noise", "every", "warm_start", "jac"])
    x0 = np.zeros(5) if not source.seldom(16) else source.value()
    if source.seldom(64):
        options = source.value()
    most = MOST_CALLS if source.goes_on() else 1
    arguments.setdefault("jac", True)
    show("minimize", x0, method, options, arguments)
    names = {*arguments, *(options if isinstance(options, dict) else ()), "options", "method", "x0"}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            result = mdbopt.minimize(fun, x0, method=method, options=options, **arguments)
        repr(result)
    except Enough:
        pass
    except OptimizeWarning as warning:
        require(any(str(name) in str(warning) for name in ("Unknown", *names)), "a named option")
    except (TypeError, ValueError) as error:
        # What jac= asks of fun is said of fun.
        refused(error, {*names, "fun", "jac"}, "minimize")


OPTIONS = [
    "gtol", "ftol", "maxiter", "maxfun", "disp", "return_all", "memory", "proposer", "cut", "gamma",
    "initial_scale", "forward", "groups", "threads", "backend", "candidate", "refine", "eps",
    "finite_diff_rel_step", "workers", "bounds", "maxcor", "maxls", "lr", "momentum",
]  # fmt: skip
METHODS = {
    name: [*OPTIONS, *sorted({*find_method(name).options()} - {*OPTIONS, "reducer"})]
    for name in mdbopt.methods()
}


def prepare():
    """Make what inputs start from: nothing."""


def one_input(data):
    source = Source(data)
    source.pick([of_optimizer, of_search, of_minimize])(source)
