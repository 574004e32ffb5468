"""What holds for every method that steps from x0 by a formula of its own."""

import zlib

import numpy as np
import pytest
from recorded import (
    ALL_METHODS,
    CONVERGED,
    LIMIT,
    NOT_FINITE,
    PRECISION,
    STOPPED,
    Recorder,
    assert_trace,
    classification,
    logistic,
    quadratic,
)
from scipy.optimize import OptimizeWarning

import mdbopt

METHODS = tuple(mdbopt.methods())[len(ALL_METHODS) :]
DTYPES = (np.float64, np.float32)
FEATURES, LABELS = classification(count=40)
LOSS = logistic(FEATURES, LABELS, l2=0.01)
X0 = np.zeros(5)
# Those whose step falls as 1/√t come near the minimum, not to it.
FALLING = ("sign", "normalized-gd")


def in_dtype(fun):
    """Compute in float64 and give the gradient in the dtype of x, as an objective may."""

    def cast(x):
        f, g = fun(x.astype(np.float64))
        return f, g.astype(x.dtype)

    return cast


def noisy(level):
    def fun(x):
        f, g = LOSS(x)
        noise = np.random.default_rng(zlib.crc32(x.tobytes()))
        return f + level * noise.standard_normal(), g + level * noise.standard_normal(x.size)

    return fun


def slope(x):
    return float(x.sum()), np.ones_like(x)


def cliff(x):
    """Return x² - log(1 - x) summed up, which is infinite beyond 1."""
    with np.errstate(all="ignore"):
        f = float((x**2 - np.log(1.0 - x)).sum())
        return f, 2.0 * x + 1.0 / (1.0 - x)


