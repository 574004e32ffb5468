"""The searches of mdbopt.jax beside mdbopt on NumPy's arrays, and inside of JAX."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")

import jax.numpy as jnp  # noqa: E402

import mdbopt  # noqa: E402
import mdbopt.jax  # noqa: E402

SEARCHES = {
    "guarded": mdbopt.Guarded,
    "box": mdbopt.Box,
    "ellipsoid": mdbopt.Ellipsoid,
    "simplex": mdbopt.Simplex,
    "backtracking": mdbopt.Backtracking,
}
LEAST = [backend.name for backend in mdbopt.backends() if backend.supported][-1]
SIZE = 24
START = np.linspace(-2.0, 3.0, SIZE)
BOUNDS = [
    (None if k % 3 == 0 else x - 0.5, None if k % 4 == 1 else x + 0.75) for k, x in enumerate(START)
]
L1 = 3.0 * np.logspace(0, 4, SIZE) * (np.arange(SIZE) % 3 == 0)
CASES = [
    *((name, {}) for name in SEARCHES),
    ("guarded", {"memory": 1}),
    ("guarded", {"memory": 3}),
    ("guarded", {"proposer": "heavy-ball"}),
    ("guarded", {"proposer": "nesterov"}),
    ("guarded", {"proposer": "cg"}),
    ("guarded", {"groups": np.arange(SIZE) // 5, "cut": "hypergradient"}),
    ("box", {"groups": np.arange(SIZE) % 3, "gamma": 0.3, "forward": 1.5}),
    ("box", {"cut": "hypergradient", "initial_scale": 2.0, "threads": 1, "backend": LEAST}),
    ("ellipsoid", {"refine": 3}),
    ("ellipsoid", {"candidate": "plain"}),
    ("ellipsoid", {"groups": np.arange(SIZE) % 4}),
    ("backtracking", {"groups": np.arange(SIZE) % 2}),
    *(
        (name, {"bounds": BOUNDS, **options})
        for name, options in (
            ("guarded", {"memory": 3}),
            ("guarded", {"l1": L1, "memory": 6}),
            ("box", {}),
            ("simplex", {"l1": L1}),
            ("ellipsoid", {"candidate": "plain"}),
        )
    ),
    ("guarded", {"l1": L1}),
    ("backtracking", {"l1": L1, "bounds": [(-2.5, 4.0)]}),
]


def objective(x):
    """Steep in some coordinates, flat in others, coupled, with minima near 1."""
    h = jnp.asarray(np.logspace(0, 4, x.size), x.dtype)
    return jnp.sum(h * jnp.log1p((x - 1) ** 2 * (1 + 0.1 * jnp.mean(x) ** 2)))


def stepped(solver, value_fn=objective, **extra):
    """Return an update by the loop that optax's manual has for its line searches."""
    value_and_grad = optax.value_and_grad_from_state(value_fn)

    def step(x, state):
        value, grad = value_and_grad(x, state=state, **extra)
        updates, state = solver.update(
            grad, state, x, value=value, grad=grad, value_fn=value_fn, **extra
        )
        return optax.apply_updates(x, updates), state

    return step


def start(dtype="float32", size=SIZE):
    return jnp.asarray(START if size == SIZE else np.linspace(-2.0, 3.0, size), dtype)


def same_bits(first, second):
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "options", "dtype"),
    [(*case, "float32") for case in CASES] + [(name, {}, "float64") for name in SEARCHES],
)
def test_the_path_is_that_of_numpys_arrays(name, options, dtype):
    with jax.enable_x64(dtype == "float64"):
        solver, search = getattr(mdbopt.jax, name)(**options), SEARCHES[name](**options)
        x = start(dtype)
        step, state = jax.jit(stepped(solver)), solver.init(x)
        evaluate = jax.jit(jax.value_and_grad(objective))
        expected = search.init(np.array(x), *map(np.asarray, evaluate(x)))
        value = float(evaluate(x)[0])
        for _ in range(40):
            x, state = step(x, state)
            moved = False
            while not moved and not search.converged(expected, gtol=0.0):
                f, g = evaluate(jnp.asarray(search.propose(expected)))
                moved = search.judge(expected, float(f), np.asarray(g))
                value = float(f) if moved else value
            assert same_bits(state.arrays["x"], expected.x)
            assert same_bits(state.grad, expected.g)
            assert float(state.value) == value
            assert value == expected.f or "l1" in options
            assert (int(state.status), int(state.evaluations), int(state.accepted)) == (
                expected.status,
                expected.nfev,
                expected.accepted,
            )
            # What the caller adds up is x but for the last bit of numbers up to 20.
            assert np.allclose(x, state.arrays["x"], rtol=0, atol=40 * np.finfo(dtype).eps)
        assert expected.accepted >= 10
        assert expected.ncut >= 1 or name == "guarded"
        held = np.count_nonzero(expected.active) + np.count_nonzero(expected.x == 0.0)
        assert held >= 3 or not options.keys() & {"bounds", "l1"}


