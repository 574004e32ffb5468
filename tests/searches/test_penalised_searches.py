"""Ask and tell with an l1 penalty: minimisers, the same bits however it runs, states, refusals."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from recorded import quadratic
from test_bounded_searches import EVERY, SEARCHES, SIZE, path, wide

import mdbopt
from mdbopt import _core


def penalty(dtype=np.float64):
    """Return numbers of which about half take their coordinate of `wide` to 0, and some are 0."""
    k = np.arange(SIZE)
    return ((k % 4) * 0.4 * 10.0 ** (k % 7 - 3)).astype(dtype).astype(float)


def minimiser(bounds, l1):
    """Return that of `wide` with the penalty."""
    k = np.arange(SIZE)
    h, centre = 10.0 ** (k % 7 - 3), np.where(k % 3, 1.0, -0.5)
    soft = np.sign(centre) * np.maximum(np.abs(centre) - l1 / h, 0)
    return np.clip(soft, *bounds.T)


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_same_bits_for_any_threads_and_instruction_set(method, dtype):
    fun, bounds = wide(dtype)
    l1, x0 = penalty(dtype), np.zeros(SIZE, dtype)
    expected, points = path(SEARCHES[method](bounds=bounds, l1=l1, threads=1), fun, x0)
    assert (points >= bounds[:, 0]).all()
    assert (points <= bounds[:, 1]).all()
    assert (expected.x == 0).sum() > SIZE / 10
    backends = [name for name, *_ in _core.backends()]
    for backend, threads in itertools.product(backends, (1, 3)):
        search = SEARCHES[method](bounds=bounds, l1=l1, threads=threads, backend=backend)
        np.testing.assert_array_equal(path(search, fun, x0)[1], points)


@pytest.mark.parametrize("method", ["guarded", "box", "ellipsoid"])
def test_the_minimiser_has_exact_zeros(method):
    fun, bounds = wide()
    l1 = penalty()
    state, _ = path(SEARCHES[method](bounds=bounds, l1=l1), fun, np.zeros(SIZE), 3000)
    expected = minimiser(bounds, l1)
    np.testing.assert_allclose(state.x, expected, atol=1e-7)
    np.testing.assert_array_equal(state.x == 0, expected == 0)
    np.testing.assert_allclose(state.f, fun(state.x)[0] + l1 @ np.abs(state.x), rtol=1e-12)


@EVERY
def test_zeros_take_the_path_of_no_penalty(method):
    fun, _ = wide()
    assert SEARCHES[method](l1=0).l1 is None
    without = path(SEARCHES[method](), fun, np.zeros(SIZE))
    zeros = path(SEARCHES[method](l1=np.zeros(SIZE)), fun, np.zeros(SIZE))
    np.testing.assert_array_equal(without[1], zeros[1])


@EVERY
@pytest.mark.parametrize("after", [0, 1, 5, 20])
def test_a_restored_state_continues_to_the_same_bits(method, after):
    fun, bounds = wide()
    search = SEARCHES[method](bounds=bounds, l1=penalty())
    state, _ = path(search, fun, np.zeros(SIZE), after)
    others = [search.restore(dict(state)), pickle.loads(pickle.dumps(state)), copy.copy(state)]
    for other in others:
        assert other == state
    for _ in range(15):
        trial = search.propose(state)
        told = fun(trial)
        search.judge(state, *told)
        for other in others:
            np.testing.assert_array_equal(search.propose(other), trial)
            search.judge(other, *told)
            assert other == state


@EVERY
def test_a_state_goes_on_with_its_own_penalty_alone(method):
    fun, _ = wide()
    state, _ = path(SEARCHES[method](l1=penalty()), fun, np.zeros(SIZE), 5)
    for other in (SEARCHES[method](), SEARCHES[method](l1=penalty() * 2)):
        with pytest.raises(ValueError, match=r"'method' is .* expected the mark of"):
            other.restore(dict(state))


@EVERY
def test_one_number_stands_for_all(method):
    fun = quadratic([1.0, 4.0, 20.0], centre=1.0)
    search = SEARCHES[method](l1=2.0)
    state, _ = path(search, fun, np.full(3, 0.7), 400)
    np.testing.assert_allclose(state.x, [0.0, 0.5, 0.9], atol=1e-7)
    assert state.x[0] == 0


def test_a_coordinate_may_cross_zero():
    fun = quadratic([1.0, 4.0, 20.0], centre=-1.0)
    for name, make in SEARCHES.items():
        state, _ = path(make(l1=[0.5, 0.5, 0.5]), fun, np.full(3, 2.0), 400)
        np.testing.assert_allclose(state.x, [-0.5, -0.875, -0.975], atol=1e-7, err_msg=name)


@EVERY
def test_a_penalty_bounds_what_has_no_minimum_without_it(method):
    def line(x):
        return float(-x.sum()), -np.ones(4)

    state, _ = path(SEARCHES[method](l1=1.5), line, np.full(4, 2.0), 500)
    np.testing.assert_array_equal(state.x, np.zeros(4))
    assert state.gmax == 0


def test_what_falls_in_spite_of_its_penalty_has_no_minimum():
    def line(x):
        return float(-x.sum()), -np.ones(4)

    result = mdbopt.minimize(line, np.zeros(4), jac=True, l1=0.5)
    assert result.status == 3
    assert result.message == "The problem is unbounded: the objective decreases to -inf."


@pytest.mark.parametrize(
    ("l1", "error", "message"),
    [
        (-0.1, ValueError, "l1: expected a finite number >= 0, got -0.1"),
        (np.nan, ValueError, "l1: expected a finite number >= 0, got nan"),
        (np.inf, ValueError, "l1: expected a finite number >= 0, got inf"),
        ("a", TypeError, "l1: expected a number, got str"),
        ([1.0, -2.0, 0.0], ValueError, r"l1: expected finite numbers >= 0, got -2 for variable 1"),
        (
            [1.0, 0.0, np.nan],
            ValueError,
            "l1: expected finite numbers >= 0, got nan for variable 2",
        ),
        (np.ones((3, 1)), ValueError, r"l1: expected a number or one .* got the shape \(3, 1\)"),
        ([], ValueError, r"l1: expected a number or one for each variable, .* shape \(0,\)"),
    ],
)
def test_what_is_no_penalty_is_refused(l1, error, message):
    with pytest.raises(error, match=f"^{message}"):
        mdbopt.Guarded(l1=l1)
    with pytest.raises(error, match=f"^{message}"):
        mdbopt.minimize(quadratic([1.0, 2.0, 3.0]), np.ones(3), jac=True, l1=l1)


def test_another_number_of_variables_is_refused():
    with pytest.raises(
        ValueError, match=r"^l1: expected one number for each coordinate, 3, or one"
    ):
        mdbopt.Guarded(l1=[1.0, 2.0]).init(np.ones(3), 1.0, np.ones(3))


def test_what_float32_does_not_hold_is_refused():
    with pytest.raises(ValueError, match=r"^l1: expected numbers that float32 \(as x\) holds"):
        mdbopt.Guarded(l1=1e300).init(np.ones(3, np.float32), 1.0, np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mdbopt.Box(l1=1.0, cut="hypergradient"), "cut: expected cocoercive with l1"),
        (lambda: mdbopt.Ellipsoid(l1=1.0), "candidate: expected plain with l1"),
        (lambda: mdbopt.Guarded(l1=1.0, proposer="cg"), "proposer: expected lbfgs with l1"),
    ],
)
def test_options_that_need_straight_steps_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make().init(np.ones(3), 1.0, np.ones(3))


def test_searches_with_a_penalty_are_values():
    first, second = (mdbopt.Box(l1=[0.5, 0, 1]) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != mdbopt.Box(l1=[0.5, 0, 2])
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first
    assert repr(first) == eval(repr(first), {"Box": mdbopt.Box}).__repr__()
    assert "l1=<9 numbers>" in repr(mdbopt.Box(l1=np.ones(9)))
    with pytest.raises(ValueError, match="read-only"):
        first.l1[0] = 3


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_points_that_are_not_finite_are_left(hole):
    fun = quadratic([1.0, 4.0, 20.0], centre=1.0)

    def holed(x):
        f, g = fun(x)
        return (hole, g) if x[0] > 0.3 else (f, g)

    state, _ = path(mdbopt.Guarded(l1=0.1), holed, np.zeros(3), 300)
    assert 0.2 < state.x[0] <= 0.3
