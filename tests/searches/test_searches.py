"""Ask and tell: the contract of init, propose, judge, converged and restore."""

import numpy as np
import pytest
from recorded import METHODS, classification, logistic, quadratic

import mdbopt

SEARCHES = {
    "guarded": mdbopt.Guarded,
    "box": mdbopt.Box,
    "ellipsoid": mdbopt.Ellipsoid,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
}
FEATURES, LABELS = classification(count=40)
FUN = logistic(FEATURES, LABELS, l2=0.01)
X0 = np.zeros(5)


def begin(search, fun=FUN, x0=X0):
    return search.init(x0, *fun(x0))


def advance(search, state, iterations, fun=FUN):
    """Judge so many trials, or fewer when the search ends; return the points."""
    points = []
    while len(points) < iterations and not search.converged(state):
        points.append(np.array(search.propose(state)))
        search.judge(state, *fun(points[-1]))
    return np.array(points)


def assert_same_state(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
def test_the_loop(method, dtype):
    fun, x0 = quadratic([1.0, 4.0, 20.0]), np.ones(3, dtype)
    search = SEARCHES[method]()
    state = begin(search, fun, x0)
    assert not search.converged(state, gtol=1e-3)
    nfev = accepted = 1
    while not search.converged(state, gtol=1e-3):
        y = search.propose(state)
        assert (y.shape, y.dtype) == ((3,), dtype)
        f, g = fun(y)
        moved = search.judge(state, f, g)
        assert type(moved) is bool
        nfev, accepted = nfev + 1, accepted + moved
        assert (state.nfev, state.accepted) == (nfev, accepted - 1)
        if moved:
            assert state.f == f
            np.testing.assert_array_equal(state.g, g)
        assert state.gmax == np.abs(state.g).max()
        assert state.f == fun(state.x)[0]
        assert state.step_sizes.shape == (3,)
        assert (state.step_sizes > 0).all()
    assert state.status == -1
    assert np.abs(state.g).max() <= 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_it_is_the_loop_of_minimize(method):
    search = SEARCHES[method]()
    state = begin(search)
    while not search.converged(state, gtol=1e-4):
        search.judge(state, *FUN(np.array(search.propose(state))))
    result = mdbopt.minimize(FUN, X0, jac=True, method=method, options={"gtol": 1e-4})
    np.testing.assert_array_equal(state.x, result.x)
    assert (state.nfev, state.ncut, state.f) == (result.nfev, result.ncut, result.fun)


@pytest.mark.parametrize("method", METHODS)
def test_propose_repeats_until_judge(method):
    search = SEARCHES[method]()
    state = begin(search)
    first = np.array(search.propose(state))
    np.testing.assert_array_equal(search.propose(state), first)
    search.judge(state, *FUN(first))
    assert not np.array_equal(search.propose(state), first)


@pytest.mark.parametrize("method", METHODS)
def test_views_are_read_only_and_arguments_are_never_kept(method):
    search = SEARCHES[method]()
    x, (f, g) = X0.copy(), FUN(X0)
    state, expected = search.init(x, f, g), begin(search)
    x[:] = g[:] = np.nan
    for _ in range(10):
        point = search.propose(state, copy=False)
        for view in (point, state.x, state.g):
            assert not view.flags.writeable
        f, g = FUN(np.array(point))
        g.flags.writeable = False
        search.judge(state, f, g)
        g = g.copy()
        advance(search, expected, 1)
        assert_same_state(state, expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_proposed_point_is_the_callers(method):
    search = SEARCHES[method]()
    state, expected = begin(search), begin(search)
    kept = []
    for _ in range(10):
        point, lent = search.propose(state), search.propose(state, copy=False)
        assert point.flags.writeable
        assert not np.shares_memory(point, lent)
        np.testing.assert_array_equal(point, lent)
        f, g = FUN(point)
        kept.append((point, point.copy()))
        search.judge(state, f, g)
        advance(search, expected, 1)
        assert_same_state(state, expected)
        point_again = search.propose(state)
        point_again[:] = np.nan  # spoils nothing
    for point, as_it_was in kept:
        np.testing.assert_array_equal(point, as_it_was)


@pytest.mark.parametrize("method", METHODS)
def test_misuse(method):
    search = SEARCHES[method]()
    state = begin(search)
    f, g = FUN(X0)
    with pytest.raises(ValueError, match=r"judge.*propose"):
        search.judge(state, f, g)
    search.propose(state)
    before = dict(state)
    with pytest.raises(ValueError, match="g"):
        search.judge(state, f, np.ones(4))
    with pytest.raises(TypeError, match="g"):
        search.judge(state, f, g.astype(complex))
    with pytest.raises(TypeError, match="g"):
        search.judge(state, f, g.astype(np.longdouble))
    with pytest.raises(TypeError):
        search.judge(state, None, g)
    assert_same_state(state, before)
    search.judge(state, f, g)
    with pytest.raises(ValueError, match=r"judge.*propose"):
        search.judge(state, f, g)


@pytest.mark.parametrize("method", METHODS)
def test_propose_after_the_end(method):
    search = SEARCHES[method]()
    for f, g in ((1.0, np.zeros(5)), (np.nan, np.ones(5)), (1.0, np.full(5, np.inf))):
        state = search.init(X0, f, g)
        assert search.converged(state)
        assert state.status == (-1 if np.isfinite(f) and np.isfinite(g).all() else 3)
        with pytest.raises(ValueError, match="propose"):
            search.propose(state)


@pytest.mark.parametrize("method", METHODS)
def test_the_end_in_this_precision_is_an_end(method):
    search = SEARCHES[method]()
    state = begin(search)
    advance(search, state, 20_000)
    assert search.converged(state)
    if state.gmax > 0:
        assert state.status == 2
        with pytest.raises(ValueError, match="propose"):
            search.propose(state)


@pytest.mark.parametrize(
    ("x", "g", "error", "name"),
    [
        (np.ones(3), np.ones(4), ValueError, "g"),
        (np.ones(3, np.float32), np.ones(3), TypeError, "g: .*float32.*float64; pass g in float32"),
        (np.ones(0), np.ones(0), ValueError, "x"),
        (np.array([1.0, np.nan]), np.ones(2), ValueError, "x"),
        (np.array([1.0, np.inf]), np.ones(2), ValueError, "x"),
        (np.ones(3, complex), np.ones(3), TypeError, "x"),
        (np.ones(3), None, TypeError, "g"),
        ("abc", np.ones(3), TypeError, "x"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_bad_starts(method, x, g, error, name):
    with pytest.raises(error, match=name):
        SEARCHES[method]().init(x, 1.0, g)


@pytest.mark.parametrize("method", METHODS)
def test_states_are_independent_and_searches_are_reusable(method):
    search = SEARCHES[method]()
    alone = advance(search, begin(search), 30)
    first, second = begin(search), begin(search)
    points = []
    for _ in range(len(alone)):
        points.append(advance(search, first, 1)[0])
        advance(search, second, 1)
    np.testing.assert_array_equal(points, alone)
    assert_same_state(first, second)


@pytest.mark.parametrize("method", METHODS)
def test_searches_are_frozen_options(method):
    search = SEARCHES[method](forward=1.5)
    with pytest.raises(AttributeError):
        search.forward = 2.0
    assert search == SEARCHES[method](forward=1.5)
    assert "forward=1.5" in repr(search)
    with pytest.raises(TypeError):
        SEARCHES[method](1.5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("execution", [{"threads": 1}, {"threads": 3}, {"backend": "baseline"}])
def test_threads_and_backends_change_no_bit(method, execution):
    rng = np.random.default_rng(0)
    size = 50_000
    fun = quadratic(10 ** rng.uniform(-2, 2, size), centre=rng.standard_normal(size))
    x0 = np.zeros(size)
    plain, other = SEARCHES[method](), SEARCHES[method](**execution)
    first, second = begin(plain, fun, x0), begin(other, fun, x0)
    points = advance(plain, first, 12, fun)
    np.testing.assert_array_equal(advance(other, second, 12, fun), points)
    assert_same_state(first, second)


def test_state_says_what_it_is():
    assert "nfev=1" in repr(begin(mdbopt.Box()))
