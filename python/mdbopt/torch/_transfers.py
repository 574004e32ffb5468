"""Copies between a device and the host, that run beside all else where the device can."""

from __future__ import annotations

from typing import Any

import torch


class Transfers:
    """Copies that are done when they are called for, as of parameters on the CPU.

    What takes its place for an accelerator has these methods.
    """

    def empty(self, size: int, dtype: Any) -> Any:
        """Make memory on the host that copies can be to and from."""
        return torch.empty(size, dtype=dtype)

    def fetch(self, target: Any, source: Any) -> None:
        """Begin to copy from the device to the host, behind what the device has been given."""
        target.copy_(source)

    def mark(self) -> Any:
        """Give what `wait` takes, for all that was fetched up to now."""
        return None

    def wait(self, mark: Any) -> None:
        """Return when it has arrived."""

    def send(self, target: Any, source: Any) -> None:
        """Begin to copy from the host to the device; the host leaves the source as it is then."""
        target.copy_(source)

    def finish(self) -> None:
        """Let the device use what was sent only once it is there."""

    def settle(self) -> None:
        """Return when the host may write to what was sent."""


class CudaTransfers(Transfers):
    """Copies on two streams of a CUDA device, through pinned memory.

    Parameters
    ----------
    device : torch.device
        Where the parameters are.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._to_host = torch.cuda.Stream(device)
        self._to_device = torch.cuda.Stream(device)

    def empty(self, size: int, dtype: Any) -> Any:
        return torch.empty(size, dtype=dtype, pin_memory=True)

    def fetch(self, target: Any, source: Any) -> None:
        self._to_host.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._to_host):
            target.copy_(source, non_blocking=True)
        source.record_stream(self._to_host)  # its memory may be given away before

    def mark(self) -> Any:
        return self._to_host.record_event()

    def wait(self, mark: Any) -> None:
        mark.synchronize()

    def send(self, target: Any, source: Any) -> None:
        self._to_device.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._to_device):
            target.copy_(source, non_blocking=True)

    def finish(self) -> None:
        torch.cuda.current_stream(self._device).wait_stream(self._to_device)

    def settle(self) -> None:
        self._to_device.synchronize()


def transfers_of(device: Any) -> Transfers:
    """Give the copies of a device: those that wait for nothing, or plain ones."""
    return CudaTransfers(device) if device.type == "cuda" else Transfers()
