"""mdbopt.optimagic: the algorithm as optimagic calls it."""

import numpy as np
import pytest

pytest.importorskip("optimagic")

import optimagic

import mdbopt
from mdbopt.optimagic import Guarded

UNITS = 10.0 ** np.linspace(-2, 2, 5)
START = np.ones(5)


def value(x):
    return 0.5 * float(np.sum((UNITS * (x - 0.5)) ** 2))


def gradient(x):
    return UNITS**2 * (x - 0.5)


def solve(algorithm="mdbopt_guarded", fun=value, params=START, jac=gradient, **arguments):
    return optimagic.minimize(fun, params, algorithm=algorithm, jac=jac, **arguments)


@pytest.mark.parametrize("algorithm", ["mdbopt_guarded", Guarded, Guarded()])
def test_it_is_minimize(algorithm):
    result = solve(algorithm)
    expected = mdbopt.minimize(value, START, jac=gradient, options={"gtol": 1e-5, "ftol": 2e-9})
    np.testing.assert_array_equal(result.params, expected.x)
    assert (result.fun, result.success, result.message) == (expected.fun, True, expected.message)
    assert result.algorithm == "mdbopt_guarded"
    assert result.n_fun_evals == expected.nfev
    assert result.n_iterations == expected.nit
    np.testing.assert_array_equal(result.algorithm_output["step_sizes"], expected.step_sizes)
    assert result.algorithm_output["ncut"] == expected.ncut


def test_fun_and_jac_is_called_once_a_point():
    points = []

    def both(x):
        points.append(x.copy())
        return value(x), gradient(x)

    result = solve(fun_and_jac=both)
    # optimagic itself evaluates at the start, and for what it reports.
    assert len(points) >= result.n_fun_evals
    inside = [x for x in points if not np.array_equal(x, START)]
    assert len({x.tobytes() for x in inside}) == len(inside)


def test_trees_of_parameters():
    result = solve(
        fun=lambda p: value(np.append(p["a"], p["b"])),
        params={"a": START[:4], "b": 1.0},
        jac=lambda p: dict(
            zip("ab", (gradient(np.append(p["a"], p["b"]))[:4],
                       gradient(np.append(p["a"], p["b"]))[4]), strict=True)
        ),
    )  # fmt: skip
    assert result.fun < 1e-4
    assert isinstance(result.params["b"], float)


def test_without_a_gradient_optimagics_differences_stand_for_it():
    result = solve(jac=None)
    assert result.success
    assert result.fun < 1e-6


def test_maximize():
    result = optimagic.maximize(
        lambda x: -value(x), START, algorithm="mdbopt_guarded", jac=lambda x: -gradient(x)
    )
    assert result.success
    assert -1e-4 < result.fun <= 0.0


def test_fixed_parameters():
    result = solve(constraints=optimagic.FixedConstraint(lambda x: x[:1]))
    assert result.params[0] == 1.0
    np.testing.assert_allclose(result.params[2:], 0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stopping_maxiter": 2}, "maxiter = 2"),
        ({"stopping_maxfun": 3}, "maxfun = 3"),
        ({"convergence_gtol_abs": 1e3}, "gtol = 1000"),
        ({"convergence_ftol_rel": 0.9}, "ftol = 0.9"),
    ],
)
def test_options_reach_the_run(options, words):
    result = solve(algo_options=options)
    assert words in result.message
    assert result.success == result.message.startswith("Converged")


def test_the_memory_reaches_the_search():
    runs = [solve(Guarded(limited_memory_storage_length=pairs)).params for pairs in (1, 4, None)]
    assert not np.array_equal(runs[0], runs[1])
    plain = mdbopt.minimize(
        value, START, jac=gradient, options={"gtol": 1e-5, "ftol": 2e-9, "memory": 1}
    )
    np.testing.assert_array_equal(runs[0], plain.x)


@pytest.mark.parametrize("sides", [{"lower": START}, {"lower": START, "upper": START + 1}])
def test_bounds_hold(sides):
    result = solve(bounds=optimagic.Bounds(**sides))
    assert result.success
    assert (np.asarray(result.params) >= START).all()


def test_infinite_bounds_and_those_of_a_multistart_pass():
    assert solve(
        bounds=optimagic.Bounds(lower=np.full(5, -np.inf), upper=np.full(5, np.inf))
    ).success
    result = solve(
        bounds=optimagic.Bounds(soft_lower=-START, soft_upper=START),
        multistart=optimagic.MultistartOptions(n_samples=8, seed=0),
    )
    assert result.fun < 1e-4


@pytest.mark.parametrize("name", ["convergence_gtol_abs", "stopping_maxfun"])
def test_bad_options_are_named(name):
    with pytest.raises(Exception, match=name):
        solve(algo_options={name: "many"})
