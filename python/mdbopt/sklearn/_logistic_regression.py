"""LogisticRegression: two classes or more, as scikit-learn's, without scaled columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from mdbopt import _checks
from mdbopt._finite import Array
from mdbopt.problems import logistic
from mdbopt.problems import softmax as softmax_problem
from mdbopt.sklearn._fitting import Stops, rows, rows_and_targets, share, solved, weights_of_rows
from mdbopt.sklearn._variables import Columns


class LogisticRegression(ClassifierMixin, BaseEstimator):
    r"""Logistic regression for two classes, softmax regression for more.

    .. math:: \min_{W, b} \; C \sum_i s_i \Big[\log \sum_k e^{z_{ik}} - z_{i y_i}\Big]
              + \frac{1 - \rho}2 \lVert W \rVert^2 + \rho \lVert W \rVert_1,
              \qquad z_i = W x_i + b

    With two classes z has one number, that of the second class, and the other is 0. The objective
    is that of scikit-learn's estimator of this name, and so is the minimum; the columns need not be
    scaled.

    Parameters
    ----------
    C : float, default 1.0
        Inverse of the strength of the penalty, > 0; inf for no penalty. The intercept has none.
    l1_ratio : float, default 0.0
        ρ, the share of l1 in the penalty, from 0 to 1; 1 is scikit-learn's ``penalty="l1"``.
        Coefficients are exactly 0 where it holds them there.
    tol : float, default 1e-6
        The search ends when max|g| <= tol: g is the gradient (with l1 the subgradient of least
        norm) of the objective over C Σ s, in variables in which columns have mean 0 and unit
        curvature, so that no units of columns enter. At least 8 units in the last place of X's
        dtype.
    fit_intercept : bool, default True
        Whether b is fitted; else it is 0.
    class_weight : dict or "balanced", optional
        Factors of s_i by class; "balanced" gives all classes the same total.
    max_iter : int, default 100
        Trial points at most; None for 20,000.
    warm_start : bool, default False
        Whether `fit` starts from the coefficients of the fit before it, where these have the shape
        that is asked for.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), dtype of X
        W. With more than two classes and without l1 its columns have the sum 0.
    intercept_ : ndarray of shape (1,) or (n_classes,), dtype of X
        b; with more than two classes of sum 0.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where all are strings.
    n_iter_ : ndarray of shape (1,), int32
        Trial points of the search.

    Notes
    -----
    * X is neither scaled nor copied when it is dense, in C or Fortran order, or csr, of float32 or
      float64; sums are double, and float32 stays float32.
    * `mdbopt.minimize` with its default method does the work, on `mdbopt.problems.logistic` and
      `softmax`. The search moves in variables in which the columns are centred and have unit
      curvature; the objective keeps the penalty of the raw columns.
    * There are no ``penalty``, ``solver``, ``dual``, ``intercept_scaling``, ``random_state``,
      ``verbose`` and ``n_jobs``: `l1_ratio` says which penalty, the search has no random numbers.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd
       edition, section 4.4.

    Examples
    --------
    >>> from mdbopt.sklearn import LogisticRegression
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)  # columns from 1e-3 to 1e3
    >>> model = LogisticRegression().fit(X, y)
    >>> round(float(model.score(X, y)), 3), bool(model.n_iter_[0] < 100)
    (0.958, True)
    """

    classes_: Array
    coef_: Array
    intercept_: Array
    n_iter_: Array

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        class_weight: Any = None,
        max_iter: int | None = 100,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, finite; in any units, without a column of ones.
        y : array-like of shape (n_samples,)
            Labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), optional
            Weights s of the rows, >= 0, dimensionless: a whole number counts as so many rows.

        Returns
        -------
        LogisticRegression
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            When an argument or a parameter is not as above, or y holds one class only.

        Warns
        -----
        ConvergenceWarning
            When the search came to max_iter.
        """
        strength = self._strength()
        l1_ratio = share("l1_ratio", self.l1_ratio)
        stops = Stops.checked(self.tol, self.max_iter)
        X, y = rows_and_targets(self, X, y)
        check_classification_targets(y)
        classes, index = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {classes[0]!r}"
            )
        weights = self._weights(weights_of_rows(sample_weight, X), y, classes, index)
        total = len(index) if weights is None else float(weights.sum(dtype=np.float64))
        binary = len(classes) == 2
        problem = (logistic if binary else softmax_problem)(
            X,
            index,
            (1.0 - l1_ratio) * strength / total,
            intercept=bool(self.fit_intercept),
            sample_weight=weights,
        )
        columns = Columns(problem.design.X, weights, centred=problem.design.intercept)
        outputs = 1 if binary else len(classes)
        start = self._start(problem, classes, outputs)
        # p (1 - p) at its largest; for c equal classes.
        curvature = 0.25 if binary else (outputs - 1) / outputs**2
        solution, result = solved(
            problem, columns, curvature, start, stops, 2, l1_ratio * strength / total
        )
        features = problem.design.features
        if not binary:
            # Numbers added to all classes alike change no probability, but the penalty l1.
            alike = slice(features if l1_ratio > 0.0 else 0, None)
            solution[alike] -= solution[alike].mean(axis=1, keepdims=True)
        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(solution[:features].T)
        self.intercept_ = (
            solution[features] if problem.design.intercept else np.zeros(outputs, X.dtype)
        )
        self.n_iter_ = np.array([result.nit], np.int32)
        return self

    def decision_function(self, X: Any) -> Array:
        """Return z of each row: (n_samples,), or (n_samples, n_classes) for more than two classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray
            Logarithms of probabilities but for a number of the row; with two classes z > 0 means
            the second.
        """
        check_is_fitted(self)
        scores: Array = rows(self, X) @ self.coef_.T
        scores += self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row, in an array of shape (n_samples,).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        """
        scores = self.decision_function(X)
        place = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        labels: Array = self.classes_[place]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of all classes, in an array of shape (n_samples, n_classes).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.stack([expit(-scores), expit(scores)], axis=1)
        probabilities: Array = softmax(scores, axis=1)
        return probabilities

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`; those of tiny probabilities are finite.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.stack([log_expit(-scores), log_expit(scores)], axis=1)
        logarithms: Array = log_softmax(scores, axis=1)
        return logarithms

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _strength(self) -> float:
        """Return 1 / C."""
        inverse = self.C
        if inverse == math.inf:
            return 0.0
        return 1.0 / _checks.real("C", inverse, least=0.0, strict=True)

    def _weights(self, weights: Array | None, y: Array, classes: Array, index: Array) -> Any:
        if self.class_weight is None:
            return weights
        counted = np.ones(len(index)) if weights is None else weights
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            totals = np.bincount(index, counted, len(classes))
            with np.errstate(divide="ignore"):
                factors = totals.sum() / (len(classes) * totals)
            # A class without weight stays without.
            factors[totals == 0.0] = 0.0
        else:
            factors = compute_class_weight(self.class_weight, classes=classes, y=y)
        product: Array = counted * factors[index]
        return product

    def _start(self, problem: Any, classes: Array, outputs: int) -> Array:
        start: Array = problem.x0
        before = getattr(self, "coef_", None) if self.warm_start else None
        features = problem.design.features
        if before is None or before.shape != (outputs, features):
            return start
        if not np.array_equal(self.classes_, classes):
            return start
        start = start.reshape(-1, outputs)
        start[:features] = before.T
        if problem.design.intercept:
            start[features] = self.intercept_
        return start.ravel()
