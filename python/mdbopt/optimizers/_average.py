"""The average of the parameters that steps keep: put in their place, and taken away again.

While it is there the parameters themselves are an array ``parameters`` of the state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdbopt import _core
from mdbopt._arrays import Library, dtype_name
from mdbopt.optimizers import _argument_tree

ASIDE = "parameters"


def copies(params: Any) -> Any:
    """Copy parameters, in their own dtype."""

    def one(_: _argument_tree.Keys, leaf: Any) -> Any:
        leaf = leaf.detach() if hasattr(leaf, "detach") else leaf
        return leaf.clone() if hasattr(leaf, "clone") else leaf.copy()

    return _argument_tree.mapped(one, params)


def put(params: Any, numbers: Any, dtype: str | None) -> None:
    """Fill parameters with numbers, rounded to nearest; ``dtype`` is what uint16 stands for."""
    for keys, leaf in _argument_tree.leaves(params):
        source = _argument_tree.leaf_at(numbers, keys)
        target = leaf.detach() if hasattr(leaf, "detach") else leaf
        if dtype_name(leaf) == "uint16" and dtype_name(source) != "uint16":
            values = Library(source).to_host(source, "average")
            Library(leaf).assign(leaf, _bits(values, dtype))
        else:
            target[...] = source


def _bits(values: NDArray[np.float32], dtype: str | None) -> NDArray[np.uint16]:
    if dtype == "float16":
        return values.astype(np.float16).view(np.uint16)
    bits: NDArray[np.uint16] = _core.encoded("bfloat16", np.ascontiguousarray(values))
    return bits.reshape(values.shape)
