"""`minimize`: arguments, options, and what is reported of a run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from mdbopt import _checks, _files
from mdbopt._methods._iteration import HalfJudged
from mdbopt._minimize.callback import Callback
from mdbopt._minimize.estimate import estimated
from mdbopt._minimize.methods import device_methods, find_method
from mdbopt._minimize.objective import Objective, Start, start_point, start_within
from mdbopt._minimize.progress import Progress
from mdbopt._minimize.result import MinimizeResult
from mdbopt._minimize.run import Run
from mdbopt._minimize.settings import Settings, read_options, unknown_argument
from mdbopt._noise import ESTIMATE
from mdbopt._shards import Meeting
from mdbopt.searches import _warm_start

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
    l1: Any = None,
    noise: Any = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    every: float | None = DEFAULT_EVERY,
    resume: str | os.PathLike[str] | None = None,
    reducer: Callable[..., Any] | None = None,
    warm_start: Any = None,
    **unknown: NoReturn,
) -> MinimizeResult:
    """Minimise a smooth function of many variables, or one and an l1 penalty, from its gradients.

    Without a gradient, it is found by differences; see Notes.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> (f, g)`` with ``jac=True``, else ``fun(x, *args) -> f``. It gets a
        private copy of the point, of shape (d,), in the dtype and library of ``x0``; so does a
        callable ``jac``, another one.
    x0 : array, shape (d,)
        The start; flattened if it has more axes, never written. float64 and float32 are kept;
        integers become float64. NumPy, or any array with ``__dlpack__``. On a CUDA device (float64
        or float32 only) the run stays there: ``fun`` gets points on it and returns the gradient on
        it, and x, jac and step_sizes of results live on it. The methods from "nonmonotone" on work
        on the CPU, and without a ``reducer``. None with ``warm_start``: the x of that.
    args : tuple
        Further arguments of ``fun`` and ``jac``; one that is no tuple is the only one.
    method : str, default "guarded"
        One of `mdbopt.methods`, in small or capital letters.
    jac : True, callable, None, False, "2-point", "3-point" or "cs"
        Whether ``fun`` returns the gradient too (True), or ``jac(x, *args) -> g``, of shape (d,)
        and any form whose numbers x's dtype holds: integers, lists, narrower floats, any strides;
        otherwise the differences that stand for it (None and False: "2-point"). They need
        x0 on the CPU.
    callback : callable, optional
        Called after every iteration with a copy of the current x, or, when its only parameter is
        named ``intermediate_result``, with a result that has x, fun, jac, nit, nfev, step_sizes and
        accepted. Returning True or raising StopIteration ends the run with status 99.
    tol : float, optional
        The same as ``options["gtol"]``, which wins.
    options : dict, optional
        ``gtol``: converged when max|g| <= gtol, absolute, in units of the gradient (default 1e-8,
        1e-4 in float32; with "2-point" and "3-point" 1e-5, 1e-3 in float32). With bounds g is the
        projected gradient, of which a coordinate is no larger than the room to the bound that -g
        leads to, and with ``l1`` the subgradient of least norm; so it is in ``trace``. ``ftol``:
        converged when an accepted step lowers f by no more than ftol·max(|f|, 1), dimensionless
        (default 0: never; with "2-point" and "3-point" 2⁻⁵², 2⁻²³ in float32: where f no longer
        tells; 0 with ``noise``).
        ``maxiter``, ``maxfun``: iterations and evaluations of f at most (default 20,000 each, inf:
        no limit; for ``maxfun`` with differences, what 20,000 gradients take; those at x0 are
        always made). None stands for the default of any of these. ``disp``: print the outcome.
        ``return_all``: keep every current point in ``allvecs``. ``eps``, ``finite_diff_rel_step``,
        ``workers``: of differences, see Notes. All others belong to the method: see `Guarded`,
        `Box`, `Ellipsoid`, `Simplex`, `Backtracking`, and docs/methods.md for all other methods.
        Unknown names give an OptimizeWarning.
    bounds : scipy.optimize.Bounds or sequence of pairs (lower, upper), optional
        Within which x stays: no point outside of them is evaluated, by differences neither. One
        pair for each of the d variables, or a Bounds of numbers for all; None in a pair is
        infinite, equal ones fix a variable. Of the methods "guarded", "box", "simplex",
        "backtracking", "gd", and "ellipsoid" with ``candidate="plain"``; see docs/bounds.md. An
        ``x0`` outside is clipped with an OptimizeWarning (on a CUDA device it is refused). For
        float32 they are rounded inwards.
    l1 : float or array of shape (d,), optional
        Numbers >= 0, one for all variables or one for each: what is minimised is ``fun`` + Σ l1
        |x|, with exact zeros; ``fun`` and its gradient are without the penalty, ``res.fun`` and f
        in ``trace`` are with it. 0 exempts a variable, such as an intercept. With l2 in ``fun`` it
        is the elastic net. Of the same methods as ``bounds``, and together with them; see
        docs/l1.md.
    noise : float, pair of float, or "estimate", optional
        How far what ``fun`` returns may be from the truth: f by that many of its units, and the
        gradient, in the 2-norm, by that many of f over x; a number alone is that of f beside an
        exact gradient. The run then steps, learns and cuts only as far as noise allows, goes on
        below the noise of f where the gradient is better, and ends at the noise floor, with status
        4. "estimate" measures both near x0, in 8 to 24 evaluations that count in ``nfev``, and
        takes twice the standard deviations. Of the methods "guarded" and "nesterov"; see
        docs/noise.md.
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
    reducer : callable, optional
        How this run meets the other shards where ``x0`` is one piece of a vector that several
        threads, processes or machines hold: see `mdbopt.searches`. All of them call `minimize` with
        the same arguments, but for x0, and ``fun`` returns the same f on all of them and the
        gradient of their own piece, which may be empty. They need ``jac=True`` or a callable.

    warm_start : WarmStart, OptimizeResult or SearchState, optional
        An earlier run by the same method, "guarded" or one of the sets, over as many variables, of
        the same dtype, device and groups: this one starts with what it has learnt of step sizes
        and curvature. Pass a `WarmStart` where the objectives differ in ``l2`` alone, which is then
        exact. A run that is resumed goes on without it.

    Returns
    -------
    MinimizeResult
        SciPy's OptimizeResult, with
        ``x, fun, jac`` (``fun`` is bit for bit the objective at ``x``, with ``l1`` but for the
        rounding of the penalty, never above that at x0, but for twice its ``noise``;
        where a method that lets f rise has not converged, the point of the least f),
        ``nit`` (iterations: points tried after x0), ``nfev`` (evaluations of f, x0 and those of
        differences included), ``njev`` (of g; both at once, so ``nit + 1``), ``status`` (0
        converged, 1 limit reached, 2 no further progress in this precision, 3 not finite at x0 or
        decreasing to -inf, 4 no further progress that ``noise`` does not hide, 99 stopped by the
        callback), ``success`` (status 0 or 4), ``message``, ``noise`` (with it: the pair),
        ``step_sizes`` (float64, shape (d,): of a plain step, in units of x over g; of the methods
        of docs/methods.md of the next step, 0 where it does not follow the gradient), ``ncut``
        (rejections that cut the set), ``active`` (with bounds: -1 where x is at its lower bound, 1
        at its upper one, else 0; int8, NumPy), ``trace`` (dict of arrays with one entry per
        evaluation of f and g, x0 first: f, best, gmax, accepted, ncut, seconds), ``state``
        (`SearchState`, of the methods of `mdbopt.searches`: what ``warm_start`` takes; it keeps the
        search's memory).

    Raises
    ------
    TypeError, ValueError
        When an argument, or what the objective returned, is not as above, or there is no argument
        of that name; the message names it. Exceptions of the objective and of the callback pass
        unchanged, but for a StopIteration of the callback.
    RuntimeError
        When x0 lives on a device that cannot be used.

    Notes
    -----
    An iteration is one trial point, as in the paper, whether it is accepted or not; SciPy's
    L-BFGS-B counts accepted points only. Points where f or g is not finite count as rejected.

    Differences, with e_i the i-th unit vector and a step h for each coordinate:

    * "2-point": (f(x + h e_i) - f(x)) / h, in d evaluations beside f(x), to about half the digits;
    * "3-point": (f(x + h e_i) - f(x - h e_i)) / 2h, in 2d, to about two thirds of the digits;
    * "cs": Im f(x + 1j h e_i) / h, in d at complex points, to all digits, for analytic f only.

    h is ``eps`` (a number or d of them); or ``finite_diff_rel_step``·|x_i|; or, by default,
    ε^(1/2), for "3-point" ε^(1/3), times max(|x_i|, 1), where ε is 2⁻⁵² for float64 and 2⁻²³ where
    x0 is float32 or f returns one. ``workers``, callable like `map` or a number of processes (-1:
    all processors), evaluates the points of one gradient; f must then be picklable. A run by
    differences ends where they and f no longer tell, by ``ftol`` or with status 2. A gradient that
    is computed does better on every count, and ``message`` says so.

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
    if unknown:
        raise TypeError(unknown_argument(next(iter(unknown)), method))
    if reducer is not None:
        options = {**(options or {}), "reducer": _checks.function("reducer", reducer)}
    if warm_start is not None:
        warm_start = _warm_start.warm_start(warm_start)
        x0 = warm_start.earlier.x if x0 is None else x0
    with Meeting(reducer) as meeting:
        start = start_point(x0, least=1 if reducer is None else 0)
        settings = read_options(
            method, jac, options, tol, start.dtype, 3, bounds, start.size, l1, noise
        )
        start = start_within(start, settings.bounds, stacklevel=3)
        run, status = run_to_end(
            Objective(fun, jac, args, start, settings.differences, settings.bounds),
            start,
            settings,
            callback,
            progress=progress,
            checkpoint=checkpoint,
            every=every,
            resume=resume,
            meeting=meeting,
            warm_start=warm_start,
        )
        result = run.result(status)
        meeting.outcome = result.message
    if settings.show:
        show(run, result, heading=True)
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
    meeting: Meeting | None = None,
    warm_start: Any = None,
) -> tuple[Run, int]:
    """Begin or resume a run, go on until it ends, and return it with its status."""
    every = _checks.limit("every", every, least=1, default=DEFAULT_EVERY)
    watcher = None if callback is None else Callback(callback)
    limits = settings.limits(objective)
    method = find_method(settings.method)
    if start.device is not None and not method.search.on_devices:
        raise ValueError(
            f"x0: method {settings.method!r} works on the CPU, got an array on "
            f"cuda:{start.device}; expected one on the CPU, or one of the methods "
            f"{', '.join(device_methods())}"
        )
    exact = objective.differences is None or objective.differences.exact
    options = method.completed(settings.search, objective.fun, exact=exact)
    resume = _resumed(checkpoint, resume)
    calls = 0
    if options.get("noise") == ESTIMATE:
        found, calls = estimated(objective, start, settings.bounds, resume)
        options = {**options, "noise": found}
    run = Run(objective, method, options, limits, start.library, settings.return_all, calls)
    run.identity = _identity(settings, objective)
    if meeting is not None:
        meeting.core = run.core
    if checkpoint is not None:
        _files.check_writable("checkpoint", checkpoint)
    if resume is None:
        run.begin(start, warm_start)
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
            with contextlib.suppress(OSError, HalfJudged):
                run.save(checkpoint)
        raise
    finally:
        if bar is not None:
            bar.close(run.state.f, run.state.gmax)
    if checkpoint is not None:
        run.save(checkpoint)
    return run, status