@pytest.mark.parametrize("method", SEARCHES)
def test_minimize_takes_the_same_path(method):
    with jax.enable_x64(True):
        evaluate = jax.jit(jax.value_and_grad(objective))

        def fun(x):
            f, g = evaluate(jnp.asarray(x))
            return float(f), np.asarray(g)

        x = start("float64")
        res = mdbopt.minimize(fun, np.array(x), jac=True, method=method, options={"maxfun": 60})
        solver = getattr(mdbopt.jax, method)()
        step, state = jax.jit(stepped(solver)), solver.init(x)
        accepted = [
            f for f, moved in zip(res.trace["f"], res.trace["accepted"], strict=True) if moved
        ][1:]
        assert len(accepted) >= 5
        for f in accepted:
            x, state = step(x, state)
            assert float(state.value) == f


def test_loops_have_the_bits_of_single_updates():
    solver = mdbopt.jax.guarded(memory=4)
    step, x = stepped(solver), start()
    first = (x, solver.init(x))
    jitted, expected, eager = jax.jit(step), first, first
    for _ in range(12):
        expected, eager = jitted(*expected), step(*eager)
    # Outside of any jit the objective is not fused: its last bits are others.
    assert int(eager[1].accepted) == int(expected[1].accepted) == 12
    assert np.allclose(eager[1].value, expected[1].value, rtol=1e-2)
    found, _ = jax.lax.scan(lambda carried, _: (step(*carried), None), first, None, 12)
    assert same_bits(found, expected)
    _, found = jax.jit(
        lambda first: jax.lax.while_loop(
            lambda at: at[0] < 12, lambda at: (at[0] + 1, step(*at[1])), (0, first)
        )
    )(first)
    assert same_bits(found, expected)


def test_an_update_is_a_function_of_its_arguments():
    """One that is repeated or dropped changes nothing for the next."""
    solver = mdbopt.jax.guarded()
    step, x = jax.jit(stepped(solver)), start()
    state = solver.init(x)
    for _ in range(5):
        x, state = step(x, state)
    held = jax.tree.map(np.array, (x, state))
    first = step(x, state)
    step(*step(*first))
    assert same_bits(step(x, state), first)
    assert same_bits((x, state), held)


def test_problems_are_mapped_one_by_one():
    solver = mdbopt.jax.guarded(memory=5)
    xs = jnp.stack([start(), start() * 0.3, start()[::-1]])

    def solved(x):
        loop = lambda carried, _: (stepped(solver)(*carried), None)  # noqa: E731
        return jax.lax.scan(loop, (x, solver.init(x)), None, 15)[0]

    _, found = jax.jit(jax.vmap(solved))(xs)
    assert found.status.shape == found.accepted.shape == (3,)
    for k in range(3):
        # vmap compiles the objective anew, whose sums have other last bits then.
        _, state = solved(xs[k])
        assert int(found.accepted[k]) == int(state.accepted)
        assert np.isclose(found.value[k], state.value, rtol=1e-2)


def test_donated_states_are_written_in_place():
    solver = mdbopt.jax.guarded(memory=6)
    step, x = jax.jit(stepped(solver), donate_argnums=(0, 1)), start()
    x, state = step(x, solver.init(x))
    pointers = {name: a.unsafe_buffer_pointer() for name, a in state.arrays.items()}
    for _ in range(3):
        former = state
        x, state = step(x, state)
        assert former.arrays["s"].is_deleted()
    assert state.arrays["s"].unsafe_buffer_pointer() == pointers["s"]
    assert state.arrays["y"].unsafe_buffer_pointer() == pointers["y"]


