"""`minimize_batches`: its paths beside NumPy's, how runs end, what is refused."""

import numpy as np
import pytest
from reference_batches import Run

import mdbopt
from mdbopt import minimize_batches

METHODS = ("box", "sls", "sps")


class Regression:
    """Least squares on columns of very different units."""

    def __init__(self, n=200, d=6, noise=0.1, seed=0):
        rng = np.random.default_rng(seed)
        self.A = rng.standard_normal((n, d)) * np.geomspace(1e-3, 1e3, d)
        self.solution = 1 / np.geomspace(1e-3, 1e3, d)
        self.y = self.A @ self.solution + noise * rng.standard_normal(n)
        self.x0, self.n = np.zeros(d), n

    def __call__(self, x, batch):
        r = self.A[batch] @ x - self.y[batch]
        return 0.5 * float(r @ r) / len(batch), self.A[batch].T @ r / len(batch)


class Steps:
    """Keeps x after each batch."""

    def __init__(self):
        self.points = []

    def __call__(self, x):
        self.points.append(x)


@pytest.mark.parametrize(
    ("method", "options", "reference"),
    [
        ("box", {}, lambda run: run.box()),
        ("sls", {}, lambda run: run.line_search("sgd")),
        ("sls", {"direction": "amsgrad"}, lambda run: run.line_search("amsgrad")),
        ("sls", {"direction": "adagrad"}, lambda run: run.line_search("adagrad")),
        ("sps", {}, lambda run: run.polyak("sgd")),
        ("sps", {"direction": "amsgrad"}, lambda run: run.polyak("amsgrad")),
        ("sps", {"direction": "adagrad"}, lambda run: run.polyak("adagrad")),
    ],
)
def test_the_path_is_that_of_numpy(method, options, reference):
    problem, steps = Regression(), Steps()
    run = Run(problem, problem.x0, problem.n, 16, 12, seed=3)
    reference(run)
    result = minimize_batches(
        problem, problem.x0, problem.n, batch_size=16, epochs=12, method=method, seed=3,
        callback=steps, options=options,
    )  # fmt: skip
    assert result.nfev == run.budget
    # on the last batch NumPy's may overdraw it
    many = min(100, len(run.points) - 1, len(steps.points) - 1)
    assert many >= 40
    # a pair is kept in single precision, where a tie may be rounded either way
    close = 1e-6 if method == "box" else 1e-10
    np.testing.assert_allclose(steps.points[:many], run.points[:many], rtol=close, atol=1e-300)


def test_the_box_needs_no_scaled_columns():
    problem = Regression()
    result = minimize_batches(problem, problem.x0, problem.n, epochs=60)
    everything = np.arange(problem.n)
    start, least = problem(problem.x0, everything)[0], problem(problem.solution, everything)[0]
    assert result.success
    assert problem(result.x, everything)[0] - least <= 1e-2 * (start - least)
    for other in ("sls", "sps"):
        x = minimize_batches(problem, problem.x0, problem.n, epochs=60, method=other).x
        assert problem(x, everything)[0] - least > 1e-2 * (start - least)


def test_rare_columns_do_not_throw_it_off():
    rng = np.random.default_rng(1)
    n, d = 2000, 60
    active = np.minimum(rng.zipf(1.5, (n, 8)) - 1, d - 1)
    A = np.zeros((n, d))
    A[np.arange(n)[:, None], active] = 1.0
    y = (rng.random(n) < 1 / (1 + np.exp(-A @ rng.standard_normal(d)))) * 1.0

    def fun(x, batch):
        z = A[batch] @ x
        f = np.mean(np.logaddexp(0, z) - y[batch] * z) + 0.5e-4 * x @ x
        return float(f), A[batch].T @ (0.5 + 0.5 * np.tanh(z / 2) - y[batch]) / len(
            batch
        ) + 1e-4 * x

    for seed in range(5):
        x = minimize_batches(fun, np.zeros(d), n, epochs=5, seed=seed).x
        assert fun(x, np.arange(n))[0] < 0.7


