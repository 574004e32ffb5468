"""The updates of mdbopt.jax beside optax, beside mdbopt on NumPy's arrays, and inside of JAX."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")

import jax.numpy as jnp  # noqa: E402
from jax_cases import SAME_RULES, arrays, tree_of  # noqa: E402

import mdbopt  # noqa: E402
import mdbopt.jax  # noqa: E402
from mdbopt.jax._updates import _FACTORIES, FACTORIES  # noqa: E402

# One of each kind: without arrays, with some, with a number, with a copy of x and a value.
SOME = ["sgd", "adam", "nadam", "adagrad_norm", "rprop", "osgm"]
STEPS = 1000
# What JAX makes of an error of compiled code, by whether it was waited for.
RUNTIME = (ValueError, jax.errors.JaxRuntimeError)
# Of all coordinates together. A decay rounds x once more in each step than optax does.
CLOSE, CLOSE_DECAYED = 1e-6, 2e-6
OPTIONS = {"rprop": {"lr": 0.01}, "hypergradient_sgd": {"lr": 0.01}}


def made(name, **options):
    return FACTORIES[name](**{"lr": 0.01, **OPTIONS.get(name, {}), **options})


def flat(tree):
    return np.concatenate([np.ravel(np.asarray(x, np.float64)) for x in jax.tree.leaves(tree)])


def same_bits(first, second):
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def gradients(count, dtype="float32"):
    return [tree_of(100 + k, dtype) for k in range(count)]


def stepped(transformation, count=5, dtype="float32"):
    """Step by optax's two functions, outside of any jit."""
    params = arrays(tree_of(0, dtype))
    state = transformation.init(params)
    for grads in gradients(count, dtype):
        updates, state = transformation.update(arrays(grads), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def test_every_optimizer_is_here():
    assert {kind.__name__ for kind, _ in _FACTORIES.values()} == set(mdbopt.optimizers.__all__)
    assert set(FACTORIES) <= set(mdbopt.jax.__all__)
    assert set(mdbopt.jax.__all__) == set(dir(mdbopt.jax))
    assert all(f"`{name}`" in mdbopt.jax.__doc__ for name in FACTORIES)
    with pytest.raises(AttributeError, match="no attribute 'shampoo'"):
        mdbopt.jax.shampoo  # noqa: B018


@pytest.mark.parametrize("name", SAME_RULES)
def test_trajectories_are_optaxs(name):
    """With x64, without which optax loses 5e-6 of 1,000 steps by bias corrections in float32."""
    noise = [tree_of(1000 + t) for t in range(STEPS)]
    noise = jax.tree.map(lambda *each: 0.3 * np.stack(each), *noise)

    def trained(transformation):
        params, target = arrays(tree_of(1)), arrays(tree_of(2))
        curvatures = jax.tree.map(
            lambda x: jnp.asarray(np.logspace(-1.5, 0.5, x.size).reshape(x.shape), x.dtype), params
        )

        def body(carried, noise):
            params, state = carried
            grads = jax.tree.map(
                lambda x, z, h, e: h * (x - z) / jnp.sqrt(1 + (x - z) ** 2) + e,
                params,
                target,
                curvatures,
                noise,
            )
            updates, state = transformation.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), None

        start = (params, transformation.init(params))
        (trained, _), _ = jax.jit(lambda start: jax.lax.scan(body, start, noise))(start)
        assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(trained))
        assert np.abs(flat(trained) - flat(params)).max() > 0.5
        return flat(trained)

    ours, theirs = SAME_RULES[name]
    with jax.enable_x64(True):
        expected = trained(theirs)
        found = trained(ours)
    close = CLOSE_DECAYED if name in ("adamw", "nadamw", "lion") else CLOSE
    assert np.linalg.norm(found - expected) <= close * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, "float32") for name in FACTORIES]
    + [(name, dtype) for name in SOME for dtype in ("float64", "bfloat16", "float16")],
)
def test_steps_have_the_bits_of_numpys(name, dtype):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    kind, preset = _FACTORIES[name]
    optimizer = kind(**{"lr": 0.01, **preset})
    with jax.enable_x64(dtype == "float64"):
        params = arrays(tree_of(0, dtype))
        expected = jax.tree.map(lambda x: np.array(x), params)
        state, expected_state = made(name).init(params), optimizer.init(expected)
        for grads in gradients(6, dtype):
            params, state = made(name).step(params, arrays(grads), state)
            optimizer.step(expected, grads, expected_state)
            assert same_bits(params, expected)
        for array in state.arrays:
            assert same_bits(state.arrays[array], getattr(expected_state, array))
        for number in state.numbers:
            assert np.array_equal(state.number(number), getattr(expected_state, number))
        assert int(state.count) == expected_state.t == 6


