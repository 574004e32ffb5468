"""What can be a parameter, and how a group brings them."""

from __future__ import annotations

from typing import Any

import torch

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def arithmetic(param: Any) -> Any:
    """Give the dtype of a parameter's state, in which it is computed with."""
    return torch.float64 if param.dtype == torch.float64 else torch.float32


def plain(value: Any) -> Any:
    """Return a number that came as a tensor as a number, and anything else as it is."""
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def checked_group(label: str, group: Any, dtypes: tuple[Any, ...] = _DTYPES) -> Any:
    """Return a group whose parameters are a list that can be optimized, or raise.

    What is no group is returned as it is, for PyTorch to refuse.
    """
    if not isinstance(group, dict) or "params" not in group:
        return group
    params = group["params"]
    if isinstance(params, (torch.Tensor, set)):
        params = [params] if isinstance(params, torch.Tensor) else params
    else:
        params = list(params)
    if isinstance(params, list):
        known: dict[int, str] = {}
        for i, item in enumerate(params):
            named = isinstance(item, tuple) and len(item) == 2
            name = repr(item[0]) if named else f"params[{i}]"
            param = item[1] if named else item
            if not isinstance(param, torch.Tensor):
                continue
            _check(f"{label}: {name}", param, dtypes)
            if id(param) in known:
                raise ValueError(
                    f"{label}: {name}: is {known[id(param)]} as well; expected each parameter once"
                )
            known[id(param)] = name
    return {**group, "params": params}


def _check(where: str, param: Any, dtypes: tuple[Any, ...]) -> None:
    if param.dtype not in dtypes:
        expected = ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        came = str(param.dtype).removeprefix("torch.")
        raise TypeError(f"{where}: has dtype {came}, expected one of {expected}")
    if param.layout is not torch.strided:
        raise TypeError(f"{where}: has layout {param.layout}, expected a dense tensor")
    if param.device.type == "meta":
        raise TypeError(f"{where}: has no memory (device meta), expected a tensor that has")
