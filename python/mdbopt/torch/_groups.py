"""Optimizers of several rules as one: one norm, one loss scale, one skip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import torch

from mdbopt import _checks
from mdbopt.torch._clip import norm_of, scale_within
from mdbopt.torch._saved import load_exactly
from mdbopt.torch._update import Update


class Groups(torch.optim.Optimizer):
    """Several optimizers of `mdbopt.torch`, stepped as one; see `mdbopt.groups`.

    torch's ``param_groups`` have options of their own and share a rule. Where the rules differ,
    such as Lion for embeddings and AdamW for all else, each rule is an optimizer with its own
    parameters, and this is all of them: schedules, a ``GradScaler``, `state_dict` and
    ``torch.distributed.checkpoint`` take it for one.

    Parameters
    ----------
    members : iterable of Update
        Optimizers of `mdbopt.torch` without common parameters, none a search, none with
        ``max_norm``. `Optimizer.param_groups` are theirs, one after the other.
    max_norm : float, optional
        Bounds the norm of all gradients of all members together; `total_norm` is what it was. Set
        it as an attribute later.

    Raises
    ------
    TypeError, ValueError
        When a member is no such optimizer, bounds a norm by itself, or has a parameter of another.
        With ``max_norm``, in `step`: when a member has a reducer, or DTensors.

    Notes
    -----
    A parameter is added to the member whose rule it is to have, by its ``add_param_group``. Hooks
    of steps of the members are called as well as those of this optimizer. Every member is checked
    before the first one writes.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> model = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Linear(4, 1))
    >>> embedding, linear = model
    >>> optimizer = mdbopt.torch.Groups(
    ...     [
    ...         mdbopt.torch.Lion(embedding.parameters(), lr=1e-2),
    ...         mdbopt.torch.AdamW(linear.parameters(), lr=1e-2, weight_decay=0.1),
    ...     ],
    ...     max_norm=1.0,
    ... )
    >>> schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, 10)
    >>> model(torch.arange(10)).square().mean().backward()
    >>> optimizer.step()
    >>> schedule.step()
    >>> [round(group["lr"], 4) for group in optimizer.param_groups]
    [0.0091, 0.0091]
    """

    _step_supports_amp_scaling = True

    def __init__(self, members: Iterable[Update], *, max_norm: float | None = None) -> None:
        self.members = _checked(members)
        if max_norm is not None:
            max_norm = _checks.real("Groups: max_norm", max_norm, least=0.0, strict=True)
        self.max_norm = max_norm
        self.total_norm: Any = None
        super().__init__(self.param_groups, {})

    # -- groups and states, which are the members' ------------------------------------------------

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all members, in their order."""
        return [group for member in self.members for group in member.param_groups]

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        """Take what PyTorch begins with: nothing, since the members have their groups."""

    @property
    def state(self) -> Any:
        """The states of all members, by parameter."""
        states = chain.from_iterable(member.state.items() for member in self.members)
        return defaultdict(dict, states)

    @state.setter
    def state(self, state: Any) -> None:
        """Take what PyTorch begins with: nothing, since the members have their states."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refuse parameters, whose rule only a member can know.

        Raises
        ------
        ValueError
            For a group that is none of a member.
        """
        if not any(param_group is group for group in self.param_groups):
            raise ValueError(
                "Groups: add_param_group: expected a call of the member whose rule the parameters "
                "are to have, got one of all members"
            )

    # -- steps ------------------------------------------------------------------------------------

    @torch._disable_dynamo
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
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
        TypeError, ValueError, RuntimeError
            As of the members. Nothing has been written then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._check_members()
        given = self.__dict__  # set by PyTorch's GradScaler
        scaling: dict[str, Any] = {
            name: given[name] for name in ("grad_scale", "found_inf") if name in given
        }
        found_inf = scaling.get("found_inf")
        skip = found_inf is not None and float(found_inf) != 0.0
        norm = None
        if self.max_norm is not None and not skip:
            scale = scaling.get("grad_scale")
            scale = 1.0 if scale is None else float(scale)
            norm = norm_of(self._gradients()) / scale
            scaling["grad_scale"] = scale_within(scale, norm, self.max_norm)
        for member in self.members:
            step_scaled(member, scaling, loss)
        if norm is not None:
            self.total_norm = norm
        return loss

    def _gradients(self) -> list[Any]:
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        return [param.grad for param in params]

    def _check_members(self) -> None:
        for member in self.members:
            if member.max_norm is not None:
                raise ValueError(
                    f"{member._label}: max_norm: expected None in Groups, which bounds the norm of "
                    "all members together"
                )
            pieces = member._sharded is not None or member._execution["reducer"] is not None
            if self.max_norm is not None and pieces:
                raise ValueError(
                    f"Groups: max_norm: expected None where {member._label} steps pieces of "
                    "tensors, whose norm it takes by itself"
                )
        for member in self.members:
            member._check_step()

    # -- members with an average ------------------------------------------------------------------

    def eval(self) -> None:
        """Make the parameters of members that keep an average the average; see their `eval`."""
        for member in self.members:
            if member._averages():
                member.eval()

    def train(self) -> None:
        """Take the parameters of members that keep an average back; see their `train`."""
        for member in self.members:
            if member._averages():
                member.train()

    # -- saved states -----------------------------------------------------------------------------

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state of the same members, in their order.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` gave.

        Raises
        ------
        ValueError
            When its groups do not fit those of the members.
        """
        load_exactly(self, super().load_state_dict, state_dict)

    def __getstate__(self) -> dict[str, Any]:
        names = ("members", "max_norm", "total_norm", "defaults")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        groups, states = state.pop("param_groups", None), state.pop("state", None)
        super().__setstate__(state)
        if groups is None:
            return
        begin = 0
        for member in self.members:
            own = groups[begin : begin + len(member.param_groups)]
            begin += len(own)
            params = {param for group in own for param in group["params"]}
            part = defaultdict(dict, {p: s for p, s in states.items() if p in params})
            member.__setstate__({"state": part, "param_groups": own})


def _checked(members: Any) -> list[Update]:
    """List the members, or raise."""
    listed = list(members)
    if not listed:
        raise ValueError("Groups: members: expected at least one optimizer, got none")
    owners: dict[Any, int] = {}
    for k, member in enumerate(listed):
        if not isinstance(member, Update):
            raise TypeError(
                f"Groups: members[{k}]: expected an update of mdbopt.torch, got "
                f"{type(member).__name__}"
            )
        if member.max_norm is not None:
            raise ValueError(
                f"Groups: members[{k}]: max_norm: expected None, since Groups takes one for all"
            )
        for param in member._all_params():
            if owners.setdefault(param, k) != k:
                raise ValueError(
                    f"Groups: members[{k}]: {member._name_of(param)} is one of members"
                    f"[{owners[param]}] as well; expected each parameter once"
                )
    return listed


def step_scaled(member: Update, scaling: dict[str, Any], loss: Any) -> None:
    """Step a member as a GradScaler does; gradients are divided by a scale, or it is skipped."""
    member.__dict__.update(scaling)
    try:
        member.step(None if loss is None else lambda: loss)
    finally:
        for name in scaling:
            del member.__dict__[name]
