"""Sets of step sizes that start from what an earlier search has learnt: what they still hold."""

import numpy as np
import pytest

import mdbopt

SIZE = 6
CURVATURES = np.geomspace(0.01, 100.0, SIZE)
CENTRE = np.linspace(-1.0, 2.0, SIZE)
SETS = {
    "box": mdbopt.Box,
    "simplex": mdbopt.Simplex,
    "ellipsoid": mdbopt.Ellipsoid,
    "plain ellipsoid": lambda **o: mdbopt.Ellipsoid(candidate="plain", **o),
    "refined ellipsoid": lambda **o: mdbopt.Ellipsoid(refine=3, **o),
    "backtracking": mdbopt.Backtracking,
}
SHARES = np.linspace(0.5, 1.0, SIZE)
CHANGES = {
    "less": (0.3, 0.02),
    "none at the end": (0.05, 0.0),
    "more": (0.02, 0.3),
    "as it was": (0.1, 0.1),
    "some less, some more": (0.1 * SHARES, 0.1 * SHARES[::-1]),
    "an intercept": (np.r_[np.full(SIZE - 1, 0.3), 0.0], np.r_[np.full(SIZE - 1, 0.02), 0.0]),
}


def evaluate(x, l2, curvatures=CURVATURES):
    away = x - CENTRE
    f = 0.5 * float(curvatures @ away**2 + np.sum(l2 * x**2))
    return f, curvatures * away + l2 * x


def learnt(search, l2, steps=40, evaluate=evaluate):
    x = np.zeros(SIZE)
    state = search.init(x, *evaluate(x, l2))
    for _ in range(steps):
        if not search.converged(state, gtol=1e-12):
            search.judge(state, *evaluate(search.propose(state), l2))
    return state


def begun(search, state, l2, known=True):
    x = np.array(state.x)
    start = mdbopt.WarmStart(state, l2=l2) if known else state
    return search.init(x, *evaluate(x, l2[1]), warm_start=start)


def size_of(state):
    """Return b, or the axes, in units of a step size."""
    array = state.get("set_axes", state.get("set_b", np.ones(1)))
    return state["scale"] * state["set_growth"] * np.ravel(array)


def outside(name, size, q):
    """Return by how much rows of step sizes are outside, at most 1 where they are not."""
    if name == "simplex":
        return np.mean(q / size, axis=1)
    if "ellipsoid" in name:
        return np.sqrt(np.sum((q / size) ** 2, axis=1))
    return np.max(q / size, axis=1)


def drawn(name, size, least, count=2000):
    """Return step sizes of a set, most on its border, with curvatures 1/q above ``least``."""
    generator = np.random.default_rng(5)
    q = generator.gamma(0.3, size=(count, SIZE))
    if name == "backtracking":
        q = np.tile(size, (1, SIZE))
    elif name == "box":
        q = size * np.minimum(q, 1.0)
    else:
        q = q * size / outside(name, size, q * size)[:, None]
    with np.errstate(divide="ignore"):
        limit = 0.95 / np.broadcast_to(least, SIZE)
    return np.minimum(q, limit.min() if name == "backtracking" else limit)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", SETS)
def test_what_was_valid_in_the_set_is_in_the_new_one(name, change):
    before, now = CHANGES[change]
    search = SETS[name]()
    state = learnt(search, before)
    assert state["seeking"] == 0
    assert state["ncut"] > 0
    fresh = begun(search, state, (before, now))
    q = drawn(name, size_of(state), before)
    if name == "backtracking":
        # One for all: 1/q' less any change has to be in the interval before.
        valid = 1.0 / np.maximum(1.0 / q.max() + np.min(now - np.asarray(before)), np.max(now))
        assert size_of(fresh) == pytest.approx(valid, rel=1e-12)
        return
    with np.errstate(divide="ignore"):
        valid = 1.0 / (1.0 / q + (now - np.asarray(before)))
    if name == "box":  # is drawn in to the one in which nothing had been cut
        valid = np.minimum(valid, state["scale"] * state["set_growth"])
    assert outside(name, size_of(fresh), valid).max() <= 1.0 + 1e-12


@pytest.mark.parametrize("change", ["less", "more", "some less, some more", "an intercept"])
def test_the_box_is_the_one_that_the_page_derives(change):
    before, now = CHANGES[change]
    state = learnt(mdbopt.Box(), before)
    fresh = begun(mdbopt.Box(), state, (before, now))
    inverse = np.maximum(1.0 / size_of(state) + now - np.asarray(before), now)
    first = state["scale"] * state["set_growth"]
    np.testing.assert_allclose(size_of(fresh), np.minimum(1.0 / inverse, first), rtol=1e-12)


@pytest.mark.parametrize("name", ["simplex", "ellipsoid"])
def test_axes_stay_where_l2_has_grown(name):
    state = learnt(SETS[name](), 0.02)
    fresh = begun(SETS[name](), state, (0.02, 0.3))
    np.testing.assert_allclose(size_of(fresh), size_of(state), rtol=1e-14)


