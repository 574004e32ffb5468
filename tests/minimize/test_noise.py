"""`minimize` with noise: it ends by itself near the noise floor, and counts what it asks."""

import numpy as np
import pytest
import scipy.optimize
from noisy import Noisy, quadratic

import mdbopt
from mdbopt import problems

LEVELS = [(1e-3, 0.0), (0.0, 1e-3), (1e-3, 1e-3), (1e-6, 1e-3), (1e-3, 1e-6), (1e-9, 1e-9)]


def logistic(seed):
    """Return a logistic regression, its least curvature, x0 and its least value."""
    draw = np.random.default_rng(seed)
    X, w = draw.normal(size=(200, 10)), draw.normal(size=10)
    labels = np.where(X @ w + draw.normal(size=200) > 0, 1, -1)
    fun = problems.logistic(X, labels, l2=0.1, penalize_intercept=True)
    least = mdbopt.minimize(fun, fun.x0, jac=True, options={"gtol": 1e-12}).fun
    return fun, 0.1, fun.x0, least


PROBLEMS = {
    "one variable": (*quadratic(1, 0, 1), 0.0),
    "well-conditioned": (*quadratic(30, 1, 2), 0.0),
    "ill-conditioned": (*quadratic(30, 4, 3), 0.0),
    "many variables": (*quadratic(200, 2, 4), 0.0),
    "logistic": logistic(5),
}