@pytest.mark.parametrize("name", SOME)
def test_jit_and_loops_have_the_bits_of_eager_steps(name):
    transformation = made(name)
    expected = stepped(transformation)
    grads = jax.tree.map(lambda *each: jnp.stack(each), *gradients(5))
    params = arrays(tree_of(0))
    start = (params, transformation.init(params))

    def taken(carried, g):
        params, state = carried
        updates, state = transformation.update(g, state, params)
        return optax.apply_updates(params, updates), state

    jitted, found = jax.jit(taken), start
    for k in range(5):
        found = jitted(found, jax.tree.map(lambda x: x[k], grads))  # noqa: B023
    assert same_bits(found, expected)
    found, _ = jax.lax.scan(lambda carried, g: (taken(carried, g), None), start, grads)
    assert same_bits(found, expected)
    _, found = jax.lax.while_loop(
        lambda carried: carried[0] < 5,
        lambda carried: (
            carried[0] + 1,
            taken(carried[1], jax.tree.map(lambda x: x[carried[0]], grads)),
        ),
        (0, start),
    )
    assert same_bits(found, expected)


def test_problems_are_mapped_one_by_one():
    transformation = made("hypergradient_adam")
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 20)), jnp.float32)

    def trained(x):
        def body(carried, _):
            x, state = carried
            updates, state = transformation.update(x**3, state, x)
            return (optax.apply_updates(x, updates), state), None

        return jax.lax.scan(body, (x, transformation.init(x)), None, 7)[0]

    found = jax.jit(jax.vmap(trained))(x)
    for k in range(3):
        assert same_bits(jax.tree.map(lambda leaf: leaf[k], found), trained(x[k]))  # noqa: B023


@pytest.mark.parametrize("name", ["sgd", "adam", "nadam", "osgm"])
def test_donated_memory_is_written_in_place(name):
    transformation = made(name)
    step = jax.jit(transformation.step, donate_argnums=(0, 2))
    x, g = jnp.ones(1000), jnp.full(1000, 0.5)
    state = transformation.init(x)
    pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((x, state.arrays))]
    held = g.unsafe_buffer_pointer(), np.array(g)
    for _ in range(3):
        former = x, state
        x, state = step(x, g, state)
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(former))
    now = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((x, state.arrays))]
    assert now == pointers
    assert (g.unsafe_buffer_pointer(), np.array(g).tobytes()) == (held[0], held[1].tobytes())


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("name", SOME)
def test_what_is_not_donated_is_never_written(name, jitted):
    transformation = made(name)
    x = jnp.asarray(np.linspace(-1.0, 1.0, 500), jnp.float32)
    shared = np.asarray(x)  # the same memory, read-only for NumPy
    state = transformation.init(x)
    held = jax.tree.map(lambda leaf: (leaf, np.array(leaf)), (x, state))
    for way in (transformation.step, lambda p, g, s: transformation.update(g, s, p)):
        way = jax.jit(way) if jitted else way
        for _ in range(2):
            way(x, x, state)  # the gradient is the parameter, as of f(x) = ‖x‖²/2
    for leaf, before in jax.tree.leaves(
        held,
        is_leaf=lambda pair: (
            isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], np.ndarray)
        ),
    ):
        assert np.asarray(leaf).tobytes() == before.tobytes()
    assert shared.tobytes() == np.linspace(-1.0, 1.0, 500).astype("f4").tobytes()


