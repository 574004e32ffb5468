"""The bound of a norm where a step takes several calls of the core, none of which has it whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from mdbopt.torch._rows import dense_part


def norm_of(gradients: Iterable[Any]) -> float:
    """Give the norm of all gradients together; None among them is none."""
    present = [dense_part(g.detach()) for g in gradients if g is not None and g.numel()]
    return math.hypot(*(float(torch.linalg.vector_norm(g, dtype=torch.float64)) for g in present))


def scale_within(scale: float, norm: float, max_norm: float) -> float:
    """Give what gradients are divided by, so that their norm is bounded.

    Parameters
    ----------
    scale : float
        What they are divided by in any case.
    norm : float
        That after this division. Where it is infinite, gradients become 0, or NaN.
    max_norm : float
        The bound; 1e-6 in its denominator as in ``clip_grad_norm_``.
    """
    factor = min(1.0, max_norm / (norm + 1e-6))
    return scale / factor if factor > 0.0 else math.inf
