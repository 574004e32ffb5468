"""What holds for every run: scale invariance to the last bit, and a saved state.

Tests are named after what the published code of arXiv 2306.02527 does; they assert what must happen
instead.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import METHODS, SETS, Recorder, classification, logistic, quadratic, solve

import mdbopt

SEARCHES = {
    "guarded": mdbopt.Guarded,
    "box": mdbopt.Box,
    "ellipsoid": mdbopt.Ellipsoid,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
}


def times(fun, factor):
    """Return 2^k f, exactly."""

    def scaled(x):
        f, g = fun(x)
        return f * factor, g * x.dtype.type(factor)

    return scaled


def path(fun, x0, method, **options):
    objective = Recorder(fun)
    result = mdbopt.minimize(objective, x0, jac=True, method=method, options=options)
    return np.array(objective.points), result


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(np.float64, k) for k in (-300, -51, -1, 3, 100, 200)]
    + [(np.float32, k) for k in (-60, -3, 1, 60)],
)
@pytest.mark.parametrize("initial_scale", ["auto", 0.7, 1e10])
@pytest.mark.parametrize("method", METHODS)
def test_powers_of_two_change_no_bit_of_the_path(method, initial_scale, dtype, exponent):
    features, labels = classification(count=60, dtype=dtype)
    fun, x0 = logistic(features, labels, l2=0.01), np.zeros(5, dtype)
    factor = 2.0**exponent
    scaled_start = initial_scale if initial_scale == "auto" else initial_scale / factor
    expected, first = path(fun, x0, method, gtol=0.0, maxfun=80, initial_scale=initial_scale)
    got, second = path(
        times(fun, factor), x0, method, gtol=0.0, maxfun=80, initial_scale=scaled_start
    )
    np.testing.assert_array_equal(got, expected)
    assert second.fun == first.fun * factor
    np.testing.assert_array_equal(second.step_sizes, first.step_sizes / factor)
    np.testing.assert_array_equal(second.trace["accepted"], first.trace["accepted"])


@pytest.mark.parametrize("method", SETS)
def test_powers_of_two_of_x_change_no_bit_of_the_path(method):
    # One common power of two in x: the gradient scales inversely, the step sizes by its square.
    factor = 2.0**7
    fun = quadratic([1.0, 3.0, 11.0], centre=0.5)

    def wider(x):
        f, g = fun(x / factor)
        return f, g / factor

    x0 = np.array([1.0, -2.0, 3.0])
    expected, _ = path(fun, x0, method, gtol=0.0, maxfun=60, initial_scale=0.7)
    got, _ = path(wider, factor * x0, method, gtol=0.0, maxfun=60, initial_scale=0.7 * factor**2)
    np.testing.assert_array_equal(got, factor * expected)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.parametrize("method", METHODS)
def test_any_quadratic_keeps_the_laws(method, data):
    size = data.draw(st.integers(1, 6))
    numbers = st.floats(-100, 100, allow_nan=False, width=32)
    exponents = st.lists(st.floats(-4, 4), min_size=size, max_size=size)
    curvatures = 10.0 ** np.array(data.draw(exponents))
    centre = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)))
    x0 = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)))
    offset = data.draw(st.sampled_from([0.0, 1.0, -1e6]))
    result, objective = solve(
        quadratic(curvatures, centre=centre, offset=offset), x0, method, maxfun=300
    )
    accepted = result.trace["f"][result.trace["accepted"]]
    noise = 1e-9 * np.abs(accepted[:-1])
    assert (np.diff(accepted) <= noise).all()
    assert result.fun <= objective.values[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
def test_state_cannot_be_saved(method, dtype):
    features, labels = classification(count=60, dtype=dtype)
    fun = logistic(features, labels, l2=0.01)
    search = SEARCHES[method]()
    x0 = np.zeros(5, dtype)
    state = search.init(x0, *fun(x0))
    twin = search.init(x0, *fun(x0))
    for _ in range(60):
        if search.converged(state):
            break
        search.judge(state, *fun(np.array(search.propose(state))))
        twin = search.restore(dict(twin))
        proposed = np.array(search.propose(twin))
        twin = search.restore(dict(twin))
        search.judge(twin, *fun(proposed))
        saved, other = dict(state), dict(twin)
        assert saved.keys() == other.keys()
        for name, value in saved.items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)
