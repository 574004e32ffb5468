"""`minimize`: the loop around a search, with limits, callbacks, progress and checkpoints."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, OptimizeWarning

from mdbopt import _checkpoint, _checks
from mdbopt._arrays import Array, Library
from mdbopt._callback import Callback
from mdbopt._methods import Method, find_method
from mdbopt._objective import Objective, start_point
from mdbopt._progress import Progress
from mdbopt._trace import NAMES, Trace
from mdbopt.searches import State

CONVERGED, LIMIT, PRECISION, NOT_FINITE, STOPPED = 0, 1, 2, 3, 99

# Absolute, in units of the gradient. float32 cannot do better on objectives near 1.
DEFAULT_GTOL = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-4}


@dataclass(frozen=True)
class _Limits:
    gtol: float
    ftol: float
    maxiter: int
    maxfun: int


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str = "guarded",
    jac: Any = None,
    callback: Callable[..., Any] | None = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 100,
    resume: str | os.PathLike[str] | None = None,
) -> OptimizeResult:
    """Minimise a smooth function of many variables from its values and gradients.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> (f, g)`` with ``jac=True``, else ``fun(x, *args) -> f``. It gets a
        private copy of the point, of shape (d,), in the dtype and library of ``x0``.
    x0 : array, shape (d,)
        The start; flattened if it has more axes, never written. float64 and float32 are kept;
        integers become float64. NumPy, or any array with ``__dlpack__`` on the CPU.
    args : tuple
        Further arguments of ``fun`` and ``jac``.
    method : str, default "guarded"
        One of `mdbopt.methods`.
    jac : True or callable
        Whether ``fun`` returns the gradient too, or ``jac(x, *args) -> g``, of x's shape and dtype.
    callback : callable, optional
        Called after every iteration with a copy of the current x, or, when its only parameter is
        named ``intermediate_result``, with a result that has x, fun, jac, nit, nfev, step_sizes and
        accepted. Returning True or raising StopIteration ends the run with status 99.
    tol : float, optional
        The same as ``options["gtol"]``, which wins.
    options : dict, optional
        ``gtol``: converged when max|g| <= gtol, absolute, in units of the gradient (default 1e-8,
        1e-4 in float32). ``ftol``: converged when an accepted step lowers f by no more than
        ftol·max(|f|, 1), dimensionless (default 0: never). ``maxiter``, ``maxfun``: iterations and
        evaluations at most (default 20,000 each). ``disp``: print the outcome. ``return_all``: keep
        every current point in ``allvecs``. All others belong to the search: see `Guarded`, `Box`,
        `Ellipsoid`, `Simplex`, `Backtracking`. Unknown names give an OptimizeWarning.
    progress : bool
        Show a bar on a terminal (needs tqdm), plain lines elsewhere, on standard error.
    checkpoint : path, optional
        An .npz file that is replaced every ``every`` evaluations, at the end, and when the
        objective raises.
    every : int, default 100
        Evaluations between two checkpoints.
    resume : path, optional
        A checkpoint to continue from, to the same bits; ``x0`` gives its shape and dtype only.

    Returns
    -------
    OptimizeResult
        ``x, fun, jac`` (``fun`` is bit for bit the objective at ``x``, never above that at x0),
        ``nit`` (iterations: points tried after x0), ``nfev`` = ``njev`` (evaluations of f and g
        together, x0 included), ``status`` (0 converged, 1 limit reached, 2 no further progress in
        this precision, 3 not finite at x0 or decreasing to -inf, 99 stopped by the callback),
        ``success`` (status 0), ``message``, ``step_sizes`` (float64, shape (d,): of a plain step,
        in units of x over g), ``ncut`` (rejections that cut the set), ``trace`` (dict of arrays
        with one entry per evaluation, x0 first: f, best, gmax, accepted, ncut, seconds).

    Raises
    ------
    TypeError, ValueError
        When an argument, or what the objective returned, is not as above; the message names it.
        Exceptions of the objective pass unchanged.

    Notes
    -----
    An iteration is one trial point, as in the paper, whether it is accepted or not; SciPy's
    L-BFGS-B counts accepted points only. Points where f or g is not finite count as rejected.

    References
    ----------
    Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527; docs/guarded.md for the
    default method.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> h = np.array([1e-3, 1.0, 1e3])
    >>> res = mdbopt.minimize(lambda x: (0.5 * float(h @ x**2), h * x), np.ones(3), jac=True)
    >>> res.success, bool(abs(res.x).max() < 1e-4)
    (True, True)
    """
    start, library = start_point(x0)
    chosen = find_method(method)
    limits, search_options, show, return_all = _split_options(chosen, options, tol, start.dtype)
    every = _checks.whole("every", every, least=1)
    watcher = None if callback is None else Callback(callback)
    objective = Objective(fun, jac, args, start, library)
    run = _Run(objective, chosen, search_options, limits, library, return_all)
    run.identity = _identity(method, search_options)
    if checkpoint is not None:
        _checkpoint.check_writable(checkpoint)
    if resume is None:
        run.begin(start)
    else:
        run.resume(resume, start)
    bar = Progress(limits.maxfun, method) if progress else None
    try:
        status = run.loop(watcher, bar, checkpoint, every)
    except BaseException:
        if checkpoint is not None:
            # What the objective raised matters more than that it could not be saved.
            with contextlib.suppress(OSError):
                run.save(checkpoint)
        raise
    finally:
        if bar is not None:
            bar.close(run.state.f, run.state.gmax)
    if checkpoint is not None:
        run.save(checkpoint)
    result = run.result(status)
    if show:
        print(_report(result))
    return result


def _identity(method: str, options: Mapping[str, Any]) -> str:
    """Name the method and every option that shapes the path."""
    described = {}
    for name, value in sorted(options.items()):
        if name in ("backend", "threads") or value is None:
            continue  # the same bits either way
        if name == "groups":
            labels = np.ascontiguousarray(value, dtype=np.int64)
            described[name] = hashlib.sha256(labels.tobytes()).hexdigest()
        else:
            described[name] = value if isinstance(value, str) else repr(float(value))
    return json.dumps([method, described])


def _split_options(
    method: Method, options: Mapping[str, Any] | None, tol: float | None, dtype: np.dtype[Any]
) -> tuple[_Limits, dict[str, Any], bool, bool]:
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dict, got {type(options).__name__}")
    given = dict(options or {})
    gtol = given.pop("gtol", None)
    if gtol is None:
        gtol = DEFAULT_GTOL[dtype] if tol is None else _checks.real("tol", tol, least=0.0)
    limits = _Limits(
        gtol=_checks.real("gtol", gtol, least=0.0),
        ftol=_checks.real("ftol", given.pop("ftol", 0.0), least=0.0),
        maxiter=_checks.whole("maxiter", given.pop("maxiter", 20_000), least=0),
        maxfun=_checks.whole("maxfun", given.pop("maxfun", 20_000), least=1),
    )
    show, return_all = bool(given.pop("disp", False)), bool(given.pop("return_all", False))
    known = method.options()
    unknown = [name for name in given if name not in known]
    if unknown:
        warnings.warn(
            f"Unknown solver options: {', '.join(map(str, unknown))}", OptimizeWarning, stacklevel=3
        )
    return limits, {name: given[name] for name in given if name in known}, show, return_all


class _Run:
    """One run: the search's state, the trace, and how they are saved."""

    state: State
    trace: Trace
    identity: str

    def __init__(
        self,
        objective: Objective,
        method: Method,
        options: Mapping[str, Any],
        limits: _Limits,
        library: Library,
        return_all: bool,
    ) -> None:
        self._objective = objective
        self._search = method.build(options)
        self._limits = limits
        self._library = library
        self._points: list[Any] | None = [] if return_all else None

    def begin(self, start: Array) -> None:
        self._search._check_size(start.size)
        f, g = self._objective(start)
        self.state = self._search.init(start, f, g)
        self.trace = Trace()
        self.trace.add(f, f, self.state.gmax, True, 0)
        self._keep_point()

    def resume(self, path: str | os.PathLike[str], start: Array) -> None:
        entries = _checkpoint.read(path)
        saved_identity = str(entries.pop("identity", ""))
        if saved_identity != self.identity:
            raise ValueError(
                f"resume: {os.fspath(path)} was written by {saved_identity}, "
                f"expected {self.identity}"
            )
        trace = {name: entries.pop(f"trace_{name}") for name in NAMES}
        x = entries["x"]
        if x.shape != start.shape or x.dtype != start.dtype:
            raise ValueError(
                f"resume: {os.fspath(path)} holds x of {x.dtype} and shape {x.shape}, expected "
                f"{start.dtype} and {start.shape} (as x0)"
            )
        self.state = self._search.restore(entries)
        self.trace = Trace(trace)
        self._keep_point()

    def save(self, path: str | os.PathLike[str]) -> None:
        trace = {f"trace_{name}": column for name, column in self.trace.arrays().items()}
        _checkpoint.write(path, {**self.state, **trace, "identity": np.array(self.identity)})

    def loop(
        self,
        watcher: Callback | None,
        bar: Progress | None,
        checkpoint: str | os.PathLike[str] | None,
        every: int,
    ) -> int:
        core, objective, limits = self.state._core, self._objective, self._limits
        best = min(self.trace.arrays()["best"].min(), core.f)
        nfev = core.evaluations
        while True:
            if core.status != -1:
                return int(core.status)
            if core.gmax <= limits.gtol:
                return CONVERGED
            if nfev >= limits.maxfun or nfev > limits.maxiter:
                return LIMIT
            f, g = objective(core.propose())
            before = core.f
            moved = core.judge(f, g)
            nfev += 1
            if -math.inf < f < best:
                best = f
            self.trace.add(f, best, core.trial_gmax, moved, core.ncut)
            if moved:
                self._keep_point()
            if bar is not None:
                bar.update(core.f, core.gmax)
            if checkpoint is not None and nfev % every == 0:
                self.save(checkpoint)
            if watcher is not None and watcher.stops(lambda: self._current(moved), self._x):  # noqa: B023
                return STOPPED
            if moved and limits.ftol > 0.0 and before - f <= limits.ftol * max(abs(f), 1.0):
                return CONVERGED

    def _keep_point(self) -> None:
        if self._points is not None:
            self._points.append(self._x())

    def _give(self, view: Any) -> Any:
        return self._library.from_numpy(np.array(view))

    def _x(self) -> Any:
        return self._give(self.state._core.x)

    def _current(self, accepted: bool) -> OptimizeResult:
        core = self.state._core
        return OptimizeResult(
            x=self._x(),
            fun=core.f,
            jac=self._give(core.g),
            nit=core.evaluations - 1,
            nfev=core.evaluations,
            step_sizes=self._give(core.step_sizes()),
            accepted=accepted,
        )

    def result(self, status: int) -> OptimizeResult:
        result = self._current(accepted=True)
        del result["accepted"]
        result.njev = result.nfev
        result.status = status
        result.success = status == CONVERGED
        result.message = self._message(status)
        result.ncut = self.state.ncut
        result.trace = self.trace.arrays()
        if self._points is not None:
            result.allvecs = self._points
        return result

    def _message(self, status: int) -> str:
        if status == CONVERGED:
            if self.state.gmax <= self._limits.gtol:
                return f"Converged: max|g| = {self.state.gmax:.3g} <= gtol = {self._limits.gtol:g}."
            return (
                f"Converged: the last step lowered f by no more than ftol = {self._limits.ftol:g}."
            )
        if status == LIMIT:
            which = "maxfun" if self.state.nfev >= self._limits.maxfun else "maxiter"
            return f"Limit reached: {which} = {getattr(self._limits, which)}."
        if status == PRECISION:
            if self.state.accepted == 0:
                return (
                    "No step from x0 lowers f: x0 is optimal to this precision, or the gradient is "
                    "not that of the objective (scipy.optimize.check_grad tells)."
                )
            return "No further progress in this precision: a step no longer lowers f or changes x."
        if status == NOT_FINITE:
            if self.state.nfev == 1:
                return "f or its gradient is not finite at x0."
            return "The objective decreases to -inf: it is unbounded below."
        return "Stopped by the callback."


def _report(result: OptimizeResult) -> str:
    return (
        f"{result.message}\n"
        f"    f = {result.fun:.10g}   max|g| = {np.abs(np.asarray(result.jac)).max():.3g}\n"
        f"    iterations {result.nit}   evaluations {result.nfev}   cuts {result.ncut}"
    )
