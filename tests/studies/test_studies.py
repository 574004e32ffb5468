"""The studies: each quickly, whole, with the claims that it makes; and their own formulas."""

import csv
import io
import math

import numpy as np
import pytest

from mdbopt import data, plot, problems, studies
from mdbopt.studies import (
    barcoded_digits,
    batch_size,
    class_curvature,
    em_mirror,
    empirical_fisher,
    hessian_blocks,
    linear_regression,
    slang,
    step_size_volume,
    weighted_quadratic,
    zipf_scaling,
)
from mdbopt.studies._descents import METHODS, RescaledSign, best_stable, descend

# Fails at every size tried, as docs/studies.md says: both are as the class's probability at first.
FAILS = {"class-curvature": ["at t = 0 the exponent of gradient norm over Hessian trace is within"]}
SECONDS = {"heavy-tails", "barcoded-digits", "reweighting", "batch-size", "linear-regression",
           "sparse-features", "logistic-regression"}  # fmt: skip
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SECONDS else ())
    for name in studies.names()
]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_finds_numbers_and_its_claims_hold(name):
    study = studies.find(name)
    outcome = study.run(True, study.table() if study.table else None)
    assert {row[0] for row in outcome.rows} == set(study.panels)
    assert all(math.isfinite(x) and math.isfinite(y) for _, _, x, y in outcome.rows)
    assert all(sentence.endswith(".") for sentence in outcome.sentences)
    failed = [claim for claim in outcome.claims if not claim.holds]
    expected = FAILS.get(name, [])
    assert len(failed) == len(expected), failed
    for claim, words in zip(failed, expected, strict=True):
        assert claim.words.startswith(words)
    assert len(outcome.claims) > len(failed)
    read = list(csv.reader(io.StringIO(studies.as_csv(outcome).decode())))
    assert read[0] == ["panel", "series", "x", "y"]
    assert [(a, b, float(c), float(d)) for a, b, c, d in read[1:]] == outcome.rows
    figure = studies.draw(study, outcome)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        panel.title for panel in study.panels.values()
    ]


def test_a_claim_that_fails_says_so():
    outcome = studies.Outcome(sentences=("One.", "Two.", "Three."))
    outcome.claim("water is dry", "it is wet", False)
    outcome.claim("water is wet", "it is", True)
    lines = studies.as_text("water", outcome).splitlines()
    assert lines[-4:] == [
        "FAIL  water is dry", "      it is wet", "PASS  water is wet", "      it is"
    ]  # fmt: skip


# --- formulas ------------------------------------------------------------------------------------


def test_closed_form_of_gradient_descent_on_bigrams():
    pi = problems.zipf_frequencies(30)
    steps = math.ceil(zipf_scaling.gradient_descent_steps(pi, 0.1))
    w, curves = np.zeros(30), []
    for _ in range(steps + 1):
        curves.append(pi @ (w - 1) ** 2)
        w -= pi / pi[0] * (w - 1)
    assert curves[steps] <= 0.1 < curves[steps - 1]


@pytest.mark.parametrize("lr", [0.003, 0.04, 0.3])
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_closed_form_of_sign_descent_on_bigrams(steps, lr):
    pi = problems.zipf_frequencies(50)
    w = np.zeros(50)
    for _ in range(steps):
        w -= lr * np.sign(w - pi)
    expected = np.sum((w - pi) ** 2) / np.sum(pi**2)
    assert zipf_scaling.SignDescent(pi).loss(steps, lr) == pytest.approx(expected, rel=1e-9)


def test_gradient_descent_on_the_bigram_model_takes_the_steps_of_the_closed_form():
    pi = problems.zipf_frequencies(40, 1.5)
    expected = math.ceil(zipf_scaling.gradient_descent_steps(pi, zipf_scaling.TOLERANCE))
    assert zipf_scaling.gradient_descent_run(40, 1.5) == expected


def test_the_start_of_stable_runs_may_be_given():
    fun = problems.graph_network(40, 2)
    best = best_stable(fun, "GD", [1e-3], 1, start=fun.x0)
    assert best.losses[0] == fun(fun.x0)[0] != fun(np.zeros(fun.d))[0]


def test_log_probabilities_are_known_up_to_a_constant_of_the_logits():
    pi = problems.zipf_frequencies(3)
    assert weighted_quadratic.knows(pi, np.log(pi) + 5.0)
    assert not weighted_quadratic.knows(pi, np.log(pi) + np.array([0.0, 0.0, 0.3]))


def test_the_front_is_where_the_matrix_becomes_singular():
    for p in step_size_volume.front().T[::20]:
        values = np.linalg.eigvalsh(np.diag(1 / p) - step_size_volume.HESSIAN)
        assert values[0] == pytest.approx(0.0, abs=1e-9 * values[1])


@pytest.mark.parametrize("cut", step_size_volume.CUTS)
def test_cuts_keep_what_is_valid(cut):
    fun = problems.quadratic(step_size_volume.HESSIAN)
    x, box = np.array([1.0, -0.4]), np.array([40.0, 30.0])
    (f, g), step = fun(x), box / 4
    f_new, g_new = fun(x - step * g)
    left = step_size_volume.cut_box(box, step, f - f_new, g, g_new, cut)
    best = problems.diagonal_preconditioner(fun).step_sizes
    assert np.all(best <= left)
    assert np.any(left < box)