def levels_of(problem, shares):
    """Return shares of f(x0) − f* and of ‖g(x0)‖."""
    fun, _, x0, least = PROBLEMS[problem]
    f, g = fun(x0)
    return shares[0] * (f - least), shares[1] * float(np.linalg.norm(g))


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("shares", LEVELS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_run_ends_by_itself_in_the_neighbourhood_of_the_theory(problem, shares, law):
    """f − f* ≤ 4 ε_f + ε_g²/μ: where ‖∇f‖ is about ε_g, f − f* is at most half of ε_g²/μ."""
    fun, curvature, x0, least = PROBLEMS[problem]
    noise = levels_of(problem, shares)
    for seed in range(3):
        noisy = Noisy(fun, *noise, seed, law)
        result = mdbopt.minimize(noisy, x0, jac=True, noise=noise)
        assert (result.success, result.status) in ((True, 0), (True, 4))
        assert result.nfev == noisy.calls < 1500
        rounding = 1e-13 * abs(least)
        gap = fun(result.x)[0] - least
        assert gap <= 4 * noise[0] + noise[1] ** 2 / curvature + rounding


def test_where_the_gradient_is_better_the_run_goes_on_below_the_noise_of_f():
    fun, _, x0, _ = PROBLEMS["ill-conditioned"]
    noise = levels_of("ill-conditioned", (1e-3, 1e-6))
    told, untold = (
        mdbopt.minimize(Noisy(fun, *noise), x0, jac=True, noise=given) for given in (noise, None)
    )
    assert untold.status == 2
    assert fun(untold.x)[0] > 1e-2 * noise[0]
    assert told.status == 4
    assert fun(told.x)[0] < 1e-5 * noise[0]


def test_the_result_says_so():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    result = mdbopt.minimize(Noisy(fun, 0.1, 0.01), x0, jac=True, noise=(0.1, 0.01))
    assert (result.status, result.success, result.noise) == (4, True, (0.1, 0.01))
    assert result.message == (
        "At the noise floor: noise of 0.1 in f and 0.01 in its gradient hides whether a step "
        "lowers f."
    )
    assert result.state.status == 4


def test_a_gradient_that_is_small_enough_still_converges():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    result = mdbopt.minimize(Noisy(fun, 0.1, 0.0), x0, jac=True, noise=0.1)
    assert (result.status, result.noise) == (0, (0.1, 0.0))
    assert np.abs(fun(result.x)[1]).max() <= 1e-8


def test_a_wrong_gradient_is_not_taken_for_noise():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    result = mdbopt.minimize(lambda x: (fun(x)[0], -fun(x)[1]), x0, jac=True, noise=(1e-6, 1e-6))
    assert (result.status, result.success) == (2, False)
    assert "to this precision or noise" in result.message


def test_levels_below_rounding_end_as_rounding_does():
    fun, _, x0, _ = PROBLEMS["logistic"]
    result = mdbopt.minimize(fun, x0, jac=True, noise=(1e-30, 1e-30), options={"gtol": 0.0})
    assert (result.status, result.success) == (2, False)


@pytest.mark.parametrize("nothing", [None, 0, 0.0, (0, 0), np.zeros(2)])
def test_without_noise_the_run_is_the_one_without_it(nothing):
    fun, _, x0, _ = PROBLEMS["ill-conditioned"]
    expected = mdbopt.minimize(fun, x0, jac=True)
    result = mdbopt.minimize(fun, x0, jac=True, noise=nothing)
    np.testing.assert_array_equal(result.x, expected.x)
    np.testing.assert_array_equal(result.trace["f"], expected.trace["f"])
    assert "noise" not in result
    expected = mdbopt.minimize(lambda x: fun(x)[0], x0)
    result = mdbopt.minimize(lambda x: fun(x)[0], x0, noise=nothing)
    np.testing.assert_array_equal(result.x, expected.x)


def test_f_never_rises_by_more_than_twice_its_noise():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    noise = levels_of("well-conditioned", (0.3, 0.1))
    result = mdbopt.minimize(Noisy(fun, *noise), x0, jac=True, noise=noise)
    accepted = result.trace["f"][result.trace["accepted"]]
    assert (accepted <= np.minimum.accumulate(accepted) + 2 * noise[0]).all()


@pytest.mark.parametrize("share", [0.01, 0.3])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_levels_that_are_too_small_still_end(problem, share):
    fun, _, x0, _ = PROBLEMS[problem]
    noise = levels_of(problem, (1e-3, 1e-3))
    noisy = Noisy(fun, *noise, law="normal")
    given = share * noise[0], share * noise[1]
    result = mdbopt.minimize(noisy, x0, jac=True, noise=given)
    assert result.status in (0, 2, 4)
    assert noisy.calls < 1500
    assert fun(result.x)[0] <= fun(x0)[0]


# --- bounds, a penalty, other dtypes and methods --------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [
        {"bounds": [(-0.5, 0.5)] * 30},
        {"l1": 0.05},
        {"bounds": [(0, None)] * 30, "l1": 0.05},
        {"method": "nesterov"},
        {"options": {"groups": np.arange(30) // 3}},
        {"options": {"proposer": "cg"}},
    ],
    ids=["bounds", "l1", "both", "nesterov", "groups", "cg"],
)
def test_other_runs_reach_the_floor(arguments):
    fun, curvature, x0, _ = PROBLEMS["well-conditioned"]
    noise = levels_of("well-conditioned", (1e-5, 1e-4))
    exact = mdbopt.minimize(fun, x0, jac=True, **arguments)
    noisy = Noisy(fun, *noise)
    result = mdbopt.minimize(noisy, x0, jac=True, noise=noise, **arguments)
    assert (result.status, result.nfev) == (4, noisy.calls)
    penalty = arguments.get("l1", 0.0) * np.abs(result.x).sum()
    gap = fun(result.x)[0] + penalty - exact.fun
    assert gap <= 4 * noise[0] + noise[1] ** 2 / curvature


def test_float32():
    fun, curvature, x0, _ = PROBLEMS["well-conditioned"]
    noise = levels_of("well-conditioned", (1e-3, 1e-3))
    result = mdbopt.minimize(Noisy(fun, *noise), x0.astype(np.float32), jac=True, noise=noise)
    assert (result.status, result.x.dtype) == (4, np.float32)
    assert fun(result.x.astype(float))[0] <= 4 * noise[0] + noise[1] ** 2 / curvature


def test_scipy_takes_it_as_an_option():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    noise = levels_of("well-conditioned", (1e-3, 1e-3))
    found = scipy.optimize.minimize(
        Noisy(fun, *noise), x0, jac=True, method=mdbopt.scipy_method(), options={"noise": noise}
    )
    expected = mdbopt.minimize(Noisy(fun, *noise), x0, jac=True, noise=noise)
    np.testing.assert_array_equal(found.x, expected.x)
    assert (found.status, found.noise) == (4, noise)


# --- noise that is measured -----------------------------------------------------------------------
@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("shares", [(1e-3, 1e-3), (1e-6, 1e-3), (1e-3, 1e-6), (1e-9, 1e-9)])
@pytest.mark.parametrize("problem", ["well-conditioned", "many variables", "logistic"])
def test_estimated_levels_are_about_those_there_are(problem, shares, law):
    fun, _, x0, _ = PROBLEMS[problem]
    noise = levels_of(problem, shares)
    noisy = Noisy(fun, *noise, law=law)
    result = mdbopt.minimize(noisy, x0, jac=True, noise="estimate")
    ratios = np.divide(result.noise, noise)
    assert (ratios > 0.25).all()
    assert (ratios < 4).all()
    assert result.nfev == noisy.calls
    assert 8 <= result.nfev - len(result.trace["f"]) <= 24


def test_noise_of_an_exact_function_is_its_rounding():
    fun, _, x0, _ = PROBLEMS["ill-conditioned"]
    result = mdbopt.minimize(fun, x0, jac=True, noise="estimate")
    assert result.status == 0
    assert max(result.noise) <= 1e-13 * max(fun(x0)[0], np.linalg.norm(fun(x0)[1]))


def test_noise_that_is_the_same_at_the_same_point_is_seen():
    """As that of an iteration that stops early: here the digits of f and g beyond the fifth."""
    fun, _, x0, _ = PROBLEMS["well-conditioned"]

    def coarse(x):
        f, g = fun(x)
        return float(np.float32(f)), g.astype(np.float32).astype(float)

    noise = mdbopt.minimize(coarse, x0 + 0.1, jac=True, noise="estimate").noise
    unit = 2.0**-24 * np.array([fun(x0)[0], np.linalg.norm(fun(x0)[1])])
    assert (noise > 0.1 * unit).all()
    assert (noise < 10 * unit).all()


def test_no_point_of_an_estimate_is_outside_the_bounds():
    fun, *_ = PROBLEMS["well-conditioned"]
    lower, upper = np.full(30, -1.0), np.full(30, 1.0)
    lower[0] = upper[0] = 0.25
    start = np.where(np.arange(30) % 2 == 0, lower, upper)
    seen = []

    def told(x):
        seen.append(x.copy())
        return fun(x)

    bounds = list(zip(lower, upper, strict=True))
    mdbopt.minimize(told, start, jac=True, noise="estimate", bounds=bounds)
    assert all(((x >= lower) & (x <= upper)).all() for x in seen)
    assert np.unique([x[1] for x in seen[:8]]).size == 8


def test_differences_count_each_point_of_an_estimate():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    noisy = Noisy(lambda x: fun(x), 1e-3, 0.0)
    result = mdbopt.minimize(
        lambda x: noisy(x)[0], x0, noise="estimate", options={"maxiter": 5, "eps": 1e-2}
    )
    assert result.nfev == noisy.calls
    assert result.noise[1] > result.noise[0]


def test_differences_reach_the_floor_of_their_own_noise():
    """With h = 1e-2 and noise of 1e-3 each derivative is off by 0.2 at most, by h/2 times f''."""
    fun, curvature, x0, _ = PROBLEMS["well-conditioned"]
    noisy = Noisy(fun, 1e-3, 0.0)
    result = mdbopt.minimize(
        lambda x: noisy(x)[0], x0, noise="estimate", options={"eps": 1e-2, "maxfun": 50_000}
    )
    assert (result.status, result.nfev) == (4, noisy.calls)
    off = np.sqrt(30) * (0.2 + 0.5e-2 * 10)
    assert fun(result.x)[0] <= 4e-3 + off**2 / curvature
    assert fun(result.x)[0] < 1e-2 * fun(x0)[0]


def test_a_run_resumes_with_the_levels_it_measured(tmp_path):
    fun, _, x0, _ = PROBLEMS["ill-conditioned"]
    noise = levels_of("ill-conditioned", (1e-3, 1e-3))
    whole = mdbopt.minimize(Noisy(fun, *noise), x0, jac=True, noise="estimate")
    file = tmp_path / "run.npz"
    noisy = Noisy(fun, *noise)
    keywords = {"jac": True, "noise": "estimate", "checkpoint": file, "resume": "auto"}
    mdbopt.minimize(noisy, x0, **keywords, options={"maxiter": 12})
    result = mdbopt.minimize(noisy, x0, **keywords)
    np.testing.assert_array_equal(result.x, whole.x)
    assert (result.nfev, result.noise) == (whole.nfev, whole.noise)


def test_a_checkpoint_of_another_noise_is_refused(tmp_path):
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    file = tmp_path / "run.npz"
    mdbopt.minimize(fun, x0, jac=True, noise=0.1, checkpoint=file)
    for noise in (None, 0.2, "estimate"):
        with pytest.raises(ValueError, match=r"resume: .*noise"):
            mdbopt.minimize(fun, x0, jac=True, noise=noise, resume=file)


# --- what is refused ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("noise", "error", "words"),
    [
        (-1.0, ValueError, "noise: expected a finite number >= 0, got -1.0"),
        ((0.0, -1.0), ValueError, "noise: expected a finite number >= 0, got -1.0"),
        (np.nan, ValueError, "noise: expected a finite number >= 0, got nan"),
        ((np.inf, 0.0), ValueError, "noise: expected a finite number >= 0, got inf"),
        ((1.0, 2.0, 3.0), ValueError, "noise: expected a number, or a pair .* got the shape"),
        ([1.0], ValueError, "noise: expected a number, or a pair .* got the shape"),
        (("a", "b"), TypeError, "noise: expected a number, got str"),
        (True, TypeError, "noise: expected a number, got bool"),
        ({}, TypeError, "noise: expected a number, got dict"),
        ("guess", ValueError, "noise: expected a number or a pair of them, got 'guess'"),
    ],
)
def test_what_is_no_noise_is_refused_by_name(noise, error, words):
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    noisy = Noisy(fun, 0.0, 0.0)
    with pytest.raises(error, match=words):
        mdbopt.minimize(noisy, x0, jac=True, noise=noise)
    with pytest.raises(error, match=words):
        mdbopt.Guarded(noise=noise)
    assert noisy.calls == 0


@pytest.mark.parametrize("method", ["box", "ellipsoid", "simplex", "backtracking", "gd", "adgd"])
def test_methods_that_cannot_be_told_refuse(method):
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    with pytest.raises(ValueError, match=f"noise: expected none with method '{method}'.*guarded"):
        mdbopt.minimize(fun, x0, jac=True, noise=0.1, method=method)


def test_what_does_not_go_with_it_is_refused():
    fun, _, x0, _ = PROBLEMS["well-conditioned"]
    with pytest.raises(ValueError, match="cut: expected cocoercive with noise"):
        mdbopt.Guarded(noise=0.1, cut="hypergradient").init(x0, *fun(x0))
    with pytest.raises(ValueError, match=r"noise: expected a number .*minimize alone"):
        mdbopt.Guarded(noise="estimate")
    with pytest.raises(TypeError, match="noise: expected an argument of minimize"):
        mdbopt.minimize(fun, x0, jac=True, options={"noise": 0.1})
    with pytest.raises(ValueError, match="noise: expected numbers with a reducer"):
        mdbopt.minimize(fun, x0, jac=True, noise="estimate", reducer=lambda values: values[None])
