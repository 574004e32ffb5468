"""Adam and its nearest relatives."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._cautious import Cautious, HeldBack


@dataclass(frozen=True, kw_only=True)
class AdamAverages(Optimizer):
    """What divides an average of gradients by the root of one of their squares."""

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

    def _scalars(self) -> dict[str, float]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "eps_root": self.eps_root,
            "bias_correction": float(self.bias_correction),
        }


@dataclass(frozen=True, kw_only=True)
class Adam(AdamAverages, Cautious):
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
    cautious : {"mask", "scaled"}, optional
        No step where its direction d and the gradient differ in sign: d·φ, φ = 1 where d·g > 0,
        else 0. "scaled" makes up for it in each array, by n/(Σφ + 1) of its n elements, at the cost
        of one more reading of x, g and m.
    cautious_weight_decay : bool, default False
        No decoupled decay where it works against the step: only where d·x ≥ 0, d before the mask.
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
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 1; Liang, Chen, Liu,
    Liu 2025, "Cautious optimizers: improving training with one line of code", algorithm 1; Chen,
    Li, Liang et al. 2026, "Cautious weight decay", algorithm 1.

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

    def _rule(self) -> str:
        return self._holding_back("adam")


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − lr·weight_decay)·x − lr·m̂/(√(v̂ + eps_root) + eps).

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters.
    weight_decay : float, default 1e-2
        In units of 1/lr.
    beta1, beta2, eps, eps_root, bias_correction, cautious, cautious_weight_decay
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
class AMSGrad(AdamAverages):
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


@dataclass(frozen=True, kw_only=True)
class NAdam(HeldBack):
    """Adam with Nesterov's look ahead, by a momentum that warms up.

    μ(t) = β₁·(1 − ½·0.96^(t·momentum_decay)), and mu_product is the product of μ(1) to μ(t). With
    m, v, v̂ as for `Adam`, m̂ = μ(t+1)·m/(1 − mu_product·μ(t+1)) + (1 − μ(t))·g/(1 − mu_product) and
    x ← x − lr·m̂/(√(v̂ + eps_root) + eps). The product is the number ``state.mu_product``.

    Parameters
    ----------
    lr : float, default 2e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless; β₁ is what the momentum grows to.
    eps, eps_root
        As for `Adam`.
    momentum_decay : float, default 4e-3
        How fast the momentum grows, ≥ 0, per step; with 0 it stays β₁/2.
    decoupled : bool, default False
        Weight decay is L2 unless it is True, as PyTorch's ``decoupled_weight_decay``.
    cautious : {"mask"}, optional
        As for `Adam`.
    cautious_weight_decay : bool, default False
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    PyTorch's form: m is averaged by β₁, where the paper takes μ(t). optax's has no schedule.

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.NAdam(lr=0.1, momentum_decay=0.0)
    >>> state = optimizer.init(x)
    >>> for _ in range(2):
    ...     _ = optimizer.step(x, np.array([5.0, -0.01]), state)
    >>> state.t, round(state.mu_product, 6)
    (2, 0.2025)
    """

    lr: float = field(default=2e-3, kw_only=False)
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_root: float = 0.0
    momentum_decay: float = 4e-3
    decoupled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        for name in ("eps", "eps_root", "momentum_decay"):
            self._check(name, least=0.0)

    def _rule(self) -> str:
        return "nadam"

    def _scalars(self) -> dict[str, float]:
        names = ("beta1", "beta2", "eps", "eps_root", "momentum_decay")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class RAdam(Adam):
    """Adam that waits until its divisor can be trusted, and shortens steps by how far it can.

    ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ). With m, m̂ and v as for `Adam`, where ρ > 5,
    x ← x − lr·r·√(1 − β₂ᵗ)·m̂/(√(v + eps_root) + eps), r = √((ρ − 4)(ρ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρ));
    before that x ← x − lr·m̂.

    Parameters
    ----------
    lr : float, default 1e-3
        Step size, in units of the parameters; in the first steps over gradients.
    beta1, beta2, eps, eps_root, bias_correction
        As for `Adam`. With β₂ = 0.999 the first 5 steps are along m̂; with β₂ ≤ 2/3 all are.
    decoupled : bool, default False
        Weight decay is L2 unless it is True, as PyTorch's ``decoupled_weight_decay``.
    cautious, cautious_weight_decay
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The paper's threshold is 4; 5 is that of its authors' code, of PyTorch and of optax. The first
    two have eps beside √v, as here, optax beside √v̂, as `Adam`. In the first steps a gradient whose
    square is beyond the range of the state's dtype gives NaN.

    References
    ----------
    Liu, Jiang, He, Chen, Liu, Gao, Han 2020, "On the variance of the adaptive learning rate and
    beyond", algorithm 2.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.RAdam(lr=0.1)
    >>> optimizer.step(x, np.array([5.0, -0.01]), optimizer.init(x))
    True
    >>> x
    array([ 0.5  , -1.999])
    """

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), "rectified": 1.0}


@dataclass(frozen=True, kw_only=True)
class Adamax(HeldBack):
    """Adam divided by the largest gradient of late in place of a root.

    m ← β₁·m + (1 − β₁)·g and u ← max(β₂·u, |g| + eps); with m̂ = m/(1 − β₁ᵗ), x ← x − lr·m̂/u.

    Parameters
    ----------
    lr : float, default 2e-3
        Step size, in units of the parameters.
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
        Dimensionless.
    eps : float, default 1e-8
        Added to the gradient's size, in its units. With 0 a coordinate that never had a gradient
        becomes NaN, 0/0.
    decoupled : bool, default False
        Weight decay is L2, as in PyTorch, unless it is True.
    cautious : {"mask"}, optional
        As for `Adam`.
    cautious_weight_decay : bool, default False
        As for `Adam`.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 2; eps as PyTorch and
    optax have it.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.Adamax(lr=0.1)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([5.0, -0.01]), state)
    True
    >>> x.round(6), state.u.round(6)
    (array([ 0.9, -1.9]), array([5.  , 0.01]))
    """

    lr: float = field(default=2e-3, kw_only=False)
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decoupled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("beta1")
        self._check_fraction("beta2")
        self._check("eps", least=0.0)

    def _rule(self) -> str:
        return "adamax"

    def _scalars(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("beta1", "beta2", "eps")}
