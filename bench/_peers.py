"""Minimisers of other libraries, each imported when it runs: PyTorch, optax, optimistix, NLopt.

All are given f and its gradient by one call, at the points that they ask for, and no tolerance, so
that they end where they can no longer move or their evaluations are spent.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _solvers import LARGEST_MATRIX, End, Recorder, Run

# The record that JAX's compiled functions ask: that of the run in hand.
ASKED: list[Recorder] = []


@dataclass(frozen=True)
class Peer:
    """A method of another library.

    Attributes
    ----------
    name : str
        The library's and the method's.
    package : str
        What must be importable.
    solve : callable
        ``solve(record, x0)`` minimises `record` from x0.
    largest : int or None
        Variables up to which it takes part.
    """

    name: str
    package: str
    solve: Callable[[Recorder, Any], End]
    largest: int | None = None

    @property
    def installed(self) -> bool:
        """Whether its package can be found; nothing is imported."""
        return importlib.util.find_spec(self.package) is not None

    def run(self, problem: Any, cap: int, patience: int | None = None) -> Run:
        """Run it from x0 until it ends by itself or ``cap`` evaluations are spent."""
        record = Recorder(problem, cap, patience)
        return record.run(lambda: self.solve(record, problem.x0))


def torch_lbfgs(record: Recorder, x0: Any) -> End:
    """Run torch.optim.LBFGS with its strong Wolfe search and ten pairs."""
    import torch

    w = torch.tensor(x0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [w],
        max_iter=record.cap,
        max_eval=2 * record.cap,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        f, g = record(w.detach().numpy().copy())
        w.grad = torch.tensor(g)
        return torch.tensor(f)

    optimizer.step(closure)
    return "step ended", not np.isfinite(record.values[-1])


@functools.cache
def traced() -> Callable[[Any], Any]:
    """Return what `ASKED` asks as a function that JAX can trace and differentiate once.

    It is one function for all problems, as JAX compiles anew for each. When evaluations are spent
    it says infinity: an error cannot leave a compiled loop.
    """
    import jax

    def both(x: Any) -> tuple[Any, Any]:
        point, record = np.array(x), ASKED[-1]
        if record.spent:
            return np.float64(np.inf), np.zeros_like(point)
        f, g = record.again(point)
        return np.float64(f), np.asarray(g, np.float64)

    def call(x: Any) -> Any:
        shapes = jax.ShapeDtypeStruct((), np.float64), jax.ShapeDtypeStruct(x.shape, np.float64)
        return jax.pure_callback(both, shapes, x)

    @jax.custom_jvp
    def fun(x: Any) -> Any:
        return call(x)[0]

    @fun.defjvp
    def slope(points: Any, tangents: Any) -> Any:
        f, g = call(points[0])
        return f, g @ tangents[0]

    return fun


@functools.cache
def optax_step() -> Any:
    """Return optax.lbfgs, and a step of it that is compiled once for each number of variables."""
    import jax
    import optax

    fun = traced()
    optimizer = optax.lbfgs()
    both = optax.value_and_grad_from_state(fun)

    @jax.jit
    def step(w: Any, state: Any) -> Any:
        f, g = both(w, state=state)
        moves, state = optimizer.update(g, state, w, value=f, grad=g, value_fn=fun)
        return optax.apply_updates(w, moves), state

    return optimizer, step


def optax_lbfgs(record: Recorder, x0: Any) -> End:
    """Run optax.lbfgs with its zoom search and ten pairs."""
    import jax

    ASKED[:] = [record]
    with jax.enable_x64(True):
        optimizer, step = optax_step()
        w = jax.numpy.asarray(x0)
        state = optimizer.init(w)
        while not record.spent:
            before = np.asarray(w)
            w, state = step(w, state)
            if not np.isfinite(w).all():
                return "x is not finite", True
            if np.array_equal(w, before):
                return "x no longer changes", False
    return "evaluations spent", False


@functools.cache
def optimistix_solver(name: str) -> tuple[Any, Callable[[Any, Any], Any]]:
    """Return a minimiser of optimistix, and the objective in its form."""
    import optimistix

    fun = traced()
    # relative and absolute tolerances below which it would end; 0 is never reached
    return getattr(optimistix, name)(rtol=0.0, atol=0.0), lambda x, _: fun(x)


def of_optimistix(name: str, record: Recorder, x0: Any) -> End:
    """Run a minimiser of optimistix."""
    import jax
    import optimistix

    ASKED[:] = [record]
    with jax.enable_x64(True):
        solver, fun = optimistix_solver(name)
        answer = optimistix.minimise(
            fun, solver, jax.numpy.asarray(x0), max_steps=record.cap, throw=False
        )
    return "ended", not np.isfinite(answer.value).all()


def of_nlopt(name: str, record: Recorder, x0: Any) -> End:
    """Run a gradient-based algorithm of NLopt; it may end early, with an error for a message."""
    import nlopt

    solver = nlopt.opt(getattr(nlopt, name), x0.size)

    def fun(x: Any, gradient: Any) -> float:
        f, g = record(x.copy())
        if gradient.size:
            gradient[:] = g
        return float(f)

    solver.set_min_objective(fun)
    solver.set_maxeval(record.cap)
    try:
        solver.optimize(x0)
    except nlopt.RoundoffLimited:
        return "rounding limits", False
    return f"ended with {solver.last_optimize_result()}", False


PEERS = (
    Peer("torch LBFGS", "torch", torch_lbfgs),
    Peer("optax L-BFGS", "optax", optax_lbfgs),
    Peer("optimistix LBFGS", "optimistix", functools.partial(of_optimistix, "LBFGS")),
    Peer("optimistix BFGS", "optimistix", functools.partial(of_optimistix, "BFGS"), LARGEST_MATRIX),
    Peer("NLopt LBFGS", "nlopt", functools.partial(of_nlopt, "LD_LBFGS")),
    Peer("NLopt VAR2", "nlopt", functools.partial(of_nlopt, "LD_VAR2"), LARGEST_MATRIX),
    Peer("NLopt TNEWTON", "nlopt", functools.partial(of_nlopt, "LD_TNEWTON_PRECOND_RESTART")),
)