def test_parameters_are_a_tree():
    params = {"w": [jnp.zeros((2, 3)), jnp.zeros(())], "b": jnp.zeros(4)}

    def f(tree):
        return sum(
            jnp.sum((leaf - 1) ** 2 * (k + 1)) for k, leaf in enumerate(jax.tree.leaves(tree))
        )

    solver = mdbopt.jax.guarded()
    step, state = jax.jit(stepped(solver, f)), solver.init(params)
    assert jax.tree.structure(state.grad) == jax.tree.structure(params)
    for _ in range(15):
        params, state = step(params, state)
    assert all(jnp.allclose(leaf, 1.0, atol=1e-5) for leaf in jax.tree.leaves(params))


def test_what_the_objective_takes_is_passed_on():
    solver = mdbopt.jax.box()

    def f(x, target):
        return jnp.sum((x - target) ** 2)

    x = jnp.zeros(3)
    step, state = stepped(solver, f, target=jnp.full(3, 2.0)), solver.init(x)
    for _ in range(60):
        x, state = step(x, state)
    assert jnp.allclose(x, 2.0, atol=1e-3)
    updates, _ = solver.update(x, solver.init(x), x, value=0.1, value_fn=lambda x: x @ x, other=1)
    assert updates.shape == (3,)


def test_a_search_that_has_ended_stays():
    solver = mdbopt.jax.guarded()
    f = lambda x: jnp.sum((x - 0.1) ** 2)  # noqa: E731
    x = jnp.zeros(2)
    step, state = jax.jit(stepped(solver, f)), solver.init(x)
    for _ in range(60):
        x, state = step(x, state)
    assert bool(state.ended)
    again = step(x, state)
    assert same_bits(again[1].arrays, state.arrays)
    assert int(again[1].evaluations) == int(state.evaluations)


def test_a_start_that_is_not_finite_ends_it():
    solver = mdbopt.jax.box()
    x = jnp.ones(2)
    f = lambda x: jnp.sum(x) + jnp.inf  # noqa: E731
    updates, state = solver.update(x, solver.init(x), x, value=jnp.inf, value_fn=f)
    assert int(state.status) == 3
    assert not updates.any()


def test_trials_that_are_not_finite_are_shortened():
    solver = mdbopt.jax.guarded()
    f = lambda x: jnp.sum(x - 1e-3 * jnp.log(x))  # noqa: E731  (NaN where x < 0)
    x = jnp.ones(5)
    step, state = jax.jit(stepped(solver, f)), solver.init(x)
    for _ in range(60):
        x, state = step(x, state)
    assert jnp.allclose(x, 1e-3, rtol=1e-2)


# --- what is refused -----------------------------------------------------------------------------
def update(solver, x, state=None, **given):
    """Update with arguments of which some are replaced."""
    given = {"value": jnp.sum(x**2), "grad": 2 * x, "value_fn": lambda x: jnp.sum(x**2), **given}
    params = given.pop("params", x)
    return solver.update(2 * x, solver.init(x) if state is None else state, params, **given)