def test_updates_lead_where_steps_do():
    """x + (x' - x) is x' but for the last bit, where they differ by more than a factor of 2."""
    for name in FACTORIES:
        transformation = made(name)
        found, _ = stepped(transformation)
        params, state = arrays(tree_of(0)), transformation.init(arrays(tree_of(0)))
        for grads in gradients(5):
            params, state = transformation.step(params, arrays(grads), state)
        assert np.abs(flat(found) - flat(params)).max() <= 1e-6


def test_half_precision_keeps_float32_state():
    x = jnp.ones(300, jnp.bfloat16)
    transformation = mdbopt.jax.adamw(1e-3)
    state = transformation.init(x)
    updates, state = transformation.update(x, state, x)
    assert updates.dtype == jnp.bfloat16
    assert {str(a.dtype) for a in jax.tree.leaves(state.arrays)} == {"float32"}


def test_rounding_is_stochastic_by_the_seed():
    x = jnp.ones(4000, jnp.bfloat16)
    ends = []
    for seed in (1, 1, 2**64 - 1):
        transformation = mdbopt.jax.sgd(1e-4, rounding="stochastic", seed=seed)
        ends.append(transformation.step(x, x, transformation.init(x))[0])
    assert same_bits(ends[0], ends[1])
    assert not same_bits(ends[0], ends[2])
    assert 0 < int((ends[0] < 1).sum()) < 4000


# --- optax around a transformation ---------------------------------------------------------------
def test_lr_follows_a_schedule():
    schedule = optax.exponential_decay(0.1, 2, 0.5)
    transformation = mdbopt.jax.sgd(schedule)
    x, state = jnp.zeros(2), transformation.init(jnp.zeros(2))
    for t in range(4):
        updates, state = jax.jit(transformation.update)(jnp.ones(2), state, x)
        assert np.allclose(updates, -schedule(t), rtol=1e-6)


@pytest.mark.parametrize("name", FACTORIES)
def test_hyperparameters_are_injected(name):
    plain = made(name)
    # Its inertia has lr in it, and moves on without.
    options = {"momentum": 0.0} if name == "lars" else {}
    injected = optax.inject_hyperparams(FACTORIES[name])(lr=0.01, **options)
    params, grads = arrays(tree_of(0)), arrays(tree_of(1))
    updates, _ = jax.jit(plain.update)(grads, jax.jit(plain.init)(params), params)
    state = jax.jit(injected.init)(params)
    found, state = jax.jit(injected.update)(grads, state, params)
    assert np.allclose(flat(found), flat(updates), rtol=1e-3, atol=1e-9)
    state.hyperparams["lr"] = jnp.asarray(0.0)
    z = state.inner_state.arrays.get("z")
    found, state = jax.jit(injected.update)(grads, state, params)
    if z is None:
        assert not flat(found).any()
    else:  # x goes to the average, and z stands still
        assert np.array_equal(flat(state.inner_state.arrays["z"]), flat(z))


def test_a_traced_number_takes_the_place_of_a_scalar_of_the_rule():
    plain = mdbopt.jax.adamw(0.01, beta1=0.75, eps=0.125, weight_decay=0.5)
    options = {"beta1": 0.75, "eps": 0.125, "weight_decay": 0.5}
    told = mdbopt.jax.adamw(0.01, **{name: jnp.asarray(v) for name, v in options.items()})
    assert same_bits(stepped(plain), stepped(told))
    with pytest.raises(TypeError, match="HypergradientSGD: hyper_lr: expected a number that is"):
        mdbopt.jax.hypergradient_sgd(0.1, hyper_lr=jnp.asarray(0.25), mode="additive")


