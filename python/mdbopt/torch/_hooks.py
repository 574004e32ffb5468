"""What surrounds a step: hooks, profiles and compilation, at no cost where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._C._dynamo.eval_frame import get_eval_frame_callback
from torch.autograd import _profiler_enabled
from torch.optim.optimizer import (
    Optimizer,
    _global_optimizer_post_hooks,
    _global_optimizer_pre_hooks,
)

__all__ = ["get_eval_frame_callback", "observed", "outside_of_graphs", "with_hooks"]


def observed(optimizer: Any) -> bool:
    """Tell whether somebody wants to know of this step: a hook, or a profiler."""
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
        or _profiler_enabled()
    )


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a step as torch.optim wraps its own: hooks before and after, and a name in profiles.

    Nothing in it is compiled.
    """
    wrapped: Callable[..., Any] = torch._disable_dynamo(Optimizer.profile_hook_step(step))
    return wrapped


def outside_of_graphs(step: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a step that knows its hooks itself, and that `torch.compile` is to call as it is.

    The mark costs no call, unlike `torch.compiler.disable`. What the step calls is compiled all the
    same where `get_eval_frame_callback` gives one: it calls only what `with_hooks` gave then.
    """
    step.hooked = True  # type: ignore[attr-defined]
    step._torchdynamo_disable = True  # type: ignore[attr-defined]
    return step
