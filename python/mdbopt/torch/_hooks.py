"""The hooks around a step of torch.optim, at no cost where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import optimizer as base


def observed(optimizer: Any) -> bool:
    """Tell whether somebody wants to know of this step: a hook, or a profiler."""
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or base._global_optimizer_pre_hooks
        or base._global_optimizer_post_hooks
        or torch.autograd._profiler_enabled()
    )


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a step as torch.optim wraps its own: hooks before and after, and a name in profiles."""
    wrapped: Callable[..., Any] = base.Optimizer.profile_hook_step(step)
    return wrapped