def solve(method, fun, x0=X0, **options):
    objective = Recorder(fun)
    result = mdbopt.minimize(objective, x0, jac=True, method=method, options=options)
    assert result.status in (CONVERGED, LIMIT, PRECISION, NOT_FINITE, STOPPED)
    assert result.success == (result.status == CONVERGED)
    assert result.nfev == result.njev == result.nit + 1 == objective.count
    for point in objective.points:
        assert np.isfinite(point).all()
        assert point.dtype == result.x.dtype == x0.dtype
    assert result.fun <= objective.values[0]
    assert result.step_sizes.dtype == np.float64
    assert np.isfinite(result.step_sizes).all()
    assert (result.step_sizes >= 0.0).all()
    assert_trace(result, objective)
    assert (np.diff(result.trace["ncut"]) <= 1).all()
    at = [i for i, point in enumerate(objective.points) if np.array_equal(point, result.x)]
    assert result.fun in [objective.values[i] for i in at]
    assert result.trace["accepted"][at].any()
    return result, objective


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_smooth_convex_loss_is_minimised(method, dtype):
    x0 = X0.astype(dtype)
    result, objective = solve(method, in_dtype(LOSS), x0, maxfun=3000)
    least = mdbopt.minimize(LOSS, X0, jac=True).fun
    gap = (result.fun - least) / (objective.values[0] - least)
    if method in FALLING:
        assert gap < 1e-4
    else:
        assert result.status == CONVERGED
        assert gap < (1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_scales_of_f_and_x_change_no_bit_of_the_path(method):
    # Constants of some methods are in units of x or g: those are scaled with them.
    factor = 2.0**120
    in_gradients = {"adagrad": "eps", "rmsprop": "eps", "adam": "eps"}
    options, scaled = {"gtol": 0.0, "maxfun": 60}, {}
    if method in in_gradients:
        options["eps"] = 1e-7
        scaled = {"eps": 1e-7 * factor}
    plain, _ = solve(method, LOSS, **options)
    large, _ = solve(
        method, lambda x: tuple(factor * each for each in LOSS(x)), **(options | scaled)
    )
    np.testing.assert_array_equal(plain.x, large.x)
    np.testing.assert_array_equal(plain.trace["f"] * factor, large.trace["f"])
    np.testing.assert_array_equal(plain.trace["accepted"], large.trace["accepted"])


@pytest.mark.parametrize("level", [1e-12, 1e-4])
@pytest.mark.parametrize("method", METHODS)
def test_noise_ends_a_run_by_itself(method, level):
    # Curvature by differences has to be told how far apart gradients differ by more than noise.
    options = {"difference": 2.0**-6} if method == "diagonal-hessian" else {}
    result, _ = solve(method, noisy(level), gtol=0.0, maxfun=20_000, patience=300, **options)
    assert result.status == PRECISION
    assert "precision" in result.message
    assert result.fun - LOSS(mdbopt.minimize(LOSS, X0, jac=True).x)[0] < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_a_minimum_without_noise_ends_a_run_by_itself(method):
    bowl = quadratic([1.0, 4.0, 9.0], centre=0.3, offset=7.0)
    result, _ = solve(method, bowl, np.array([1.0, -2.0, 3.0]), gtol=0.0, maxfun=10_000)
    # Steps that fall as 1/√t have further to go.
    assert result.status in ((CONVERGED, PRECISION, LIMIT)[: 3 if method in FALLING else 2])
    assert result.fun - 7.0 < (1e-2 if method in FALLING else 1e-10)


def plunge(x):
    """-sum e^x, whose gradient is as large as its fall."""
    return -float(np.sum(np.exp(x))), -np.exp(x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("objective", [slope, plunge])
@pytest.mark.parametrize("method", METHODS)
def test_an_unbounded_objective_is_said_to_be(method, objective, dtype):
    with np.errstate(all="ignore"):
        result, _ = solve(method, objective, np.ones(3, dtype), maxfun=20_000)
    assert result.status == NOT_FINITE
    assert "unbounded" in result.message


@pytest.mark.parametrize("method", METHODS)
def test_points_that_are_not_finite_are_stepped_back_from(method):
    result, objective = solve(method, cliff, np.full(3, 0.99), maxfun=5000)
    assert not np.isfinite(objective.values).all() or result.success
    assert result.fun < 3 * 0.6


@pytest.mark.parametrize("method", METHODS)
def test_not_finite_at_the_start(method):
    result, _ = solve(method, lambda x: (-np.inf, x))
    assert result.status == NOT_FINITE
    assert result.nfev == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_the_minimum_is_kept(method):
    result, _ = solve(method, quadratic([1.0, 4.0]), np.zeros(2))
    assert (result.status, result.nfev) == (CONVERGED, 1)


class Stop(Exception):
    pass


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_continues_to_the_same_bits(method, dtype, tmp_path):
    path, options = tmp_path / "run.npz", {"gtol": 0.0, "maxfun": 40}
    fun, x0 = in_dtype(LOSS), np.zeros(5, dtype)

    def run(fun=fun, **arguments):
        return mdbopt.minimize(fun, x0, jac=True, method=method, options=options, **arguments)

    whole = run()
    for evaluation in (2, 3, 4, 7, 12, 23, whole.nfev):
        calls = 0

        def stopping(x, last=evaluation):
            nonlocal calls
            calls += 1
            if calls == last:
                raise Stop
            return fun(x)

        with pytest.raises(Stop):
            run(stopping, checkpoint=path)
        resumed = run(resume=path)
        for name in ("x", "jac", "step_sizes"):
            np.testing.assert_array_equal(resumed[name], whole[name])
        for name in ("f", "best", "gmax", "accepted", "ncut"):
            np.testing.assert_array_equal(resumed.trace[name], whole.trace[name])
        assert (resumed.fun, resumed.status) == (whole.fun, whole.status)


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_state_is_refused_by_the_name_of_its_entry(method, tmp_path):
    from mdbopt._minimize.methods import find_method

    search = find_method(method).build({})
    state = search._new()
    state.init(X0, *LOSS(X0))
    saved = state.save()
    for name in saved:
        for value in (None, np.array(["text"])):
            broken = {key: each for key, each in saved.items() if key != name}
            if value is not None:
                broken[name] = value
            with pytest.raises(ValueError, match=f"'{name}'"):
                search._new().load(broken)
    again = search._new()
    again.load(saved)
    assert list(again.save()) == list(saved) == again.names()


def test_an_interrupted_judgement_is_not_saved(tmp_path, monkeypatch):
    from mdbopt._methods._iteration import Iteration

    path = tmp_path / "run.npz"
    move = Iteration.move

    def interrupted(self, *arguments):
        move(self, *arguments)
        if self.evaluations == 15:
            raise KeyboardInterrupt

    def run(**arguments):
        return mdbopt.minimize(
            LOSS, X0, jac=True, method="adam", options={"gtol": 0.0, "maxfun": 40}, **arguments
        )

    whole = run()
    with monkeypatch.context() as patched:
        patched.setattr(Iteration, "move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(checkpoint=path, every=10)
    # What was saved before, at the tenth evaluation, is whole.
    np.testing.assert_array_equal(run(resume=path).x, whole.x)


WRONG = [
    ("nonmonotone", "window", 0, ValueError), ("nonmonotone", "reference", "max", ValueError),
    ("nonmonotone", "eta", 1.1, ValueError), ("nonmonotone", "armijo", 1.0, ValueError),
    ("nonmonotone", "forward", 0.5, ValueError), ("polyak", "f_star", "low", TypeError),
    ("adgd", "version", "2021", ValueError), ("bb", "form", 1, TypeError),
    ("diagonal-bb", "mu", 0.0, ValueError), ("hypergradient", "hyper_lr", -1.0, ValueError),
    ("hypergradient", "shape", "diagonal", ValueError), ("rprop", "shrink", 1.0, ValueError),
    ("adagrad", "line_search", 1, TypeError), ("rmsprop", "decay", 1.0, ValueError),
    ("adam", "beta1", 1.0, ValueError), ("adam", "lr", 0.0, ValueError),
    ("adam", "patience", 0, ValueError), ("adam", "backend", "gpu", ValueError),
    ("adam", "threads", 0, ValueError), ("sign", "scale", "l2", ValueError),
    ("normalized-gd", "momentum", 1.0, ValueError), ("osgm", "action", "wait", ValueError),
    ("osgm-best", "momentum", 1.0, ValueError),
    ("diagonal-hessian", "diagonal", 3, TypeError), ("diagonal-hessian", "refresh", 0, ValueError),
    ("autogd", "c", 1.0, ValueError), ("best-of", "forward", np.nan, ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("method", "name", "value", "error"), WRONG)
def test_a_wrong_option_is_named(method, name, value, error):
    with pytest.raises(error, match=f"^{name}: expected"):
        mdbopt.minimize(LOSS, X0, jac=True, method=method, options={name: value})


@pytest.mark.parametrize("method", METHODS)
def test_an_option_of_another_method_is_unknown(method):
    with pytest.warns(OptimizeWarning, match="groups"):
        mdbopt.minimize(LOSS, X0, jac=True, method=method, options={"groups": 1, "maxiter": 1})


def test_a_diagonal_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^diagonal: expected an array of shape \(5,\)"):
        mdbopt.minimize(
            LOSS, X0, jac=True, method="diagonal-hessian", options={"diagonal": lambda x: x[:2]}
        )


@pytest.mark.parametrize("method", METHODS)
def test_shards_are_refused_in_words(method):
    with pytest.raises(ValueError, match=f"reducer: method '{method}' .*guarded"):
        mdbopt.minimize(LOSS, X0, jac=True, method=method, reducer=lambda sums: sums[None])


@pytest.mark.parametrize("method", METHODS)
def test_the_first_step_may_be_given(method):
    if method == "best-of":
        # A box of 1e10 times the step promises more, and tries first.
        return
    option = {"lr": 2.0**-5}
    points = solve(method, LOSS, maxfun=2, **option)[1].points
    if method == "diagonal-hessian":
        points = solve(method, LOSS, maxfun=2, diagonal=np.ones_like, **option)[1].points
    g = LOSS(X0)[1]
    unit = {
        "rprop": np.sign(g), "adagrad": np.sign(g), "adam": np.sign(g), "sign": np.sign(g),
        "rmsprop": g / (np.sqrt(0.1) * abs(g) + 1e-6), "normalized-gd": g / np.linalg.norm(g),
    }.get(method, g)  # fmt: skip
    np.testing.assert_allclose(points[1], -(2.0**-5) * unit, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_differences_stand_for_a_gradient(method):
    result = mdbopt.minimize(lambda x: LOSS(x)[0], X0, method=method, options={"maxiter": 600})
    least = mdbopt.minimize(LOSS, X0, jac=True).fun
    assert result.fun - least < 1e-3
