"""States that are loaded in the precision that they were saved with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mdbopt.optimizers._storage import converted, format_of
from mdbopt.torch._dtensors import is_dtensor, like, local
from mdbopt.torch._parameters import arithmetic

# What a state has one number of; none of its tensors is called so.
COUNTS = ("step", "mu_product", "weight_sum", "v")


class _Kept:
    """A tensor that PyTorch passes on as it is, where it would cast it to the parameter's dtype."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


def load_exactly(
    optimizer: Any, load: Callable[[dict[str, Any]], None], state_dict: dict[str, Any]
) -> None:
    """Load a state through PyTorch's own code, its hooks included, without its casts."""
    handle = optimizer.register_load_state_dict_pre_hook(_keep)  # after those of others
    try:
        load(state_dict)
    finally:
        handle.remove()


def _keep(optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
    def kept(entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        return {
            name: _Kept(value) if isinstance(value, torch.Tensor) else value
            for name, value in entry.items()
        }

    state = {key: kept(entry) for key, entry in state_dict["state"].items()}
    return {**state_dict, "state": state}


def unwrapped(value: Any) -> Any:
    """Return a loaded tensor as a copy, and anything else as it is."""
    return value.tensor.detach().clone() if isinstance(value, _Kept) else value


def _in_format(name: str, tensor: Any, given: str | None, kind: str | None, param: Any) -> Any:
    """Convert a tensor of a state, the piece of one where the parameter is cut."""
    if given == kind or not is_dtensor(param):
        return converted(name, tensor, given, kind, param)
    piece = converted(name, local(tensor), given, kind, local(param.detach()))
    return like(param, piece)


def fit_state(
    state: dict[str, Any], param: Any, streams: dict[str, str], formats: dict[str, str]
) -> None:
    """Give the loaded state of a parameter tensors of its own, on its device, in its arithmetic.

    Those in another format than by ``formats``, of the core's names that ``streams`` gives, are
    converted.
    """
    for name, value in state.items():
        if not isinstance(value, _Kept):
            continue
        tensor = unwrapped(value)
        stream = streams.get(name, name)
        kind, given = formats.get(stream), format_of(tensor, stream)
        if name in streams and stream != "low" and (kind is not None or given is not None):
            state[name] = _in_format(name, tensor, given, kind, param)
            continue
        if name not in COUNTS and tensor.is_floating_point():
            tensor = tensor.to(device=param.device, dtype=arithmetic(param))
        state[name] = tensor
