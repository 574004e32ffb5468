"""The quadratic: three storages, its constants, bad input."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt import problems

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_storages_agree(dtype, rng):
    diagonal = rng.uniform(-1, 5, 6).astype(dtype)
    b, x = rng.standard_normal(6).astype(dtype), rng.standard_normal(6).astype(dtype)
    expected = diagonal.astype(float) @ (x.astype(float) ** 2) / 2 - b.astype(float) @ x + 3
    for A in (diagonal, np.diag(diagonal), sparse.csr_matrix(np.diag(diagonal))):
        fun = problems.quadratic(A, b, 3)
        f, g = fun(x)
        assert type(f) is float
        assert f == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-14)
        assert g.dtype == fun.x0.dtype == dtype
        np.testing.assert_allclose(g, diagonal * x - b, rtol=1e-6)
        np.testing.assert_array_equal(fun.hessian_diagonal(x), diagonal)
        assert fun.smoothness == pytest.approx(np.abs(diagonal).max(), rel=1e-5)
        assert fun.n == fun.d == 6


def test_gradient_against_complex_step(rng, derivative):
    A = rng.standard_normal((5, 5))
    A, b = A + A.T, rng.standard_normal(5)
    fun = problems.quadratic(A, b, 1.0)
    x = rng.standard_normal(5)
    slope = derivative(lambda v: v @ A @ v / 2 - b @ v + 1.0, x)
    np.testing.assert_allclose(fun(x)[1], slope, rtol=1e-13)


def test_large_spectral_norm(rng):
    # beyond 1000 the bound comes from Lanczos steps; the largest magnitude is negative here
    A = sparse.random(1001, 1001, 0.0045, random_state=7, format="csr")
    A = A + A.T - sparse.diags(np.linspace(0, 30, 1001))
    norm = np.abs(np.linalg.eigvalsh(A.toarray())).max()
    for stored in (A.tocsr(), A.toarray()):
        assert norm <= problems.quadratic(stored).smoothness <= 1.03 * norm


def test_zero_and_huge():
    assert problems.quadratic(np.zeros((2, 2))).smoothness == 0.0
    fun = problems.quadratic([1e300, 1.0])
    with np.errstate(all="raise"):
        assert fun([1e10, 0.0])[0] == np.inf


def test_arguments_are_copied_or_kept():
    b = np.array([1.0, 2.0])
    fun = problems.quadratic([1.0, 1.0], b)
    b[:] = 9
    np.testing.assert_array_equal(fun([0.0, 0.0])[1], [-1, -2])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([],), ValueError, r"A has shape \(0,\)"),
        ((np.ones((2, 3)),), ValueError, r"A has shape \(2, 3\), expected a square"),
        (([[1.0, 2.0], [0.0, 1.0]],), ValueError, "A is not symmetric"),
        ((sparse.csr_array([[1.0, 2.0], [0.0, 1.0]]),), ValueError, "A is not symmetric"),
        (([1.0, np.nan],), ValueError, r"A\[1\] is nan"),
        ((1.0,), ValueError, r"A has shape \(\)"),
        (([1j],), TypeError, "A has dtype complex128"),
        (([1.0], [1.0, 2.0]), ValueError, r"b has shape \(2,\), expected \(1,\)"),
        (([1.0], [np.inf]), ValueError, r"b\[0\] is inf"),
        ((np.ones(1, np.float32), [1e300]), ValueError, "b does not fit into float32"),
        (([1.0], None, np.nan), ValueError, "c is nan"),
        (([1.0], None, "0"), TypeError, "c is '0'"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=f"quadratic: {words}"):
        problems.quadratic(*arguments)


def test_bad_point():
    fun = problems.quadratic([1.0, 2.0])
    with pytest.raises(ValueError, match=r"quadratic: w has shape \(1,\), expected \(2,\)"):
        fun([1.0])
    with pytest.raises(TypeError, match="quadratic: w has dtype int64"):
        fun([1, 2])
