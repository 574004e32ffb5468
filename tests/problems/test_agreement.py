"""Every loss: against its naive formula, dense against csr, float32, and what it allocates."""

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sparse

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((40, 5))
    X[rng.random(X.shape) < 0.5] = 0
    X[:, 2] = 1.5  # a constant column
    X[:, 3] = 0  # an empty one
    return X


# Without an intercept there is nothing that the penalty may leave out.
INTERCEPTS = [
    {"intercept": True},
    {"intercept": True, "penalize_intercept": True},
    {"intercept": False},
    {"intercept": False, "penalize_intercept": True},
]


@pytest.mark.parametrize("options", INTERCEPTS)
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, sparse.csr_matrix])
def test_value_and_gradient(loss, options, layout, rows, rng, build, naive, derivative, targets_of):
    y = targets_of(loss, len(rows), rng)
    fun = build(loss, layout(rows), y, **options)
    for _ in range(3):
        w = rng.standard_normal(fun.d)
        f, g = fun(w)
        assert type(f) is float
        assert g.dtype == w.dtype
        assert f == pytest.approx(naive(loss, rows, y, w, **options), rel=1e-13)
        slope = derivative(lambda v: naive(loss, rows, y, v, **options), w)
        np.testing.assert_allclose(g, slope, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", INTERCEPTS)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_hessian_diagonal(loss, options, layout, rows, rng, build, targets_of):
    y = targets_of(loss, len(rows), rng)
    fun = build(loss, layout(rows), y, **options)
    w = 0.3 * rng.standard_normal(fun.d)
    step = 1e-6
    expected = [
        (fun(w + step * e)[1] - fun(w - step * e)[1]) @ e / (2 * step) for e in np.eye(fun.d)
    ]
    diagonal = fun.hessian_diagonal(w)
    assert diagonal.dtype == np.float64
    np.testing.assert_allclose(diagonal, expected, rtol=1e-6)
    bound = fun.hessian_diagonal()
    assert np.all(diagonal <= bound * (1 + 1e-12))
    np.testing.assert_array_equal(bound, fun.coordinate_smoothness)
    assert bound.max() <= fun.smoothness


def test_dense_equals_csr(loss, rows, rng, build, targets_of):
    y = targets_of(loss, len(rows), rng)
    dense, csr = build(loss, rows, y), build(loss, sparse.csr_array(rows), y)
    w = rng.standard_normal(dense.d)
    assert dense(w)[0] == pytest.approx(csr(w)[0], rel=1e-14)
    np.testing.assert_allclose(dense(w)[1], csr(w)[1], rtol=1e-12, atol=1e-15)
    assert dense.smoothness == pytest.approx(csr.smoothness, rel=1e-10)
    np.testing.assert_array_equal(dense.x0, csr.x0)
    predicted = dense.predict(w, rows), csr.predict(w, sparse.coo_array(rows))
    np.testing.assert_allclose(*predicted, rtol=1e-12)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_float32_stays(loss, layout, rows, rng, build, targets_of):
    y = targets_of(loss, len(rows), rng)
    single = build(loss, layout(rows.astype(np.float32)), y)
    double = build(loss, layout(rows), y)
    assert single.dtype == single.x0.dtype == np.float32
    w = rng.standard_normal(single.d).astype(np.float32)
    f, g = single(w)
    assert type(f) is float
    assert g.dtype == np.float32
    assert f == pytest.approx(double(w)[0], rel=1e-5)
    np.testing.assert_allclose(g, double(w)[1], rtol=1e-4, atol=1e-5)
    assert single(w.astype(np.float64))[1].dtype == np.float64
    assert double(w)[1].dtype == np.float32
    assert single.smoothness == pytest.approx(double.smoothness, rel=1e-5)


def test_nothing_is_shared(loss, rows, rng, build, targets_of):
    fun = build(loss, rows, targets_of(loss, len(rows), rng))
    w = rng.standard_normal(fun.d)
    kept, X = w.copy(), rows.copy()
    f, g = fun(w)
    g_kept = g.copy()
    start = fun.x0
    start[:] = 7
    fun(w + 1)
    fun.hessian_diagonal(w)[:] = 0
    assert fun(w)[0] == f
    np.testing.assert_array_equal(g, g_kept)
    np.testing.assert_array_equal(w, kept)
    np.testing.assert_array_equal(rows, X)
    assert not np.array_equal(fun.x0, start)
    w.setflags(write=False)
    rows.setflags(write=False)
    fun(w)
    again = pickle.loads(pickle.dumps(fun))
    assert again(w)[0] == f


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_threads_and_repeats_give_the_same_bits(loss, layout, rng, build, targets_of):
    X = rng.standard_normal((3000, 8))
    fun = build(loss, layout(X), targets_of(loss, len(X), rng))
    w = rng.standard_normal(fun.d)
    f, g = fun(w)
    with ThreadPoolExecutor(4) as pool:
        for f_here, g_here in pool.map(fun, [w] * 16):
            assert f_here == f
            np.testing.assert_array_equal(g_here, g)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_an_evaluation_allocates_vectors_only(loss, layout, rng, build, targets_of):
    X = rng.standard_normal((20_000, 60))
    fun = build(loss, layout(X), targets_of(loss, len(X), rng))
    w = fun.x0
    fun(w)
    tracemalloc.start()
    fun(w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the softmax works in blocks of 1 MiB, a few at a time
    assert peak < 8 * 6 * (fun.n + fun.d) + (4 << 20 if loss == "softmax" else 0)
    assert peak < X.nbytes / 2


def test_strided_and_integer_rows(loss, rng, build, targets_of):
    X = rng.integers(-3, 4, (60, 8))
    y = targets_of(loss, 30, rng)
    plain = build(loss, X[::2, ::2].astype(float), y)
    w = rng.standard_normal(plain.d)
    for same in (X[::2, ::2], X[::2, ::2].tolist(), sparse.csc_matrix(X[::2, ::2])):
        assert build(loss, same, y)(w)[0] == pytest.approx(plain(w)[0], rel=1e-14)


def test_not_finite_is_returned_and_silent(loss, rows, rng, build, targets_of):
    fun = build(loss, rows, targets_of(loss, len(rows), rng))
    with np.errstate(all="raise"):
        f, g = fun(np.full(fun.d, np.nan))
        assert np.isnan(f)
        assert np.isnan(g).all()
        assert not np.isfinite(fun(np.full(fun.d, 1e308))[0])


def test_names(loss, rows, rng, build, targets_of):
    fun = build(loss, rows, targets_of(loss, len(rows), rng))
    assert repr(fun) == f"<mdbopt.problems.{loss}: n=40, d={fun.d}, float64>"
    assert fun.n == 40
    assert fun.x0.shape == (fun.d,)
