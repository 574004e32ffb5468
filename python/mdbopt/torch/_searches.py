"""Searches on PyTorch's parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from mdbopt import searches
from mdbopt.searches._base import Search as Options
from mdbopt.torch._search import Search


class Guarded(Search):
    """A fast direction proposes, multidimensional backtracking guards; see `mdbopt.Guarded`.

    In the place of `torch.optim.LBFGS`, with or without its line search: no step size is needed.

    Parameters
    ----------
    params : iterable of tensors or of (name, tensor), or one dict
        float64 or float32, all of one dtype, on the CPU.
    lr : float or tensor of one number, default 1
        How much of the way that a step found is gone: parameters end at x + lr·(x⁺ − x). Where it
        is not 1, the next step begins a new search.
    max_iter : int, default 20
        The most moves of one step.
    max_eval : int, optional
        The most evaluations of one step; by default ``max_iter * 5 // 4``.
    tolerance_grad : float, default 1e-7
        A step ends where max|g| is at most this, in units of the gradient.
    tolerance_change : float, default 1e-9
        A step ends after a move by no more than this in any parameter, or in the loss.
    memory : int or "auto", default "auto"
        Secant pairs that the direction remembers.
    proposer : {"lbfgs", "heavy-ball", "nesterov", "cg"}
        Where directions come from.
    gamma, initial_scale, forward, cut
        Of the guarding box, as for `mdbopt.Box`.
    groups : {"coordinate", "tensor"}, default "coordinate"
        Whether the box has a step size for each coordinate, or one for each parameter tensor.
    bounds : tuple or list, optional
        A pair (lower, upper) for all parameters, or a list with a pair or None for each. A side is
        None, a number, or a tensor that broadcasts to the parameter's shape; of a DTensor to that
        of its piece, where it is no DTensor cut as it is. No point outside is evaluated; parameters
        that begin outside are clipped, with a warning. See docs/bounds.md.
    l1 : float, tensor or list, optional
        A number ≥ 0, or a tensor that broadcasts to the shape of each parameter, or a list with one
        of these for each: Σ l1 |x| is added to what is minimised, with ``maximize`` to the negative
        loss. The closure returns the loss without it, and so does the step; 0 exempts. See
        docs/l1.md.
    reevaluate : bool, default False
        Whether every step begins with an evaluation, as one of `torch.optim.LBFGS` does. Without,
        the loss at the end of a step is known at the start of the next one, unless parameters or
        closure have changed: another function, other objects that it captured or names, such as the
        tensors of another batch, or tensors that were written to. What such objects hold is not
        looked at. With a loss that changes otherwise, set it.
    maximize : bool, default False
        Climbs.
    backend, threads
        As in `mdbopt.kernels`.
    reducer : callable, optional
        How this search meets those of other processes, where each tensor is a piece of a longer
        one, see `mdbopt.distributed`. DTensors make their own from their mesh; all of them are cut
        along the same dimensions of it. The closure returns the same loss on all processes.

    Raises
    ------
    TypeError, ValueError
        When a parameter cannot be optimized, or an option is out of its range.

    Notes
    -----
    Where the loss turns out to be another function, at the parameters as they are, the search
    begins anew: what it has learnt of the former one is no bound on this one.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    >>> optimizer = mdbopt.torch.Guarded([x], max_iter=100)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> round(float(optimizer.step(closure)), 1)
    24.2
    >>> x.detach()
    tensor([1.0000, 1.0000], dtype=torch.float64)
    """

    _SEARCH: ClassVar = searches.Guarded

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        *,
        memory: float | str | None = "auto",
        proposer: str = "lbfgs",
        gamma: float | None = None,
        initial_scale: float | str = "auto",
        forward: float | None = None,
        cut: str = "cocoercive",
        **common: Any,
    ) -> None:
        options = {
            "memory": memory,
            "proposer": proposer,
            "gamma": gamma,
            "initial_scale": initial_scale,
            "forward": forward,
            "cut": cut,
        }
        super().__init__(
            params, options, lr, max_iter, max_eval, tolerance_grad, tolerance_change, **common
        )


class Box(Search):
    """Multidimensional backtracking over a box; see `mdbopt.Box`.

    Parameters
    ----------
    params, lr, max_iter, max_eval, tolerance_grad, tolerance_change
        As for `Guarded`.
    gamma, initial_scale, forward, cut
        As for `mdbopt.Box`.
    **common
        ``groups``, ``bounds``, ``l1``, ``reevaluate``, ``maximize``, ``backend``, ``threads`` and
        ``reducer``, as for `Guarded`.

    Raises
    ------
    TypeError, ValueError
        As for `Guarded`.

    References
    ----------
    Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527, section 4.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> h = torch.tensor([1.0, 100.0])
    >>> x = torch.ones(2, requires_grad=True)
    >>> optimizer = mdbopt.torch.Box([x], max_iter=200)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = h @ x**2 / 2
    ...     loss.backward()
    ...     return loss
    >>> float(optimizer.step(closure)), bool(x.abs().max() < 1e-3)
    (50.5, True)
    """

    _SEARCH: ClassVar[type[Options]] = searches.Box

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        *,
        gamma: float | None = None,
        initial_scale: float | str = "auto",
        forward: float | None = None,
        cut: str = "cocoercive",
        **common: Any,
    ) -> None:
        options = {
            "gamma": gamma,
            "initial_scale": initial_scale,
            "forward": forward,
            "cut": cut,
        }
        super().__init__(
            params, options, lr, max_iter, max_eval, tolerance_grad, tolerance_change, **common
        )


class Simplex(Box):
    """Multidimensional backtracking over a simplex; see `mdbopt.Simplex`.

    Parameters are those of `Box`.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> mdbopt.torch.Simplex([x], groups="tensor").param_groups[0]["groups"]
    'tensor'
    """

    _SEARCH: ClassVar = searches.Simplex


class Backtracking(Box):
    """Classic backtracking, one step size for all parameters; see `mdbopt.Backtracking`.

    Parameters are those of `Box`; with ``groups="tensor"`` it has a step size for each parameter
    tensor, and is the same as `Box` with that.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> mdbopt.torch.Backtracking([x], initial_scale=1.0).param_groups[0]["max_iter"]
    20
    """

    _SEARCH: ClassVar = searches.Backtracking


class Ellipsoid(Search):
    """Multidimensional backtracking over an ellipsoid; see `mdbopt.Ellipsoid`.

    Parameters
    ----------
    params, lr, max_iter, max_eval, tolerance_grad, tolerance_change
        As for `Guarded`.
    gamma, initial_scale, forward, cut, candidate, refine
        As for `mdbopt.Ellipsoid`.
    **common
        As for `Box`.

    Raises
    ------
    TypeError, ValueError
        As for `Guarded`.

    References
    ----------
    Kunstner, Portella, Schmidt, Harvey, NeurIPS 2023, arXiv 2306.02527, section 5.

    Examples
    --------
    >>> import torch, mdbopt.torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> mdbopt.torch.Ellipsoid([x], candidate="plain").param_groups[0]["candidate"]
    'plain'
    """

    _SEARCH: ClassVar = searches.Ellipsoid

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        *,
        gamma: float | None = None,
        initial_scale: float | str = "auto",
        forward: float | None = None,
        cut: str = "cocoercive",
        candidate: str = "gradient",
        refine: float | None = 0,
        **common: Any,
    ) -> None:
        options = {
            "gamma": gamma,
            "initial_scale": initial_scale,
            "forward": forward,
            "cut": cut,
            "candidate": candidate,
            "refine": refine,
        }
        super().__init__(
            params, options, lr, max_iter, max_eval, tolerance_grad, tolerance_change, **common
        )
