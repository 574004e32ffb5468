"""`minimize_batches`: a sum of many terms, seen a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _checks
from mdbopt._minimize.callback import Callback
from mdbopt._minimize.objective import Objective, start_point
from mdbopt._minimize.result import MinimizeResult
from mdbopt.optimizers._hints import unknown_option
from mdbopt.stochastic._batches import batches
from mdbopt.stochastic._methods import METHODS, Method
from mdbopt.stochastic._run import NOT_FINITE, PRECISION, SPENT, STOPPED, Run

_MESSAGES = {
    SPENT: "All evaluations are spent.",
    PRECISION: "No batch of two epochs gave a step.",
    NOT_FINITE: "The objective or its gradient is not finite at x0.",
}


def minimize_batches(
    fun: Callable[..., Any],
    x0: Any,
    size: int,
    *,
    batch_size: int = 32,
    epochs: float = 20,
    method: str = "box",
    seed: int = 0,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> MinimizeResult:
    """Minimise a mean of many terms from values and gradients on batches of them.

    No step size is to be chosen: each batch tries a step on itself.

    Parameters
    ----------
    fun : callable
        ``fun(x, batch) -> (f, g)``: the mean over the terms whose indices ``batch`` (int64, shape
        (batch_size,)) holds, and its gradient, at a private copy of x. It is called at several x
        for one batch.
    x0 : array, shape (d,)
        The start; not written. float64 and float32 are kept. On the CPU.
    size : int
        Number of terms.
    batch_size : int, default 32
        Terms in a batch; all of them where there are fewer. What is left at the end of an epoch is
        left out.
    epochs : float, default 20
        The run ends when ``epochs`` times ``size // batch_size`` evaluations of (f, g) are spent,
        those of trial points included: what as many epochs of SGD cost.
    method : {"box", "sls", "sps"}
        See Notes.
    seed : int, default 0
        Of the order of terms, new in each epoch.
    callback : callable, optional
        As in `minimize`, after each batch; ``fun`` and ``jac`` are not in its result.
    options : dict, optional
        See Notes. All are dimensionless, but for ``lower_bound``, in units of f.

    Returns
    -------
    MinimizeResult
        SciPy's OptimizeResult, with
        ``x``; ``fun``: the mean of f over the last epoch's batches, each at the point where it was
        met; ``nit`` (batches), ``nfev`` (evaluations on a batch), ``step_sizes`` (float64, shape
        (d,): η p, in units of x over g), ``trace`` (dict of arrays with one entry per batch: f,
        step (η), evaluations so far, accepted), ``status`` (0 evaluations spent, 2 no batch of
        two epochs gave a step, 3 not finite at x0, 99 stopped by the callback), ``success`` (status
        0), ``message``.

    Raises
    ------
    TypeError, ValueError
        When an argument, or what ``fun`` returned, is not as above; the message names it.
        Exceptions of ``fun`` and ``callback`` pass unchanged, but for a StopIteration of the
        latter.

    Notes
    -----
    A step is x ← x − η p∘m, with m ← momentum·m + g and a diagonal metric p. With ⟨g, p∘g⟩ written
    ‖g‖²:

    * "sls" (stochastic line search, Vaswani et al. 2019, algorithm 1): η grows by ``growth`` (2) to
      the power batch_size/size, then is multiplied by ``backtrack`` (0.9) until
      f(x − η p∘g) ≤ f(x) − ``armijo`` (0.1)·η‖g‖² on the same batch. The first batch finds its
      order by doubling or halving, in place of a largest step that the paper's code is given.
    * "sps" (Loizou et al. 2021, eq. 5, with their smoothing): η = (f − ``lower_bound`` (0)) /
      (``c`` (½)·‖g‖²), at most the last one's growth.
    * Both take ``direction``: "sgd" (p = 1), "amsgrad" (p = 1/(√v̂ + ε), `AMSGrad`'s) or "adagrad"
      (1/(√G + ε)), as in Vaswani et al. 2020.
    * "box": a line search (``armijo`` ½, ``backtrack`` ½, ``growth`` 2) in a metric that it learns:
      a pair s = x⁺ − x, y = g⁺ − g on *one* batch is free of the noise between batches, and
      co-coercivity bounds each step size, p ← min(p, ⟨s, y⟩/y²). A trial that cuts some step size
      by 2 or more is tried again at the same η. A coordinate that no pair has bounded yet waits.

    ``momentum`` (0.85 for "box", else 0) and ``decay`` (True for "box": steps fall linearly to 0
    over the run) belong to all. "box" is beyond the proofs of multidimensional backtracking: the
    bound holds for the batches that have been seen, not for the mean, and momentum is none of
    theirs. It is for columns of different units; where all are scaled alike, Adam with a rate that
    was tuned does better (docs/stochastic.md has the figures).

    References
    ----------
    Vaswani, Mishkin, Laradji, Schmidt, Gidel, Lacoste-Julien, NeurIPS 2019, arXiv 1905.09997.
    Loizou, Vaswani, Laradji, Lacoste-Julien, AISTATS 2021, arXiv 2002.10542.
    Vaswani, Laradji, Kunstner, Meng, Schmidt, Lacoste-Julien 2020, arXiv 2006.06835.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((400, 3)) * [1e-3, 1.0, 1e3]
    >>> b = A @ [1e3, 1.0, 1e-3] + 0.1 * rng.standard_normal(400)
    >>> def fun(x, batch):
    ...     r = A[batch] @ x - b[batch]
    ...     return 0.5 * float(r @ r) / len(batch), A[batch].T @ r / len(batch)
    >>> res = mdbopt.minimize_batches(fun, np.zeros(3), len(A))
    >>> np.round(res.x * [1e-3, 1.0, 1e3], 1)
    array([1., 1., 1.])
    """
    start = start_point(x0)
    if start.device is not None:
        raise ValueError("x0: expected an array on the CPU, got one on a device")
    size = _checks.whole("size", size, least=1)
    batch_size = min(_checks.whole("batch_size", batch_size, least=1), size)
    budget = _checks.real("epochs", epochs, least=0.0, strict=True) * (size // batch_size)
    chosen = _method(method, options or {})
    order = batches(size, batch_size, _checks.whole("seed", seed, least=0))
    watcher = None if callback is None else Callback(callback)
    on_batch = _OnBatch(_checks.function("fun", fun))
    objective = Objective(on_batch, True, (), start, {})

    def evaluate(x: NDArray[Any], batch: NDArray[Any]) -> tuple[float, Any]:
        on_batch.batch = batch
        return objective(x)

    run = Run(evaluate, order, chosen, start.point, math.ceil(budget), batch_size / size)

    def point() -> Any:
        return start.library.from_numpy(np.array(run.x))

    def report(**more: Any) -> MinimizeResult:
        nit = len(run.trace["f"])
        return MinimizeResult(x=point(), nit=nit, nfev=run.spent, step_sizes=run.step_sizes, **more)

    def stops() -> bool:
        return watcher is not None and watcher.stops(
            lambda: report(accepted=run.trace["accepted"][-1]), point
        )

    status = run.loop(stops)
    trace = {name: np.array(column) for name, column in run.trace.items()}
    return report(
        fun=float(np.mean(trace["f"][-(size // batch_size) :])),
        trace=trace,
        status=status,
        success=status == SPENT,
        message=watcher.message if watcher and status == STOPPED else _MESSAGES[status],
    )


class _OnBatch:
    """The objective of one batch."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        self._fun = fun
        self.batch: Any = None

    def __call__(self, x: Any) -> Any:
        return self._fun(x, self.batch.copy())


def _method(name: Any, options: Mapping[str, Any]) -> Method:
    kind = METHODS[_checks.choice("method", name, tuple(METHODS))]
    known = {each.name for each in fields(kind)}
    for option in options:
        if option not in known:
            raise TypeError(unknown_option(f"method {name!r}", option, known))
    method: Method = kind(**options)
    return method
