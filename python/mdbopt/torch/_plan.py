"""What a step of an optimizer calls: all parameters with a gradient, in as few calls as can be."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import torch

from mdbopt import _core
from mdbopt.torch._clip import norm_of, scale_within
from mdbopt.torch._parameters import plain
from mdbopt.torch._rows import RowsOfStep, is_sparse
from mdbopt.torch._together import Together


class Call:
    """One call of the core: parameters with the same hyperparameters and, if it counts, step count.

    Step sizes and decays may differ between the groups of its parameters.

    Parameters
    ----------
    owner : Update
        Whose parameters they are.
    optimizer : mdbopt.optimizers.Optimizer
        The rule with its hyperparameters; not its lr and decay.
    t : int
        How many steps the parameters have taken.
    carried : (str, float) or None
        The number that goes on with each parameter, such as NAdam's product of momenta.
    """

    def __init__(
        self, owner: Any, optimizer: Any, t: int, carried: tuple[str, float] | None
    ) -> None:
        self._owner = owner
        self._optimizer = optimizer
        self.t = t
        self.carried = carried
        self.params: list[list[Any]] = []
        self.states: list[list[dict[str, Any]]] = []
        self._groups: list[dict[str, Any]] = []
        self._sources: list[tuple[int, list[int] | None]] = []
        self.by_rows = False  # whether gradients are sparse, or have been

    def add(self, k: int, places: list[int] | None, members: list[tuple[Any, Any]]) -> None:
        """Take in parameters of the k-th group with their states, all of them without places."""
        self._sources.append((k, places))
        self._groups.append(self._owner.param_groups[k])
        self.params.append([param for param, _ in members])
        self.states.append([state for _, state in members])

    def prepare(self) -> None:
        """Make the core's part, once all parameters are in."""
        owner = self._owner
        streams = owner._streams(self._optimizer)
        arrays = {
            stream: self._tree([[state[name] for state in states] for states in self.states])
            for stream, name in streams.items()
        }
        self._trees = self._tree(self.params)
        self._core = _core.Update(owner._core_options(self._optimizer), owner._label, arrays)
        self._core.t = self.t
        numbers = self._core.numbers()
        if self.carried is not None:
            self._core.set_number(*self.carried)
        each = [name for name, value in numbers.items() if isinstance(value, tuple)]
        self._each = each[0] if each else None
        if self._each is not None:
            states = chain.from_iterable(self.states)
            self._core.set_numbers(self._each, [float(state[self._each]) for state in states])
        own = (self._each, (self.carried or ("",))[0])
        self._shared = [name for name in numbers if name not in own]
        for name in self._shared:
            known = [group[name] for group in self._groups if name in group]
            if known:
                self._core.set_number(name, float(known[0]))
        self._tell()

    def _tree(self, lists: list[Any]) -> Any:
        """Give the list of a single group itself, which the core walks sooner."""
        return lists[0] if len(lists) == 1 else lists

    def _tell(self) -> None:
        """Write what all parameters of the call have in common into their groups."""
        numbers = self._core.numbers() if self._shared else {}
        self._told = [(name, numbers[name]) for name in self._shared]
        for group in self._groups:
            group.update(self._told)

    def step(
        self, grads: list[Any], scale: float, skip: bool, max_norm: float, scalars: Any
    ) -> Any:
        """Step, or with ``skip`` check everything and change nothing; see `Optimizer.step`."""
        groups = self._groups
        for name, told in self._told:
            changed = [group[name] for group in groups if group[name] != told]
            if changed:
                self._core.set_number(name, float(changed[0]))
        chosen = [_chosen(grads[k], places) for k, places in self._sources]
        touched = self._rows(chosen) if self.by_rows else None
        rates = [self._owner._rate(group, self.t) for group in groups]
        decays = [self._owner._decay(group) for group in groups]
        taken = self._core.step(
            self._trees,
            self._tree(chosen if touched is None else [each.grads for each in touched]),
            rates[0] if rates.count(rates[0]) == len(rates) else rates,
            scale,
            skip,
            max_norm,
            None,
            scalars,
            None,
            decays[0] if decays.count(decays[0]) == len(decays) else decays,
            None,
            None if touched is None else self._tree([each.runs for each in touched]),
        )
        if not skip:
            for each in touched or ():
                each.count()
            self.t += 1
            if self._shared:
                self._tell()
        return taken

    def _rows(self, grads: list[list[Any]]) -> list[RowsOfStep]:
        """Give the rows that a step touches, by group."""
        makes_up = self._optimizer.decoupled and self._optimizer._MAKES_UP
        lists = zip(self.params, grads, self.states, strict=True)
        return [RowsOfStep(*each, makes_up) for each in lists]

    def fail(self, words: str) -> None:
        """Tell the other shards of an error, if a step exchanges anything."""
        self._core.fail(words, self._owner.max_norm is not None)

    def is_plain(self) -> bool:
        """Tell whether a step needs no numbers but each group's lr and decay, as they are."""
        owner = type(self._owner)
        plain_rate = owner._rate is owner._PLAIN_RATE and self._optimizer.decay == "adamw"
        other = self._shared or self.number_name is not None or self.by_rows
        return plain_rate and not other

    @property
    def number_name(self) -> str | None:
        """The name of the number that each parameter's state has, if there is one."""
        return self.carried[0] if self.carried else self._each

    @property
    def number(self) -> Any:
        """That number as it is now: one for all parameters, or a tuple of those of each."""
        name = self.number_name
        return 0.0 if name is None else self._core.numbers()[name]