def _resumed(
    checkpoint: str | os.PathLike[str] | None, resume: str | os.PathLike[str] | None
) -> str | os.PathLike[str] | None:
    """Return the file to go on from, None where the run is to begin."""
    if not (isinstance(resume, str) and resume == "auto"):
        return resume
    if checkpoint is None:
        raise ValueError('resume: "auto" continues from checkpoint=, which is None; give one')
    return checkpoint if os.path.exists(checkpoint) else None


def _identity(settings: Settings, objective: Objective) -> str:
    """Name the method and every option that shapes the path."""
    described = {}
    options = dict(settings.search)
    if objective.differences is not None:
        options.update(objective.differences.identity())
    for name, value in sorted(options.items()):
        if name in ("backend", "threads", "reducer") or value is None:
            continue  # the same path either way
        if callable(value):
            described[name] = "a function"
        elif isinstance(value, str):
            described[name] = value
        elif name == "groups" or np.ndim(value) > 0:
            numbers = np.ascontiguousarray(value, dtype=np.int64 if name == "groups" else None)
            described[name] = hashlib.sha256(numbers.tobytes()).hexdigest()
        elif isinstance(value, int) and abs(value) >= 2**1000:
            described[name] = hex(value)
        else:
            described[name] = repr(float(value))
    return json.dumps([settings.method, described])


def show(run: Run, result: MinimizeResult, heading: bool) -> None:
    """Print the numbers of a result, under its message where that was not a warning."""
    if heading:
        print(result.message)
    print(f"    f = {result.fun:.10g}   max|g| = {run.state.gmax:.3g}")
    print(f"    iterations {result.nit}   evaluations {result.nfev}   cuts {result.ncut}")
