"""What all first-order optimizers share as torch.optim.Optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from mdbopt import _checks, _rules
from mdbopt._arrays import dtype_name
from mdbopt._shards import words_of
from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._cautious import HeldBack
from mdbopt.optimizers._hints import unknown_option
from mdbopt.optimizers._storage import (
    check_formats,
    check_start,
    is_codes,
    low_like,
    stored_like,
)
from mdbopt.torch._dtensors import check_codes, is_dtensor
from mdbopt.torch._hooks import (
    get_eval_frame_callback,
    observed,
    outside_of_graphs,
    with_hooks,
)
from mdbopt.torch._parameters import arithmetic, checked_group, plain
from mdbopt.torch._plan import Plan
from mdbopt.torch._rows import check_sparse, is_sparse
from mdbopt.torch._saved import fit_state, load_exactly
from mdbopt.torch._sharded import Sharded, sharded
from mdbopt.torch._together import Together

# What the core's hyperparameters are called in torch.optim.
_SPREAD = {"betas": ("beta1", "beta2", "beta3")}
_RENAMED = {"initial_accumulator_value": "initial", "decoupled_weight_decay": "decoupled"}
# Options that a group's class may lack: `AMSGrad`, which is Adam's with amsgrad, has none.
_ABSENT = ("cautious", "cautious_weight_decay")
# Names that choose between torch.optim's implementations, of which there is one here.
_IMPLEMENTATIONS = ("foreach", "fused", "capturable", "differentiable")


class Update(torch.optim.Optimizer):
    """A first-order optimizer of `mdbopt.optimizers` on the parameters of a PyTorch model.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts
        See the module `mdbopt.torch`.
    defaults : dict
        The hyperparameters of the class.
    **common
        See the module `mdbopt.torch`.
    """

    _step_supports_amp_scaling = True

    _OPTIMIZER: ClassVar[type[Optimizer]]
    # The names of the core's arrays in `state`, torch.optim's where it has them.
    _NAMES: ClassVar[Mapping[str, str]] = {}
    # Hyperparameters that are not the core's.
    _OWN: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        params: Any,
        defaults: dict[str, Any],
        *,
        decay: str = "adamw",
        maximize: bool = False,
        rounding: str = "nearest",
        seed: int = 0,
        flush_subnormals: bool = True,
        state_dtype: str | None = None,
        state_rounding: str = "stochastic",
        master: str | None = None,
        max_update: float | None = None,
        l1: float = 0.0,
        average: float | None = None,
        max_norm: float | None = None,
        backend: str | None = None,
        threads: int | None = None,
        reducer: Callable[..., Any] | None = None,
        **others: Any,
    ) -> None:
        self._label = type(self).__name__
        if issubclass(self._OPTIMIZER, HeldBack):
            for name, absent in (("cautious", None), ("cautious_weight_decay", False)):
                defaults[name] = others.pop(name, absent)
        self._check_others(others, defaults)
        defaults.update(
            decay=decay,
            maximize=maximize,
            rounding=rounding,
            seed=seed,
            flush_subnormals=flush_subnormals,
            state_dtype=state_dtype,
            state_rounding=state_rounding,
            master=master,
            max_update=max_update,
            average=average,
        )
        defaults.setdefault("l1", l1)  # FTRL has its own
        if max_norm is not None:
            max_norm = _checks.real(f"{self._label}: max_norm", max_norm, least=0.0, strict=True)
        if reducer is not None:
            _checks.function(f"{self._label}: reducer", reducer)
        self.max_norm = max_norm
        self.total_norm: Any = None
        self._execution: dict[str, Any] = {
            "backend": backend,
            "threads": threads,
            "reducer": reducer,
        }
        self._plan: Plan | None = None
        self._sharded: Sharded | None = None
        self._shown = False  # whether parameters are their average
        super().__init__(params, defaults)

    def _check_others(self, others: dict[str, Any], defaults: dict[str, Any]) -> None:
        """Raise for options that there are not, and where one would have to change what is done."""
        common = (
            "decay",
            "maximize",
            "rounding",
            "seed",
            "flush_subnormals",
            "max_norm",
            "backend",
        )
        stored = ("state_dtype", "state_rounding", "master", "max_update", "l1", "average")
        for name, value in others.items():
            if name not in _IMPLEMENTATIONS:
                known = {*defaults, *common, *stored, "threads", "reducer"}
                raise TypeError(unknown_option(self._label, name, known))
            if value is not None and not isinstance(value, bool):
                raise TypeError(
                    f"{self._label}: {name}: expected a bool or None, got {type(value).__name__}"
                )
            if name == "differentiable" and value:
                raise ValueError(
                    f"{self._label}: differentiable: expected False, since steps are taken outside "
                    "of autograd"
                )

    # -- what the core is asked for ---------------------------------------------------------------

    def _hyperparameters(self) -> tuple[str, ...]:
        """Name what a call of the core has in common."""
        names = set(self.defaults) - {"lr", "weight_decay", "differentiable"}
        return tuple(sorted(names))

    def _class(self, group: dict[str, Any]) -> type[Optimizer]:
        return self._OPTIMIZER

    def _unit(self, group: dict[str, Any]) -> float:
        """Give the lr that the core's options are made with; steps have their own."""
        return 1.0

    def _optimizer_of(self, group: dict[str, Any]) -> Optimizer:
        """Make the core's optimizer with the hyperparameters of a group, checked."""
        options: dict[str, Any] = {}
        for name in self._hyperparameters():
            value = group[name]
            if isinstance(value, list):
                value = group[name] = tuple(value)
            if name in self._OWN or (not value and name in _ABSENT):
                continue
            if name in _SPREAD:
                known = self._class(group).__dataclass_fields__
                names = [each for each in _SPREAD[name] if each in known and each not in group]
                values = _tuple_of(len(names), f"{self._label}: {name}", value)
                options.update(zip(names, map(plain, values), strict=True))
            else:
                options[_RENAMED.get(name, name)] = plain(value)
        for name in ("lr", "weight_decay"):
            _checks.real(f"{self._label}: {name}", plain(group[name]), least=0.0)
        kind = self._class(group)
        options = {**options, **self._execution, "lr": self._unit(group), "weight_decay": 0.0}
        return kind(**options)

    def _streams(self, optimizer: Any) -> dict[str, str]:
        """Map the core's names of a state's arrays to those in `state`."""
        streams = [*optimizer._arrays(), *(["low"] if optimizer.master else [])]
        return {stream: self._NAMES.get(stream, stream) for stream in streams}

    def _core_options(self, optimizer: Any) -> dict[str, Any]:
        options: dict[str, Any] = optimizer._options()
        return options

    def _rate(self, group: dict[str, Any], t: int) -> float:
        """Give the step size of a group after t steps."""
        return float(group["lr"])

    def _decay(self, group: dict[str, Any]) -> Any:
        """Give the decay of a group as the core takes it, which multiplies it by lr."""
        decay, kind = plain(group["weight_decay"]), group["decay"]
        if kind == "adamw":
            return decay
        where = f"{self._label}: peak_lr"
        peak = _checks.real(where, plain(group.get("peak_lr")), least=0.0, strict=True)
        return (1.0 if kind == "independent" else plain(group["lr"])) * decay / peak

    # Where a class has no other, the core reads lr itself.
    _PLAIN_RATE: ClassVar = _rate

    def _start(self, stream: str, value: float | None, group: dict[str, Any]) -> float | None:
        """Give what an array of a state holds at first; None is a copy of the parameter."""
        return value

    def _counts(self, optimizer: Any, group: dict[str, Any]) -> bool:
        """Tell whether a step depends on how many came before."""
        random = optimizer.rounding == "stochastic" or optimizer._stores_stochastically()
        return random or optimizer._rule() in _COUNTING

    def _begin(
        self, param: Any, group: dict[str, Any], optimizer: Any
    ) -> tuple[int, tuple[str, float] | None]:
        """Complete the state of a parameter; tell its step count and the number it carries."""
        state = self.state[param]
        known = any(isinstance(value, torch.Tensor) for value in state.values())
        step = state.get("step")
        if step is None:
            # torch.optim.SGD keeps none; where there is momentum, there was a step.
            step = state["step"] = torch.tensor(1.0 if known else 0.0)
        fresh = False
        arrays, formats = optimizer._arrays(), optimizer._formats()
        for stream, name in self._streams(optimizer).items():
            if state.get(name) is not None:
                continue
            if stream == "low":
                state[name] = low_like(param)
                continue
            fresh = fresh or stream != "average"
            check_start(
                f"{self._label}: initial_accumulator_value",
                arrays[stream],
                self._name_of(param),
                dtype_name(param),
            )
            value = self._start(stream, arrays[stream], group)
            state[name] = _filled(param, value, formats.get(stream))
        t = int(step)
        if optimizer._rule() == "sgd_momentum" and fresh:
            t = 0  # a momentum that begins is the gradient, as in torch.optim
        carried = None
        if optimizer._rule() in _CARRIED:
            name, first = _CARRIED[optimizer._rule()]
            number = state.setdefault(name, torch.tensor(first, dtype=torch.float64))
            carried = name, float(number)
        if optimizer._rule() in _EACH:
            name, first = _EACH[optimizer._rule()]
            state.setdefault(name, torch.tensor(first, dtype=torch.float64))
        return (t if self._counts(optimizer, group) else 0), carried

    def _check_gradient(self, param: Any, grad: Any, optimizer: Any) -> None:
        """Raise for a gradient that no step can be taken with."""
        where = f"{self._label}: gradient of {self._name_of(param)}"
        if is_sparse(grad):
            check_sparse(where, param, grad, optimizer)
        elif grad.layout is not torch.strided:
            raise RuntimeError(
                f"{where}: expected a dense gradient, or sparse rows of layout torch.sparse_coo, "
                f"got layout {grad.layout}"
            )

    def _name_of(self, param: Any) -> str:
        for k, group in enumerate(self.param_groups):
            for i, other in enumerate(group["params"]):
                if other is param:
                    names = group.get("param_names")
                    return repr(names[i]) if names else f"parameter {i} of group {k}"
        return "a parameter"

    # -- torch.optim.Optimizer --------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own.

        Parameters
        ----------
        param_group : dict
            ``"params"`` and what differs from the defaults.

        Raises
        ------
        TypeError, ValueError
            When a parameter is no dense tensor of floats, stands in two places, or an option is out
            of its range. Nothing is added then.
        """
        checked = checked_group(self._label, param_group)
        if isinstance(checked, dict):
            complete = {**self.defaults, **checked}
            lr = complete["lr"]
            if isinstance(lr, torch.Tensor) and lr.numel() != 1:
                raise ValueError(
                    f"{self._label}: lr: expected one number, got a tensor of shape "
                    f"{tuple(lr.shape)}"
                )
            self._check_formats(self._optimizer_of(complete), checked["params"])
            if complete["decay"] != "adamw":
                checked["peak_lr"] = complete.get("peak_lr", plain(lr))
                self._decay({**complete, **checked})
        super().add_param_group(checked)
        self._plan = None
        try:
            self._sharded = sharded(self, self._all_params())
        except Exception:
            self.param_groups.pop()
            raise

    def _check_formats(self, optimizer: Optimizer, params: list[Any]) -> None:
        """Raise for parameters whose state cannot be in the format of the options."""
        formats = optimizer._formats()
        for i, item in enumerate(params if formats else ()):
            named = isinstance(item, tuple)
            param = item[1] if named else item
            where = f"{self._label}: {repr(item[0]) if named else f'params[{i}]'}"
            check_formats(where, dtype_name(param), "x" in formats)
            if is_dtensor(param) and any(map(is_codes, formats.values())):
                check_codes(where, param)

    def _all_params(self) -> list[Any]:
        return [param for group in self.param_groups for param in group["params"]]

    @outside_of_graphs
    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Update all parameters that have a gradient, in place.

        Parameters
        ----------
        closure : callable, optional
            Evaluates the model, with gradients, and returns the loss. Called once.

        Returns
        -------
        loss
            What the closure returned; None without one.

        Raises
        ------
        TypeError, ValueError
            When a gradient does not fit its parameter, arrays share memory, or an option is out of
            its range. Nothing has been written then.
        RuntimeError
            For a sparse gradient where the rule, or the place of the parameter, takes none, or that
            is not of whole rows.
        """
        if get_eval_frame_callback() is not None or observed(self):
            return _step_with_hooks(self, *args, **kwargs)
        return self._step(*args, **kwargs)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._update(loss)
        return loss

    def _update(self, loss: Any) -> bool:
        """Take a step, unless it is to be skipped: then False."""
        return self._take(None)

    def _check_point(self) -> None:
        """Raise where the parameters are their average."""
        if self._shown:
            raise ValueError(
                f"{self._label}: params: expected the point where gradients are taken, got the "
                "average; train() goes back"
            )

    def _take(self, scalars: dict[str, float] | None) -> bool:
        self._check_point()
        if self._sharded is not None:
            return self._sharded.take(self, scalars)
        given = self.__dict__
        # Set by PyTorch's GradScaler.
        scaled = "grad_scale" in given or "found_inf" in given
        max_norm = self.max_norm or 0.0
        plan = self._plan
        skip = False
        try:
            norm = None
            if plan is not None and not scaled and scalars is None:
                norm = plan.step_alone(max_norm)
            if norm is None:
                plan, grads = self._plan_of_step()
                scale = _number_of(given.get("grad_scale"), 1.0)
                skip = _number_of(given.get("found_inf"), 0.0) != 0.0
                norm = plan.step(grads, scale, skip, max_norm, scalars)
        except Exception:
            self._explain()
            raise
        if self.max_norm is not None and not skip:
            self.total_norm = norm
        return not skip

    def _check_step(self) -> None:
        """Raise where `_take` would for what it is given, before anything is written.

        DTensors are checked by their own step.
        """
        self._check_point()
        if self._sharded is not None:
            return
        try:
            plan, grads = self._plan_of_step()
            plan.check(grads)
        except Exception:
            self._explain()
            raise

    def _explain(self) -> None:
        """Forget the plan of a step that was refused; name a gradient that is the reason."""
        self._plan = None
        for group in self.param_groups:
            optimizer = self._optimizer_of(group)
            for param in group["params"]:
                if param.grad is not None:
                    self._check_gradient(param, param.grad, optimizer)

    def _plan_of_step(self) -> tuple[Plan, list[list[Any]]]:
        """Give the plan of the next step, made anew where it is another, and its gradients."""
        plan = self._plan
        grads = None if plan is None else plan.gradients()
        if plan is None or grads is None or not plan.takes(grads):
            grads = [[param.grad for param in group["params"]] for group in self.param_groups]
            plan = self._plan = self._planned(grads)
        return plan, grads

    def _planned(self, grads: list[list[Any]]) -> Plan:
        """Plan a step; other shards, if there are any, are told where that is not possible."""
        try:
            return Plan(self, grads)
        except Exception as error:
            reducer = self._execution["reducer"]
            if reducer is not None and not (self._plan and self._plan.fail(words_of(error))):
                Together(reducer).fail(error)
            raise

    @torch.no_grad()
    def eval(self) -> None:
        """Make parameters of groups with ``average`` their average, for evaluation.

        Half precision is rounded to nearest. What they were is ``"parameters"`` of their states
        meanwhile, and is saved. Each group says by ``"averaged"`` whether it is the average;
        nothing is done where it is. Parameters that have taken no step stay.

        Raises
        ------
        ValueError
            When no group has an average.
        """
        for group in self._averaging("eval"):
            if group.get("averaged", False):
                continue
            for param in group["params"]:
                state = self.state.get(param, {})
                if "average" in state:
                    state["parameters"] = param.detach().clone()
                    param.copy_(state["average"])
            group["averaged"] = True
        self._shown = True

    @torch.no_grad()
    def train(self) -> None:
        """Take the parameters back, exactly, from where `eval` put their average.

        Raises
        ------
        ValueError
            When no group has an average.
        """
        for group in self._averaging("train"):
            for param in group["params"]:
                state = self.state.get(param, {})
                if "parameters" in state:
                    param.copy_(state.pop("parameters"))
            group["averaged"] = False
        self._shown = False

    def _averages(self) -> bool:
        """Tell whether there is an average that `eval` shows."""
        return any(group["average"] is not None for group in self.param_groups)

    def _averaging(self, what: str) -> list[dict[str, Any]]:
        """List the groups that keep an average; raise where there is none."""
        found = [group for group in self.param_groups if group["average"] is not None]
        if not found:
            raise ValueError(
                f"{self._label}: {what}: expected a group with an average, got average=None"
            )
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state, of this class or of torch.optim's class of the same rule.

        Arrays keep the precision that they were saved with, float32 for half-precision parameters,
        and are copies.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` gave. Options that it lacks are those of the defaults.

        Raises
        ------
        ValueError
            When its groups do not fit those of this optimizer.
        """
        load_exactly(self, super().load_state_dict, state_dict)

    def __getstate__(self) -> dict[str, Any]:
        own = {name: self.__dict__[name] for name in ("max_norm", "total_norm", "_execution")}
        return {**super().__getstate__(), **own, "_label": self._label}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.defaults.pop("differentiable", None)
        self._plan = None
        for group in self.param_groups:
            for name in _IMPLEMENTATIONS:
                group.pop(name, None)
            for name, value in self.defaults.items():
                group.setdefault(name, value)
            optimizer = self._optimizer_of(group)
            formats = optimizer._formats()
            streams = {name: stream for stream, name in self._streams(optimizer).items()}
            for param in group["params"]:
                if param in self.state:
                    fit_state(self.state[param], param, streams, formats)
        self._sharded = sharded(self, self._all_params())
        self._shown = any(group.get("averaged") for group in self.param_groups)


def _plain_step(optimizer: Update, *args: Any, **kwargs: Any) -> Any:
    return optimizer._step(*args, **kwargs)


_step_with_hooks = with_hooks(_plain_step)

# The number of a rule that follows from the steps of a parameter alone, and what it is at first;
# other numbers are of a group.
_CARRIED = {
    "nadam": ("mu_product", 1.0),
    "schedule_free_sgd": ("weight_sum", 0.0),
    "schedule_free_adam": ("weight_sum", 0.0),
}

# The number of a rule that is kept for each parameter, and what it is at first.
_EACH = {"novograd": ("v", 0.0)}

# Rules whose steps depend on how many came before.
_COUNTING = frozenset(
    rule["name"]
    for rule in _rules.described().values()
    if any(name == "t" for name, *_ in rule["scalars"])
)


def _number_of(value: Any, absent: float) -> float:
    return absent if value is None else float(value)


def _tuple_of(count: int, where: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or len(value) != count:
        raise ValueError(f"{where}: expected {('two', 'three')[count - 2]} numbers, got {value!r}")
    return value


def _filled(param: Any, value: float | None, format_: str | None) -> Any:
    """Make an array of a state, laid out as a parameter or in a format."""
    with torch.no_grad():
        if value is not None and format_ is not None:
            return stored_like(param.detach(), format_, value)
        if value is None:
            return param.detach().to(arithmetic(param), copy=True)
        return torch.full_like(param, value, dtype=arithmetic(param), requires_grad=False)
