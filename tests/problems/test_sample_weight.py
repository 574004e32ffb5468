"""Weights of rows: whole ones count as so many rows, and every part of a problem heeds them."""

import numpy as np
import pytest
import scipy.sparse as sparse

pytestmark = pytest.mark.filterwarnings("error")
LAYOUTS = [np.ascontiguousarray, np.asfortranarray, sparse.csr_array]


@pytest.fixture
def table(loss, rng, targets_of):
    X = rng.standard_normal((30, 4)) * (rng.random((30, 4)) < 0.7)
    counts = rng.integers(0, 4, 30)
    counts[:5] = 1  # each class stays
    return X, targets_of(loss, 30, rng), counts


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_whole_weights_are_repeated_rows(loss, layout, intercept, table, rng, build):
    X, y, counts = table
    weighted = build(loss, layout(X), y, intercept=intercept, sample_weight=counts)
    repeated = build(loss, np.repeat(X, counts, 0), np.repeat(y, counts), intercept=intercept)
    np.testing.assert_allclose(weighted.x0, repeated.x0, rtol=1e-14)
    w = rng.standard_normal(weighted.d)
    (f, g), (f_expected, g_expected) = weighted(w), repeated(w)
    assert f == pytest.approx(f_expected, rel=1e-13)
    np.testing.assert_allclose(g, g_expected, rtol=1e-11, atol=1e-14)
    for point in (w, None):
        np.testing.assert_allclose(
            weighted.hessian_diagonal(point), repeated.hessian_diagonal(point), rtol=1e-12
        )
    assert repeated.smoothness <= weighted.smoothness <= counts.max() * repeated.smoothness


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_only_ratios_of_weights_count(loss, scale, table, rng, build):
    X, y, _ = table
    weights = rng.random(30) + 0.1
    plain, scaled = (build(loss, X, y, sample_weight=k * weights) for k in (1.0, scale))
    w = rng.standard_normal(plain.d)
    assert scaled(w)[0] == pytest.approx(plain(w)[0], rel=1e-13)
    np.testing.assert_allclose(scaled(w)[1], plain(w)[1], rtol=1e-11, atol=1e-14)
    assert scaled.smoothness == pytest.approx(plain.smoothness, rel=1e-12)


def test_the_smoothness_holds(loss, table, rng, build):
    X, y, _ = table
    fun = build(loss, X, y, sample_weight=rng.random(30) ** 4)
    for _ in range(20):
        w, v = rng.standard_normal((2, fun.d))
        change = np.linalg.norm(fun(w)[1] - fun(v)[1])
        assert change <= fun.smoothness * np.linalg.norm(w - v) * (1 + 1e-12)


def test_ones_are_no_weights(loss, table, rng, build):
    X, y, _ = table
    w = rng.standard_normal(build(loss, X, y).d)
    weighted = build(loss, X, y, sample_weight=np.ones(30))(w)
    plain = build(loss, X, y)(w)
    assert weighted[0] == pytest.approx(plain[0], rel=1e-14)
    np.testing.assert_allclose(weighted[1], plain[1], rtol=1e-12, atol=1e-15)


def test_float32_is_kept(loss, table, build):
    X, y, counts = table
    fun = build(loss, X.astype(np.float32), y, sample_weight=counts)
    assert fun(fun.x0)[1].dtype == fun.x0.dtype == np.float32
    exact = build(loss, X, y, sample_weight=counts)
    assert fun(fun.x0)[0] == pytest.approx(exact(exact.x0)[0], rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ([1.0, 2.0], ValueError, r"sample_weight has shape \(2,\), expected \(30,\)"),
        (-np.ones(30), ValueError, r"sample_weight\[0\] is -1.0, expected no less than 0"),
        (np.zeros(30), ValueError, "sample_weight has the sum 0.0, expected a finite sum above 0"),
        (np.full(30, 1e308), ValueError, "sample_weight has the sum inf"),
        (np.full(30, np.nan), ValueError, r"sample_weight\[0\] is nan"),
        (np.full(30, "a"), TypeError, "sample_weight has dtype"),
    ],
)
def test_bad_weights_are_named(loss, weights, error, words, table, build):
    X, y, _ = table
    with pytest.raises(error, match=f"{loss}: {words}"):
        build(loss, X, y, sample_weight=weights)