@pytest.mark.parametrize("name", SETS)
def test_what_is_not_known_enlarges_the_set(name):
    state = learnt(SETS[name](), 0.1)
    fresh = begun(SETS[name](), state, (0.1, 0.05), known=False)
    np.testing.assert_allclose(size_of(fresh), 100.0 * size_of(state), rtol=1e-14)


@pytest.mark.parametrize("name", SETS)
def test_the_next_run_needs_fewer_evaluations(name):
    options = {"gtol": 1e-5}
    method, search = name.split()[-1], SETS[name]()
    if name == "plain ellipsoid":
        options["candidate"] = "plain"
    if name == "refined ellipsoid":
        options["refine"] = search.refine

    def run(x0, l2, **arguments):
        return mdbopt.minimize(
            lambda x: evaluate(x, l2),
            x0,
            jac=True,
            method=method,
            options={**options, "maxfun": 200_000},
            **arguments,
        )

    first = run(np.zeros(SIZE), 0.1)
    exact = mdbopt.WarmStart(first, l2=(0.1, 0.05))
    warm, cold = run(None, 0.05, warm_start=exact), run(first.x, 0.05)
    assert warm.success
    assert warm.trace["f"][0] == cold.trace["f"][0]
    assert warm.nfev < cold.nfev


@pytest.mark.parametrize("name", SETS)
def test_the_bits_are_those_of_any_instruction_set_and_of_a_saved_state(name):
    states = []
    for backend, *_ in mdbopt._core.backends():
        search = SETS[name](backend=backend)
        state = learnt(search, 0.1)
        saved = {entry: np.copy(value) for entry, value in state.items()}
        fresh = begun(search, state, (0.1, 0.03 * SHARES))
        for entry, value in state.items():
            np.testing.assert_array_equal(value, saved[entry])
        for at in (fresh, search.restore(dict(fresh))):
            for _ in range(6):
                search.judge(at, *evaluate(search.propose(at), 0.03 * SHARES))
            states.append(at._core.save())
    for other in states[1:]:
        for entry, value in states[0].items():
            assert np.array(value).tobytes() == np.array(other[entry]).tobytes(), entry


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_was_never_opened_starts_cold(name):
    search = SETS[name]()
    x = np.zeros(SIZE)
    for state in (learnt(search, 0.1, steps=0), search.init(x, 0.0, x)):
        fresh = begun(search, state, (0.1, 0.1))
        cold = search.init(x, *evaluate(x, 0.1))
        assert fresh == cold


@pytest.mark.parametrize("name", ["box", "simplex", "backtracking", "plain ellipsoid"])
@pytest.mark.parametrize("within", [{"bounds": [(0.0, 1.0)]}, {"l1": 0.1}])
def test_bounds_and_a_penalty_change_nothing_of_it(name, within):
    free, other = SETS[name](), SETS[name](**within)
    state = learnt(free, 0.1)
    x = np.clip(state.x, 0.0, 1.0)
    start = mdbopt.WarmStart(state, l2=(0.1, 0.02))
    plain = free.init(x, *evaluate(x, 0.02), warm_start=start)
    fresh = other.init(x, *evaluate(x, 0.02), warm_start=start)
    np.testing.assert_allclose(size_of(fresh), size_of(plain), rtol=1e-14)
    back = free.init(x, *evaluate(x, 0.1), warm_start=fresh)
    np.testing.assert_allclose(size_of(back), 100.0 * size_of(fresh), rtol=1e-14)


def test_groups_share_a_change():
    search = mdbopt.Box(groups=[0, 0, 1, 1, 2, 2])
    state = learnt(search, 0.1)
    fresh = begun(search, state, (0.1, 0.02))
    inverse = np.maximum(1.0 / size_of(state) - 0.08, 0.02)
    first = state["scale"] * state["set_growth"]
    np.testing.assert_allclose(size_of(fresh), np.minimum(1.0 / inverse, first), rtol=1e-12)
    with pytest.raises(ValueError, match="one l2 for all coordinates with groups"):
        begun(search, state, (0.1, 0.1 * SHARES))


def test_one_step_size_may_become_larger_than_any_before():
    search = mdbopt.Backtracking()
    state = learnt(search, 1e6, evaluate=lambda x, l2: evaluate(x, l2, 1e-3 * CURVATURES))
    fresh = begun(search, state, (1e6, 0.01))
    least = 1.0 / size_of(state) + 0.01 - 1e6
    np.testing.assert_allclose(size_of(fresh), 1.0 / np.maximum(least, 0.01), rtol=1e-9)


def test_a_set_of_another_kind_is_refused():
    state = learnt(mdbopt.Box(), 0.1)
    with pytest.raises(ValueError, match="warm_start: expected a search of method simplex, got"):
        begun(mdbopt.Simplex(), state, (0.1, 0.1))
