"""The state of several optimizers for one tree of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mdbopt import _core
from mdbopt.optimizers._claims import check_structure, merged
from mdbopt.optimizers._gradient import SGD
from mdbopt.optimizers._state import OptimizerState


class GroupsState(Mapping[str, Any]):
    """The states of the groups of a `Groups`, one after the other.

    ``state[0]`` is the `OptimizerState` of the first group, ``state.states`` are all of them. As a
    mapping it has what they save, each name behind the number of its group: ``"0.m['wte']"``.

    Parameters
    ----------
    optimizer : mdbopt.Groups
        Its groups, in their order.
    states : sequence of OptimizerState
        Of each.
    masks : list
        Of each, the tree of the parameters with True at its arrays and None elsewhere.
    dtype : str or None
        As for `Optimizer.init`.
    """

    # By identity, as an OptimizerState.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self, optimizer: Any, states: Sequence[OptimizerState], masks: list[Any], dtype: Any
    ) -> None:
        self.optimizer = optimizer
        self.states = tuple(states)
        self._masks = masks
        self._dtype = dtype
        self._tree = merged(masks)
        self._join()

    def _join(self) -> None:
        """Make what reads all arrays together: checks them, and takes their norm.

        Shards of all groups meet by its messages, so that what fails in one ends all.
        """
        first = self.optimizer.members[0][0]
        options = {
            **SGD()._options(),
            "threads": first.threads or 0,
            "backend": first.backend,
            "flush_subnormals": first.flush_subnormals,
            "reducer": first.reducer,
        }
        self._whole = _core.Update(options, "Groups", {}, dtype=self._dtype)
        if first.reducer is not None:
            for state in self.states:
                state._core.share(self._whole)

    @property
    def t(self) -> int:
        """How many steps were taken; skipped ones do not count."""
        return self.states[0].t

    def check_structure(self, params: Any) -> None:
        """Raise for parameters that are built in another way than those of `Groups.init`."""
        check_structure(self._tree, params)

    def _adopt(self, optimizer: Any) -> None:
        """Go on with other hyperparameters of the same groups."""
        claims = [claim for _, claim in optimizer.members]
        if claims != [claim for _, claim in self.optimizer.members]:
            raise ValueError("Groups: state: made with other groups, expected the same claims")
        for (own, _), state in zip(optimizer.members, self.states, strict=True):
            state._adopt(own)
        other_shards = optimizer.reducer is not self.optimizer.reducer
        self.optimizer = optimizer
        if other_shards:
            self._join()

    def _fail(self, words: str, bounds: bool) -> None:
        """Tell the other shards, where a step would meet them, that it ends here."""
        for state in self.states:
            state._core.fail(words, bounds)

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, int):
            return self.states[name]
        if name == "optimizer":
            return "Groups"
        group, _, own = name.partition(".")
        if not group.isdecimal() or int(group) >= len(self.states):
            raise KeyError(name)
        return self.states[int(group)][own]

    def __iter__(self) -> Iterator[str]:
        yield "optimizer"
        for k, state in enumerate(self.states):
            yield from (f"{k}.{name}" for name in state)

    def __len__(self) -> int:
        return 1 + sum(map(len, self.states))

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupsState, (self.optimizer, self.states, self._masks, self._dtype)

    def __repr__(self) -> str:
        return f"<state of Groups: {', '.join(map(repr, self.states))}>"