def test_steps_are_accumulated_and_chained():
    base = mdbopt.jax.adam(0.1)
    several = optax.MultiSteps(base, every_k_schedule=4)
    x = jnp.ones(3)
    state, alone = several.init(x), base.init(x)
    for _ in range(4):
        updates, state = several.update(x, state, x)
    expected, _ = base.update(x, alone, x)
    assert np.allclose(updates, expected, rtol=1e-5)
    chained = optax.chain(optax.clip_by_global_norm(1.0), mdbopt.jax.sgd(0.1))
    updates, _ = chained.update(10 * x, chained.init(x), x)
    assert np.isclose(np.linalg.norm(updates), 0.1)


@pytest.mark.parametrize("name", SOME)
def test_states_are_mapped_and_do_not_change_their_types(name):
    transformation = made(name)
    x = jnp.array([1.0, 2.0])
    state = transformation.init(x)
    mapped = optax.tree.map_params(transformation, lambda leaf: leaf + 1, state)
    for array, tree in state.arrays.items():
        assert np.array_equal(mapped.arrays[array], tree + 1)
    assert int(mapped.count) == 0

    @jax.jit
    def step(x, state, taken):
        return jax.lax.cond(
            taken,
            lambda: transformation.update(x, state, x, value=jnp.sum(x), unknown=1),
            lambda: (x, state),
        )

    for taken in (True, False, True):
        x, state = step(x, state, taken)
    assert int(state.count) == 2
    assert step._cache_size() == 1


def test_all_gradients_are_bounded_together():
    params = tree_of(0)
    expected = jax.tree.map(np.array, params)
    optimizer = mdbopt.SGD(0.1)
    optimizer.step(expected, tree_of(1), optimizer.init(expected), max_norm=0.5)
    transformation = mdbopt.jax.sgd(0.1, max_norm=0.5)
    found, _ = transformation.step(
        arrays(params), arrays(tree_of(1)), transformation.init(arrays(params))
    )
    assert same_bits(found, expected)


def test_decays_are_a_tree_that_parameters_begin_with():
    params, grads = {"w": [np.ones(3), np.ones(2)], "b": np.ones(1)}, {}
    grads = jax.tree.map(np.zeros_like, params)
    with jax.enable_x64(True):
        transformation = mdbopt.jax.sgd(0.1, weight_decay={"w": 0.5, "b": 0.0})
        found, _ = transformation.step(
            arrays(params), arrays(grads), transformation.init(arrays(params))
        )
        assert np.allclose(flat(found), [1.0, 0.95, 0.95, 0.95, 0.95, 0.95])
        wrong = mdbopt.jax.sgd(0.1, weight_decay={"v": 0.5})
        with pytest.raises(ValueError, match="SGD: weight_decay: expected a number for each"):
            wrong.step(arrays(params), arrays(grads), wrong.init(arrays(params)))
        with pytest.raises(ValueError, match="SGD: weight_decay: expected a finite number >= 0"):
            mdbopt.jax.sgd(0.1, weight_decay={"w": -1.0})


def test_osgm_is_told_the_value():
    h = np.array([1.0, 100.0])
    optimizer, transformation = mdbopt.OSGM(0.02), mdbopt.jax.osgm(0.02)
    with jax.enable_x64(True):
        expected, x = np.ones(2), jnp.ones(2)
        expected_state, state = optimizer.init(expected), transformation.init(x)
        for _ in range(30):
            f, g = 0.5 * float(h @ expected**2), h * expected
            optimizer.step(expected, g, expected_state, value=f)
            x, state = transformation.step(x, jnp.asarray(g), state, value=f)
            assert same_bits(x, expected)
        assert state.number("value") == expected_state.value < 1.0


# --- what is refused -----------------------------------------------------------------------------
def wide_gradients(transformation, x, state):
    with jax.enable_x64(True):
        transformation.update(x.astype(jnp.float64), state, x)


