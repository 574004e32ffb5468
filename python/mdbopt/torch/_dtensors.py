"""Parameters that are DTensors: their pieces on this process, and along what they are cut."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from mdbopt.optimizers._storage import BLOCK, shape_of


def is_dtensor(value: Any) -> bool:
    """Tell whether a value is a DTensor, without importing what makes them."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(value, module.DTensor)


def local(tensor: Any) -> Any:
    """Give the piece of a DTensor that this process holds, and any other tensor as it is.

    It is the tensor inside, where ``to_local()`` of a parameter makes another one at each call.
    """
    return tensor._local_tensor if is_dtensor(tensor) else tensor


def local_gradient(where: Callable[[Any], str], param: Any, grad: Any) -> Any:
    """Give the piece of a gradient that belongs to that of its parameter.

    A gradient that is cut in another way, or still to be summed, is brought to the parameter's
    placements; all processes of the mesh do so.

    Parameters
    ----------
    where : callable
        Names the gradient of a parameter in messages.
    param, grad : tensor
        Both DTensors, or neither; a gradient may be None.

    Raises
    ------
    TypeError
        When only one of them is a DTensor.
    """
    if grad is None or not is_dtensor(param):
        return grad
    if not is_dtensor(grad):
        raise TypeError(
            f"{where(param)}: expected a DTensor, as its parameter is, got a plain tensor"
        )
    if grad.placements != param.placements or grad.device_mesh != param.device_mesh:
        grad = grad.redistribute(param.device_mesh, param.placements)
    piece = local(grad)
    return piece.wait() if hasattr(piece, "trigger_wait") else piece


def like(param: Any, piece: Any) -> Any:
    """Make the DTensor whose pieces are cut as a parameter's, of this process's piece.

    That of codes has the rows of all pieces, as `check_codes` has seen to.
    """
    from torch.distributed.tensor import DTensor

    shape, stride = param.shape, param.stride()
    if "uint8" in str(piece.dtype):
        shape, stride = type(shape)(shape_of(tuple(shape), "signed")), piece.stride()
    return DTensor.from_local(
        piece, param.device_mesh, param.placements, run_check=False, shape=shape, stride=stride
    )


def check_codes(where: str, param: Any) -> None:
    """Raise for a DTensor whose pieces are not as many whole blocks of codes, in its own order."""
    along = [
        size
        for size, placement in zip(param.device_mesh.shape, param.placements, strict=True)
        if not placement.is_replicate()
    ]
    pieces = math.prod(along)
    first = all(p.is_replicate() or p.is_shard(0) for p in param.placements)
    even = pieces == 1 or (
        first and param.shape[0] % pieces == 0 and param.numel() % (pieces * BLOCK) == 0
    )
    if not even:
        raise ValueError(
            f"{where}: has shape {tuple(param.shape)} and placements {param.placements}, expected "
            f"pieces alike of whole rows and a multiple of {BLOCK} elements each for a state in 8 "
            "bits"
        )


class Layout(NamedTuple):
    """How parameters are cut.

    Attributes
    ----------
    mesh : DeviceMesh
        That of the parameters.
    dimensions : tuple of int
        Those of the mesh along which some parameter is cut, in the order of the mesh.
    counts : list of bool
        Of each parameter whether this process's piece counts in sums over all of them: one that is
        replicated along a dimension that cuts others counts once.
    alike : bool
        Whether all parameters are cut along the same dimensions.
    """

    mesh: Any
    dimensions: tuple[int, ...]
    counts: list[bool]
    alike: bool

    def reducer(self) -> Any:
        """Make the reducer of the processes that hold pieces; None where nothing is cut."""
        if not self.dimensions:
            return None
        from mdbopt.distributed import Reducer

        return Reducer.torch([self.mesh.get_group(k) for k in self.dimensions])


def check_kinds(label: str, params: list[Any]) -> None:
    """Raise for what no step can be taken with: some DTensors only, or one still to be summed."""
    kinds = [is_dtensor(param) for param in params]
    if any(kinds) and not all(kinds):
        k = kinds.index(not kinds[0])
        first, other = ("DTensor" if kind else "plain tensor" for kind in (kinds[0], kinds[k]))
        raise TypeError(
            f"{label}: params: expected DTensors alone or plain tensors alone, got a {first} first "
            f"and a {other} as number {k}; give each kind an optimizer of its own"
        )
    for k, param in enumerate(params):
        if kinds[k] and any(placement.is_partial() for placement in param.placements):
            raise TypeError(
                f"{label}: params[{k}]: has placements {param.placements}, expected those of Shard "
                "and Replicate"
            )


def layout_of(params: list[Any]) -> Layout | None:
    """Tell how parameters are cut; None for plain tensors, and for DTensors of several meshes."""
    if not params or not is_dtensor(params[0]):
        return None
    mesh = params[0].device_mesh
    if any(param.device_mesh != mesh for param in params):
        return None
    cuts = [
        {k for k, placement in enumerate(param.placements) if not placement.is_replicate()}
        for param in params
    ]
    dimensions = tuple(sorted(set().union(*cuts)))
    at = mesh.get_coordinate()
    counts = [all(at[k] == 0 for k in dimensions if k not in cut) for cut in cuts]
    return Layout(mesh, dimensions, counts, all(cut == cuts[0] for cut in cuts))
