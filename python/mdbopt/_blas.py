"""The threads of the BLAS of NumPy and SciPy, where a call of theirs is too small for two."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any


def one_thread(library: str = "") -> Any:
    """Keep the BLAS pools whose file name has ``library`` in it to one thread, as a context.

    On tiny matrices, threads that spin while they wait were seen to cost ten times the work and
    more. Without threadpoolctl, which comes with scikit-learn, nothing changes.

    Parameters
    ----------
    library : str
        "scipy" or "numpy"; by default all pools.

    Returns
    -------
    context manager
        On leaving it, the pools have their threads again.

    Examples
    --------
    >>> from mdbopt import _blas
    >>> with _blas.one_thread("scipy"):
    ...     pass
    """
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ImportError:
        return contextlib.nullcontext()
    pools = threadpoolctl.ThreadpoolController()
    own = [pool["filepath"] for pool in pools.info() if library in pool["filepath"]]
    return pools.select(filepath=own).limit(limits=1)
