"""Parameters whose gradients come to the host, and are stepped there, together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from mdbopt.torch._parameters import arithmetic
from mdbopt.torch._transfers import Transfers


class Bucket:
    """Some parameters of a group: their masters on the host, and memory for their gradients.

    Parameters
    ----------
    params : list of tensor
        On one device and of one dtype.
    exact : bool
        Whether masters have the parameters' own dtype; else they are float32 for half precision.
    transfers : Transfers
        How memory moves.
    """

    def __init__(self, params: list[Any], exact: bool, transfers: Any) -> None:
        self.params = params
        self.transfers: Transfers = transfers
        dtype = params[0].dtype if exact else arithmetic(params[0])
        self.masters = _views(transfers, params, dtype)
        # PyTorch before 2.9 has gradients of a tensor's own dtype alone.
        own = hasattr(torch.Tensor, "grad_dtype")
        self._gradients = _views(transfers, params, params[0].dtype if own else dtype)
        # What is sent where masters are wider than their parameters.
        self._images = self.masters
        if dtype != params[0].dtype:
            self._images = _views(transfers, params, params[0].dtype)
        for master, param in zip(self.masters, params, strict=True):
            master.copy_(param.detach())
            if own and dtype != param.dtype:
                master.grad_dtype = param.dtype
        # The gradients that were fetched, as they were then.
        self._fetched: dict[int, tuple[Any, int]] = {}
        self._mark: Any = None

    def fetch(self, k: int, gradient: Any) -> None:
        """Begin to copy the gradient of the k-th parameter."""
        self.transfers.fetch(self._gradients[k], gradient)
        self._fetched[k] = gradient, gradient._version
        self._mark = self.transfers.mark()

    def release(self, k: int) -> None:
        """Hold a gradient that was fetched no longer: it is the only one there is."""
        self._fetched[k] = None, 0

    def complete(self, keeps: bool) -> bool:
        """Fetch gradients that are others than those fetched; tell whether there is any.

        Parameters
        ----------
        keeps : bool
            Whether parameters keep their gradients, so that one without has none.
        """
        for k, param in enumerate(self.params):
            gradient, version = self._fetched.get(k, (None, 0))
            if param.grad is None:
                if keeps:
                    self._fetched.pop(k, None)
            elif param.grad is not gradient or param.grad._version != version:
                self.fetch(k, param.grad)
        for k, master in enumerate(self.masters):
            master.grad = self._gradients[k] if k in self._fetched else None
        return bool(self._fetched)

    def wait(self) -> None:
        """Return when all gradients that were fetched are there."""
        self.transfers.wait(self._mark)

    def gradients(self) -> list[Any]:
        """List those that were fetched."""
        return [self._gradients[k] for k in self._fetched]

    def send_stepped(self) -> None:
        """Begin to copy the parameters that were stepped back to the device."""
        self._send(self._fetched)

    def send(self) -> None:
        """Begin to copy all parameters to the device."""
        self._send(range(len(self.params)))

    def _send(self, places: Iterable[int]) -> None:
        for k in places:
            if self._images is not self.masters:
                self._images[k].copy_(self.masters[k])
            self.transfers.send(self.params[k].detach(), self._images[k])
            torch.autograd.graph.increment_version(self.params[k])

    def read_parameters(self) -> None:
        """Make masters what the parameters are."""
        for master, param in zip(self.masters, self.params, strict=True):
            master.copy_(param.detach())

    def load(self, k: int, master: Any) -> None:
        """Make a parameter what its saved master is; without one the master what it is."""
        if master is None:
            self.masters[k].copy_(self.params[k].detach())
            return
        self.masters[k].copy_(master)
        self.params[k].copy_(self.masters[k])

    def forget(self) -> None:
        """Forget the gradients that were fetched."""
        self._fetched.clear()


def _views(transfers: Transfers, params: list[Any], dtype: Any) -> list[Any]:
    """Give each parameter its part of one piece of memory on the host."""
    memory = transfers.empty(sum(param.numel() for param in params), dtype)
    parts = memory.split([param.numel() for param in params])
    return [part.view(param.shape) for part, param in zip(parts, params, strict=True)]
