"""Steps of an update on DTensors: taken on the pieces that this process holds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from mdbopt import _rules
from mdbopt.torch._clip import norm_of, scale_within
from mdbopt.torch._dtensors import check_kinds, is_dtensor, layout_of, like, local, local_gradient
from mdbopt.torch._saved import COUNTS
from mdbopt.torch._together import Together


def sharded(owner: Any, params: list[Any]) -> Sharded | None:
    """Make what takes the steps of an optimizer where its parameters are DTensors.

    Raises
    ------
    TypeError
        For DTensors beside plain tensors, and for one that is still to be summed.
    """
    check_kinds(owner._label, params)
    return Sharded(owner, params) if params and is_dtensor(params[0]) else None


class Sharded:
    """The same optimizer on the pieces, whose states are the pieces of the states.

    Parameters
    ----------
    owner : Update
        Its groups hold DTensors; its states do, too, as torch.optim makes them.
    params : list of DTensor
        All of them.
    """

    def __init__(self, owner: Any, params: list[Any]) -> None:
        self._label = owner._label
        self._layout = layout_of(params)
        given = owner._execution["reducer"]
        cut = self._layout is None or bool(self._layout.dimensions)
        # Sums that the core takes are right where every piece counts, and shards meet on the CPU.
        whole = self._layout is not None and self._layout.alike
        on_cpu = all(param.device.type == "cpu" for param in params)
        self._by_hand = cut and not (whole and on_cpu)
        if given is not None and self._by_hand:
            raise ValueError(
                f"{self._label}: reducer: expected None for DTensors {self._reason()}; norms are "
                "taken over their mesh without one"
            )
        own = self._layout.reducer() if given is None and self._layout is not None else None
        self._together = Together(given or own)
        self._reducer = None if self._by_hand else self._together.reducer
        self._twin: Any = None
        self._pieces: list[Any] = []
        self._known: dict[Any, dict[str, Any]] = {}

    def _reason(self) -> str:
        if self._layout is None:
            return "of several meshes"
        if not self._layout.alike:
            return "of which some are replicated where others are cut"
        return "on a device"

    def take(self, owner: Any, scalars: dict[str, float] | None) -> bool:
        """Take a step, as `Update._take` does."""

        def named(param: Any) -> str:
            return f"{self._label}: gradient of {owner._name_of(param)}"

        gradients = [
            [local_gradient(named, param, param.grad) for param in group["params"]]
            for group in owner.param_groups
        ]
        twin = self._twin_of(owner)
        params = [param for group in owner.param_groups for param in group["params"]]
        pairs = list(zip(params, self._pieces, strict=True))
        self._lend(owner, twin, pairs)
        scaling = {name: owner.__dict__.get(name) for name in ("grad_scale", "found_inf")}
        scaling = {name: float(value) for name, value in scaling.items() if value is not None}
        if "found_inf" in scaling:  # of this piece; the step is skipped everywhere or nowhere
            scaling["found_inf"] = self._together.greatest(scaling["found_inf"])
        twin.max_norm, norm = owner.max_norm, None
        if self._by_hand:
            self._refuse_sums(owner)
            if owner.max_norm is not None:
                twin.max_norm, norm = None, self._norm(gradients) / scaling.get("grad_scale", 1.0)
                scale = scaling.get("grad_scale", 1.0)
                scaling["grad_scale"] = scale_within(scale, norm, owner.max_norm)
        twin.__dict__.update(scaling)
        for group, present in zip(twin.param_groups, gradients, strict=True):
            for piece, gradient in zip(group["params"], present, strict=True):
                piece.grad = gradient
        try:
            taken = bool(twin._take(scalars))
        finally:
            written = self._take_back(owner, twin, pairs)
            for piece in self._pieces:
                piece.grad = None
            for name in scaling:
                del twin.__dict__[name]
        if taken:
            torch.autograd.graph.increment_version(written)
        if owner.max_norm is not None and taken:
            owner.total_norm = twin.total_norm if norm is None else norm
        return taken

    # -- the optimizer on the pieces --------------------------------------------------------------

    def _twin_of(self, owner: Any) -> Any:
        """Give the optimizer on the pieces, made anew where they are others."""
        fresh = [local(param) for group in owner.param_groups for param in group["params"]]
        if self._twin is not None and all(
            piece.data_ptr() == new.data_ptr() and piece.shape == new.shape
            for piece, new in zip(self._pieces, fresh, strict=True)
        ):
            return self._twin
        twin = object.__new__(type(owner))
        twin.__dict__.update(owner.__dict__)
        # Others of the same memory: gradients are left with them for the length of a step.
        self._pieces = [new.detach() for new in fresh]
        pieces = iter(self._pieces)
        twin.param_groups = [
            {**group, "params": [next(pieces) for _ in group["params"]]}
            for group in owner.param_groups
        ]
        twin.state = defaultdict(dict)
        twin._execution = {**owner._execution, "reducer": self._reducer}
        twin._sharded = twin._plan = None
        self._twin, self._known = twin, {}
        return twin

    def _lend(self, owner: Any, twin: Any, pairs: list[tuple[Any, Any]]) -> None:
        """Give the twin the options and states that the owner has now."""
        for group, own in zip(owner.param_groups, twin.param_groups, strict=True):
            own.update({name: value for name, value in group.items() if name != "params"})
        for param, piece in pairs:
            entry = owner.state.get(param, {})
            known = self._known.get(param, {})
            if entry.keys() == known.keys() and all(
                value is known[name] for name, value in entry.items()
            ):
                continue
            twin.state[piece] = {
                name: self._piece_of(owner, param, name, value) for name, value in entry.items()
            }

    def _piece_of(self, owner: Any, param: Any, name: str, value: Any) -> Any:
        if name in COUNTS or not isinstance(value, torch.Tensor):
            return value
        if not is_dtensor(value) or value.placements != param.placements:
            came = str(value.placements) if is_dtensor(value) else "a plain tensor"
            raise TypeError(
                f"{self._label}: state of {owner._name_of(param)}: {name}: expected a DTensor with "
                f"placements {param.placements} (as the parameter), got {came}"
            )
        return local(value)

    def _take_back(self, owner: Any, twin: Any, pairs: list[tuple[Any, Any]]) -> list[Any]:
        """Give the owner what the step has begun or learnt; list what it has written."""
        for group, own in zip(owner.param_groups, twin.param_groups, strict=True):
            group.update({name: value for name, value in own.items() if name != "params"})
        written = []
        for param, piece in pairs:
            if piece not in twin.state:
                continue
            entry, moved = owner.state[param], piece.grad is not None
            for name, value in twin.state[piece].items():
                if name in COUNTS or not isinstance(value, torch.Tensor):
                    entry[name] = value
                    continue
                if entry.get(name) is None:
                    entry[name] = like(param, value)
                if moved:
                    written.append(entry[name])
            if moved:
                written.append(param)
            self._known[param] = dict(entry)
        return written

    # -- sums over all pieces ---------------------------------------------------------------------

    def _norm(self, gradients: list[list[Any]]) -> float:
        """Give the norm of all gradients, each element of them once."""
        if self._layout is None:
            raise ValueError(
                f"{self._label}: max_norm: expected DTensors of one mesh, got several; give each "
                "mesh an optimizer of its own"
            )
        flat = [gradient for present in gradients for gradient in present]
        try:
            own = norm_of(g for g, counts in zip(flat, self._layout.counts, strict=True) if counts)
        except Exception as error:
            self._together.fail(error)
            raise
        return self._together.norm(own)

    def _refuse_sums(self, owner: Any) -> None:
        rules = {owner._optimizer_of(group)._rule() for group in owner.param_groups}
        if rules & _SUMMING:
            raise ValueError(
                f"{self._label}: params: expected DTensors that are cut along the same dimensions "
                f"of one mesh, on the CPU, as this rule takes sums over all of them; got DTensors "
                f"{self._reason()}"
            )


_SUMMING = frozenset(
    rule["name"] for rule in _rules.described().values() if rule["update"] and rule["folds"]
)
