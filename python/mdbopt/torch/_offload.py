"""Optimizers whose states, masters and arithmetic are on the host, for parameters elsewhere."""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch

from mdbopt import _checks, _rules
from mdbopt.torch._bucket import Bucket
from mdbopt.torch._clip import norm_of, scale_within
from mdbopt.torch._dtensors import is_dtensor
from mdbopt.torch._groups import step_scaled
from mdbopt.torch._parameters import checked_group
from mdbopt.torch._saved import load_exactly, unwrapped
from mdbopt.torch._transfers import Transfers, transfers_of
from mdbopt.torch._update import Update


class Offload(torch.optim.Optimizer):
    """An optimizer of `mdbopt.torch` that steps on the CPU parameters that live on a GPU.

    The GPU holds parameters and gradients; the host's memory holds masters (float32 copies of
    half-precision parameters, else copies) and the state. A gradient is copied to pinned memory as
    soon as the backward pass has it, beside the rest of the pass. `step` takes the gradients in
    buckets, in the order in which they arrive: a bucket is stepped while later ones arrive, and
    copied back while later ones are stepped. With ``max_norm`` no bucket is stepped before all have
    arrived.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts
        As for the optimizer; dense tensors on one device, no DTensors.
    optimizer : type
        Such as `AdamW`: any update of `mdbopt.torch` without sums over all parameters.
    max_norm : float, optional
        Bounds the norm of all gradients together; `total_norm` is what it was. Set it as an
        attribute later.
    free_gradients : bool, default False
        Whether a gradient leaves the device as soon as it is copied. Then there can be neither
        accumulation over several backward passes nor a ``GradScaler``.
    bucket_bytes : int, default 2**25
        How much memory the gradients of a bucket take at least, unless its group ends before.
    transfers : Transfers, optional
        How memory moves; by default two streams for a CUDA device, and plain copies elsewhere.
    **options
        Of the optimizer: ``lr``, ``weight_decay``, …

    Raises
    ------
    TypeError, ValueError
        When the optimizer is none of these, a parameter is a DTensor or lives on another device,
        or as the optimizer raises. In `step`: as the optimizer raises, for all buckets before the
        first is stepped; and for a sparse gradient.

    Notes
    -----
    torchao's ``CPUOffloadOptimizer`` takes its arguments in this order, and has a parameter group
    for each parameter; groups are those given here, so that schedules of several groups work.
    `state_dict` has the form of the optimizer's own, with the masters, and reads the optimizer's.

    Gradients that were changed after the backward pass, as by ``clip_grad_norm_``, are copied
    again. The same holds for parameters that were: the master is what counts, so that a write to a
    parameter is lost; `read_parameters` takes what they are for masters.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> model = torch.nn.Linear(3, 1, dtype=torch.bfloat16)
    >>> optimizer = mdbopt.torch.Offload(
    ...     model.parameters(), mdbopt.torch.AdamW, lr=0.1, weight_decay=0.0, max_norm=1.0
    ... )
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     loss = (model(torch.eye(3, dtype=torch.bfloat16)) - 1.0).square().mean()
    ...     loss.backward()
    ...     optimizer.step()
    >>> bool(loss < 1e-2), optimizer.state[model.weight]["master"].dtype
    (True, torch.float32)
    """

    _step_supports_amp_scaling = True

    def __init__(
        self,
        params: Any,
        optimizer: type[Update],
        *,
        max_norm: float | None = None,
        free_gradients: bool = False,
        bucket_bytes: int = 2**25,
        transfers: Transfers | None = None,
        **options: Any,
    ) -> None:
        self._kind = _checked_kind(optimizer)
        if max_norm is not None:
            max_norm = _checks.real("Offload: max_norm", max_norm, least=0.0, strict=True)
        if not isinstance(free_gradients, bool):
            raise TypeError(
                f"Offload: free_gradients: expected a bool, got {type(free_gradients).__name__}"
            )
        if options.get("reducer") is not None:
            raise ValueError("Offload: reducer: expected None, since it steps whole tensors")
        self._bucket_bytes = _checks.whole("Offload: bucket_bytes", bucket_bytes, least=1)
        self._free = free_gradients
        self._options = options
        self._transfers = transfers
        self._device: Any = None
        self._buckets: list[tuple[dict[str, Any], Bucket, Update]] = []
        self._arrived: dict[int, None] = {}  # buckets in the order of their first gradient
        self.max_norm = max_norm
        self.total_norm: Any = None
        dtype = torch.float32 if options.get("master") is None else torch.bfloat16
        alike = optimizer([torch.zeros(1, dtype=dtype)], **options)
        super().__init__(params, alike.defaults)

    # -- groups and states ------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own.

        Parameters
        ----------
        param_group : dict
            ``"params"`` and what differs from the defaults.

        Raises
        ------
        TypeError, ValueError
            As the constructor. Nothing is added then.
        """
        super().add_param_group(checked_group("Offload", param_group))
        group = self.param_groups[-1]
        try:
            made = list(self._made(group))
        except Exception:
            self.param_groups.pop()
            raise
        for bucket, inner in made:
            own = inner.param_groups[0]
            group.update({name: value for name, value in own.items() if name not in group})
            self._hook(len(self._buckets), bucket)
            self._buckets.append((group, bucket, inner))

    def _made(self, group: dict[str, Any]) -> Iterator[tuple[Bucket, Update]]:
        """Make the buckets of a group, the last parameters first, as backward passes have them."""
        params = group["params"]
        for i, param in enumerate(params):
            where = f"Offload: params[{i}]"
            if is_dtensor(param):
                raise TypeError(f"{where}: is a DTensor, expected a plain tensor")
            device = self._device or param.device
            if param.device != device:
                raise ValueError(f"{where}: lives on {param.device}, expected {device} as others")
            self._device = device
        if self._transfers is None and params:
            self._transfers = transfers_of(self._device)
        exact = group.get("master") == "remainder"
        for places in _cut(params, self._bucket_bytes):
            bucket = Bucket([params[i] for i in places], exact, self._transfers)
            masters: list[Any] = bucket.masters
            if "param_names" in group:
                names = [group["param_names"][i] for i in places]
                masters = list(zip(names, masters, strict=True))
            options = {name: group[name] for name in group if name not in _OF_PARAMS}
            inner = self._kind([{**options, "params": masters}], **self._options)
            _check_sums(self._kind, inner._optimizer_of(inner.param_groups[0])._rule())
            yield bucket, inner

    def _hook(self, number: int, bucket: Bucket) -> None:
        """Have gradients fetched as the backward pass has them, for as long as this lives."""
        owner = weakref.ref(self)

        def arrived(k: int) -> Callable[[Any], None]:
            def fetch(param: Any) -> None:
                if (living := owner()) is not None:
                    living._fetch(number, k, param)

            return fetch

        for k, param in enumerate(bucket.params):
            if param.requires_grad:
                hook = param.register_post_accumulate_grad_hook(arrived(k))
                weakref.finalize(self, hook.remove)

    def _fetch(self, number: int, k: int, param: Any) -> None:
        """Begin to copy the gradient of the k-th parameter of a bucket."""
        if param.grad.layout is not torch.strided:
            return  # which the step refuses
        bucket = self._buckets[number][1]
        bucket.fetch(k, param.grad)
        self._arrived.setdefault(number)
        if self._free:
            param.grad = None
            bucket.release(k)

    @property
    def state(self) -> Any:
        """The states of all parameters, on the host, each with its ``"master"``."""
        states: Any = defaultdict(dict)
        for _, bucket, inner in self._buckets:
            for param, master in zip(bucket.params, bucket.masters, strict=True):
                if master in inner.state:
                    states[param] = {**inner.state[master], "master": master}
        return states

    @state.setter
    def state(self, state: Any) -> None:
        """Take what PyTorch begins with: nothing, since states are those of the masters."""

    # -- steps ------------------------------------------------------------------------------------

    @torch._disable_dynamo
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient, in place.

        When it returns, the host has taken the step, and what the device is given from now on
        sees the parameters that are still on their way.

        Parameters
        ----------
        closure : callable, optional
            Evaluates the model, with gradients, and returns the loss. Called once.

        Returns
        -------
        loss
            What the closure returned; None without one.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As of the optimizer. No parameter has been written then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found_inf = self.__dict__.get("found_inf")  # set by PyTorch's GradScaler, as grad_scale
        if found_inf is not None and float(found_inf) != 0.0:
            self._forget()
            return loss
        try:
            present = self._present()
            for group, _, inner in present:
                _tell(inner, group)
                inner._check_step()
            scaling = self._scaling([bucket for _, bucket, _ in present])
            if self._transfers is not None:
                self._transfers.settle()
            for _, bucket, inner in present:
                bucket.wait()
                step_scaled(inner, scaling, None)
                bucket.send_stepped()
            if self._transfers is not None:
                self._transfers.finish()
        finally:
            self._forget()
        return loss

    def _present(self) -> list[tuple[dict[str, Any], Bucket, Update]]:
        """List the buckets that have a gradient, those first that began to arrive first."""
        for param in chain.from_iterable(group["params"] for group in self.param_groups):
            if param.grad is not None and param.grad.layout is not torch.strided:
                raise RuntimeError(
                    f"Offload: gradients: expected dense ones, got layout {param.grad.layout}"
                )
        order = [*self._arrived, *(k for k in range(len(self._buckets)) if k not in self._arrived)]
        listed = [self._buckets[k] for k in order]
        return [each for each in listed if each[1].complete(not self._free)]

    def _scaling(self, buckets: list[Bucket]) -> dict[str, float]:
        """Give what gradients are divided by, which waits for all where their norm is bounded."""
        given = self.__dict__.get("grad_scale")
        scale = 1.0 if given is None else float(given)
        if self.max_norm is not None:
            norms = []
            for bucket in buckets:
                bucket.wait()
                norms.append(norm_of(bucket.gradients()))
            self.total_norm = math.hypot(*norms) / scale
            scale = scale_within(scale, self.total_norm, self.max_norm)
        return {} if scale == 1.0 else {"grad_scale": scale}

    def _forget(self) -> None:
        self._arrived.clear()
        for _, bucket, _ in self._buckets:
            bucket.forget()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, those on the host among them."""
        super().zero_grad(set_to_none)
        self._forget()

    # -- averages ---------------------------------------------------------------------------------

    def eval(self) -> None:
        """Make the masters that have an average the average, and parameters what masters are.

        See `eval` of the optimizer, which raises where there is none.
        """
        self._show(True)

    def train(self) -> None:
        """Take the masters back from where `eval` put their average, and parameters with them.

        See `train` of the optimizer, which raises where there is no average.
        """
        self._show(False)

    @torch.no_grad()
    def _show(self, averaged: bool) -> None:
        averaging = [each for each in self._buckets if each[2]._averages()] or self._buckets
        if self._transfers is not None:
            self._transfers.settle()
        for group, bucket, inner in averaging:
            (inner.eval if averaged else inner.train)()
            group["averaged"] = averaged
            bucket.send()
        if self._transfers is not None:
            self._transfers.finish()

    @torch.no_grad()
    def read_parameters(self) -> None:
        """Take what the parameters are now for the masters, after they were written to.

        Raises
        ------
        ValueError
            Where the parameters are their average.
        """
        for _, _, inner in self._buckets:
            inner._check_point()
        for _, bucket, inner in self._buckets:
            bucket.read_parameters()
            for state in inner.state.values():
                if "low" in state:
                    state["low"].zero_()

    # -- saved states -----------------------------------------------------------------------------

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state of this optimizer, or of the one that it steps.

        Parameters are made what the masters are; where none are saved, masters what parameters are.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` gave.

        Raises
        ------
        ValueError
            When its groups do not fit those of this optimizer.
        """
        load_exactly(self, super().load_state_dict, state_dict)

    @torch.no_grad()
    def __setstate__(self, state: dict[str, Any]) -> None:
        groups, states = state["param_groups"], state["state"]
        for group, loaded in zip(self.param_groups, groups, strict=True):
            group.update({name: v for name, v in loaded.items() if name not in _OF_PARAMS})
        for group, bucket, inner in self._buckets:
            options = {name: group[name] for name in group if name not in _OF_PARAMS}
            own: Any = defaultdict(dict)
            for k, (param, master) in enumerate(zip(bucket.params, bucket.masters, strict=True)):
                entry = dict(states.get(param, {}))
                bucket.load(k, unwrapped(entry.pop("master", None)))
                if entry:
                    own[master] = entry
            inner.__setstate__(
                {"state": own, "param_groups": [{**inner.param_groups[0], **options}]}
            )
        if self._transfers is not None:
            self._transfers.finish()

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError(
            "Offload: cannot be copied or pickled, since it is bound to the backward pass of its "
            "parameters; save its state_dict()"
        )


# What a group has of its own, beside options.
_OF_PARAMS = ("params", "param_names")


def _checked_kind(kind: Any) -> type[Update]:
    """Return a class of optimizers that can step in buckets, or raise."""
    if not isinstance(kind, type) or not issubclass(kind, Update):
        came = kind.__name__ if isinstance(kind, type) else type(kind).__name__
        raise TypeError(f"Offload: optimizer: expected an update of mdbopt.torch, got {came}")
    return kind


def _check_sums(kind: type[Update], rule: str) -> None:
    """Raise for a rule whose sums are over all parameters, of which a bucket has some."""
    known = _rules.described()[rule]
    if known["folds"] and not known["per_array"]:
        raise ValueError(
            f"Offload: optimizer: expected a rule without sums over all parameters, got "
            f"{kind.__name__}"
        )


def _cut(params: list[Any], least: int) -> Iterator[list[int]]:
    """Cut parameters, from the last to the first, into buckets of one dtype."""
    places: list[int] = []
    size = 0
    for i in reversed(range(len(params))):
        if places and (size >= least or params[i].dtype != params[places[0]].dtype):
            yield places
            places, size = [], 0
        places.append(i)
        size += params[i].numel() * params[i].element_size()
    if places:
        yield places


def _tell(inner: Update, group: dict[str, Any]) -> None:
    """Give an optimizer of a bucket the options that its group has now."""
    inner.param_groups[0].update(
        {name: value for name, value in group.items() if name not in _OF_PARAMS}
    )
