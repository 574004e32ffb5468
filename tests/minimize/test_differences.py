"""Gradients by differences: their values, what they count and cost, how runs by them end."""

import functools
import math
import warnings

import numpy as np
import pytest
import scipy.optimize
from recorded import ALL_METHODS, CONVERGED, LIMIT, PRECISION, quadratic

import mdbopt
from mdbopt._minimize.differences import SCHEMES, Differences
from mdbopt._minimize.objective import Objective, start_point
from mdbopt._minimize.settings import read_options

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])
REAL = ("2-point", "3-point")
# Calls for one gradient of three variables, f itself left out.
CALLS = {"2-point": 3, "3-point": 6, "cs": 3}


def value(x):
    """Return BOWL's f, at complex points too."""
    return 0.5 * np.sum(np.array([1.0, 4.0, 20.0]) * (x - 0.3) ** 2)


def waves(x):
    return np.sum(np.sin(x) * np.exp(x / 3.0))


def slope(x):
    return np.exp(x / 3.0) * (np.cos(x) + np.sin(x) / 3.0)


class Counted:
    """Calls an objective and keeps its points."""

    def __init__(self, fun=value):
        self.fun = fun
        self.points = []

    def __call__(self, x):
        self.points.append(x.copy())
        return self.fun(x)


def gradient(scheme, x, fun=waves, kind="", **options):
    x = np.asarray(x)
    differences = Differences(scheme, x.size, x.dtype, options)
    return differences(fun, x, float(fun(x)), kind)


def minimize(fun=value, x0=X0, jac=None, method="guarded", **options):
    return mdbopt.minimize(fun, x0, jac=jac, method=method, options=options)


