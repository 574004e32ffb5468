"""Several optimizers for one tree of parameters: each array has one, all have one norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mdbopt import _foreign
from mdbopt._arrays import is_device, real_value
from mdbopt._shards import words_of
from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._claims import Claims, checked_claims, masks_of, selected
from mdbopt.optimizers._groups_state import GroupsState
from mdbopt.optimizers._plan import Plan
from mdbopt.optimizers._rows import Touched
from mdbopt.optimizers._schedule_free import ScheduleFree
from mdbopt.optimizers._state import OptimizerState


def groups(members: Sequence[tuple[Optimizer, Any]]) -> Groups:
    """Give the arrays of a model different rules, hyperparameters or both, in one optimizer.

    Embeddings may have one rule and biases another, or the same with another lr or decay; they
    share one bound of the norm, one loss scale and one skip.

    Parameters
    ----------
    members : sequence of (optimizer, claim)
        Each optimizer is one of `mdbopt.optimizers` with its own lr, weight decay and all else. Its
        claim is

        * a name: a key of a dict, an index of a list, or several from the root or anywhere below,
          with dots between them (``"wte"``, ``"blocks.0.bias"``), with ``*``, ``?`` and ``[…]`` as
          in file names (``"blocks.*.bias"``). It claims all arrays at that place and below it;
        * a predicate: called with the whole dotted name of each array and the array, it returns
          whether this is one of the group;
        * a list, tuple or set of these;
        * None, for at most one group: what no other claims.

    Returns
    -------
    Groups
        With the `Groups.init`, `Groups.step`, `Groups.plan` and `Groups.restore` of any optimizer.

    Raises
    ------
    TypeError, ValueError
        When there is no member, one is no pair, its optimizer none of `mdbopt.optimizers` or one
        with another ``reducer`` than the first, its claim in none of the forms above, or two claim
        the rest.

    Notes
    -----
    PyTorch's ``param_groups`` have options of their own and share a rule. optax's ``partition``
    takes a tree of labels where this takes names; its clipping is of each label by itself unless it
    comes before it.

    Where all groups have the same optimizer, steps have the bits of that one, by itself, for rules
    without sums over arrays. Sums of a rule, as of `DoG`, are over the arrays of its group.

    Over shards, all optimizers have the same ``reducer``, the object itself, and each shard has its
    piece of every array.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> params = {"wte": np.ones((4, 2)), "head": {"weight": np.ones((2, 4)), "bias": np.ones(4)}}
    >>> optimizer = mdbopt.groups(
    ...     [
    ...         (mdbopt.Lion(1e-2), "wte"),
    ...         (mdbopt.AdamW(1e-1, weight_decay=0.1), lambda name, array: array.ndim == 1),
    ...         (mdbopt.SGD(1.0), "head.weight"),
    ...     ]
    ... )
    >>> state = optimizer.init(params)
    >>> grads = {"wte": np.ones((4, 2)), "head": {"weight": np.ones((2, 4)), "bias": np.ones(4)}}
    >>> round(optimizer.step(params, grads, state, max_norm=1.0), 3)
    4.472
    >>> params["wte"][0, 0].round(3), params["head"]["weight"][0, 0].round(3)
    (np.float64(0.99), np.float64(0.776))
    >>> state[1].t, list(state)[:3]
    (1, ['optimizer', '0.optimizer', '0.t'])
    """
    return Groups(_members(members))


@dataclass(frozen=True)
class Groups:
    """Several optimizers for one tree of parameters; see `groups`.

    Compared by its members, and pickled with them: a predicate has to be one that can be.

    Parameters
    ----------
    members : tuple of (Optimizer, claims)
        Checked.
    """

    members: tuple[tuple[Optimizer, Claims], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", _members(self.members))

    @property
    def reducer(self) -> Callable[..., Any] | None:
        """How the shards of all groups meet; None where arrays are whole."""
        return self.members[0][0].reducer

    def init(self, params: Any, *, dtype: str | None = None) -> GroupsState:
        """Make the state for some parameters: that of each optimizer for its arrays.

        Parameters
        ----------
        params, dtype
            As for `Optimizer.init`.

        Returns
        -------
        GroupsState
            Remembers which arrays each group has.

        Raises
        ------
        ValueError
            When no group claims an array, two claim it, a name matches nothing or a group has no
            array.
        TypeError, MemoryError
            As of `Optimizer.init`.
        """
        params = _foreign.plain(params)
        masks = masks_of([claims for _, claims in self.members], params)
        pairs = zip(self.members, masks, strict=True)
        states = [
            optimizer.init(selected(mask, params), dtype=dtype) for (optimizer, _), mask in pairs
        ]
        return GroupsState(self, states, masks, dtype)

    def restore(
        self, params: Any, saved: Mapping[str, Any], *, dtype: str | None = None
    ) -> GroupsState:
        """Make a state from a saved one; steps go on to the same bits.

        Parameters
        ----------
        params, dtype
            As for `Optimizer.init`.
        saved : mapping
            ``dict(state)``, or what `numpy.load` or ``torch.load`` makes of it.

        Returns
        -------
        GroupsState
            A new state.

        Raises
        ------
        TypeError, ValueError
            As `init`, and as `Optimizer.restore` for each group.
        """
        if not isinstance(saved, Mapping):
            raise TypeError(f"Groups: saved: expected a mapping, got {type(saved).__name__}")
        params = _foreign.plain(params)
        masks = masks_of([claims for _, claims in self.members], params)
        parts: list[dict[str, Any]] = [{} for _ in self.members]
        for name in saved:
            group, dot, own = str(name).partition(".")
            if dot and group.isdecimal() and int(group) < len(parts):
                parts[int(group)][own] = saved[name]
            elif name != "optimizer":
                raise ValueError(f"Groups: saved: {name!r} is not part of this optimizer's state")
        if str(saved.get("optimizer", "no optimizer")) != "Groups":
            came = saved.get("optimizer", "no optimizer")
            raise ValueError(f"Groups: saved: made by {came}, expected a state of Groups")
        states = [
            optimizer.restore(selected(mask, params), part, dtype=dtype)
            for (optimizer, _), mask, part in zip(self.members, masks, parts, strict=True)
        ]
        return GroupsState(self, states, masks, dtype)

    def step(
        self,
        params: Any,
        grads: Any,
        state: GroupsState,
        *,
        lr: Any = None,
        grad_scale: Any = None,
        found_inf: Any = None,
        max_norm: float | None = None,
        copy: Any = None,
        weight_decay: Any = None,
        norm: float | None = None,
        rows: Any = None,
    ) -> Any:
        """Update parameters and state in place: one pass over memory, in a call for each group.

        All calls are checked before the first one writes.

        Parameters
        ----------
        params, grads, grad_scale, found_inf, max_norm, copy, norm, rows
            As for `Optimizer.step`, of all arrays together: ``max_norm`` bounds one norm, and
            ``found_inf`` skips all groups.
        state : GroupsState
            Written in place.
        lr, weight_decay : float, or list or tuple with an entry for each group, optional
            A number is for all. An entry is None, for what the group's optimizer has, or what
            `Optimizer.step` takes, nested structures being those of all ``params``.

        Returns
        -------
        bool or float
            As `Optimizer.step`.

        Raises
        ------
        TypeError, ValueError
            As `Optimizer.step`; and when ``params`` are built in another way than those of `init`,
            or lr or weight_decay have not one entry for each group. Nothing has been written then.

        Notes
        -----
        A schedule is ``lr=[schedule(t) * optimizer.lr for optimizer, _ in groups.members]``.
        `OSGM` keeps every point in a group, since it is told no value. On a CUDA device all groups
        have one dtype, and the norm is waited for.
        """
        _check_state(state)
        try:
            if state.optimizer is not self:
                state._adopt(self)
            params, grads, copy, rows = map(_foreign.plain, (params, grads, copy, rows))
            runs = None
            if rows is not None:
                runs = Touched("Groups", rows, params, grads, 0, {}, False).runs
            state._whole.check(params, grads, runs)
            state.check_structure(params)
            calls = self._calls(params, grads, state, lr, weight_decay, copy, rows)
            shared: dict[str, Any] = {"grad_scale": grad_scale, "max_norm": max_norm, "norm": norm}
            for call in calls:  # nothing is written before everything is checked
                call(**shared, found_inf=True)
            if found_inf is not None and not self._is_there(found_inf):
                if real_value("Groups: found_inf", found_inf) != 0.0:
                    return False
                found_inf = None
            if self.reducer is not None:
                self._meet(params, grads, state, max_norm, rows)
            if max_norm is not None and norm is None:
                scale = 1.0 if grad_scale is None else real_value("Groups: grad_scale", grad_scale)
                shared["grad_scale"] = None if grad_scale is None else scale
                shared["norm"] = state._whole.norm(params, grads, scale, runs)
            taken: Any = True
            for call in calls:
                taken = call(**shared, found_inf=found_inf)
            return taken
        except Exception as error:
            state._fail(words_of(error), max_norm is not None and norm is None)
            raise

    def _calls(
        self,
        params: Any,
        grads: Any,
        state: GroupsState,
        lr: Any,
        weight_decay: Any,
        copy: Any,
        rows: Any,
    ) -> list[Callable[..., Any]]:
        """Bind the step of each group to its part of the arguments."""
        rates, decays = self._each("lr", lr), self._each("weight_decay", weight_decay)
        return [
            partial(
                optimizer.step,
                selected(mask, params),
                selected(mask, grads),
                own,
                **_options(mask, lr=rate, weight_decay=decay, copy=copy, rows=rows),
            )
            for (optimizer, _), own, mask, rate, decay in zip(
                self.members, state.states, state._masks, rates, decays, strict=True
            )
        ]

    def _meet(self, params: Any, grads: Any, state: GroupsState, max_norm: Any, rows: Any) -> None:
        """Exchange with other shards what has to be alike in all groups, before one is written."""
        for (optimizer, _), own, mask in zip(self.members, state.states, state._masks, strict=True):
            part = selected(mask, params), selected(mask, grads)
            optimizer._meet(*part, own, max_norm, _options(mask, rows=rows).get("rows"))

    def plan(self, params: Any, grads: Any, state: GroupsState) -> Plan:
        """Bind a step to its arguments; see `Optimizer.plan`."""
        _check_state(state)
        return Plan(self, _foreign.plain(params), _foreign.plain(grads), state, False)

    def eval(self, params: Any, state: GroupsState) -> None:
        """Make the arrays of groups that keep an average the average; see `Optimizer.eval`.

        They are those with ``average`` and the schedule-free (`ScheduleFreeSGD.eval`).
        """
        for optimizer, part, own in self._averaging(params, state):
            optimizer.eval(part, own)

    def train(self, params: Any, state: GroupsState) -> None:
        """Take the arrays back from what `eval` made them; see `Optimizer.train`."""
        for optimizer, part, own in self._averaging(params, state):
            optimizer.train(part, own)

    def _averaging(
        self, params: Any, state: GroupsState
    ) -> Iterator[tuple[Optimizer, Any, OptimizerState]]:
        _check_state(state)
        params = _foreign.plain(params)
        state.check_structure(params)
        for (optimizer, _), mask, own in zip(self.members, state._masks, state.states, strict=True):
            if optimizer.average is not None or isinstance(optimizer, ScheduleFree):
                yield optimizer, selected(mask, params), own

    def _each(self, name: str, given: Any) -> Sequence[Any]:
        """Give what each group is given of an option."""
        if not isinstance(given, (list, tuple)):
            return [given] * len(self.members)
        if len(given) != len(self.members):
            raise ValueError(
                f"Groups: {name}: expected a number or an entry for each of "
                f"{len(self.members)} groups, got {len(given)}"
            )
        return given

    @staticmethod
    def _is_there(number: Any) -> bool:
        return hasattr(number, "__dlpack__") and is_device(number)


def _members(given: Any) -> tuple[tuple[Optimizer, Claims], ...]:
    """Check members, and make them what cannot change."""
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            f"groups: members: expected a list of (optimizer, claim), got {type(given).__name__}"
        )
    if not given:
        raise ValueError("groups: members: expected at least one (optimizer, claim), got none")
    members: list[tuple[Optimizer, Claims]] = []
    for k, member in enumerate(given):
        where = f"groups: members[{k}]"
        if not isinstance(member, (list, tuple)) or len(member) != 2:
            raise TypeError(f"{where}: expected a pair (optimizer, claim), got {member!r}")
        optimizer, claims = member
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{where}: expected an optimizer of mdbopt.optimizers, got "
                f"{type(optimizer).__name__}"
            )
        if members and optimizer.reducer is not members[0][0].reducer:
            raise ValueError(
                f"{where}: reducer: expected that of members[0], since all groups meet the same "
                f"shards; got {optimizer.reducer!r}"
            )
        members.append((optimizer, checked_claims(where, claims)))
    rest = [k for k, (_, claims) in enumerate(members) if claims is None]
    if len(rest) > 1:
        raise ValueError(
            f"groups: members[{rest[1]}]: claims the rest, as members[{rest[0]}] does; expected "
            "None once"
        )
    return tuple(members)


def _check_state(state: Any) -> None:
    if state.__class__ is not GroupsState:
        raise TypeError(
            f"Groups: state: expected a state from init or restore, got {type(state).__name__}"
        )


def _options(mask: Any, **given: Any) -> dict[str, Any]:
    """Give a group's part of the options that it was given."""
    plain = {name: _foreign.plain(tree) for name, tree in given.items() if tree is not None}
    return {name: selected(mask, tree) for name, tree in plain.items()}