def test_class_sums_are_those_of_the_whole_hessian():
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(12) % 3)
    fun = problems.softmax(rng.standard_normal((12, 4)), y)
    w = rng.standard_normal(fun.d)
    step = 1e-5
    hessian = np.array(
        [(fun(w + step * e)[1] - fun(w - step * e)[1]) / (2 * step) for e in np.eye(fun.d)]
    )
    blocks = hessian.reshape(*fun.shape, *fun.shape)
    expected = np.einsum("ikil->kl", blocks)
    np.testing.assert_allclose(hessian_blocks.block_traces(fun, w), expected, atol=1e-8)
    norms, traces = class_curvature.by_class(fun, w)
    np.testing.assert_allclose(traces, np.diag(expected), atol=1e-8)
    gradient = fun(w)[1].reshape(fun.shape)
    assert norms[1] == pytest.approx(np.sqrt(np.sum(gradient[:, 1] ** 2)))


def test_gradient_descent_on_least_squares_in_closed_form():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 3)) * [1.0, 3.0, 0.5]
    fun = problems.least_squares(X, rng.standard_normal(30), 1 / 30, penalize_intercept=True)
    least = linear_regression.minimum(fun)
    assert np.abs(fun(fun.x0)[1]).max() > 0.01
    expected = linear_regression.gradient_descent_evaluations(fun)
    losses = linear_regression.descent(fun, 1 / fun.smoothness, 400)
    found = linear_regression.evaluations(losses, least)
    assert found == math.ceil(expected)


def test_an_em_step_is_mirror_descent_and_raises_the_likelihood():
    x = em_mirror.points()[:80]
    means = em_mirror.mean_parameters(
        np.array([0.2, 0.5, 0.3]), np.array([-2.0, 0.0, 1.0]), np.array([1.0, 0.5, 2.0])
    )
    theta = em_mirror.natural_parameters(means)
    weights, centres, variances = em_mirror.components(means)
    density = (
        weights
        / np.sqrt(2 * np.pi * variances)
        * np.exp(-((x[:, None] - centres) ** 2) / (2 * variances))
    )
    assert em_mirror.loss(x, theta) == pytest.approx(-np.log(density.sum(axis=1)).mean())
    new = em_mirror.em_step(x, means)
    np.testing.assert_allclose(em_mirror.mirror_step(x, means), new, rtol=1e-12)
    assert em_mirror.loss(x, em_mirror.natural_parameters(new)) < em_mirror.loss(x, theta)


def test_the_divergence_of_mixtures_is_its_integral():
    old = em_mirror.mean_parameters(
        np.array([0.4, 0.6]), np.array([0.0, 1.0]), np.array([1.0, 2.0])
    )
    new = em_mirror.mean_parameters(
        np.array([0.5, 0.5]), np.array([0.3, 0.8]), np.array([1.5, 1.0])
    )
    grid = np.linspace(-15, 15, 20_001)[:, None]

    def logs(means):
        weights, centres, variances = em_mirror.components(means)
        return np.log(weights / np.sqrt(2 * np.pi * variances)) - (grid - centres) ** 2 / (
            2 * variances
        )

    expected = np.sum(np.exp(logs(new)) * (logs(new) - logs(old))) * 30 / 20_000
    assert em_mirror.divergence(new, old) == pytest.approx(expected, rel=1e-8)
    assert em_mirror.divergence(old, old) == 0.0


def test_both_fisher_matrices_are_sums_over_rows():
    X, y = empirical_fisher.rows()
    w = np.array([1.0, -1.0])
    gradients = [(X[i] @ w - y[i]) * X[i] for i in range(len(X))]
    empirical = sum(np.outer(g, g) for g in gradients)
    expected = -np.linalg.solve(empirical, sum(gradients))
    np.testing.assert_allclose(empirical_fisher.step(X, y, w, True), expected, rtol=1e-10)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(w + empirical_fisher.step(X, y, w, False), best, rtol=1e-10)
    assert empirical_fisher.angle(np.array([1.0, 0.0]), np.array([-1.0, 1.0])) == pytest.approx(135)


def test_expectations_under_a_normal_are_those_of_draws():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((20, 2)), rng.integers(0, 2, 20)
    mean, covariance = np.array([0.5, -1.0]), np.array([[1.0, 0.3], [0.3, 0.5]])
    gradient, hessian = slang.expectations(X, y, mean, covariance)
    p = 1 / (1 + np.exp(-X @ rng.multivariate_normal(mean, covariance, 200_000).T))
    np.testing.assert_allclose(gradient, X.T @ (p.mean(axis=1) - y), atol=0.02)
    np.testing.assert_allclose(hessian, (X.T * (p * (1 - p)).mean(axis=1)) @ X, atol=0.02)