REFUSED = [
    (lambda s, x: update(s, x, params=None), ValueError, "guarded: params: expected the param"),
    (lambda s, x: update(s, x, value=None), TypeError, "guarded: value: expected the objective"),
    (lambda s, x: update(s, x, value_fn=None), TypeError, "guarded: value_fn: .*got NoneType"),
    (lambda s, x: update(s, x, value=x), ValueError, r"value: expected a number, .*shape \(3,\)"),
    (lambda s, x: update(s, x, grad=x[:2]), ValueError, "guarded: grad: expected 3 elements"),
    (lambda s, x: update(s, x, state=()), TypeError, "guarded: state: .*got tuple"),
    (
        lambda s, x: update(s, x, state=s.init(jnp.ones(5))),
        TypeError,
        r"guarded: state: \w+: expected .* of shape \(.*3.*\), got .* of shape \(.*5.*\)",
    ),
    (
        lambda s, x: update(s, x, state=s.init(x)._replace(told=jnp.zeros(2, jnp.int32))),
        TypeError,
        r"guarded: state: told: expected int32 of shape \(5,\), got int32 of shape \(2,\)",
    ),
    (
        lambda s, x: update(s, x, state=mdbopt.jax.guarded(memory=2).init(x)),
        TypeError,
        r"guarded: state: .*got .* of shape \(3",
    ),
    (
        lambda s, x: update(s, x, state=mdbopt.jax.box().init(x)),
        TypeError,
        r"guarded: state: numbers: expected uint32 of shape \(\d+, 2\), got uint32 of shape",
    ),
    (lambda s, x: s.init(jnp.arange(3)), TypeError, "guarded: params: .*got int32"),
    (lambda s, x: s.init(x.astype(jnp.bfloat16)), TypeError, "guarded: params: .*got bfloat16"),
    (lambda s, x: s.init(jnp.zeros(0)), ValueError, "guarded: params: expected at least one"),
    (lambda s, x: mdbopt.jax.guarded(memory=np.inf), ValueError, "guarded: memory: .*got inf"),
    (lambda s, x: mdbopt.jax.guarded(bounds=[(1, 0)]), ValueError, "bounds: expected lower <= up"),
    (lambda s, x: mdbopt.jax.guarded(l1=-0.5), ValueError, "l1: expected"),
    (lambda s, x: mdbopt.jax.guarded(bounds=[(0, 1)] * 2).init(x), ValueError, "bounds: .*3, .*2"),
    (lambda s, x: mdbopt.jax.guarded(l1=[0.1, 0.2]).init(x), ValueError, "l1: expected"),
    (lambda s, x: mdbopt.jax.guarded(noise=0.5), ValueError, r"guarded: noise: .*got \(0.5, 0.0\)"),
    (lambda s, x: mdbopt.jax.guarded(memory=0), ValueError, "memory: expected a whole number >= 1"),
    (lambda s, x: mdbopt.jax.box(memory=3), TypeError, "unexpected keyword argument 'memory'"),
    (lambda s, x: mdbopt.jax.box(groups=[0, 1]).init(x), ValueError, "groups: expected one label"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(mdbopt.jax.guarded(), jnp.ones(3))


def moved_away(solver, x):
    _, state = update(solver, x)
    return update(solver, x, state)


def of_another_search(solver, x):
    other = mdbopt.jax.guarded(memory=8, forward=1.5)
    at, state = stepped(other, lambda x: jnp.sum(x**2 + x**4))(x, other.init(x))
    return stepped(solver, lambda x: jnp.sum(x**2 + x**4))(at, state)


def outside(_, x):
    return update(mdbopt.jax.guarded(bounds=[(2.0, 3.0)]), x)


def of_other_bounds(_, x):
    first, other = (mdbopt.jax.box(bounds=[(-5.0, upper)]) for upper in (3.0, 4.0))
    _, state = update(first, x)
    return update(other, state.arrays["x"], state)


def tampered(solver, x):
    step = stepped(solver, lambda x: jnp.sum(x**2 + x**4))
    at, state = step(x, solver.init(x))
    return step(at, state._replace(numbers=state.numbers.at[2:].set(jnp.uint32(2**31))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (moved_away, "params: element 0 is 1.0+, expected .*, where the last update led"),
        (of_another_search, "state: 'forward' is 1.5.*, expected one of this search"),
        (outside, "x: expected a point within the bounds, got one outside"),
        (of_other_bounds, "state: 'method': expected that of 'box within bounds"),
        (tampered, "state: 'method': expected that of 'guarded'"),
        (lambda s, x: update(s, x * jnp.nan), "x: expected finite numbers, got NaN or inf"),
    ],
)
def test_what_only_a_run_can_see_is_refused_there(call, message):
    # JAX has two words for it, by whether it was waited for.
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match=message):
        jax.block_until_ready(call(mdbopt.jax.guarded(memory=8), jnp.ones(3)))


def test_minimize_names_the_search_for_a_tree():
    tree = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
    way = "mdbopt.jax.guarded().init(tree)"
    for given in (tree, list(tree.values())):
        with pytest.raises(TypeError) as caught:
            mdbopt.minimize(lambda x: (0.0, x), given, jac=True)
        assert str(caught.value).startswith("x0: expected an array of real numbers, got ")
        assert way in str(caught.value)
    assert eval(way, {"mdbopt": mdbopt, "tree": tree}).evaluations == 0