@pytest.mark.parametrize("method", METHODS)
def test_it_spends_what_it_is_given(method):
    problem, calls = Regression(), []

    def fun(x, batch):
        calls.append(len(batch))
        assert batch.dtype == np.int64
        return problem(x, batch)

    result = minimize_batches(fun, problem.x0, problem.n, batch_size=30, epochs=2.5, method=method)
    assert result.nfev == len(calls) == 15  # 2.5 epochs of 6 whole batches
    assert set(calls) == {30}
    assert result.status == 0
    assert result.nit == len(result.trace["f"]) == len(result.trace["step"])
    assert result.trace["evaluations"][-1] == 15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_x_keeps_its_dtype_and_is_not_written(method, dtype):
    problem = Regression()
    x0 = np.zeros(6, dtype)

    def fun(x, batch):
        assert x.dtype == dtype
        f, g = problem(x.astype(float), batch)
        x[:] = np.nan  # a copy of its own
        batch[:] = 0
        return f, g.astype(dtype)

    result = minimize_batches(fun, x0, problem.n, epochs=3, method=method)
    assert result.x.dtype == dtype
    assert np.isfinite(result.x).all()
    assert not x0.any()
    assert result.step_sizes.shape == (6,)


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_bits(method):
    problem = Regression()
    runs = [
        minimize_batches(problem, problem.x0, problem.n, epochs=3, method=method, seed=seed).x
        for seed in (4, 4, 5)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_units_hardly_matter():
    problem = Regression()
    units = 2.0 ** np.arange(-30, 30, 10)

    def scaled(x, batch):
        f, g = problem(x * units, batch)
        return f, g * units

    x = minimize_batches(problem, problem.x0, problem.n, epochs=5).x
    # the first pairs depend on units, what they lead to less
    other = minimize_batches(scaled, problem.x0, problem.n, epochs=5).x
    everything = np.arange(problem.n)
    f = problem(x, everything)[0]
    assert problem(other * units, everything)[0] == pytest.approx(f, rel=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_how_runs_end(method):
    problem = Regression()
    size = problem.n

    def stop(x):
        raise StopIteration

    result = minimize_batches(problem, problem.x0, size, method=method, callback=stop)
    assert (result.status, result.nit) == (99, 1)
    assert "StopIteration" in result.message

    def nan(x, batch):
        return np.nan, x

    assert minimize_batches(nan, problem.x0, size, method=method).status == 3

    def flat(x, batch):
        return 1.0, np.zeros_like(x)

    result = minimize_batches(flat, problem.x0, size, method=method, epochs=1000)
    assert result.status == 2
    assert np.array_equal(result.x, problem.x0)
    assert not result.step_sizes.any()


@pytest.mark.parametrize("method", METHODS)
def test_a_hole_is_left_again(method):
    problem = Regression()
    seen = []

    def holes(x, batch):
        seen.append(0)
        f, g = problem(x, batch)
        return (np.nan if len(seen) % 7 == 0 else f), g

    result = minimize_batches(holes, problem.x0, problem.n, epochs=20, method=method)
    assert np.isfinite(result.x).all()
    assert result.status == 0


def test_a_callback_sees_the_run():
    problem, seen = Regression(), []
    minimize_batches(
        problem, problem.x0, problem.n, epochs=2,
        callback=lambda *, intermediate_result: seen.append(intermediate_result),
    )  # fmt: skip
    assert [each.nit for each in seen] == list(range(1, len(seen) + 1))
    assert {type(each.accepted) for each in seen} == {bool}
    assert seen[-1].x.shape == (6,)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"fun": 3}, TypeError, "fun: expected a callable, got int"),
        ({"size": 0}, ValueError, "size: expected a whole number >= 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size: expected a whole number"),
        ({"epochs": 0}, ValueError, "epochs: expected a finite number > 0, got 0"),
        ({"seed": -1}, ValueError, "seed: expected a whole number >= 0, got -1"),
        ({"method": "adam"}, ValueError, "method: expected one of 'box', 'sls', 'sps', got 'adam'"),
        ({"x0": np.array([np.nan])}, ValueError, "x0: expected finite numbers"),
        ({"callback": 3}, TypeError, "callback: expected a callable, got int"),
        ({"options": {"armijo": 1.0}}, ValueError, "armijo: expected a number below 1, got 1"),
        ({"options": {"armijo": 0.0}}, ValueError, "armijo: expected a finite number > 0"),
        ({"options": {"momentum": 1.5}}, ValueError, "momentum: expected a number below 1"),
        ({"options": {"growth": 0.5}}, ValueError, "growth: expected a finite number >= 1"),
        ({"options": {"decay": 1}}, TypeError, "decay: expected a bool, got int"),
        ({"options": {"armojo": 0.1}}, TypeError, "unknown option 'armojo'; here it is armijo="),
        (
            {"method": "sls", "options": {"direction": "adam"}},
            ValueError,
            "direction: expected one of 'sgd', 'amsgrad', 'adagrad', got 'adam'",
        ),
        ({"method": "sps", "options": {"c": 0}}, ValueError, "c: expected a finite number > 0"),
        (
            {"method": "sps", "options": {"lower_bound": np.inf}},
            ValueError,
            "lower_bound: expected a finite number, got inf",
        ),
        ({"fun": lambda x, batch: 1.0}, TypeError, r"fun: expected a pair \(f, gradient\)"),
        (
            {"fun": lambda x, batch: (1.0, np.ones(3))},
            ValueError,
            r"jac: expected a gradient of shape \(6,\), got \(3,\)",
        ),
    ],
)
def test_bad_input_is_named(change, error, words):
    problem = Regression()
    arguments = {"fun": problem, "x0": problem.x0, "size": problem.n, **change}
    with pytest.raises(error, match=words):
        minimize_batches(**arguments)


def test_an_error_of_the_objective_passes():
    def fails(x, batch):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        minimize_batches(fails, np.ones(2), 10)


def test_one_batch_of_everything():
    problem = Regression()
    result = minimize_batches(problem, problem.x0, problem.n, batch_size=10**6, epochs=300)
    assert result.nfev == 300
    everything = np.arange(problem.n)
    least = problem(np.linalg.lstsq(problem.A, problem.y)[0], everything)[0]
    assert problem(result.x, everything)[0] <= 1.01 * least


def test_it_is_found_where_minimize_is():
    assert mdbopt.minimize_batches is minimize_batches
