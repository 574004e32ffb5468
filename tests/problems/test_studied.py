"""The problems of the studies: frequencies, heavy tails, batches, unigrams, sparse features."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sparse

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
        (lambda: problems.heavy_tailed(2).at_rows([0.5]), TypeError, "rows"),
        (lambda: problems.heavy_tailed(2).at_rows([8]), ValueError, "outside 0 to 7"),
        (lambda: problems.heavy_tailed(2).at_rows([]), (TypeError, ValueError), "rows"),
    ],
)  # fmt: skip
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
