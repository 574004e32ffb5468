"""Sparse gradients, as of an embedding with ``sparse=True``: the rows that a step touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mdbopt.optimizers._rows import Rows, checked, runs_of, why_not_by_rows


def is_sparse(grad: Any) -> bool:
    """Tell whether a gradient, or None, has some rows alone."""
    return grad is not None and grad.layout is torch.sparse_coo


def check_sparse(where: str, param: Any, grad: Any, optimizer: Any) -> None:
    """Raise for a sparse gradient that the rule of a parameter cannot take."""
    if grad.shape != param.shape or grad.sparse_dim() != 1:
        raise RuntimeError(
            f"{where}: expected a sparse gradient of whole rows, of shape {tuple(param.shape)}, "
            f"got {grad.sparse_dim()} sparse axes of shape {tuple(grad.shape)}"
        )
    why_not = why_not_by_rows(optimizer)
    if optimizer.reducer is not None:
        why_not = "with a reducer"
    elif param.device.type != "cpu":
        why_not = f"on {param.device}"
    if why_not is not None:
        raise RuntimeError(
            f"{where}: expected a dense gradient {why_not}, got layout {grad.layout}"
        )


def dense_part(grad: Any) -> Any:
    """Give what a gradient has in memory: all of it, or its rows."""
    return grad.coalesce().values() if is_sparse(grad) else grad


class RowsOfStep:
    """The gradients of a step as the core takes them, and the rows that they are of.

    Parameters
    ----------
    params, grads, states : lists of tensor, of tensor or None, and of dict
        Of the parameters of a call.
    makes_up : bool
        Whether decoupled decay makes up for the steps that a row missed.
    """

    def __init__(
        self, params: list[Any], grads: list[Any], states: list[dict[str, Any]], makes_up: bool
    ) -> None:
        self.grads: list[Any] = []
        self.runs: list[Rows | None] = []
        self._touched: list[tuple[dict[str, Any], Any, int, int]] = []
        for param, grad, state in zip(params, grads, states, strict=True):
            if not is_sparse(grad) and "row_t" not in state:
                self.grads.append(grad)
                self.runs.append(None)
                continue
            rows = np.arange(param.shape[0])
            if is_sparse(grad):
                grad = grad.coalesce()
                rows = checked("rows", grad.indices()[0].numpy(), tuple(param.shape))
                grad = grad.values()
            t = int(state["step"])
            last = state["row_t"][rows].numpy() if "row_t" in state else t
            missed = np.broadcast_to(t - last if makes_up else 0, rows.shape)
            self.grads.append(grad)
            self.runs.append(runs_of(rows, missed.astype(np.int64)))
            self._touched.append((state, rows, t, param.shape[0]))

    def count(self) -> None:
        """Write down that the step was taken: the step that touched each row last."""
        for state, rows, t, count in self._touched:
            last = state.setdefault("row_t", torch.full((count,), t, dtype=torch.int64))
            last[torch.from_numpy(rows)] = t + 1
