"""The best diagonal preconditioner: closed forms, its proof of optimality, and Krylov spaces."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt import problems
from mdbopt.problems import _preconditioner


def condition(H, sizes):
    values = np.linalg.eigvalsh(H * np.sqrt(np.outer(sizes, sizes)))
    return values[-1] / values[0]


@pytest.fixture
def hessian(rng):
    factor = rng.standard_normal((30, 8)) * 10.0 ** rng.uniform(-3, 3, 8)
    return factor.T @ factor


def test_a_diagonal_is_undone_exactly():
    found = problems.diagonal_preconditioner(problems.quadratic([1.0, 4.0, 1e6]))
    assert found.condition == pytest.approx(1e6, rel=1e-12)
    assert found.optimal_condition == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(found.step_sizes, [1.0, 0.25, 1e-6], rtol=1e-12)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.99])
def test_two_variables_have_a_closed_form(rho):
    """For d = 2 Jacobi's diagonal is optimal, with kappa (1 + rho) / (1 - rho)."""
    fun = problems.quadratic([[4.0, 2e3 * rho], [2e3 * rho, 1e6]])
    found = problems.diagonal_preconditioner(fun)
    assert found.optimal_condition == pytest.approx((1 + rho) / (1 - rho), rel=1e-8)
    assert found.lower_bound == pytest.approx(found.optimal_condition, rel=1e-8)


def test_what_is_reported_is_what_the_step_sizes_do(hessian):
    found = problems.diagonal_preconditioner(problems.quadratic(hessian))
    assert found.condition == pytest.approx(condition(hessian, np.ones(8)), rel=1e-3)
    assert found.jacobi_condition == pytest.approx(condition(hessian, 1 / np.diag(hessian)))
    assert found.optimal_condition == pytest.approx(condition(hessian, found.step_sizes))
    scaled = hessian * np.sqrt(np.outer(found.step_sizes, found.step_sizes))
    assert np.linalg.eigvalsh(scaled)[-1] == pytest.approx(1.0, rel=1e-10)


def test_the_bound_meets_the_value_and_no_diagonal_beats_it(hessian, rng):
    found = problems.diagonal_preconditioner(problems.quadratic(hessian))
    assert found.lower_bound <= found.optimal_condition <= found.lower_bound * (1 + 3e-4)
    assert found.optimal_condition < 0.95 * found.jacobi_condition
    for spread in (1e-3, 1e-2, 0.1, 1.0):
        sizes = found.step_sizes * np.exp(spread * rng.standard_normal(8))
        assert condition(hessian, sizes) >= found.lower_bound


def test_the_smoothed_slope_is_its_derivative(hessian, rng):
    scales = 1 / np.sqrt(np.diag(hessian))
    search = _preconditioner._Smoothed(np.linalg.cholesky(hessian * np.outer(scales, scales)).T)
    search.power = 3.0
    theta = 0.1 * rng.standard_normal(8)
    step = 1e-6
    expected = [
        (search(theta + step * e)[0] - search(theta - step * e)[0]) / (2 * step) for e in np.eye(8)
    ]
    np.testing.assert_allclose(search(theta)[1], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["least_squares", "logistic"])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_have_their_gauss_newton_matrix(loss, layout, weighted, rng):
    X = rng.standard_normal((40, 4)) * [1.0, 100.0, 0.01, 3.0]
    y = rng.integers(0, 2, 40).astype(float)
    weights = rng.integers(1, 4, 40) if weighted else None
    options = {"penalize_intercept": True, "sample_weight": weights}
    fun = getattr(problems, loss)(layout(X), y, 0.1, **options)
    w = 0.01 * rng.standard_normal(5)
    step = 1e-5
    H = np.array([(fun(w + step * e)[1] - fun(w - step * e)[1]) / (2 * step) for e in np.eye(5)])
    found = problems.diagonal_preconditioner(fun, w)
    assert found.optimal_condition == pytest.approx(
        condition((H + H.T) / 2, found.step_sizes), rel=1e-4
    )


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_krylov_spaces_agree_with_singular_values(layout, rng, monkeypatch):
    X = np.where(rng.random((300, 60)) < 0.1, 1.0, 0.0) * 10.0 ** rng.uniform(-2, 2, 60)
    fun = problems.least_squares(layout(X), np.zeros(300), 1e-2, penalize_intercept=True)
    exact = problems.diagonal_preconditioner(fun)
    monkeypatch.setattr(_preconditioner, "DENSE", 0)
    found = problems.diagonal_preconditioner(fun)
    assert found.lower_bound is None
    assert found.jacobi_condition == pytest.approx(exact.jacobi_condition, rel=1e-6)
    assert exact.lower_bound <= found.optimal_condition <= 1.03 * exact.optimal_condition


@pytest.mark.slow
def test_ten_thousand_sparse_columns(rng):
    X = sparse.random(20_000, 10_000, 5e-4, random_state=rng, format="csr")
    X = X @ sparse.diags(10.0 ** rng.uniform(-3, 3, 10_000))
    fun = problems.least_squares(X.tocsr(), np.zeros(20_000), 1e-3, penalize_intercept=True)
    found = problems.diagonal_preconditioner(fun)
    assert found.optimal_condition < 0.9 * found.jacobi_condition


@pytest.mark.parametrize(
    ("fun", "error", "words"),
    [
        (lambda w: (0.0, w), TypeError, "expected a quadratic"),
        (problems.quadratic([1.0, 0.0]), ValueError, "at place 1"),
        (problems.quadratic([[1.0, 1.0], [1.0, 1.0]]), ValueError, "singular"),
        (problems.quadratic([[1.0, 2.0], [2.0, 1.0]]), ValueError, "singular or indefinite"),
        (
            problems.quadratic(np.ones(200_000)),
            ValueError,
            r"d = 200,000, expected at most 100,000",
        ),
    ],
)
def test_what_has_no_condition_number_is_refused(fun, error, words):
    with pytest.raises(error, match=words):
        problems.diagonal_preconditioner(fun)


def test_columns_that_depend_on_each_other_are_refused_without_a_penalty():
    X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    with pytest.raises(ValueError, match="l2 > 0"):
        problems.diagonal_preconditioner(problems.least_squares(X, [1.0, 2.0, 3.0]))
