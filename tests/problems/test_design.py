"""The design matrix and the bounds of its spectrum."""

import numpy as np
import pytest
import scipy.sparse as sparse

from mdbopt.problems import _spectrum
from mdbopt.problems._design import Design

pytestmark = pytest.mark.filterwarnings("error")


def largest(X, intercept):
    X = np.column_stack([X, np.ones(len(X))]) if intercept else X
    return np.linalg.norm(X.astype(float), 2) ** 2


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (1, 1), (600, 3)])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e120])
def test_small_bounds_are_tight(intercept, shape, layout, scale, rng):
    X = (rng.standard_normal(shape) + 0.5) * np.geomspace(1e-3, 1e3, shape[1])
    found = Design(layout(X * scale), intercept, "test").spectral_square()
    expected = largest(X * scale, intercept)
    assert expected * (1 - 1e-12) <= found <= expected * (1 + 1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_bounds_have_a_margin(intercept, dtype, rng):
    X = (rng.standard_normal((400, 300)) * np.geomspace(1, 1e3, 300)).astype(dtype)
    exact = largest(X, intercept)
    for layout in (np.asarray, sparse.csr_array):
        found = Design(layout(X), intercept, "test").spectral_square()
        assert exact <= found <= 1.06 * exact


def test_close_eigenvalues_stay_below_the_lanczos_bound():
    # the top of the spectrum crowds, and the start has little of it
    values = 1 - np.geomspace(1e-6, 1, 2000)
    bound = _spectrum.lanczos_bound(lambda v: values * v, len(values))
    assert values.max() <= bound <= 1.06


def test_lanczos_on_few_eigenvalues():
    assert _spectrum.lanczos_bound(lambda v: 3.0 * v, 500) == pytest.approx(3.0 / 0.95)
    assert _spectrum.lanczos_bound(lambda v: 0.0 * v, 500) == 0.0
    assert _spectrum.lanczos_bound(lambda v: np.inf * v, 500) == np.inf


def test_overflowing_spectrum_is_infinite():
    assert Design([[1e200]], True, "test").spectral_square() == np.inf
    assert Design(np.full((300, 300), 1e200), True, "test").spectral_square() == np.inf
    assert Design(np.zeros((2, 2)), False, "test").spectral_square() == 0.0


def test_duplicate_entries_are_added_up():
    X = sparse.csr_array(([1.0, 2.0, 5.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    design = Design(X, False, "test")
    np.testing.assert_array_equal(design.column_squares(), [9, 25])
    assert X.nnz == 3  # the caller's matrix is as it was


def test_zero_weights_win_over_overflow():
    with np.errstate(all="raise"):
        squares = Design([[1e200], [2.0]], False, "test").column_squares(np.array([0.0, 1.0]))
    np.testing.assert_allclose(squares, [4.0])


def test_float_arrays_are_not_copied(rng):
    X = rng.standard_normal((5, 3))
    assert Design(X, True, "test").X is X
    csr = sparse.csr_array(X)
    assert np.shares_memory(Design(csr, True, "test").X.data, csr.data)
