"""The CUDA devices that mdbopt can use.

Kernels, optimizers and searches run where their arrays live: give them arrays of PyTorch, CuPy or
any library with DLPack on a device, all on the same one, and the work is queued there, on the
stream that the library of the first of them works on at the time. Nothing waits for the device but
calls that return numbers. The bits are those of the CPU.

Examples
--------
>>> from mdbopt import cuda
>>> cuda.is_available() == (len(cuda.devices()) > 0)
True
"""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt import _checks, _core

__all__ = ["Device", "devices", "is_available", "memory_allocated", "synchronize", "why_not"]


@dataclass(frozen=True)
class Device:
    """What is known of a device.

    Parameters
    ----------
    index : int
        Its number, as in ``cuda:0``.
    name : str
        As its maker calls it.
    compute_capability : tuple of int
        Major and minor.
    multiprocessors : int
        How many it has.
    memory : int
        Bytes, of all of it.
    """

    index: int
    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    memory: int


def is_available() -> bool:
    """Tell whether arrays on a device can be used.

    Returns
    -------
    bool
        Whether there is a device, a driver, and the part of mdbopt that knows CUDA.

    Examples
    --------
    >>> from mdbopt import cuda
    >>> cuda.is_available() == (cuda.why_not() == "")
    True
    """
    return why_not() == ""


def why_not() -> str:
    """Tell why no device can be used.

    Returns
    -------
    str
        The reason; empty when one can.

    Examples
    --------
    >>> from mdbopt import cuda
    >>> isinstance(cuda.why_not(), str)
    True
    """
    return _core.cuda_why_not()


def devices() -> list[Device]:
    """List the devices that can be used.

    Returns
    -------
    list of Device
        In the order of their numbers; empty when `is_available` is False.

    Examples
    --------
    >>> from mdbopt import cuda
    >>> [device.index for device in cuda.devices()] == list(range(len(cuda.devices())))
    True
    """
    return [Device(*facts) for facts in _core.cuda_devices()]


def memory_allocated(device: int = 0) -> int:
    """Tell how much memory of a device mdbopt holds, besides the arrays that it was given.

    Parameters
    ----------
    device : int, optional
        Its number.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    RuntimeError
        When CUDA cannot be used.
    ValueError
        When there is no such device.

    Examples
    --------
    >>> from mdbopt import cuda
    >>> not cuda.is_available() or cuda.memory_allocated() >= 0
    True
    """
    return _core.cuda_memory_allocated(_checks.whole("cuda: device", device, least=0, below=2**31))


def synchronize(device: int = 0) -> None:
    """Wait for the work on the default stream of a device, and on all that wait for that one.

    Streams made to run beside it, as PyTorch's are, have their own way to be waited for.

    Parameters
    ----------
    device : int, optional
        Its number.

    Raises
    ------
    RuntimeError
        When CUDA cannot be used, or for what went wrong in that work.
    ValueError
        When there is no such device.

    Examples
    --------
    >>> from mdbopt import cuda
    >>> if cuda.is_available():
    ...     cuda.synchronize()
    """
    _core.cuda_synchronize(_checks.whole("cuda: device", device, least=0, below=2**31))