@pytest.mark.parametrize("rank", [0, 2, 5])
def test_a_projected_precision_keeps_its_diagonal_and_has_its_rank(rank):
    factor = np.random.default_rng(6).standard_normal((5, 5))
    precision = factor @ factor.T + slang.PRIOR * np.eye(5)
    found = slang.project(precision, rank)
    np.testing.assert_allclose(np.diag(found), np.diag(precision))
    if rank == 0:
        assert np.all(found == np.diag(np.diag(precision)))
    if rank == 5:
        np.testing.assert_allclose(found, precision)
    q = np.zeros(5), found
    assert slang.divergence(q, (np.zeros(5), precision)) == pytest.approx(
        0.5 * (np.trace(np.linalg.solve(found, precision)) - 5)
        + 0.5 * np.log(np.linalg.det(found) / np.linalg.det(precision)),
        abs=1e-12,
    )


def test_the_best_stable_run_is_stable_and_best():
    fun = problems.heavy_tailed(3)
    start = np.zeros(fun.d, np.float32)
    ceiling = 1.2 * math.log(7)
    rates = [1e-3, 1e-2, 1e-1, 10.0]
    best = best_stable(fun, "GD", rates, 20, ceiling=ceiling)
    each = [descend(fun, start, METHODS["GD"](lr, 0.0), 20, ceiling) for lr in rates]
    assert each[-1] is None
    assert best.losses[-1] == min(run.losses[-1] for run in each if run is not None)
    assert best.losses[-1] == pytest.approx(fun(best.w)[0], rel=1e-6)
    with pytest.raises(ValueError, match="stable"):
        best_stable(fun, "GD", [1e3], 20, ceiling=ceiling)


def test_steps_are_counted_to_the_first_loss_at_a_level():
    losses = np.array([3.0, 2.0, 1.0, 2.0, 0.5])
    assert barcoded_digits.steps_to(losses, 2.0) == 1
    assert barcoded_digits.steps_to(losses, 1.5) == 2
    assert barcoded_digits.steps_to(losses, 0.1) == 5


def test_both_kinds_of_digits_are_the_rows_of_the_sets():
    sets = barcoded_digits.networks(0)
    assert [(fun.n, len(fun.classes)) for fun in sets.values()] == [
        (1797, 170), (1797, 10), (800, 160)
    ]  # fmt: skip
    extremes = {
        name: (np.bincount(fun.class_index).min(), np.bincount(fun.class_index).max())
        for name, fun in sets.items()
    }
    assert extremes == {"both": (5, 103), "digits": (174, 183), "codes": (5, 5)}
    fun = sets["both"]
    frequent, rare = barcoded_digits.by_frequency(fun, 1.0, 0)
    own = fun.losses(fun.x0)
    assert (997 * frequent + 800 * rare) / 1797 == pytest.approx(own.mean())


def test_the_final_loss_of_batches_is_that_of_all_rows():
    fun = problems.heavy_tailed(3)
    whole = batch_size.final_loss(fun, "GD", [0.01], fun.n, 10, 0, 0.9)
    run = descend(fun, np.zeros(fun.d, np.float32), METHODS["GD"](0.01, 0.9), 10)
    assert whole == pytest.approx(run.losses[-1], rel=1e-6)
    assert batch_size.final_loss(fun, "GD", [0.01], 4, 10, 0, 0.9) != whole


def test_a_batch_says_the_loss_of_all_rows_at_every_tenth_step():
    fun = problems.heavy_tailed(3)
    w = np.full(fun.d, 0.1, np.float32)
    w[::3] = 0.0
    seen, batches = batch_size.watched(fun, 4, 0), problems.minibatches(fun, 4, seed=0)
    for step in range(12):
        at = w * np.float32(step)
        f, g = next(seen)(at)
        np.testing.assert_array_equal(g, next(batches)(at)[1])
        assert f == fun(w * np.float32(step - step % 10))[0]


def test_rescaled_sign_moves_by_the_norm_of_the_gradient():
    w = np.array([1.0, 2.0, 3.0])
    optimizer = RescaledSign(0.1, 0.5)
    state = optimizer.init(w)
    optimizer.step(w, np.array([3.0, -1.0, 0.0]), state)
    np.testing.assert_allclose(w, [0.6, 2.4, 3.0])
    optimizer.step(w, np.array([1.0, 1.0, 0.0]), state)
    np.testing.assert_allclose(w, [0.2, 2.4, 3.0])


def test_lines_lie_on_the_axes_that_were_asked_for():
    ax = plot.lines({"a": ([1, 10], [2, 20]), "b": ([1, 10], [3, 3])}, x="t", y="f", log="x")
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel()) == ("log", "linear", "t")
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert plot.lines({"a": ([1], [2])}, marks=True).lines[0].get_linestyle() == "None"
    with pytest.raises(ValueError, match="log"):
        plot.lines({}, log="z")
    with pytest.raises(ValueError, match="panels"):
        plot.figure_of(0)


def test_embedded_tables():
    assert data.diabetes().X.shape == (442, 10)
    assert data.diabetes().X[:, 0].max() > 50  # years, not scaled
    assert data.digits().X.shape == (1797, 64)
    assert data.kind(data.digits().y) == "softmax"
