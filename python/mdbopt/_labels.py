"""_labels – classes from the labels that name them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdbopt._finite import Array, is_finite, plain


def class_index(value: Any, where: str, name: str = "y") -> tuple[Array, Array]:
    """Return (index, classes): classes sorted, and value = classes[index].

    Raises when there is one class only, or when the labels are not finite, not whole numbers
    (more than two of them) or neither numbers nor strings.
    """
    labels = plain(value, where, name)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"{where}: {name} has shape {labels.shape}, expected (n,) with n >= 1")
    if labels.dtype.kind not in "biufUS":
        raise TypeError(f"{where}: {name} has dtype {labels.dtype}, expected numbers or strings")
    if labels.dtype.kind == "f" and not is_finite(labels):
        place = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise ValueError(f"{where}: {name}[{place}] is {labels[place]}, expected finite labels")
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        raise ValueError(
            f"{where}: {name} holds one class, {classes[0]!s}; expected at least two classes"
        )
    if len(classes) > 2 and classes.dtype.kind == "f":
        broken = classes[classes != np.floor(classes)]
        if broken.size:
            raise ValueError(
                f"{where}: {name} holds {len(classes)} distinct values, {broken[0]!s} among them; "
                "expected two values, or whole numbers as class labels"
            )
    return index, classes


def binary_index(value: Any, where: str, name: str = "y") -> tuple[Array, Array]:
    """Return (index, classes) for exactly two classes; index 1 is the largest label."""
    index, classes = class_index(value, where, name)
    if len(classes) > 2:
        shown = ", ".join(str(label) for label in classes[:5])
        more = ", …" if len(classes) > 5 else ""
        raise ValueError(
            f"{where}: {name} holds {len(classes)} classes ({shown}{more}), expected two classes"
        )
    return index, classes
