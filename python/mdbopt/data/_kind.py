"""_kind – what targets ask for: classes or a regression, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import is_finite, plain

CLASSIFICATION, SOFTMAX, REGRESSION = "classification", "softmax", "regression"


def kind_and_reason(y: Any) -> tuple[str, str]:
    """Return what `data.kind` tells, and why: what y holds, in words."""
    labels = plain(y, "kind", "y")
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"kind: y has shape {labels.shape}, expected (n,) with n >= 1")
    if labels.dtype.kind not in "biufUS":
        raise TypeError(f"kind: y has dtype {labels.dtype}, expected numbers or strings")
    words = labels.dtype.kind in "US"
    if not words and not is_finite(labels):
        raise ValueError("kind: y is not finite")
    values, counts = np.unique(labels, return_counts=True)
    first, last = (
        f"{value:g}" if values.dtype.kind == "f" else str(value) for value in values[[0, -1]]
    )
    if len(values) == 1:
        raise ValueError(
            f"kind: y holds one value in all {len(labels)} rows, {first}: nothing to learn"
        )
    if len(values) == 2:
        return CLASSIFICATION, f"holds two values, {first} and {last}: classes"
    if words:
        if 2 * len(values) > len(labels):
            raise ValueError(
                f"kind: y holds {len(values)} distinct strings in {len(labels)} rows, which are "
                "names rather than classes"
            )
        return SOFTMAX, f"holds {len(values)} distinct words: classes"
    counted = np.arange(len(values)) + float(values[0] == 1)
    if not np.array_equal(values, counted):
        return REGRESSION, f"holds {len(values):,} numbers that do not count classes"
    span = f"all whole numbers from {first} to {last}"
    if counts.min() == 1:
        rare = counted[int(counts.argmin())]
        return REGRESSION, f"holds {span}, but {rare:g} once only"
    return SOFTMAX, f"holds {span}, each at least {counts.min()} times: classes"
