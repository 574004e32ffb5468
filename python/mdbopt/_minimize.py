"""`minimize`: arguments, options, and what is reported of a run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, OptimizeWarning

from mdbopt import _checkpoint, _checks
from mdbopt._callback import Callback
from mdbopt._methods import Method, find_method
from mdbopt._objective import Objective, start_point
from mdbopt._progress import Progress
from mdbopt._run import Limits, Run

# Absolute, in units of the gradient. float32 cannot do better on objectives near 1.
DEFAULT_GTOL = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-4}


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
        integers become float64. NumPy, or any array with ``__dlpack__``. On a CUDA device (float64
        or float32 only) the run stays there: ``fun`` gets points on it and returns the gradient on
        it, and x, jac and step_sizes of results live on it.
    args : tuple
        Further arguments of ``fun`` and ``jac``.
    method : str, default "guarded"
        One of `mdbopt.methods`.
    jac : True or callable
        Whether ``fun`` returns the gradient too, or ``jac(x, *args) -> g``, of shape (d,) and any
        form whose numbers x's dtype holds: integers, lists, narrower floats, any strides.
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
        A checkpoint to continue from, to the same bits; ``x0`` gives its shape, dtype and device
        only.

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
    RuntimeError
        When x0 lives on a device that cannot be used.

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
    start = start_point(x0)
    chosen = find_method(method)
    limits, search_options, show, return_all = _split_options(chosen, options, tol, start.dtype)
    every = _checks.whole("every", every, least=1)
    watcher = None if callback is None else Callback(callback)
    objective = Objective(fun, jac, args, start)
    run = Run(objective, chosen, search_options, limits, start.library, return_all)
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
        print(_report(result, run.state.gmax))
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
) -> tuple[Limits, dict[str, Any], bool, bool]:
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dict, got {type(options).__name__}")
    given = dict(options or {})
    gtol = given.pop("gtol", None)
    if gtol is None:
        gtol = DEFAULT_GTOL[dtype] if tol is None else _checks.real("tol", tol, least=0.0)
    limits = Limits(
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


def _report(result: OptimizeResult, gmax: float) -> str:
    return (
        f"{result.message}\n"
        f"    f = {result.fun:.10g}   max|g| = {gmax:.3g}\n"
        f"    iterations {result.nit}   evaluations {result.nfev}   cuts {result.ncut}"
    )
