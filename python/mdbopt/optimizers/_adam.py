"""Adam and its nearest relatives."""

from __future__ import annotations

from dataclasses import dataclass

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Steps divided by the root of an average of squared gradients.

    m ← β₁·m + (1 − β₁)·g and v ← β₂·v + (1 − β₂)·g²; with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ),
    x ← x − lr·m̂/(√(v̂ + eps_root) + eps). Without bias correction m̂ = m and v̂ = v.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-8
        Added outside the root, in units of the gradient. With 0 (and ``eps_root`` 0) a coordinate
        that never had a gradient becomes NaN, 0/0, as in PyTorch.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    bias_correction : bool, default True
        Whether averages are corrected for their start at 0.
    decoupled : bool, default False
        Weight decay is L2, as in the paper and in PyTorch's Adam; `AdamW` has it decoupled.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    ``eps`` and ``eps_root`` are optax's; PyTorch has ``eps`` alone. The corrections multiply m and
    v where PyTorch divides the step and the root: results differ in the last bits.

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.Adam(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(6), state.m
    (array([ 0.9, -1.9]), array([ 0.5  , -0.001]))
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_root: float = 0.0
    bias_correction: bool = True
    decoupled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        self._check("eps", least=0.0)
        self._check("eps_root", least=0.0)
        self._check_bool("bias_correction")

    def _rule(self) -> str:
        return "adam"

    def _scalars(self) -> dict[str, float]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "eps_root": self.eps_root,
            "bias_correction": float(self.bias_correction),
        }


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − lr·weight_decay)·x − lr·m̂/(√(v̂ + eps_root) + eps).

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    weight_decay : float, default 1e-2
        In units of 1/lr.
    beta1, beta2, eps, eps_root, bias_correction
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range, or ``decoupled`` is False.

    References
    ----------
    Loshchilov, Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.AdamW(lr=0.1, weight_decay=0.5)
    >>> optimizer.step(x, np.zeros(2), optimizer.init(x))
    True
    >>> x
    array([ 0.95, -1.9 ])
    """

    weight_decay: float = 1e-2
    decoupled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decoupled:
            raise ValueError("AdamW: decoupled: expected True; Adam has L2 decay")


@dataclass(frozen=True, kw_only=True)
class AMSGrad(Adam):
    """Adam divided by the largest average so far: v_max ← max(v_max, v) in place of v.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    beta1, beta2, eps, eps_root, bias_correction, decoupled
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The correction 1/(1 − β₂ᵗ) applies to v_max, as in PyTorch; optax corrects v before the maximum.
    The paper has no correction (``bias_correction=False``) and no ``eps``.

    References
    ----------
    Reddi, Kale, Kumar 2018, "On the convergence of Adam and beyond", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0])
    >>> optimizer = mdbopt.AMSGrad(lr=0.1)
    >>> state = optimizer.init(x)
    >>> for g in (10.0, 0.0):
    ...     _ = optimizer.step(x, np.array([g]), state)
    >>> bool(state.v_max > state.v)
    True
    """

    def _rule(self) -> str:
        return "amsgrad"
