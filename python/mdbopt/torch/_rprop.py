"""Step sizes that follow the gradient's signs, on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import optimizers
from mdbopt.torch._update import Update


class Rprop(Update):
    """Resilient propagation: a step size per coordinate; see `mdbopt.Rprop`.

    The state of a parameter has ``prev``, its last gradient, ``step_size``, in units of the
    parameter, and ``step``. As in torch.optim lr is the first step size and nothing else: to change
    it later has no effect on parameters that have taken a step.

    Parameters
    ----------
    params, **common
        See `mdbopt.torch`; ``max_update`` and ``l1`` are relative to one step, as weight decay.
    lr : float or tensor of one number, default 1e-2
        The first step size, in units of the parameters.
    etas : (float, float), default (0.5, 1.2)
        Factors below and above 1, dimensionless.
    step_sizes : (float, float), default (1e-6, 50)
        The least and the largest step size, in units of the parameters.
    weight_decay : float, default 0
        L2, or decoupled and then relative to one step: parameters are multiplied by 1 − it.
    decoupled_weight_decay : bool, default False
        Whether decay multiplies the parameters instead of being added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is unknown or out of its range.

    References
    ----------
    Igel, Hüsken 2003, "Empirical evaluation of the improved Rprop learning algorithms", algorithm
    iRprop−.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.Rprop([x], lr=0.1)
    >>> for slope in (1.0, 3.0):
    ...     optimizer.zero_grad()
    ...     (slope * (x[0] - x[1])).backward()
    ...     optimizer.step()
    >>> x.detach(), optimizer.state[x]["step_size"]
    (tensor([0.7800, 1.2200]), tensor([0.1200, 0.1200]))
    """

    _OPTIMIZER: ClassVar = optimizers.Rprop
    _NAMES: ClassVar = {"g_prev": "prev", "eta": "step_size"}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: Any = (0.5, 1.2),
        step_sizes: Any = (1e-6, 50.0),
        *,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        **common: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)

    # The core's step sizes are relative to an lr; with the least one as the unit of its options any
    # range is valid, and with the range itself as its bounds and 1 as lr they are those of torch.

    def _unit(self, group: dict[str, Any]) -> float:
        sizes = group["step_sizes"]
        return sizes[0] if isinstance(sizes, (tuple, list)) and sizes else 1.0

    def _core_options(self, optimizer: Any) -> dict[str, Any]:
        options = super()._core_options(optimizer)
        least, most = optimizer.step_sizes
        return {**options, "scalars": {**options["scalars"], "least": least, "most": most}}

    def _start(self, stream: str, value: float | None, group: dict[str, Any]) -> float | None:
        return super()._rate(group, 0) if stream == "eta" else value

    def _rate(self, group: dict[str, Any], t: int) -> float:
        return 1.0
