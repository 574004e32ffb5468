"""Steps divided by the root of summed or averaged squares."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class AdaGrad(Optimizer):
    """Steps divided by the root of the sum of squared gradients, per coordinate.

    S ← S + g², x ← x − lr·g/(√(S + eps_root) + eps); S is ``state.sum_of_squares``.

    Parameters
    ----------
    lr : float, default 1e-2
        Step size, in units of the parameters.
    initial : float, default 0
        S at the start, in units of the gradient squared; at most 1e38 but for float64.
    eps : float, default 1e-10
        Added outside the root, in units of the gradient.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The defaults are PyTorch's (whose ``lr_decay`` a schedule of ``lr`` replaces); optax starts at
    ``initial=0.1`` with ``eps_root=1e-7, eps=0``.

    References
    ----------
    Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization", section 1.3.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.AdaGrad(lr=0.5)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([100.0, 0.01]), state)
    True
    >>> x.round(6), state.sum_of_squares
    (array([0.5, 0.5]), array([1.e+04, 1.e-04]))
    """

    lr: float = field(default=1e-2, kw_only=False)
    initial: float = 0.0
    eps: float = 1e-10
    eps_root: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("initial", "eps", "eps_root"):
            self._check(name, least=0.0)

    def _rule(self) -> str:
        return "adagrad"

    def _scalars(self) -> dict[str, float]:
        return {"eps": self.eps, "eps_root": self.eps_root}

    def _arrays(self) -> dict[str, float | None]:
        return {**super()._arrays(), "sum_of_squares": self.initial}


@dataclass(frozen=True, kw_only=True)
class AdaGradNorm(AdaGrad):
    """AdaGrad with one sum for all coordinates of all arrays.

    S ← S + ‖g‖², x ← x − lr·g/(√(S + eps_root) + eps); S is the number ``state.sum_of_squares``.
    It costs one more reading of the gradients.

    Parameters
    ----------
    lr : float, default 1e-2
        Step size, in units of the parameters.
    initial, eps, eps_root
        As for `AdaGrad`; ``initial`` is b₀² of the paper.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Ward, Wu, Bottou 2019, "AdaGrad stepsizes: sharp convergence over nonconvex landscapes",
    algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.AdaGradNorm(lr=0.5)
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([3.0, 4.0]), state)
    True
    >>> x.round(6), state.sum_of_squares
    (array([0.7, 0.6]), 25.0)
    """

    def _rule(self) -> str:
        return "adagrad_norm"

    def _scalars(self) -> dict[str, float]:
        return {**super()._scalars(), "sum_of_squares": self.initial}

    def _arrays(self) -> dict[str, float | None]:
        return Optimizer._arrays(self)  # without that of AdaGrad


@dataclass(frozen=True, kw_only=True)
class RMSProp(Optimizer):
    """Steps divided by the root of an average of squared gradients.

    v ← α·v + (1 − α)·g²; centred, a ← α·a + (1 − α)·g and max(v − a², 0) takes the place of v in
    d = g/(√(v + eps_root) + eps). Then x ← x − lr·d, or with momentum m ← momentum·m + d and
    x ← x − lr·m.

    Parameters
    ----------
    lr : float, default 1e-2
        Step size, in units of the parameters.
    alpha : float in [0, 1), default 0.99
        Dimensionless.
    momentum : float in [0, 1), default 0
        Dimensionless.
    centered : bool, default False
        Whether the squared average is subtracted, so that d is divided by a deviation.
    eps : float, default 1e-8
        Added outside the root, in units of the gradient.
    eps_root : float, default 0
        Added inside the root, in units of the gradient squared.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    Notes
    -----
    The defaults are PyTorch's; optax and TensorFlow add eps inside the root (``eps_root``).
    Rounding can take v below a²; where PyTorch then gives NaN, the variance is 0 here.

    References
    ----------
    Tieleman, Hinton 2012, lecture 6.5; Graves 2013, "Generating sequences with recurrent neural
    networks", eq. 38-45.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, 1.0])
    >>> optimizer = mdbopt.RMSProp(lr=0.1)
    >>> optimizer.step(x, np.array([100.0, 0.01]), optimizer.init(x))
    True
    >>> x.round(4)
    array([0., 0.])
    """

    lr: float = field(default=1e-2, kw_only=False)
    alpha: float = 0.99
    momentum: float = 0.0
    centered: bool = False
    eps: float = 1e-8
    eps_root: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("alpha")
        self._check_fraction("momentum")
        self._check_bool("centered")
        if self.centered and self.state_dtype is not None:
            raise ValueError(
                "RMSProp: state_dtype: expected None with centered, which subtracts averages that "
                f"are nearly alike, got {self.state_dtype!r}"
            )
        self._check("eps", least=0.0)
        self._check("eps_root", least=0.0)

    def _rule(self) -> str:
        centered = "_centered" if self.centered else ""
        return f"rmsprop{centered}{'_momentum' if self.momentum > 0.0 else ''}"

    def _scalars(self) -> dict[str, float]:
        return {
            "alpha": self.alpha,
            "momentum": self.momentum,
            "eps": self.eps,
            "eps_root": self.eps_root,
        }


@dataclass(frozen=True, kw_only=True)
class Adadelta(Optimizer):
    """Steps as long as those of late, where gradients are as large as those of late.

    v ← rho·v + (1 − rho)·g², d = √(squared_steps + eps)/√(v + eps)·g and
    squared_steps ← rho·squared_steps + (1 − rho)·d²; then x ← x − lr·d.

    Parameters
    ----------
    lr : float, default 1
        Factor of the steps, dimensionless: d is in units of the parameters.
    rho : float in [0, 1), default 0.9
        Dimensionless.
    eps : float, default 1e-6
        Added inside both roots, in units of the gradient squared and of the parameters squared. Its
        root is about the length of the first steps.
    **common
        See `mdbopt.optimizers`.

    Raises
    ------
    ValueError
        When a hyperparameter is out of its range.

    References
    ----------
    Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1.

    Examples
    --------
    >>> import numpy as np, mdbopt
    >>> x = np.array([1.0, -2.0])
    >>> optimizer = mdbopt.Adadelta()
    >>> state = optimizer.init(x)
    >>> optimizer.step(x, np.array([100.0, -1.0]), state)
    True
    >>> x.round(5), state.v
    (array([ 0.99684, -1.99684]), array([1.e+03, 1.e-01]))
    """

    lr: float = field(default=1.0, kw_only=False)
    rho: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("rho")
        self._check("eps", least=0.0)

    def _rule(self) -> str:
        return "adadelta"

    def _scalars(self) -> dict[str, float]:
        return {"rho": self.rho, "eps": self.eps}
