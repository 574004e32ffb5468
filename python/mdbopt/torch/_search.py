"""What all searches share as torch.optim.Optimizer: steps that evaluate a closure."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from mdbopt import _checks
from mdbopt._arrays import real_value
from mdbopt._bounds import within
from mdbopt._shards import telling
from mdbopt.searches._base import Search as Options
from mdbopt.searches._state import SearchState
from mdbopt.torch._constraints import penalties_of, rows_of
from mdbopt.torch._dtensors import check_kinds, is_dtensor, layout_of, local, local_gradient
from mdbopt.torch._evaluation import Seen, same, seen
from mdbopt.torch._hooks import (
    get_eval_frame_callback,
    observed,
    outside_of_graphs,
    with_hooks,
)
from mdbopt.torch._parameters import checked_group, plain
from mdbopt.torch._saved import load_exactly, unwrapped
from mdbopt.torch._together import Together

_DTYPES = (torch.float64, torch.float32)
_GROUPS = ("coordinate", "tensor")
# What the state of the first parameter holds beside the search's own entries.
_PREFIX = "search."


class _Limits(NamedTuple):
    """What a step does at most, and when it ends before."""

    lr: float
    moves: int
    evaluations: int
    gradient: float
    change: float


class Search(torch.optim.Optimizer):
    """A search of `mdbopt` on the parameters of a PyTorch model.

    All parameters are one vector, in their order. A step makes up to ``max_iter`` moves, each after
    one evaluation of the closure or more; none is made twice. See the module `mdbopt.torch`.

    Parameters
    ----------
    params : iterable of tensors or of (name, tensor), or one dict
        float64 or float32, all of one dtype, on the CPU.
    options : dict
        Those of the search in `mdbopt`.
    lr, max_iter, max_eval, tolerance_grad, tolerance_change
        See `Guarded`.
    groups, bounds, l1, reevaluate, maximize, backend, threads, reducer
        See `Guarded`.
    """

    _SEARCH: ClassVar[type[Options]]
    # For torch.amp.GradScaler, which then leaves to `step` what it would do itself: to be refused.
    _step_supports_amp_scaling = True

    def __init__(
        self,
        params: Any,
        options: dict[str, Any],
        lr: Any,
        max_iter: int,
        max_eval: int | None,
        tolerance_grad: float,
        tolerance_change: float,
        *,
        groups: str = "coordinate",
        bounds: Any = None,
        l1: Any = None,
        reevaluate: bool = False,
        maximize: bool = False,
        backend: str | None = None,
        threads: int | None = None,
        reducer: Callable[..., Any] | None = None,
    ) -> None:
        self._label = type(self).__name__
        if reducer is not None:
            _checks.function(f"{self._label}: reducer", reducer)
        self._execution: dict[str, Any] = {
            "backend": backend,
            "threads": threads,
            "reducer": reducer,
        }
        self._forget()
        defaults = {
            **options,
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "groups": groups,
            "bounds": bounds,
            "l1": l1,
            "reevaluate": reevaluate,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _forget(self) -> None:
        """Have no search at work."""
        self._state: SearchState | None = None
        self._search: Options | None = None
        self._seen: Seen | None = None
        self._loss: Any = None
        self._told: float | None = None

    # -- parameters as one vector -----------------------------------------------------------------

    @property
    def _params(self) -> list[Any]:
        params: list[Any] = self.param_groups[0]["params"]
        return params

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take the parameters, of which there is one group.

        Raises
        ------
        TypeError, ValueError
            For a second group, for parameters that are no dense tensors of one dtype on the CPU,
            and for options out of their range.
        """
        if self.param_groups:
            raise ValueError(
                f"{self._label}: param_groups: expected one group, since a search takes all "
                "parameters as one vector"
            )
        checked = checked_group(self._label, param_group, _DTYPES)
        if isinstance(checked, dict):
            group = {**self.defaults, **checked}
            self._check(group)
        super().add_param_group(checked)
        params = self._params
        for i, param in enumerate(params):
            if param.device.type != "cpu":
                raise self._unlike(i, f"lives on {param.device}", "the CPU")
            if param.dtype != params[0].dtype:
                raise self._unlike(i, f"has dtype {param.dtype}", f"{params[0].dtype} as the first")
        try:
            self._together = Together(self._execution["reducer"] or self._reducer_of(params))
            self._options()
        except Exception:
            self.param_groups.clear()
            raise
        self._forget()

    def _reducer_of(self, params: list[Any]) -> Any:
        """Make the reducer of DTensors that are cut; None for others."""
        check_kinds(self._label, params)
        layout = layout_of(params)
        if layout is None and not is_dtensor(params[0]):
            return None
        if layout is None or not layout.alike:
            raise ValueError(
                f"{self._label}: params: expected DTensors that are cut along the same dimensions "
                "of one mesh, since a search takes all of them as one vector"
            )
        return layout.reducer()

    def _unlike(self, i: int, came: str, expected: str) -> Exception:
        self.param_groups.clear()
        return TypeError(f"{self._label}: params[{i}]: {came}, expected {expected}")

    def _check(self, group: dict[str, Any]) -> _Limits:
        """Read what ends a step, or raise."""
        most = _checks.whole(f"{self._label}: max_iter", plain(group["max_iter"]), least=1)
        evaluations = plain(group["max_eval"])
        if evaluations is None:
            evaluations = most * 5 // 4
        _checks.choice(f"{self._label}: groups", group["groups"], _GROUPS)
        for name in ("reevaluate", "maximize"):
            if not isinstance(group[name], bool):
                raise TypeError(
                    f"{self._label}: {name}: expected a bool, got {type(group[name]).__name__}"
                )

        def real(name: str) -> float:
            return _checks.real(f"{self._label}: {name}", plain(group[name]), least=0.0)

        return _Limits(
            real("lr"),
            most,
            _checks.whole(f"{self._label}: max_eval", evaluations, least=1),
            real("tolerance_grad"),
            real("tolerance_change"),
        )

    def _options(self) -> Options:
        """Make the search with the options of the group."""
        group, params = self.param_groups[0], self._params
        own = {"groups", "bounds", "l1", *self._execution}
        names = self._SEARCH.__dataclass_fields__.keys() - own
        options = {name: plain(group[name]) for name in names if name in group}
        options["bounds"] = rows_of(self._label, group["bounds"], params)
        options["l1"] = penalties_of(self._label, group["l1"], params)
        if group["groups"] == "tensor":
            sizes = [local(param).numel() for param in params]
            options["groups"] = np.repeat(np.arange(len(sizes)), sizes)
        return self._SEARCH(**options, **{**self._execution, "reducer": self._together.reducer})

    def _gathered(self, tensors: list[Any]) -> Any:
        """Copy tensors into one vector; a gradient that is None is zero."""
        params = [local(param) for param in self._params]
        size = sum(param.numel() for param in params)
        vector = torch.empty(size, dtype=params[0].dtype)
        parts = vector.split([param.numel() for param in params])
        for param, tensor, part in zip(params, tensors, parts, strict=True):
            if tensor is None:
                part.zero_()
            elif tensor.layout is not torch.strided:
                raise RuntimeError(
                    f"{self._label}: expected dense gradients, got layout {tensor.layout}; sparse "
                    "gradients are not supported"
                )
            else:
                part.view(param.shape).copy_(tensor)
        return vector

    def _scatter(self, vector: Any) -> None:
        """Write a vector to the parameters."""
        pieces = [local(param) for param in self._params]
        parts = torch.as_tensor(vector).split([piece.numel() for piece in pieces])
        for piece, part in zip(pieces, parts, strict=True):
            piece.copy_(part.view(piece.shape))
        if is_dtensor(self._params[0]):
            torch.autograd.graph.increment_version(self._params)

    # -- steps ------------------------------------------------------------------------------------

    @outside_of_graphs
    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Search on, for up to ``max_iter`` moves.

        Parameters
        ----------
        closure : callable
            Clears the gradients, evaluates the loss, calls its ``backward`` and returns it.

        Returns
        -------
        loss
            That at the start of the step, as the closure gave it.

        Raises
        ------
        TypeError
            Without a closure, or when it returns no number.
        RuntimeError
            For sparse gradients, and under a GradScaler, which cannot scale what is compared
            between evaluations.

        Notes
        -----
        The step ends after ``max_iter`` moves or ``max_eval`` evaluations; where max|g| is at most
        ``tolerance_grad``; after a move that changed no parameter, or the loss, by more than
        ``tolerance_change``; and when no move is possible in this precision. The parameters are
        then those of the last move, also when the closure raises; their ``grad`` is that of the
        last evaluation, which may be of a point that was rejected.
        """
        if get_eval_frame_callback() is not None or observed(self):
            return _step_with_hooks(self, *args, **kwargs)
        return self._step(*args, **kwargs)

    @torch.no_grad()
    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        scaled = [self.__dict__.pop(name, None) for name in ("grad_scale", "found_inf")]
        if any(value is not None for value in scaled):
            raise RuntimeError(
                f"{self._label}: GradScaler: expected losses and gradients that are not scaled, "
                "since the search compares those of several evaluations; call "
                "optimizer.step(closure) without it, in float32 or bfloat16 autocast"
            )
        if not callable(closure):
            raise TypeError(
                f"{self._label}: closure: expected a callable that evaluates the loss, got "
                f"{type(closure).__name__}"
            )
        limits = self._check(self.param_groups[0])
        evaluations = self._start(closure)
        loss = self._loss
        search, state = self._search, self._state
        if search is not None and state is not None:
            start = np.array(state._core.x)
            self._search_on(search, state, closure, limits, evaluations)
            if limits.lr != 1.0:
                end = start + start.dtype.type(limits.lr) * (state._core.x - start)
                self._scatter(_inside(search, end))
            # A new dict, since a state that was saved holds the last one.
            self.state[self._params[0]] = {"func_evals": state.nfev, "n_iter": state.accepted}
        self._seen = seen(closure, self._params)
        return loss

    def _search_on(
        self,
        search: Options,
        state: SearchState,
        closure: Callable[[], Any],
        limits: _Limits,
        evaluations: int,
    ) -> None:
        """Evaluate one trial after the other, as far as the limits let it."""
        moves = 0
        while (
            moves < limits.moves
            and evaluations < limits.evaluations
            and not search.converged(state, limits.gradient)
        ):
            f_before, x = state.f, np.array(state._core.x)
            y = state._core.propose(True)
            moved = False
            try:
                with telling(state._core):
                    self._scatter(y)
                    loss, f, g = self._evaluate(closure)
                moved = search.judge(state, f, g) is True
            finally:
                if not moved:
                    self._scatter(x)
            evaluations += 1
            if not moved:
                continue
            moves += 1
            self._loss, self._told = loss, f
            longest = self._together.greatest(float(np.abs(y - x).max(initial=0.0)))
            change = min(abs(state.f - f_before), longest)
            if change <= limits.change:
                break

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[Any, float, Any]:
        """Give the loss as the closure returned it, and f and g of what is minimised."""
        with torch.enable_grad():
            loss = closure()
        if is_dtensor(loss):
            loss = loss.full_tensor()
        f = real_value(f"{self._label}: closure", loss, "the loss, a real number")
        if isinstance(loss, torch.Tensor):
            loss = loss.detach()
        g = self._gathered([local_gradient(self._named, p, p.grad) for p in self._params])
        if self.param_groups[0]["maximize"]:
            return loss, -f, g.neg_()
        return loss, f, g

    def _named(self, param: Any) -> str:
        k = next(k for k, other in enumerate(self._params) if other is param)
        return f"{self._label}: gradient of params[{k}]"

    def _start(self, closure: Callable[[], Any]) -> int:
        """Have a search at the parameters as they are; give the evaluations that it took."""
        x = self._gathered([local(param.detach()) for param in self._params]).numpy()
        search = self._options()
        x = self._moved_inside(search, x)
        state = self._state
        stays = (
            state is not None
            and search == self._search
            and state.status != 3
            and _same_bits(state._core.x, x)
        )
        seen_before = None if self.param_groups[0]["reevaluate"] else self._seen
        known = stays and seen_before is not None and same(closure, self._params, seen_before)
        # What differs on one shard differs for all of them.
        stays, known = self._together.every(stays, known)
        if known:
            return 0
        try:
            self._loss, f, g = self._evaluate(closure)
        except Exception as error:
            self._together.fail(error)
            raise
        stays = (
            stays and state is not None and f == self._told and _same_bits(state._core.g, g.numpy())
        )
        finite = bool(np.isfinite(x).all())
        stays, finite, empty = self._together.every(stays, finite, x.size == 0)
        if not stays:
            # A search compares values of one function: for another one it begins anew.
            state = search.init(x, f, g.numpy()) if finite and not empty else None
        self._state, self._search, self._told = state, search, f
        return 1

    def _moved_inside(self, search: Options, x: Any) -> Any:
        """Give the parameters within the bounds, where they are then."""
        inside = _inside(search, x)
        if not np.array_equal(inside, x, equal_nan=True):
            i = int(np.argmax(inside != x))
            warnings.warn(
                f"{self._label}: params: expected a point within the bounds, got {x[i]:g} for "
                f"coordinate {i}; it is clipped to them",
                UserWarning,
                stacklevel=3,
            )
            self._scatter(inside)
        return inside

    # -- saving -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Give the state of the search and the options, to be saved.

        Returns
        -------
        dict
            As `torch.optim.Optimizer.state_dict`: the search's entries, plain tensors and numbers,
            are in the state of the first parameter.
        """
        self._note()
        saved: dict[str, Any] = super().state_dict()
        return saved

    def _note(self) -> None:
        """Write the search's entries into the state of the first parameter."""
        if self._state is None:
            return
        entry = self.state[self._params[0]]
        # f without the penalty, which the next evaluation is compared with.
        entry["told"] = self._told
        for name, value in self._state.items():
            kept = torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
            entry[_PREFIX + name] = kept

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state, to the same bits.

        The next step evaluates the closure at the parameters. Where these, the loss and its
        gradient are what they were, the search goes on; else it begins anew.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` gave.

        Raises
        ------
        TypeError, ValueError
            When it is not a state of this search over as many parameters. Nothing has changed
            then.
        """
        before = dict(self.__dict__)
        try:
            load_exactly(self, super().load_state_dict, state_dict)
        except Exception:
            self.__dict__.update(before)
            raise

    def __getstate__(self) -> dict[str, Any]:
        self._note()
        own = {"_execution": self._execution, "_label": self._label}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.defaults.pop("differentiable", None)
        self._forget()
        self._together = Together(self._execution["reducer"] or self._reducer_of(self._params))
        group = self.param_groups[0]
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        entry = self.state.get(self._params[0], {})
        for name, value in entry.items():
            entry[name] = unwrapped(value)
        saved = {
            name.removeprefix(_PREFIX): value.numpy() if isinstance(value, torch.Tensor) else value
            for name, value in entry.items()
            if name.startswith(_PREFIX)
        }
        if saved:
            self._search = self._options()
            self._state = self._search.restore(saved)
            # A state without the entry has no penalty.
            self._told = entry.get("told", self._state.f)
            size = sum(local(param).numel() for param in self._params)
            if self._state._core.x.size != size:
                raise ValueError(
                    f"{self._label}: state: is of {self._state._core.x.size} parameters, expected "
                    f"{size}"
                )


def _plain_step(optimizer: Search, *args: Any, **kwargs: Any) -> Any:
    return optimizer._step(*args, **kwargs)


_step_with_hooks = with_hooks(_plain_step)


def _inside(search: Options, x: Any) -> Any:
    """Clip a point to the bounds of a search."""
    return x if search.bounds is None else np.clip(x, *within(search.bounds, x.dtype).T)


def _same_bits(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.tobytes() == b.tobytes())