REFUSED = [
    (lambda t, x, s: t.update({"w": x}, s, x), ValueError, "Adam: grads: expected PyTreeDef"),
    (lambda t, x, s: t.update(x[:2], s, x), ValueError, r"Adam: grads: expected shape \(3,\)"),
    (
        lambda t, x, s: wide_gradients(t, x, s),
        TypeError,
        "Adam: grads: expected dtype float32",
    ),
    (lambda t, x, s: t.init(jnp.arange(3)), TypeError, "Adam: params: .*got int32"),
    (lambda t, x, s: t.init({"w": 1.0}), TypeError, r"Adam: params\['w'\]: .*got float"),
    (lambda t, x, s: t.init(1j * x), TypeError, "Adam: params: .*got complex64"),
    (lambda t, x, s: t.update(x, (), x), TypeError, "Adam: state: expected the state that init"),
    (
        lambda t, x, s: t.update(x, mdbopt.jax.lion(0.1).init(x), x),
        TypeError,
        r"Adam: state: .*got \['m'\]",
    ),
    (
        lambda t, x, s: t.update(x, jax.tree.map(lambda a: a.astype(jnp.bfloat16), s), x),
        TypeError,
        "Adam: state: count: expected int32",
    ),
    (
        lambda t, x, s: t.update(x, s._replace(arrays={**s.arrays, "v": x.astype("f2")}), x),
        TypeError,
        r"Adam: state: v: expected float32 of shape \(3,\), got float16",
    ),
    (
        lambda t, x, s: mdbopt.jax.yogi(0.1, initial=1e39).init({"w": x}),
        ValueError,
        r"Yogi: initial: expected a number <= 1e\+38 for params\['w'\] of dtype float32, got",
    ),
    (lambda t, x, s: mdbopt.jax.adam(0.1, learning_rate=1), TypeError, "unknown option 'learning_"),
    (lambda t, x, s: mdbopt.jax.adam(-1.0), ValueError, "Adam: lr: expected a finite number >= 0"),
    (lambda t, x, s: mdbopt.jax.adam(x), TypeError, "Adam: lr: expected a real number"),
    (lambda t, x, s: mdbopt.jax.adam(0.1, max_norm=0.0), ValueError, "Adam: max_norm: expected"),
    (
        lambda t, x, s: mdbopt.jax.adamw(0.1).update(x, s),
        ValueError,
        "AdamW: params: .*weight decay depends on, got None",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, error, message):
    transformation, x = mdbopt.jax.adam(0.1), jnp.ones(3)
    with pytest.raises(error, match=message):
        call(transformation, x, transformation.init(x))


@pytest.mark.parametrize("lr", [-1.0, np.nan, np.inf])
def test_a_schedule_that_goes_wrong_is_refused_when_it_runs(lr):
    transformation = mdbopt.jax.adam(lambda count: jnp.where(count == 0, 0.1, lr))
    x = jnp.ones(3)
    x, state = transformation.step(x, x, transformation.init(x))
    with pytest.raises(RUNTIME, match="Adam: lr: expected a finite number >= 0"):
        jax.block_until_ready(transformation.step(x, x, state))


def test_steps_without_parameters_are_those_from_zero():
    transformation = mdbopt.jax.adam(0.1)
    g = jnp.array([3.0, -1.0])
    updates, _ = transformation.update(g, transformation.init(g))
    expected, _ = transformation.update(g, transformation.init(g), jnp.zeros(2))
    assert same_bits(updates, expected)


def test_a_step_is_not_differentiated():
    transformation = mdbopt.jax.sgd(0.1)
    x = jnp.ones(2)
    state = transformation.init(x)
    with pytest.raises(ValueError, match="mdbopt_update` cannot be differentiated"):
        jax.grad(lambda g: transformation.update(g, state, x)[0].sum())(x)


def test_the_count_stays_at_the_largest_number():
    transformation = mdbopt.jax.adam(0.1)
    x = jnp.ones(2)
    state = transformation.init(x)._replace(count=jnp.asarray(2**31 - 1, jnp.int32))
    _, state = transformation.step(x, x, state)
    assert int(state.count) == 2**31 - 1
    with pytest.raises(RUNTIME, match="state: count: expected a number >= 0"):
        jax.block_until_ready(transformation.step(x, x, state._replace(count=state.count + 1)))