@pytest.mark.parametrize("epsilon", [1e-8, 3e-5, np.array([1e-8, 1e-6, -1e-7])])
def test_forward_differences_are_scipys(epsilon):
    expected = scipy.optimize.approx_fprime(X0, waves, epsilon)
    # Steps that points really make differ from those asked for, by rounding.
    np.testing.assert_allclose(gradient("2-point", X0, eps=epsilon), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("scheme", "tolerance"), [("2-point", 1e-7), ("3-point", 1e-9), ("cs", 1e-15)]
)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 3.0])
def test_digits_of_each_scheme(scheme, tolerance, scale):
    x = scale * X0
    largest = np.abs(slope(x)).max()
    np.testing.assert_allclose(gradient(scheme, x), slope(x), rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("x", [0.0, -0.0, 1e-300, 1e9, -1e9])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_grow_with_x_and_never_vanish(scheme, x):
    found = gradient(scheme, np.array([x]), lambda x: np.sum(2.0 * x))
    np.testing.assert_allclose(found, 2.0, rtol=1e-7)


def test_a_relative_step_that_moves_nothing_is_replaced():
    found = gradient("2-point", np.array([0.0, 1.0, 2.0]), finite_diff_rel_step=1e-20)
    np.testing.assert_allclose(found, slope(np.arange(3.0)), atol=1e-6)


@pytest.mark.parametrize("scheme", REAL)
def test_relative_steps_are_relative(scheme):
    points = Counted(waves)
    gradient(scheme, np.array([4.0]), points, finite_diff_rel_step=0.25)
    steps = sorted(float(point[0]) - 4.0 for point in points.points)
    assert steps == ([0.0, 1.0] if scheme == "2-point" else [-1.0, 0.0, 1.0])


@pytest.mark.parametrize("scheme", REAL)
def test_float32_points_are_the_ones_divided_by(scheme):
    points = Counted(lambda x: float(np.sum(x.astype(float) ** 2)))
    x = X0.astype(np.float32)
    found = gradient(scheme, x, points)
    assert found.dtype == np.float32
    assert {point.dtype for point in points.points} == {np.dtype(np.float32)}
    # f is exact in float64, so that only the curvature is left of the error.
    np.testing.assert_allclose(found, 2.0 * X0, atol=3e-3 if scheme == "2-point" else 1e-5)


def test_steps_suit_an_f_of_fewer_digits():
    def coarse(x):
        return np.float32(waves(x))

    with np.testing.assert_raises(AssertionError):
        np.testing.assert_allclose(gradient("2-point", X0, coarse), slope(X0), atol=1e-2)
    np.testing.assert_allclose(gradient("2-point", X0, coarse, "float32"), slope(X0), atol=1e-2)
    found = minimize(lambda x: np.float32(value(x)))
    np.testing.assert_allclose(found.x, 0.3, atol=1e-2)


@pytest.mark.parametrize("f", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_where_f_is_not_finite_nothing_more_is_asked(scheme, f):
    result = minimize(Counted(lambda x: f), jac=scheme)
    assert (result.status, result.nfev, result.njev) == (3, 1, 1)


@pytest.mark.parametrize("scheme", REAL)
def test_differences_themselves_warn_of_nothing_but_the_objective_may(scheme):
    def huge(x):
        return math.copysign(1e308, 1.0 - x[0])

    def warns(x):
        np.exp(np.float64(1e3))
        return value(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(gradient(scheme, np.ones(1), huge)).all()
    with pytest.warns(RuntimeWarning, match="overflow"):
        gradient(scheme, X0, warns)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        gradient(scheme, X0, warns)


@pytest.mark.parametrize("jac", [None, False, *SCHEMES])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_run_needs_no_gradient(method, jac):
    fun = Counted()
    result = minimize(fun, jac=jac, method=method)
    assert result.status == CONVERGED
    np.testing.assert_allclose(result.x, 0.3, atol=1e-4)
    # One call for f and the differences at every point, each counted.
    assert result.nfev == len(fun.points) == result.njev * (1 + CALLS[jac or "2-point"])
    assert result.njev == result.nit + 1 == len(result.trace["f"])
    assert "would do better" in result.message
    assert "jac=True" in result.message
    assert f"'{jac or '2-point'}'" in result.message


def test_none_and_false_are_forward_differences():
    expected = minimize(jac="2-point")
    for jac in (None, False):
        np.testing.assert_array_equal(minimize(jac=jac).x, expected.x)


def test_what_the_message_advises_takes_fewer_evaluations():
    expected = minimize(BOWL, jac=True)
    assert "would do better" not in expected.message
    assert expected.nfev < minimize().nfev


@pytest.mark.parametrize("jac", REAL)
def test_the_default_tolerances_are_what_differences_reach(jac):
    for dtype, gtol, ftol in ((np.float64, "1e-05", 2.0**-52), (np.float32, "0.001", 2.0**-23)):
        result = minimize(x0=X0.astype(dtype), jac=jac)
        assert result.x.dtype == dtype
        assert f"<= gtol = {gtol}." in result.message
        settings = read_options("guarded", jac, None, None, np.dtype(dtype), stacklevel=1)
        assert settings.ftol == ftol
    assert "gtol = 0.01" in minimize(jac=jac, gtol=0.01).message


def test_complex_steps_are_as_exact_as_gradients():
    exact = read_options("guarded", True, None, None, X0.dtype, stacklevel=1)
    complex_steps = read_options("guarded", "cs", None, None, X0.dtype, stacklevel=1)
    assert (complex_steps.gtol, complex_steps.ftol) == (exact.gtol, exact.ftol) == (1e-8, 0.0)


@pytest.mark.parametrize("x0", [[-1.2, 1.0], [-1.2, 1.0, 0.7], [1.3, 0.7, 0.8, 1.9, 1.2]])
@pytest.mark.parametrize("jac", REAL)
def test_a_valley_ends_though_differences_are_off_by_more_than_gtol(jac, x0):
    # There a forward difference is off by 800 h/2 = 6e-6, beside what rounding adds.
    fun = Counted(scipy.optimize.rosen)
    result = minimize(fun, np.array(x0), jac)
    assert result.success
    assert result.fun < 1e-9
    assert len(fun.points) < 4 * scipy.optimize.minimize(scipy.optimize.rosen, x0).nfev


def test_no_evaluation_beyond_maxfun_but_those_at_x0():
    for limit, made in ((1, 4), (4, 4), (7, 4), (8, 8), (21, 20)):
        fun = Counted()
        result = minimize(fun, maxfun=limit)
        assert result.nfev == len(fun.points) == made
        assert result.status == LIMIT
        assert f"maxfun = {limit}" in result.message
    result = minimize(maxiter=3)
    assert (result.nit, result.nfev, result.status) == (3, 16, LIMIT)
    assert "maxiter = 3" in result.message


@pytest.mark.parametrize("jac", [True, *SCHEMES])
def test_the_default_of_maxfun_allows_as_many_gradients_whatever_they_cost(jac):
    settings = read_options("guarded", jac, None, None, X0.dtype, stacklevel=1)
    calls = 0 if jac is True else CALLS[jac]
    limits = settings.limits(Objective(value, jac, (), start_point(X0), {}))
    assert limits.maxfun == 20_000 * (1 + calls)


def test_nfev_of_callbacks_counts_all():
    seen = []

    def callback(intermediate_result):
        seen.append((intermediate_result.nit, intermediate_result.nfev))

    mdbopt.minimize(value, X0, callback=callback)
    assert all(nfev == 4 * (nit + 1) for nit, nfev in seen)


def test_points_that_are_no_numbers_are_rejected_for_one_evaluation():
    def fenced(x):
        return math.nan if x[0] <= 0.0 else float(x[0] - np.log(x[0]))

    fun = Counted(fenced)
    result = minimize(fun, [3.0], initial_scale=1e3)
    assert result.success
    assert result.nfev == len(fun.points)
    outside = np.isnan(result.trace["f"]).sum()
    assert outside > 0
    assert result.nfev == 2 * result.njev - outside


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_point_is_the_objectives_own(scheme):
    def writes(x):
        f = value(x)
        x[:] = 1e3
        return f

    np.testing.assert_array_equal(minimize(writes, jac=scheme).x, minimize(jac=scheme).x)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("error", [StopIteration, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_exceptions_of_the_objective_pass_unchanged(scheme, error, after):
    raised = error("mine")
    fun = Counted()

    def failing(x):
        if len(fun.points) == after:
            raise raised
        return fun(x)

    with pytest.raises(error) as caught:
        minimize(failing, jac=scheme)
    assert caught.value is raised


def test_args_reach_every_evaluation():
    seen = set()

    def fun(x, *args):
        seen.add(args)
        return value(x)

    mdbopt.minimize(fun, X0, args=(2.0, "three"))
    assert seen == {(2.0, "three")}


def test_a_pair_without_jac_true_is_told_what_to_say():
    with pytest.raises(TypeError, match=r"fun: .*pair|fun: .*jac=True"):
        minimize(BOWL)
    assert mdbopt.minimize(BOWL, X0, jac=True).success


def test_complex_steps_need_a_complex_answer():
    def real(x):
        return float(np.sum(np.abs(x) ** 2))

    with pytest.raises(TypeError, match=r"fun: expected a complex number.*jac='3-point'"):
        minimize(real, jac="cs")
    assert minimize(real, jac="3-point").success


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_may_come_in_an_array_at_complex_points_too(shape):
    result = minimize(lambda x: np.reshape(value(x), shape), jac="cs")
    np.testing.assert_array_equal(result.x, minimize(jac="cs").x)


def test_more_numbers_than_one_at_a_complex_point_are_refused():
    def several(x):
        return x if np.iscomplexobj(x) else value(x)

    with pytest.raises(TypeError, match=r"fun: expected one complex number .*shape \(3,\)"):
        minimize(several, jac="cs")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"eps": 0.0}, ValueError, "eps"),
        ({"eps": np.nan}, ValueError, "eps"),
        ({"eps": [1e-8, 1e-8]}, ValueError, r"eps: .*3 numbers.*\(2,\)"),
        ({"eps": "small"}, TypeError, "eps"),
        ({"finite_diff_rel_step": [0.0] * 3}, ValueError, "finite_diff_rel_step"),
        ({"finite_diff_rel_step": np.inf}, ValueError, "finite_diff_rel_step"),
        ({"eps": 1e-8, "finite_diff_rel_step": 1e-8}, ValueError, "eps.*finite_diff_rel_step"),
        ({"workers": 0}, ValueError, "workers"),
        ({"workers": -2}, ValueError, "workers"),
        ({"workers": 1.5}, TypeError, "workers"),
        ({"workers": True}, TypeError, "workers"),
    ],
)
def test_bad_options_are_refused_before_any_evaluation(options, error, match):
    fun = Counted()
    with pytest.raises(error, match=match):
        minimize(fun, **options)
    assert fun.points == []


@pytest.mark.parametrize("name", ["eps", "finite_diff_rel_step", "workers"])
def test_with_a_gradient_their_options_have_no_use(name):
    with pytest.warns(scipy.optimize.OptimizeWarning, match=f"{name}: .*without a gradient"):
        minimize(BOWL, jac=True, **{name: 1})


def test_eps_shapes_the_run():
    # A forward difference of a quadratic is off by h/2 times the curvature.
    for eps in (1e-6, [1e-4, 1e-5, 1e-6]):
        result = minimize(eps=eps, gtol=1e-4)
        assert result.success
        error = result.jac - BOWL(result.x)[1]
        np.testing.assert_allclose(error, 0.5 * np.array([1.0, 4.0, 20.0]) * eps, atol=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_workers_change_nothing_but_who_evaluates(scheme):
    batches = []

    def mapped(function, points):
        points = list(points)
        batches.append(len(points))
        return [function(point) for point in points]

    result, expected = minimize(jac=scheme, workers=mapped), minimize(jac=scheme)
    np.testing.assert_array_equal(result.x, expected.x)
    assert (result.nfev, result.message) == (expected.nfev, expected.message)
    assert set(batches) == {3}
    assert sum(batches) == result.nfev - result.njev


def test_workers_may_be_a_number_of_processes():
    result = minimize(scipy.optimize.rosen, X0, maxiter=1, workers=2)
    np.testing.assert_array_equal(result.x, minimize(scipy.optimize.rosen, X0, maxiter=1).x)


def test_workers_that_lose_points_are_refused():
    with pytest.raises(ValueError, match=r"workers: expected 3 results.* got 2"):
        minimize(workers=lambda function, points: [function(point) for point in list(points)[1:]])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_run_resumes_to_the_same_bits(scheme, tmp_path):
    path = tmp_path / "run.npz"
    whole = minimize(scipy.optimize.rosen, X0, jac=scheme)
    run = functools.partial(mdbopt.minimize, scipy.optimize.rosen, X0, jac=scheme)
    run(options={"maxiter": 9}, checkpoint=path)
    resumed = run(resume=path)
    np.testing.assert_array_equal(resumed.x, whole.x)
    assert (resumed.nfev, resumed.njev) == (whole.nfev, whole.njev)


@pytest.mark.parametrize(
    "other", [{"jac": "3-point"}, {"options": {"eps": 1e-6}}, {"options": {"eps": [1e-6] * 3}}]
)
def test_a_run_resumes_by_its_own_differences_only(other, tmp_path):
    path = tmp_path / "run.npz"
    mdbopt.minimize(scipy.optimize.rosen, X0, options={"maxiter": 2}, checkpoint=path)
    with pytest.raises(ValueError, match="resume"):
        mdbopt.minimize(scipy.optimize.rosen, X0, resume=path, **other)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("method", ["guarded", "box"])
@pytest.mark.parametrize("jac", REAL)
def test_a_run_ends_soon_after_the_last_step_that_lowers_f(jac, method, offset):
    def fun(x):
        return offset + float(value(x)) + float(np.sum(x**4))

    result = minimize(fun, jac=jac, method=method, gtol=0.0)
    assert result.status in (CONVERGED, PRECISION)
    assert "would do better" in result.message
    best = result.trace["best"]
    last = np.flatnonzero(best > best[-1] + 4e-16 * max(1.0, abs(best[-1])))[-1]
    assert len(best) - last < 40
    exact = minimize(lambda x: offset + value(x) + np.sum(x**4), jac="cs")
    noise = 2.0**-26 * max(1.0, offset)  # of a forward difference
    assert result.fun <= exact.fun + max(1e-12, noise**2)


def test_coarse_values_end_a_run_too():
    A = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)

    def fun(x):
        return np.float32(np.sum((A @ x.astype(np.float32) - 1) ** 2))

    result = minimize(fun, np.zeros(8))
    least = minimize(lambda x: np.sum((A.astype(float) @ x - 1) ** 2), np.zeros(8), jac="cs").fun
    assert result.status in (CONVERGED, PRECISION)
    assert result.njev < 100
    assert result.fun <= least * (1 + 1e-5)
