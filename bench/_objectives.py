"""One objective, many orders of summation: what rounding alone does to a path."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.special import expit

import mdbopt

Objective = Callable[[Any], tuple[float, Any]]
SEED = 0


def variants(X: Any, y: Any, labels: bool) -> Iterator[tuple[str, Objective, Any]]:
    """Yield (name, objective, x0): the same function of w, evaluated in different orders."""
    csr = sparse.csr_array(X)
    dense = np.ascontiguousarray(csr.toarray())
    shuffled = np.random.default_rng(SEED).permutation(y.size)
    build = mdbopt.problems.logistic if labels else mdbopt.problems.least_squares
    make = functools.partial(build, l2=1.0 / y.size, penalize_intercept=True)
    for name, problem in (
        ("problems, csr", make(csr, y)),
        ("problems, dense", make(dense, y)),
        ("problems, rows shuffled", make(csr[shuffled], y[shuffled])),
    ):
        yield name, problem, problem.x0
    start = problem.x0
    for name, rows, targets in (
        ("published order, csr", csr, y),
        ("published order, dense", dense, y),
        ("published order, by columns", np.asfortranarray(dense), y),
        ("published order, rows shuffled", csr[shuffled], y[shuffled]),
    ):
        yield name, published(rows, targets, labels), start


def published(X: Any, y: Any, labels: bool) -> Objective:
    """Evaluate with a stored column of ones and the sums that reproduce the table.

    Fed to the NumPy transcription, this order gives most values of authors_code.csv to the last
    bit; how many depends on the order in which the installed BLAS sums.
    """
    n = y.size
    ones = np.ones((n, 1))
    if sparse.issparse(X):
        A = sparse.hstack((sparse.csr_array(X), sparse.csr_array(ones)), format="csr")
    else:
        A = np.hstack((X, ones))
        A = A if X.flags.c_contiguous else np.asfortranarray(A)

    def squares(w: Any) -> tuple[float, Any]:
        residual = A @ w - y
        loss = 0.5 * (residual @ residual) + 0.5 * (w @ w)
        return float(loss / n), (A.T @ residual + w) / n

    target = (y == y.max()).astype(float)

    def logistic(w: Any) -> tuple[float, Any]:
        z = A @ w
        losses = (1.0 - target) * z + np.logaddexp(0.0, -z)
        value = np.mean(losses) + (w @ w) / (2 * n)
        return float(value), A.T @ (expit(z) - target) / n + w / n

    return logistic if labels else squares
