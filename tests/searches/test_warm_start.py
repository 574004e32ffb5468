"""Searches that start from what an earlier one has learnt: what is exact, and what is refused."""

import numpy as np
import pytest

import mdbopt
from mdbopt import problems

EPSILON32 = 2.0**-23


def table(rows=60, columns=7, seed=3):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(rows, columns)) * np.geomspace(0.01, 100.0, columns)
    y = (X @ (1.0 / np.geomspace(0.01, 100.0, columns)) + generator.normal(size=rows) > 0) * 1.0
    return X, y


def ridge(l2, dtype=np.float64):
    X, y = table()
    return problems.logistic(X.astype(dtype), y, l2=l2)


def learnt(fun, steps=25, x=None, **options):
    search = mdbopt.Guarded(**options)
    x = fun.x0 if x is None else x
    state = search.init(x, *fun(x))
    for _ in range(steps):
        if not search.converged(state, gtol=1e-12):
            search.judge(state, *fun(search.propose(state)))
    return search, state


def pairs(state):
    """Return the secant pairs of a state as they are, the oldest first."""
    slots = state["pairs_curvature"].size
    places = [(state["pairs_next"] - 1 - k) % slots for k in range(state["pairs"])][::-1]
    scale = state["pairs_scale"]
    s = np.array([state[f"s{k}"].astype(float) / scale[k] for k in places])
    y = np.array([state[f"y{k}"].astype(float) / state["scale"] for k in places])
    return s, y


def box(state):
    return state["scale"] * state["set_growth"] * state["set_b"]


def warm(search, state, fun, before, now):
    x = state.x.copy()
    return search.init(x, *fun(x), warm_start=mdbopt.WarmStart(state, l2=(before, now)))


