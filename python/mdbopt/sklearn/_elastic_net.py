"""Lasso and ElasticNet: least squares with an l1 penalty, as scikit-learn's."""

from __future__ import annotations

from typing import Any

from mdbopt import _checks
from mdbopt.sklearn._fitting import share
from mdbopt.sklearn._least_squares import LeastSquares, Penalty


class ElasticNet(LeastSquares):
    r"""Least squares with an l1 and an l2 penalty.

    .. math:: \min_{w, b} \; \frac1{2 \sum_i s_i} \sum_i s_i (w \cdot x_i + b - y_i)^2
              + \alpha \rho \lVert w \rVert_1 + \frac{\alpha (1 - \rho)}2 \lVert w \rVert^2

    for each target. The objective is that of scikit-learn's estimator of this name, and so is the
    minimum; coefficients are exactly 0 where the penalty holds them there, and the columns need
    not be scaled.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, >= 0.
    l1_ratio : float, default 0.5
        ρ, the share of l1 in it, from 0 to 1.
    fit_intercept : bool, default True
        Whether b is fitted, without a penalty; else it is 0.
    max_iter : int, optional
        Trial points at most for each target; None for 20,000.
    tol : float, default 1e-10
        The search ends when max|g| <= tol: g is the subgradient of least norm of the objective, for
        a target whose largest distance from its mean is 1, in variables in which columns have mean
        0 and mean square 1, so that no units enter. At least 8 units in the last place of X's
        dtype.
    positive : bool, default False
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype of X
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.
    n_iter_ : ndarray of shape (n_targets,), int32
        Trial points of each search.

    See Also
    --------
    Lasso : with l1 alone.
    Ridge : with l2 alone, its penalty in units of the sum over the rows, and with notes that hold
        for all.

    Notes
    -----
    * `mdbopt.minimize` with ``l1=`` does the work; docs/l1.md says how.
    * There are no ``precompute``, ``copy_X`` (X is not written to), ``warm_start``,
      ``random_state`` and ``selection``, nor ``dual_gap_`` and ``sparse_coef_``.
    * Where columns depend on each other, l1 alone leaves many minima; this is one of them.

    References
    ----------
    .. [1] H. Zou, T. Hastie, "Regularization and variable selection via the elastic net", Journal
       of the Royal Statistical Society B 67 (2005).

    Examples
    --------
    >>> from mdbopt.sklearn import ElasticNet
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> (ElasticNet(0.1, l1_ratio=0.99).fit(X, y).coef_ == 0).nonzero()[0].tolist()
    [0, 4]
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-10,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ElasticNet:
        """Fit the model; arguments and errors are those of `Ridge.fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        ElasticNet
            The estimator itself.
        """
        alpha = _checks.real("alpha", self.alpha, least=0.0)
        ratio = share("l1_ratio", self.l1_ratio)
        self._fit(
            X,
            y,
            sample_weight,
            Penalty((1.0 - ratio) * alpha, ratio * alpha, bool(self.positive)),
        )
        return self


class Lasso(LeastSquares):
    r"""Least squares with an l1 penalty.

    .. math:: \min_{w, b} \; \frac1{2 \sum_i s_i} \sum_i s_i (w \cdot x_i + b - y_i)^2
              + \alpha \lVert w \rVert_1

    for each target: `ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, >= 0.
    fit_intercept : bool, default True
        Whether b is fitted, without a penalty; else it is 0.
    max_iter : int, optional
        Trial points at most for each target; None for 20,000.
    tol : float, default 1e-10
        When the search ends; see `ElasticNet`.
    positive : bool, default False
        Whether coefficients must not be negative.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype of X
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.
    n_iter_ : ndarray of shape (n_targets,), int32
        Trial points of each search.

    See Also
    --------
    ElasticNet : with notes that hold for both.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal
       Statistical Society B 58 (1996).

    Examples
    --------
    >>> from mdbopt.sklearn import Lasso
    >>> model = Lasso(0.1).fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [0.0, 1.0, 2.0])
    >>> model.coef_.round(6).tolist(), round(float(model.intercept_), 6)
    ([0.85, 0.0], 0.15)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-10,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Lasso:
        """Fit the model; arguments and errors are those of `Ridge.fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        Lasso
            The estimator itself.
        """
        alpha = _checks.real("alpha", self.alpha, least=0.0)
        self._fit(X, y, sample_weight, Penalty(0.0, alpha, bool(self.positive)))
        return self
