"""Adam that shortens steps where its averages are behind the gradients."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt.optimizers._adam import AdamAverages


@dataclass(frozen=True, kw_only=True)
class StableAdamW(AdamAverages):
    """AdamW whose step shrinks in an array where v̂ has not yet seen how large g is now.

    rms = √(mean of g²/max(v̂, eps²)) over each array, and lr/max(1, rms) takes the place of lr in
    `AdamW`, its decay included. No bound of gradients is needed beside it.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.99
        Dimensionless.
    eps, eps_root, bias_correction
        As for `Adam`.
    weight_decay : float, default 1e-2
        In units of 1/lr.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper corrects the factors β of the averages, not the averages: these are the same m̂ and v̂.
    Where g = 0, its share of the mean is 0.

    References
    ----------
    Wortsman, Dettmers, Zettlemoyer et al. 2023, "Stable and low-precision training for large-scale
    vision-language models", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.zeros(2)
    >>> optimizer = mdbopt.StableAdamW(lr=0.1, beta1=0.0)
    >>> state = optimizer.init(x)
    >>> for scale in (1.0, 1.0, 100.0):
    ...     before = x.copy()
    ...     _ = optimizer.step(x, np.full(2, scale), state)
    >>> (before - x).round(3)  # AdamW's step is 0.173
    array([0.1, 0.1])
    """

    weight_decay: float = 1e-2
    beta2: float = 0.99
    decoupled: bool = True

    def _rule(self) -> str:
        return "stable_adam"
