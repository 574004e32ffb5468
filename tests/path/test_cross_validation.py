"""`cross_validate`: losses of rows that a fit has not seen, and what warm starts save."""

import numpy as np
import pytest
from test_path import build

import mdbopt

VALUES = [1.0, 1e-1, 1e-2, 1e-3]


def parts(n, folds, seed):
    return np.array_split(np.random.default_rng(seed).permutation(n), folds)


@pytest.mark.parametrize("kind", ["least_squares", "logistic"])
def test_losses_are_those_of_fits_to_the_other_rows(kind):
    fun = build(kind)
    found = mdbopt.cross_validate(fun, VALUES, folds=3, seed=4, tol=1e-9)
    alone = 0
    for fold, rows in enumerate(parts(fun.n, 3, 4)):
        rest = np.setdiff1d(np.arange(fun.n), rows)
        for place, l2 in enumerate(VALUES):
            fitted = fun.at_rows(rest).with_l2(l2)
            run = mdbopt.minimize(fitted, fitted.x0, jac=True, tol=1e-9)
            alone += run.nfev
            loss = fun.at_rows(rows)(run.x)[0]
            assert found.losses[fold, place] == pytest.approx(loss, rel=1e-6)
    assert found.nfev - sum(run.nfev for run in found.runs) < 0.6 * alone


@pytest.mark.parametrize("l2", [0.0, [1e-3, 0.0, 1e-2]])
def test_l1_takes_part(l2):
    fun, l1 = build("logistic"), [1e-2, 1.0, 0.1]
    found = mdbopt.cross_validate(fun, l2, l1=l1, folds=3, seed=4, tol=1e-8)
    ridges = np.broadcast_to(l2, 3)
    alone = 0
    for fold, rows in enumerate(parts(fun.n, 3, 4)):
        fitted = fun.at_rows(np.setdiff1d(np.arange(fun.n), rows))
        for place in range(3):
            at = fitted.with_l2(ridges[place])
            strength = at.l1_of_weights(l1[place])
            run = mdbopt.minimize(at, at.x0, jac=True, l1=strength, tol=1e-8)
            alone += run.nfev
            loss = fun.at_rows(rows)(run.x)[0]
            assert found.losses[fold, place] == pytest.approx(loss, rel=1e-6)
    np.testing.assert_array_equal(found.l1, l1)
    np.testing.assert_array_equal(found.l2, ridges)
    assert (found.run.l1, found.run.l2) == (l1[found.best], ridges[found.best])
    assert found.nfev - sum(run.nfev for run in found.runs) < 0.8 * alone


def test_of_equal_losses_the_largest_l1_is_taken():
    found = mdbopt.cross_validate(build("logistic"), 0.0, l1=[1e3, 2e3, 2e3, 1e3])
    assert np.ptp(found.mean) == 0.0
    assert found.run.l1 == 2e3


def test_the_best_value_has_the_least_mean_loss():
    found = mdbopt.cross_validate(build("logistic"), VALUES)
    np.testing.assert_array_equal(found.mean, found.losses.mean(axis=0))
    assert found.mean[found.best] == found.mean.min()
    assert found.run is found.runs[found.best]
    assert found.run.l2 == found.l2[found.best] == VALUES[found.best]
    deviation = np.sqrt(((found.losses - found.mean) ** 2).sum(axis=0) / 4)
    np.testing.assert_allclose(found.error, deviation / np.sqrt(5))


def test_a_seed_deals_the_same_rows():
    fun = build("logistic")
    first, second, other = (mdbopt.cross_validate(fun, VALUES, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.losses, second.losses)
    assert not np.array_equal(first.losses, other.losses)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": 81}, "folds"),
        ({"seed": -1}, "seed"),
        ({"l2": []}, "l2: expected a sequence"),
        ({"l1": [0.1]}, "l1: expected as many numbers as of l2, 4, got 1"),
        ({"l1": 0.1}, "l1: expected a sequence"),
        ({"l1": [0.1, -1.0]}, r"l1\[1\]: expected a finite number >= 0"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        mdbopt.cross_validate(build("logistic"), **({"l2": VALUES} | arguments))