class Plan:
    """The calls of a step, and all that they were made from.

    A plan holds as long as hyperparameters, parameters, which of them have a gradient, and the
    tensors of their states are the same objects, and nobody else has written to the step counts.
    What memory the tensors have, and in which form, the core looks at in every step.

    Parameters
    ----------
    owner : Update
        Its states are begun where they lack something.
    grads : list of lists of tensor or None
        The gradients of each group.
    """

    def __init__(self, owner: Any, grads: list[list[Any]]) -> None:
        self._owner = owner
        names = owner._hyperparameters()
        # A tensor's number may change without a trace.
        self._fixed = not any(
            _holds_tensors(group[name]) for group in owner.param_groups for name in names
        )
        calls: dict[Any, Call] = {}
        for k, group in enumerate(owner.param_groups):
            for key, places in self._alike(group, grads[k]).items():
                if key not in calls:
                    calls[key] = Call(owner, *key[:3])
                params = [group["params"][i] for i in places]
                whole = len(places) == len(grads[k])
                members = [(param, owner.state[param]) for param in params]
                calls[key].add(k, None if whole else places, members)
                calls[key].by_rows |= any(
                    is_sparse(grads[k][i]) or "row_t" in owner.state[group["params"][i]]
                    for i in places
                )
        self._sparse = _places_of_sparse(grads)
        self._calls = list(calls.values())
        for call in self._calls:
            call.prepare()
        states = [state for call in self._calls for state in chain.from_iterable(call.states)]
        # The counts are one array, of which each parameter's state holds an element of its own:
        # to count is one operation then, and to see whether somebody else did another.
        self._steps = np.array([float(state["step"]) for state in states], np.float32)
        _share(states, "step", self._steps)
        self._numbers: Any = None
        name = next((call.number_name for call in self._calls if call.number_name), None)
        if name is not None:
            self._numbers = np.array([float(state[name]) for state in states])
            _share(states, name, self._numbers)
        counts = [self._steps] if self._numbers is None else [self._steps, self._numbers]
        # What the core knows by its address.
        entries = [*owner.state.values()]
        values = [entry.values() for entry in entries if isinstance(entry, dict)]
        self._held = [*owner.state, *entries, *chain.from_iterable(values)]
        self._core = _core.Plan(owner.param_groups, grads, owner.state, names, counts)
        # A single call is taken where the core sees that the plan fits.
        self._alone: Call | None = None
        if self._fixed and len(self._calls) == 1 and self._calls[0].is_plain():
            self._alone = self._calls[0]
            self._params = [*chain.from_iterable(self._alone.params)]

    def _alike(self, group: dict[str, Any], grads: list[Any]) -> dict[Any, list[int]]:
        """Sort the parameters of a group that have a gradient by the call that takes them."""
        owner = self._owner
        optimizer = owner._optimizer_of(group)
        sorted_: dict[Any, list[int]] = {}
        for i, (param, grad) in enumerate(zip(group["params"], grads, strict=True)):
            if grad is None:
                continue
            owner._check_gradient(param, grad, optimizer)
            t, carried = owner._begin(param, group, optimizer)
            place = None
            if param.device.type != "cpu":
                # On a device one call takes one dtype and one decay, which may follow a group's lr.
                own = None if optimizer.decay == "adamw" else id(group)
                place = (param.device, param.dtype, plain(group["weight_decay"]), own)
            sorted_.setdefault((optimizer, t, carried, place), []).append(i)
        return sorted_

    def gradients(self) -> list[list[Any]] | None:
        """Give the gradients of each group, or None when the next step is no longer this plan."""
        if not self._fixed:
            return None
        gradients: list[list[Any]] | None = self._core.gradients(
            self._owner.param_groups, self._owner.state
        )
        return gradients

    def step_alone(self, max_norm: float) -> Any:
        """Take the step in one call of the core, or give None where it needs more.

        Nothing has been changed then. Else see `step`, with a scale of 1 and no other numbers.
        """
        call = self._alone
        if call is None:
            return None
        owner = self._owner
        taken = self._core.step(owner.param_groups, owner.state, call._core, self._params, max_norm)
        if taken is not None:
            call.t += 1
        return taken

    def takes(self, grads: list[list[Any]]) -> bool:
        """Tell whether sparse are those of the gradients that were when it was made."""
        return _places_of_sparse(grads) == self._sparse

    def check(self, grads: list[list[Any]]) -> None:
        """Raise where a step would for what it is given; nothing is written."""
        for call in self._calls:
            call.step(grads, 1.0, True, 0.0, None)

    def fail(self, words: str) -> bool:
        """Tell the other shards of an error, by the call that they wait in; False without one."""
        for call in self._calls[:1]:
            call.fail(words)
        return bool(self._calls)

    def step(
        self, grads: list[list[Any]], scale: float, skip: bool, max_norm: float, scalars: Any
    ) -> Any:
        """Take the step; give the norm of the gradients where one is asked for.

        Parameters
        ----------
        grads : list of lists of tensor or None
            Those that `gradients` gave, or that the plan was made with.
        scale : float
            What gradients are divided by.
        skip : bool
            Whether nothing is to be written.
        max_norm : float
            Bounds the norm of all gradients; 0 asks for none.
        scalars : dict or None
            Further numbers for the rule.
        """
        norm = None if self._calls else 0.0
        if len(self._calls) > 1:
            self.check(grads)  # nothing is written before everything is checked
            if max_norm > 0.0 and not skip:
                own = norm_of(chain.from_iterable(grads))
                norm = Together(self._owner._execution["reducer"]).norm(own) / scale
                scale, max_norm = scale_within(scale, norm, max_norm), 0.0
        for call in self._calls:
            taken = call.step(grads, scale, skip, max_norm, scalars)
            norm = taken if max_norm > 0.0 else norm
        if skip:
            return None
        if self._numbers is not None:
            first = 0
            for call in self._calls:
                last = first + sum(map(len, call.params))
                self._numbers[first:last] = call.number
                first = last
        self._core.count()
        return norm


def _holds_tensors(options: Any) -> bool:
    if isinstance(options, tuple):
        return any(map(_holds_tensors, options))
    return isinstance(options, torch.Tensor)


def _places_of_sparse(grads: list[list[Any]]) -> list[int]:
    return [i for i, grad in enumerate(chain.from_iterable(grads)) if is_sparse(grad)]


def _chosen(items: list[Any], places: list[int] | None) -> list[Any]:
    return items if places is None else [items[i] for i in places]


def _share(states: list[dict[str, Any]], name: str, counts: Any) -> None:
    """Let each state have its element of an array as a tensor without axes."""
    for state, count in zip(states, torch.from_numpy(counts).unbind(), strict=True):
        state[name] = count