@pytest.mark.parametrize("now", [1e-3, 0.03, 1.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pairs_are_those_of_the_new_objective(now, dtype):
    before, after = ridge(0.01, dtype), ridge(now, dtype)
    search, state = learnt(before, steps=12)
    s, y = pairs(state)
    fresh = warm(search, state, after, before.l2_of_weights, after.l2_of_weights)
    s_new, y_new = pairs(fresh)
    assert len(s_new) == len(s) > 5
    change = after.l2_of_weights - before.l2_of_weights
    np.testing.assert_array_equal(s_new, s)
    size = np.abs(y) + np.abs(change * s)
    assert (np.abs(y_new - (y + change * s)) <= EPSILON32 * size).all()


def test_the_tables_of_products_are_those_of_the_pairs():
    before, after = ridge(0.01), ridge(0.003)
    search, state = learnt(before, steps=30)
    fresh = warm(search, state, after, before.l2_of_weights, after.l2_of_weights)
    count = fresh["pairs"]
    s = np.array([fresh[f"s{k}"].astype(float) for k in range(count)])
    y = np.array([fresh[f"y{k}"].astype(float) for k in range(count)])
    g = fresh["scale"] * fresh["g"]
    products, slopes = s @ y.T, s @ g
    sizes = np.abs(s) @ np.abs(y).T
    # Older s with newer y: the upper triangle.
    upper = np.triu_indices(count, 1)
    used = fresh["pairs_used"]
    kept = fresh["lbfgs_sy"].reshape(used, used)[:count, :count]
    assert (np.abs(kept - products)[upper] <= 1e-14 * sizes[upper]).all()
    curvature = np.ravel(fresh["pairs_curvature"])[:count]
    assert (np.abs(curvature - np.diag(products)) <= 1e-14 * np.diag(sizes)).all()
    sg = np.ravel(fresh["lbfgs_sg"])[:count]
    assert (np.abs(sg - slopes) <= 1e-14 * (np.abs(s) @ np.abs(g))).all()


@pytest.mark.parametrize("now", [1e-4, 0.01, 0.3])
def test_the_box_is_the_one_that_the_page_derives(now):
    before, after = ridge(0.01), ridge(now)
    search, state = learnt(before)
    old, new = before.l2_of_weights, after.l2_of_weights
    fresh = warm(search, state, after, old, new)
    inverse = np.maximum(1.0 / box(state) + new - old, new)
    np.testing.assert_allclose(1.0 / box(fresh), inverse, rtol=1e-12)


def test_the_box_keeps_the_valid_step_sizes_of_a_quadratic():
    # 1/q = d·H_jj is valid: diag(1/q) ⪰ H for every positive semidefinite H of d rows.
    X, _ = table(columns=5)
    X = X / np.abs(X).max(axis=0)
    y = X @ np.arange(1.0, 6.0)
    before, after = (problems.least_squares(X, y, l2=l2, intercept=False) for l2 in (1.0, 1e-3))
    search, state = learnt(before, steps=15, forward=1.0)
    fresh = warm(search, state, after, 1.0, 1e-3)
    for fun, at in ((before, state), (after, fresh)):
        H = X.T @ X / len(X) + fun.l2 * np.eye(5)
        assert (box(at) >= 1.0 / np.abs(H).sum(axis=1)).all()


def test_what_is_not_known_enlarges_the_box_and_keeps_the_pairs():
    before, after = ridge(0.01), ridge(0.02)
    search, state = learnt(before)
    x = state.x.copy()
    fresh = search.init(x, *after(x), warm_start=state)
    np.testing.assert_allclose(box(fresh), 100.0 * box(state), rtol=1e-12)
    for found, expected in zip(pairs(fresh), pairs(state), strict=True):
        np.testing.assert_allclose(found, expected, rtol=EPSILON32)


def test_the_earlier_search_stays_as_it_was():
    before, after = ridge(0.01), ridge(0.003)
    search, state = learnt(before)
    saved = {name: np.copy(value) for name, value in state.items()}
    warm(search, state, after, 0.01, 0.003)
    for name, value in state.items():
        np.testing.assert_array_equal(value, saved[name])


@pytest.mark.parametrize("threads", [1, 2])
def test_equal_bits_on_every_instruction_set_and_number_of_threads(threads):
    generator = np.random.default_rng(7)
    size = 5000
    curvature = 10.0 ** generator.uniform(-2.0, 2.0, size)

    def fun(x, l2):
        return 0.5 * float((curvature + l2) @ x**2), (curvature + l2) * x

    states = []
    for name, *_ in mdbopt._core.backends():
        search = mdbopt.Guarded(backend=name, threads=threads)
        x = np.ones(size)
        state = search.init(x, *fun(x, 0.1))
        for _ in range(14):
            search.judge(state, *fun(search.propose(state), 0.1))
        l2 = (0.1, np.full(size, 0.03))
        x = state.x.copy()
        fresh = search.init(x, *fun(x, 0.03), warm_start=mdbopt.WarmStart(state, l2=l2))
        for _ in range(5):
            search.judge(fresh, *fun(search.propose(fresh), 0.03))
        states.append(fresh._core.save())
    for other in states[1:]:
        for name, value in states[0].items():
            assert np.array(value).tobytes() == np.array(other[name]).tobytes(), name


def test_a_started_search_saves_and_goes_on_to_the_same_bits():
    before, after = ridge(0.01), ridge(0.003)
    search, state = learnt(before)
    fresh = warm(search, state, after, before.l2_of_weights, after.l2_of_weights)
    twin = search.restore(dict(fresh))
    for at in (fresh, twin):
        for _ in range(6):
            search.judge(at, *after(search.propose(at)))
    np.testing.assert_array_equal(fresh.x, twin.x)
    assert fresh == twin


def test_fewer_pairs_are_the_newest():
    before, after = ridge(0.01), ridge(0.003)
    _, state = learnt(before, steps=30)
    few = mdbopt.Guarded(memory=4)
    fresh = warm(few, state, after, before.l2_of_weights, after.l2_of_weights)
    np.testing.assert_array_equal(pairs(fresh)[0], pairs(state)[0][-4:])


@pytest.mark.parametrize("proposer", ["heavy-ball", "nesterov", "cg"])
def test_other_proposers_take_the_box(proposer):
    before, after = ridge(0.01), ridge(0.003)
    search, state = learnt(before, proposer=proposer)
    fresh = warm(search, state, after, before.l2_of_weights, after.l2_of_weights)
    assert fresh["pairs"] == 0
    x, f = fresh.x.copy(), fresh.f
    for _ in range(20):
        search.judge(fresh, *after(search.propose(fresh)))
    assert fresh.f < f
    assert not np.array_equal(fresh.x, x)


def test_a_search_that_has_learnt_nothing_starts_cold():
    fun = ridge(0.01)
    search, state = learnt(fun, steps=0)
    fresh = warm(search, state, fun, 0.01, 0.01)
    cold = search.init(fun.x0, *fun(fun.x0))
    np.testing.assert_array_equal(search.propose(fresh), search.propose(cold))


def refused():
    fun = ridge(0.01)
    search, state = learnt(fun)
    other = mdbopt.Guarded(groups=[0] * fun.d)
    x = np.ones(3)
    narrow = ridge(0.01, np.float32)
    args = (fun.x0, *fun(fun.x0))
    return [
        (search, (x, 1.0, x), state, ValueError, "as many elements as x, 3, got 8"),
        (search, (narrow.x0, *narrow(narrow.x0)), state, ValueError, "x's dtype, float32"),
        (other, args, state, ValueError, "the same groups"),
        (mdbopt.Box(), args, state, ValueError, "a search of method box, got guarded"),
        (search, args, mdbopt.minimize(fun, fun.x0, jac=True, method="bb"), TypeError, "guarded"),
        (search, args, 3.0, TypeError, "warm_start: expected a WarmStart"),
        (search, args, mdbopt.WarmStart(state, l2=(0.0, np.ones(2))), ValueError, r"shape \(8,\)"),
        (search, args, mdbopt.WarmStart(state, l2=(0.0, [])), ValueError, r"shape \(8,\)"),
    ]


@pytest.mark.parametrize("case", range(8))
def test_refusals_name_what_does_not_fit(case):
    search, args, earlier, error, words = refused()[case]
    with pytest.raises(error, match=words):
        search.init(*args, warm_start=earlier)


@pytest.mark.parametrize(
    ("l2", "words"),
    [((0.1,), "a pair"), (0.1, "a pair"), ((0.1, -1.0), ">= 0"), ((0.1, [np.nan]), "finite")],
)
def test_coefficients_are_checked(l2, words):
    fun = ridge(0.01)
    _, state = learnt(fun)
    with pytest.raises(ValueError, match=words):
        mdbopt.WarmStart(state, l2=l2)


def test_what_is_no_search_is_named_by_its_argument():
    _, state = learnt(ridge(0.01))
    with pytest.raises(TypeError, match=r"^earlier: expected a SearchState or a .*, got WarmStart"):
        mdbopt.WarmStart(mdbopt.WarmStart(state))
