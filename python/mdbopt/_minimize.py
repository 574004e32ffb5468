"""`minimize`: arguments, options, and what is reported of a run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from mdbopt import _checks, _files
from mdbopt._bounds import check_unbounded
from mdbopt._callback import Callback
from mdbopt._methods import find_method
from mdbopt._objective import Objective, Start, start_point
from mdbopt._progress import Progress
from mdbopt._run import Run
from mdbopt._settings import Settings, read_options

# Evaluations between two checkpoints.
DEFAULT_EVERY = 100


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
    bounds: Any = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    every: float | None = DEFAULT_EVERY,
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
        evaluations at most (default 20,000 each; inf: no limit). None stands for the default of any
        of these. ``disp``: print the outcome. ``return_all``: keep every current point in
        ``allvecs``. All others belong to the search: see `Guarded`, `Box`, `Ellipsoid`, `Simplex`,
        `Backtracking`. Unknown names give an OptimizeWarning.
    progress : bool
        Show a bar on a terminal with tqdm, plain lines elsewhere, on standard error; nothing where
        that is closed or breaks.
    checkpoint : path, optional
        An .npz file that is replaced every ``every`` evaluations, at the end, and when the
        objective raises.
    every : int, default 100
        Evaluations between two checkpoints; inf for one at the end only.
    resume : path or "auto", optional
        A checkpoint to continue from, to the same bits; ``x0`` gives its shape, dtype and device
        only. "auto" continues from the file of ``checkpoint`` if there is one, else starts at
        ``x0``: the same command starts a run and goes on with it. (A file of that name is
        ``"./auto"``.)

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
    check_unbounded(bounds, start.size)
    settings = read_options(method, jac, options, tol, start.dtype, stacklevel=3)
    run, status = run_to_end(
        Objective(fun, jac, args, start, settings.differences),
        start,
        settings,
        callback,
        progress=progress,
        checkpoint=checkpoint,
        every=every,
        resume=resume,
    )
    result = run.result(status)
    if settings.show:
        print(result.message)
        print(report(run, result))
    return result


def run_to_end(
    objective: Objective,
    start: Start,
    settings: Settings,
    callback: Callable[..., Any] | None,
    *,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    every: float | None = DEFAULT_EVERY,
    resume: str | os.PathLike[str] | None = None,
) -> tuple[Run, int]:
    """Begin or resume a run, go on until it ends, and return it with its status."""
    every = _checks.limit("every", every, least=1, default=DEFAULT_EVERY)
    watcher = None if callback is None else Callback(callback)
    limits = settings.limits(objective)
    method = find_method(settings.method)
    run = Run(objective, method, settings.search, limits, start.library, settings.return_all)
    run.identity = _identity(settings, objective)
    if checkpoint is not None:
        _files.check_writable("checkpoint", checkpoint)
    if isinstance(resume, str) and resume == "auto":
        if checkpoint is None:
            raise ValueError('resume: "auto" continues from checkpoint=, which is None; give one')
        resume = checkpoint if os.path.exists(checkpoint) else None
    if resume is None:
        run.begin(start)
    else:
        run.resume(resume, start)
    points = limits.maxfun
    if points < _checks.NO_LIMIT:
        points //= 1 + objective.gradient_calls
    bar = Progress(points, settings.method, run.state.nfev) if progress else None
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
    return run, status


def _identity(settings: Settings, objective: Objective) -> str:
    """Name the method and every option that shapes the path."""
    described = {}
    options = dict(settings.search)
    if objective.differences is not None:
        options.update(objective.differences.identity())
    for name, value in sorted(options.items()):
        if name in ("backend", "threads") or value is None:
            continue  # the same bits either way
        if isinstance(value, str):
            described[name] = value
        elif name == "groups" or np.ndim(value) > 0:
            numbers = np.ascontiguousarray(value, dtype=np.int64 if name == "groups" else None)
            described[name] = hashlib.sha256(numbers.tobytes()).hexdigest()
        else:
            described[name] = repr(float(value))
    return json.dumps([settings.method, described])


def report(run: Run, result: OptimizeResult) -> str:
    """Return the numbers of a result in words."""
    return (
        f"    f = {result.fun:.10g}   max|g| = {run.state.gmax:.3g}\n"
        f"    iterations {result.nit}   evaluations {result.nfev}   cuts {result.ncut}"
    )
