"""The compiled sets of kernels, and which of them this machine can run."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt import _core


@dataclass(frozen=True)
class Backend:
    """One compiled set of kernels.

    Parameters
    ----------
    name : str
        ``"avx512"``, ``"avx2"`` or ``"baseline"``; `backend=` and ``MDBOPT_BACKEND`` take it.
    supported : bool
        Whether this processor can run it.
    active : bool
        Whether calls use it when they name none.
    """

    name: str
    supported: bool
    active: bool


def backends() -> tuple[Backend, ...]:
    """List the backends this library was compiled with, best first.

    Returns
    -------
    tuple of Backend
        Each with whether it runs here and whether it is active.

    Examples
    --------
    >>> import mdbopt
    >>> sum(backend.active for backend in mdbopt.backends())
    1
    """
    return tuple(Backend(*backend) for backend in _core.backends())
