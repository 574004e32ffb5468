"""One run of `minimize`: the loop around the state of a search, its trace, how they are saved."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt._arrays import Library
from mdbopt._methods._iteration import Iteration
from mdbopt._minimize import checkpoint as checkpoint_file
from mdbopt._minimize.callback import Callback
from mdbopt._minimize.estimate import NOISE_CALLS
from mdbopt._minimize.methods import Method
from mdbopt._minimize.objective import Objective, Start
from mdbopt._minimize.progress import Progress
from mdbopt._minimize.result import MinimizeResult
from mdbopt._minimize.trace import Trace
from mdbopt.searches import SearchState
from mdbopt.searches._base import begin
from mdbopt.searches._state import loaded

CONVERGED, LIMIT, PRECISION, NOT_FINITE, NOISE, STOPPED = 0, 1, 2, 3, 4, 99


@dataclass(frozen=True)
class Limits:
    gtol: float
    ftol: float
    maxiter: int
    maxfun: int


class Run:
    """One run: the search's state, the trace, and how they are saved."""

    state: SearchState
    trace: Trace
    identity: str

    def __init__(
        self,
        objective: Objective,
        method: Method,
        options: Mapping[str, Any],
        limits: Limits,
        library: Library,
        return_all: bool,
        noise_calls: int = 0,
    ) -> None:
        self._objective = objective
        self._search = method.build(options)
        self.core = self._search._new()
        self._limits = limits
        self._library = library
        self._noise_calls = noise_calls
        self._points: list[Any] | None = [] if return_all else None
        self._told = math.nan
        self._accepted = 0
        self._stopped = ""
        self._bottom: tuple[Any, Any] | None = None

    def begin(self, start: Start, warm_start: Any = None) -> None:
        self._search._check_size(start.size)
        f, g = self._objective(start.private())
        begin(self.core, start.point, f, g, warm_start)
        self.state = SearchState(self._search, self.core, start.library)
        self.trace = Trace()
        self.trace.add(self.state.f if self._penalised else f, self.state.gmax, True, 0)
        self._keep_point()

    def resume(self, path: str | os.PathLike[str], start: Start) -> None:
        entries = checkpoint_file.read(path)
        saved_identity = str(entries.pop("identity", ""))
        if saved_identity != self.identity:
            raise ValueError(
                f"resume: {os.fspath(path)} was written by {saved_identity}, "
                f"expected {self.identity}"
            )
        x = np.asarray(entries.get("x"))
        shape = (start.size,)
        if x.shape != shape or x.dtype != start.dtype:
            raise ValueError(
                f"resume: {os.fspath(path)} holds x of {x.dtype} and shape {x.shape}, expected "
                f"{start.dtype} and {shape} (as x0)"
            )
        try:
            self.state = loaded(self._search, entries, start.library, start.device, self.core)
            self.trace = Trace.restored(entries, self.state.nfev)
        except (TypeError, ValueError) as error:
            raise ValueError(f"resume: {os.fspath(path)}: {error}") from error
        self._accepted = self.state.accepted
        self._keep_point()

    def save(self, path: str | os.PathLike[str]) -> None:
        core = self.state._core
        if len(self.trace) < core.evaluations:  # interrupted after a judgement
            self._record(self._told)
        entries = {"identity": np.array(self.identity), NOISE_CALLS: np.array(self._noise_calls)}
        checkpoint_file.write(path, {**core.save(), **self.trace.saved(), **entries})

    def _record(self, f: float) -> tuple[bool, float]:
        """Add what was judged to the trace; return whether x moved, and f with its penalty."""
        core = self.state._core
        moved = core.accepted > self._accepted
        self._accepted = core.accepted
        f = core.trial_f if self._penalised else f
        self.trace.add(f, core.trial_gmax, moved, core.ncut)
        return moved, f

    def loop(
        self,
        watcher: Callback | None,
        bar: Progress | None,
        checkpoint: str | os.PathLike[str] | None,
        every: int,
    ) -> int:
        core, objective, limits = self.state._core, self._objective, self._limits
        copied = core.device is not None  # on the CPU the objective is given a copy of it anyhow
        while True:
            if core.gmax <= limits.gtol and core.status in (-1, PRECISION, NOISE):
                return CONVERGED
            if core.status != -1:
                return int(core.status)
            if self._exhausts_calls() or core.evaluations > limits.maxiter:
                return LIMIT
            trial = core.propose(copied)
            f, g = objective(trial)
            if f == -math.inf and not self._library.is_device:
                self._bottom = self._give(trial), self._give(g)
            before = core.f
            self._told = f
            core.judge(f, g)
            moved, f = self._record(f)
            if moved:
                self._keep_point()
            if bar is not None:
                bar.update(core.f, core.gmax)
            if checkpoint is not None and core.evaluations % every == 0:
                self.save(checkpoint)
            if watcher is not None and watcher.stops(lambda: self._current(moved), self._x):  # noqa: B023
                self._stopped = watcher.message
                return STOPPED
            lowered = before - f if self._search.monotone else abs(before - f)
            if moved and limits.ftol > 0.0 and lowered <= limits.ftol * max(abs(f), 1.0):
                return CONVERGED

    @property
    def _bounded(self) -> bool:
        return getattr(self._search, "bounds", None) is not None

    @property
    def _penalised(self) -> bool:
        return getattr(self._search, "l1", None) is not None

    @property
    def _noise(self) -> tuple[float, float] | None:
        return getattr(self._search, "noise", None)

    @property
    def nfev(self) -> int:
        """Calls of fun: one for each f, those of differences where f is finite, those for noise."""
        calls = self._objective.gradient_calls * self.trace.finite
        return len(self.trace) + calls + self._noise_calls

    def _exhausts_calls(self) -> bool:
        """Whether another f and its gradient would take more calls than are left."""
        return self.nfev + 1 + self._objective.gradient_calls > self._limits.maxfun

    def _keep_point(self) -> None:
        if self._points is not None:
            self._points.append(self._x())

    def _give(self, view: Any) -> Any:
        if self.state._core.device is not None:  # a copy already
            return self._library.from_device(view)
        return self._library.from_numpy(np.array(view))

    def _x(self) -> Any:
        return self._give(self.state._core.x)

    def _current(self, accepted: bool) -> MinimizeResult:
        core = self.state._core
        return MinimizeResult(
            x=self._x(),
            fun=core.f,
            jac=self._give(core.g),
            nit=core.evaluations - 1,
            nfev=self.nfev,
            step_sizes=self._give(core.step_sizes()),
            accepted=accepted,
        )

    def result(self, status: int) -> MinimizeResult:
        core = self.state._core
        if isinstance(core, Iteration) and (status != CONVERGED or core.gmax > self._limits.gtol):
            core.settle()
        result = self._current(accepted=True)
        del result["accepted"]
        result.njev = self.state.nfev
        result.status = status
        result.success = status in (CONVERGED, NOISE)
        result.message = self._message(status)
        result.ncut = self.state.ncut
        if self._bounded:
            result.active = self.state.active
        if self._noise is not None:
            result.noise = self._noise
        result.trace = self.trace.arrays()
        if not isinstance(core, Iteration):
            result.state = self.state
        if self._points is not None:
            result.allvecs = self._points
        return result

    def fall_through(self, result: MinimizeResult) -> None:
        """Move a result of an unbounded objective to the last point where it was -inf, if any."""
        if result.status == NOT_FINITE and self._bottom is not None:
            result.x, result.jac = self._bottom
            result.fun = -math.inf

    def _message(self, status: int) -> str:
        message = self._outcome(status)
        differences = self._objective.differences
        if differences is None:
            return message
        better = "fewer evaluations" if differences.exact else "more digits and fewer evaluations"
        return (
            f"{message} The gradient was found by differences (jac='{differences.scheme}'); one "
            f"that is computed (jac=True or a callable) would do better: {better}."
        )

    def _outcome(self, status: int) -> str:
        if status == CONVERGED:
            if self.state.gmax <= self._limits.gtol:
                g = "subgradient" if self._penalised else "g"
                g = f"projected {g}" if self._bounded else g
                return (
                    f"Converged: max|{g}| = {self.state.gmax:.3g} <= gtol = {self._limits.gtol:g}."
                )
            return (
                f"Converged: the last step lowered f by no more than ftol = {self._limits.ftol:g}."
            )
        if status == LIMIT:
            if self._exhausts_calls():
                return (
                    "Maximum number of function evaluations has been exceeded: maxfun = "
                    f"{self._limits.maxfun}."
                )
            return (
                f"Maximum number of iterations has been exceeded: maxiter = {self._limits.maxiter}."
            )
        if status == PRECISION:
            return f"Desired error not necessarily achieved due to precision loss: {self._why()}"
        if status == NOISE:
            of_f, of_g = self._noise or (0.0, 0.0)
            return (
                f"At the noise floor: noise of {of_f:.3g} in f and {of_g:.3g} in its gradient "
                "hides whether a step lowers f."
            )
        if status == NOT_FINITE:
            if self.state.nfev > 1:
                return "The problem is unbounded: the objective decreases to -inf."
            if self.state.f == -math.inf:
                return "The problem is unbounded: the objective is -inf at x0."
            return "NaN result encountered: f or its gradient is not finite at x0."
        return self._stopped

    def _why(self) -> str:
        won = self._noise is None or self.state.f < self.trace.first - 2.0 * self._noise[0]
        if self.state.accepted > 0 and won:
            return "no further progress, as a step no longer lowers f or changes x."
        beyond = "" if self._noise is None else " or noise"
        return (
            f"no step from x0 lowers f. x0 is optimal to this precision{beyond}, or the gradient "
            "is not that of the objective (scipy.optimize.check_grad tells)."
        )
