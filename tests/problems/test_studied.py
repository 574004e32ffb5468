"""The problems of the studies: frequencies, heavy tails, batches, unigrams, sparse features."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sparse

import mdbopt
from mdbopt import problems


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_zipf_frequencies(exponent):
    pi = problems.zipf_frequencies(7, exponent)
    assert pi.sum() == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_allclose(pi[0] / pi, np.arange(1, 8) ** exponent)


def test_zipf_labels_have_their_frequencies_and_all_classes():
    y = problems.zipf_labels(20_000, 50)
    counts = np.bincount(y)
    assert counts.min() >= 1
    assert len(counts) == 50
    np.testing.assert_allclose(counts[:5] / len(y), problems.zipf_frequencies(50)[:5], rtol=0.1)
    assert not np.array_equal(y, problems.zipf_labels(20_000, 50, seed=1))
    assert np.array_equal(y, problems.zipf_labels(20_000, 50))


def test_class_weights_make_classes_alike():
    y = np.array(["a", "b", "a", "a", "c"])
    weights = problems.class_weights(y)
    sums = [weights[y == label].sum() for label in "abc"]
    np.testing.assert_allclose(sums, 5.0)
    np.testing.assert_allclose(problems.class_weights(y, 0.5) ** 2, weights)
    assert np.all(problems.class_weights(y, 0.0) == 1.0)


def test_frequency_groups_are_sorted_and_of_about_equal_size():
    y = problems.zipf_labels(5000, 200)
    group = problems.frequency_groups(y, 5)
    counts = np.bincount(y)
    assert set(group) == set(range(5))
    for earlier, later in itertools.pairwise(range(5)):
        assert counts[y[group == earlier]].min() >= counts[y[group == later]].max()
    assert all(len(set(group[y == label])) == 1 for label in range(200))
    assert np.all(np.abs(np.bincount(group) - 1000) < 700)


def test_groups_of_a_heavy_tail_are_its_own():
    fun = problems.heavy_tailed(5)
    group = problems.frequency_groups(fun.class_index, 5)
    sizes = np.bincount(fun.class_index)[fun.class_index]
    np.testing.assert_array_equal(group, 5 - np.log2(sizes).astype(int))


@pytest.mark.parametrize("features", ["uniform", "normal"])
def test_heavy_tailed(features):
    fun = problems.heavy_tailed(4, features=features)
    assert (fun.n, fun.design.features, len(fun.classes)) == (64, 80, 15)
    assert fun.dtype == np.float32
    assert np.bincount(fun.class_index).tolist() == [16, *[8] * 2, *[4] * 4, *[2] * 8]
    assert (fun.design.X.min() >= 0.0) == (features == "uniform")


def test_heavy_tailed_weights_are_those_of_its_classes(rng):
    fun = problems.heavy_tailed(3, weight_power=1.0)
    w = rng.standard_normal(fun.d)
    weights = problems.class_weights(fun.class_index)
    expected = np.average(fun.losses(w), weights=weights)
    assert fun(w)[0] == pytest.approx(expected, rel=1e-5)


def test_losses_and_probabilities_of_rows(rng):
    X, y = rng.standard_normal((30, 4)), np.arange(30) % 3
    fun = problems.softmax(X, y)
    w = rng.standard_normal(fun.d)
    z = np.column_stack([X, np.ones(30)]) @ w.reshape(fun.shape)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fun.probabilities(w), p, rtol=1e-12)
    np.testing.assert_allclose(fun.losses(w), -np.log(p[np.arange(30), y]), rtol=1e-12)
    assert fun.losses(w).mean() == pytest.approx(fun(w)[0], rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_batches_add_up_to_the_whole(loss, layout, weighted, rng, build, targets_of):
    X = rng.standard_normal((24, 3))
    y = targets_of(loss, 24, rng)
    weights = rng.uniform(0.5, 2.0, 24) if weighted else None
    fun = build(loss, layout(X), y, sample_weight=weights)
    w = rng.standard_normal(fun.d)
    whole = fun.smoothness
    parts = list(itertools.islice(problems.minibatches(fun, 6), 4))
    totals = np.array([part._total_weight for part in parts]) / fun._total_weight
    found = [part(w) for part in parts]
    assert [part.n for part in parts] == [6] * 4
    assert totals @ [f for f, _ in found] == pytest.approx(fun(w)[0], rel=1e-12)
    np.testing.assert_allclose(totals @ np.array([g for _, g in found]), fun(w)[1], rtol=1e-10)
    assert any(part.smoothness != whole for part in parts)
    assert fun.n == 24


def test_epochs_differ_and_a_full_batch_is_the_problem_itself():
    fun = problems.least_squares(np.arange(6.0)[:, None], np.arange(6.0))
    rows = [b.target for b in itertools.islice(problems.minibatches(fun, 4, seed=3), 3)]
    assert not np.array_equal(np.sort(rows[0]), np.sort(rows[1]))
    assert all(len(set(row)) == 4 for row in rows)
    assert next(problems.minibatches(fun, 6)) is fun


def test_a_part_of_the_rows_is_the_problem_on_them(rng):
    X, y = rng.standard_normal((20, 3)), rng.integers(0, 2, 20)
    fun = problems.logistic(X, y, 0.1)
    rows = np.r_[np.flatnonzero(y)[:3], np.flatnonzero(y == 0)[:2]]
    part, alone = fun.at_rows(rows), problems.logistic(X[rows], y[rows], 0.1)
    w = rng.standard_normal(4)
    assert part(w)[0] == alone(w)[0]
    assert part.accuracy(w) == alone.accuracy(w)


def test_unigrams(rng, derivative):
    counts = np.array([5.0, 3.0, 1.0, 1.0])
    fun = problems.softmax_unigram(counts)
    pi = counts / 10
    w = rng.standard_normal(4)
    expected = derivative(lambda v: np.log(np.exp(v).sum()) - pi @ v, w)
    np.testing.assert_allclose(fun(w)[1], expected, rtol=1e-12)
    assert fun(np.log(pi))[0] == pytest.approx(fun.minimum, rel=1e-14)
    assert np.abs(fun(np.log(pi))[1]).max() < 1e-15
    step = 1e-6
    slopes = [(fun(w + step * e)[1] - fun(w - step * e)[1]) @ e / (2 * step) for e in np.eye(4)]
    np.testing.assert_allclose(fun.hessian_diagonal(w), slopes, rtol=1e-7)
    hessian = np.diag(pi) - np.outer(pi, pi)
    assert np.linalg.eigvalsh(hessian)[-1] <= fun.smoothness
    assert fun(np.array([1e3, 0, 0, 0.0]))[0] == pytest.approx(500.0)


def test_sparse_features_are_decided_by_their_telling_column():
    fun = problems.sparse_features(3000, 60, 0.01)
    X = fun.design.X.toarray()
    telling = X[:, 6:]
    assert set(np.unique(telling)) == {0.0, 1.0}
    assert telling.sum(axis=1).max() == 1.0
    seen = telling.any(axis=1)
    signs = np.where(np.arange(54) % 2 == 0, 1.0, -1.0)
    w = np.concatenate([np.zeros(6), signs, [0.0]])
    part = fun.at_rows(np.flatnonzero(seen))
    assert part.accuracy(w) == 1.0
    assert 0.4 < fun.at_rows(np.flatnonzero(~seen)).accuracy(w) < 0.6
    dense = problems.sparse_features(300, 60, 1.0)
    assert not dense.design.is_sparse
    assert dense.accuracy(w) == 1.0


@pytest.mark.parametrize("graph", [False, True])
def test_gradients_of_networks(graph, rng):
    if graph:
        fun = problems.graph_network(60, 3)
    else:
        fun = problems.network(rng.standard_normal((12, 3)), np.arange(12) % 3, 4)
    w = fun.x0 + 0.1 * rng.standard_normal(fun.d)
    step = 1e-6
    places = rng.permutation(fun.d)[:20]
    slopes = [
        (fun(w + step * e)[0] - fun(w - step * e)[0]) / (2 * step) for e in np.eye(fun.d)[places]
    ]
    np.testing.assert_allclose(fun(w)[1][places], slopes, rtol=1e-5, atol=1e-8)


def test_a_network_is_its_formula(rng):
    X, y = rng.standard_normal((12, 3)), np.arange(12) % 3
    fun = problems.network(X, y, 4)
    V, W = fun.x0[:16].reshape(4, 4), fun.x0[16:].reshape(5, 3)
    z = np.tanh(X @ V[:-1] + V[-1]) @ W[:-1] + W[-1]
    expected = np.log(np.exp(z).sum(axis=1)) - z[np.arange(12), y]
    np.testing.assert_allclose(fun.losses(fun.x0), expected, rtol=1e-12)
    assert fun(fun.x0)[0] == pytest.approx(expected.mean(), rel=1e-12)
    assert fun.accuracy(fun.x0) == np.mean(z.argmax(axis=1) == y)
    step = 1e-4
    diagonal = fun.hessian_diagonal(fun.x0)
    f = fun(fun.x0)[0]
    for place in (0, 7, 20):
        e = step * np.eye(fun.d)[place]
        second = (fun(fun.x0 + e)[0] - 2 * f + fun(fun.x0 - e)[0]) / step**2
        assert diagonal[place] == pytest.approx(second, abs=1e-6)
    assert fun.smoothness == np.inf


def test_a_network_can_be_fitted(rng):
    X = rng.standard_normal((40, 2))
    fun = problems.network(X, (X[:, 0] * X[:, 1] > 0).astype(int), 8)
    found = mdbopt.minimize(fun, fun.x0, jac=True, options={"maxfun": 500})
    assert fun.accuracy(found.x) > 0.95


def test_a_graph_mixes_neighbours_and_scales_stay_unless_normalised():
    fun, raw = problems.graph_network(80), problems.graph_network(80, normalized=False)
    mixing = fun.mixing.toarray()
    np.testing.assert_allclose(mixing, mixing.T)
    assert np.linalg.eigvalsh(mixing)[-1] == pytest.approx(1.0, rel=1e-12)
    assert (fun.mixing != raw.mixing).nnz == 0
    spans = [np.ptp(problem._inputs, axis=0) for problem in (fun, raw)]
    assert spans[0].max() / spans[0].min() < 10 < 1000 < spans[1].max() / spans[1].min()


def test_barcoded_digits_are_told_by_their_corner():
    X, y = problems.barcoded_digits()
    assert np.bincount(y)[:10].sum() == 997
    assert np.all(np.bincount(y)[10:] == 5)
    assert X.mean(axis=0) == pytest.approx(0.0, abs=1e-5)
    coded = y >= 10
    bits = X[coded][:, [0, 1, 8, 9]] > 0.5 * X[coded][:, [0, 1, 8, 9]].max(axis=0)
    np.testing.assert_array_equal(bits @ [1, 2, 4, 8], (y[coded] - 10) // 10)


def test_a_zipf_mixture_has_the_moments_of_its_components():
    variances = np.array([0.5, 2.0])
    X, y = problems.zipf_mixture(40_000, [[0.0, 5.0, 1.0], [-3.0, 0.0, 2.0]], variances)
    assert X.shape == (40_000, 3)
    assert np.bincount(y) / len(y) == pytest.approx([2 / 3, 1 / 3], abs=0.01)
    for kind, centre in enumerate(([0.0, 5.0, 1.0], [-3.0, 0.0, 2.0])):
        own = X[y == kind]
        np.testing.assert_allclose(own.mean(axis=0), centre, atol=0.05)
        np.testing.assert_allclose(np.cov(own.T), variances[kind] * np.eye(3), atol=0.06)


def test_a_zipf_mixture_by_default_is_around_unit_vectors():
    X, y = problems.zipf_mixture(3000, 4)
    means = np.array([X[y == kind].mean(axis=0) for kind in range(4)])
    np.testing.assert_allclose(means, np.eye(4), atol=0.06)
    np.testing.assert_array_equal(X, problems.zipf_mixture(3000, np.eye(4), [0.1] * 4)[0])
    assert not np.array_equal(X, problems.zipf_mixture(3000, 4, seed=1)[0])


def test_bigrams_are_the_least_squares_of_pairs_of_words():
    fun = problems.zipf_bigrams(4)
    pi = problems.zipf_frequencies(4)
    follow = (fun.b / fun.A).reshape(4, 4)
    np.testing.assert_allclose(np.sort(follow, axis=1)[:, ::-1], np.tile(pi, (4, 1)))
    w = np.random.default_rng(0).standard_normal(16)
    expected = 0.5 * np.sum(pi[:, None] * (w.reshape(4, 4) - follow) ** 2)
    assert fun(w)[0] == pytest.approx(expected, rel=1e-12)
    assert fun(follow.ravel())[0] == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: problems.zipf_frequencies(0), ValueError, "count"),
        (lambda: problems.zipf_frequencies(3, -1.0), ValueError, "exponent"),
        (lambda: problems.zipf_labels(2, 3), ValueError, "n: expected"),
        (lambda: problems.class_weights([1, 1]), ValueError, "one class"),
        (lambda: problems.class_weights([1, 2], -1.0), ValueError, "power"),
        (lambda: problems.frequency_groups([1, 2], 0), ValueError, "groups"),
        (lambda: problems.heavy_tailed(1), ValueError, "m: expected"),
        (lambda: problems.heavy_tailed(14), ValueError, "m: expected a whole number < 14"),
        (lambda: problems.heavy_tailed(3, features="flat"), ValueError, "features"),
        (lambda: problems.minibatches(problems.quadratic([1.0]), 1), TypeError, "over rows"),
        (lambda: problems.minibatches(problems.heavy_tailed(2), 9), ValueError, "size"),
        (lambda: problems.softmax_unigram([1.0, 0.0]), ValueError, "frequencies"),
        (lambda: problems.softmax_unigram([1.0]), ValueError, "frequencies"),
        (lambda: problems.sparse_features(density=1.5), ValueError, "density"),
        (lambda: problems.network([[1.0], [2.0]], [0, 1], 0), ValueError, "hidden"),
        (lambda: problems.network(sparse.eye(2).tocsr(), [0, 1]), TypeError, "sparse"),
        (lambda: problems.network([[1.0]], [0, 1]), ValueError, "y has shape"),
        (lambda: problems.graph_network(10), ValueError, "n: expected"),
        (lambda: problems.zipf_bigrams(10_000), ValueError, "d: expected a whole number < 5001"),
        (lambda: problems.barcoded_digits(seed=-1), ValueError, "seed"),
        (lambda: problems.zipf_mixture(9, 0), ValueError, "centres"),
        (lambda: problems.zipf_mixture(9, [1.0]), ValueError, "centres has shape"),
        (lambda: problems.zipf_mixture(9, sparse.eye(2).tocsr()), TypeError, "sparse"),
        (lambda: problems.zipf_mixture(9, 2, 0.0), ValueError, "variances"),
        (lambda: problems.zipf_mixture(9, 2, [1.0, -1.0]), ValueError, "variances: expected"),
        (lambda: problems.zipf_mixture(9, 2, [1.0]), ValueError, "variances has shape"),
        (lambda: problems.zipf_mixture(1, 2), ValueError, "n: expected"),
        (lambda: problems.zipf_mixture(9, 2, seed=-1), ValueError, "seed"),
        (lambda: problems.heavy_tailed(2).at_rows([0.5]), TypeError, "rows"),
        (lambda: problems.heavy_tailed(2).at_rows([8]), ValueError, "outside 0 to 7"),
        (lambda: problems.heavy_tailed(2).at_rows([]), (TypeError, ValueError), "rows"),
    ],
)  # fmt: skip
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
