"""What follows a step in mdbopt.jax, beside mdbopt on NumPy's arrays, and inside of JAX."""

import re

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")

import jax.numpy as jnp  # noqa: E402
from jax_cases import arrays, bits, same, tree_of  # noqa: E402

import mdbopt  # noqa: E402
import mdbopt.jax  # noqa: E402
from mdbopt.jax._updates import _FACTORIES, FACTORIES  # noqa: E402
from mdbopt.optimizers._cautious import Cautious, HeldBack  # noqa: E402

ALL = {"max_update": 0.5, "l1": 0.3, "average": 0.9}
BOTH = {"cautious": "mask", "cautious_weight_decay": True, "weight_decay": 0.4, "decoupled": True}
REFUSED = {"osgm", "schedule_free_sgd", "schedule_free_adamw"}
HELD_BACK = {
    name
    for name, (kind, _) in _FACTORIES.items()
    if issubclass(kind, HeldBack) and not issubclass(kind, Cautious)
}
# Every update with all of it; then every option by itself, and all together in every dtype.
CASES = {
    **{name: (name, ALL, "float32") for name in sorted(FACTORIES.keys() - REFUSED)},
    **{f"{name}, held back": (name, BOTH, "float32") for name in sorted(HELD_BACK)},
    **{f"adamw, {name}": ("adamw", {name: ALL[name]}, "float32") for name in ALL},
    "signum, mask": ("signum", {"cautious": "mask"}, "float32"),
    "signum, decay": ("signum", {**BOTH, "cautious": None}, "float32"),
    **{
        f"{name}, {dtype}": (name, {**BOTH, **ALL}, dtype)
        for name in ("laprop", "nadam")
        for dtype in ("float64", "float32", "bfloat16", "float16")
    },
    "8bit": ("ademamix", {**BOTH, **ALL, "state_dtype": "8bit"}, "float32"),
    "bfloat16 state": ("adamw", {**ALL, "state_dtype": "bfloat16"}, "float32"),
    "remainder": ("laprop", {**BOTH, **ALL, "master": "remainder"}, "bfloat16"),
    "stochastic": ("adamw", {**ALL, "rounding": "stochastic", "seed": 3}, "bfloat16"),
}


def pair(case):
    """Give a transformation and its optimizer for NumPy, with the parameters' dtype."""
    name, options, dtype = CASES[case]
    kind, preset = _FACTORIES[name]
    own = {"lr": 0.01, **options}
    return FACTORIES[name](**own), kind(**{**preset, **own}), dtype


def starts(transformation, optimizer, dtype):
    params = arrays(tree_of(0), dtype)
    host = jax.tree.map(bits, params)
    half = dtype if dtype in ("bfloat16", "float16") else None
    return params, transformation.init(params), host, optimizer.init(host, dtype=half)


@pytest.mark.parametrize("case", CASES)
def test_steps_have_the_bits_of_numpys(case):
    transformation, optimizer, dtype = pair(case)
    with jax.enable_x64(dtype == "float64"):
        params, state, host, there = starts(transformation, optimizer, dtype)
        for step in range(4):
            grads = arrays(tree_of(1 + step), dtype)
            params, state = transformation.step(params, grads, state)
            optimizer.step(host, jax.tree.map(bits, grads), there)
            assert same(params, host)
            assert set(state.arrays) == set(there._arrays)
            assert all(same(state.arrays[each], there._arrays[each]) for each in state.arrays)
        assert int(state.count) == there.t == 4
        if optimizer.average is None:
            return
        average = mdbopt.jax.average_eval_params(params, state)
        optimizer.eval(host, there)
        assert same(average, host)
        assert {leaf.dtype.name for leaf in jax.tree.leaves(average)} == {dtype}


def test_something_follows_each_step():
    """The cases above would agree where nothing did."""
    plain = mdbopt.jax.laprop(0.01, weight_decay=0.4, decoupled=True)
    options = {"cautious": "mask", "cautious_weight_decay": True, **ALL}
    ends = []
    for name in (None, *options):
        own = {} if name is None else {name: options[name]}
        transformation = mdbopt.jax.laprop(0.01, weight_decay=0.4, decoupled=True, **own)
        params = arrays(tree_of(0))
        state = transformation.init(params)
        for step in range(3):
            params, state = transformation.step(params, arrays(tree_of(1 + step)), state)
        ends.append(params if name != "average" else mdbopt.jax.average_eval_params(params, state))
    assert not any(same(ends[0], end) for end in ends[1:])
    assert set(plain.init(arrays(tree_of(0))).arrays) == {"m", "v"}


@pytest.mark.parametrize("case", ["nadam, float32", "nadam, bfloat16", "8bit", "remainder"])
def test_jit_and_loops_have_the_bits_of_eager_steps(case):
    transformation, _, dtype = pair(case)
    grads = [arrays(tree_of(1 + k), dtype) for k in range(5)]
    params = arrays(tree_of(0), dtype)
    start = (params, transformation.init(params))
    expected = start
    for g in grads:
        expected = transformation.step(expected[0], g, expected[1])
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *grads)
    found, _ = jax.jit(
        lambda start: jax.lax.scan(
            lambda carried, g: (transformation.step(carried[0], g, carried[1]), None),
            start,
            stacked,
        )
    )(start)
    assert same(found, expected)
    step = jax.jit(transformation.step, donate_argnums=(0, 2))
    found = jax.tree.map(jnp.array, start)
    for g in grads:
        found = step(found[0], g, found[1])
    assert same(found, expected)
    average = mdbopt.jax.average_eval_params(*expected)
    assert same(jax.jit(mdbopt.jax.average_eval_params)(*expected), average)


def test_problems_are_mapped_one_by_one():
    transformation = mdbopt.jax.signum(0.1, **BOTH, **ALL)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 20)), jnp.float32)

    def trained(x):
        state = transformation.init(x)
        for _ in range(3):
            x, state = transformation.step(x, x**3, state)
        return x, mdbopt.jax.average_eval_params(x, state)

    found = jax.jit(jax.vmap(trained))(x)
    for k in range(3):
        assert same(jax.tree.map(lambda leaf: leaf[k], found), trained(x[k]))  # noqa: B023


def test_donated_memory_is_written_in_place_and_an_average_outlives_it():
    transformation = mdbopt.jax.adamw(0.01, **ALL)
    step = jax.jit(transformation.step, donate_argnums=(0, 2))
    x, g = jnp.ones(1000), jnp.full(1000, 0.5)
    state = transformation.init(x)
    pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((x, state.arrays))]
    x, state = step(x, g, state)
    average = mdbopt.jax.average_eval_params(x, state)
    held = np.array(average)
    for _ in range(3):
        x, state = step(x, g, state)
    now = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((x, state.arrays))]
    assert now == pointers
    assert np.array_equal(average, held)
    assert not np.array_equal(mdbopt.jax.average_eval_params(x, state), held)


def test_a_saved_state_goes_on_to_the_same_bits(tmp_path):
    transformation, _, dtype = pair("nadam, bfloat16")
    params, grads = arrays(tree_of(0), dtype), arrays(tree_of(1), dtype)
    params, state = transformation.step(params, grads, transformation.init(params))
    leaves, structure = jax.tree.flatten((params, state))
    np.savez(tmp_path / "state.npz", *map(bits, leaves))
    with np.load(tmp_path / "state.npz") as saved:
        restored = [
            jnp.asarray(saved[name].view(leaf.dtype))
            for name, leaf in zip(saved.files, leaves, strict=True)
        ]
    other = jax.tree.unflatten(structure, restored)
    expected = transformation.step(params, grads, state)
    assert same(transformation.step(other[0], grads, other[1]), expected)


# --- optax around a transformation ---------------------------------------------------------------
def test_updates_leave_the_zeros_of_l1_exact():
    x = jnp.asarray(np.random.default_rng(0).standard_normal(1000), jnp.float32)
    transformation = mdbopt.jax.sgd(0.1, l1=5.0)
    optimizer, host = mdbopt.SGD(0.1, l1=5.0), np.array(x)
    state, there = transformation.init(x), optimizer.init(host)
    for _ in range(3):
        updates, state = jax.jit(transformation.update)(0.1 * x, state, x)
        x = optax.apply_updates(x, updates)
        optimizer.step(host, np.float32(0.1) * host, there)
    assert 500 < int((x == 0).sum()) < 1000
    assert np.array_equal(x == 0, host == 0)
    np.testing.assert_allclose(x, host, rtol=1e-5, atol=1e-6)


def test_the_average_is_optaxs_incremental_update():
    transformation = mdbopt.jax.adam(0.1, average=0.75)
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).standard_normal(100))
        expected, state = x, transformation.init(x)
        for _ in range(20):
            updates, state = transformation.update(x**3, state, x)
            x = optax.apply_updates(x, updates)
            expected = optax.incremental_update(x, expected, 0.25)
        average = mdbopt.jax.average_eval_params(x, state)
    np.testing.assert_allclose(average, expected, rtol=1e-13)
    assert np.abs(average - x).max() > 0.1


def test_the_step_size_of_a_schedule_counts():
    transformation = mdbopt.jax.sgd(lambda count: 0.5**count, max_update=1.0, l1=0.25)
    x = jnp.array([10.0, -10.0, 0.125])
    state = transformation.init(x)
    for _ in range(2):
        x, state = jax.jit(transformation.step)(x, jnp.array([-9.0, 9.0, 0.0]), state)
    assert np.array_equal(x, [10.0 + 1.5 * 0.75, -10.0 - 1.5 * 0.75, 0.0])


def test_decays_that_a_mask_takes_over_are_a_tree():
    params, grads = arrays(tree_of(0)), arrays(tree_of(1))
    decays = {"hidden": 0.5, "out": {"w": 0.0, "b": 0.25}}
    each = {"hidden": [0.5, 0.5], "out": {"w": 0.0, "b": 0.25}}
    transformation = mdbopt.jax.adamax(0.1, **{**BOTH, "weight_decay": decays})
    optimizer = mdbopt.Adamax(0.1, **{**BOTH, "weight_decay": each})
    host = jax.tree.map(bits, params)
    optimizer.step(host, jax.tree.map(bits, grads), optimizer.init(host))
    found, _ = transformation.step(params, grads, transformation.init(params))
    assert same(found, host)


def test_a_traced_decay_is_taken_over():
    known, told = (
        mdbopt.jax.yogi(0.1, **{**BOTH, "weight_decay": decay}) for decay in (0.5, jnp.asarray(0.5))
    )
    x, g = arrays(tree_of(0)), arrays(tree_of(1))
    assert same(known.step(x, g, known.init(x)), told.step(x, g, told.init(x)))


# --- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(REFUSED))
@pytest.mark.parametrize("option", ALL)
def test_some_updates_say_why_nothing_follows_them(name, option):
    label = _FACTORIES[name][0].__name__
    with pytest.raises(ValueError, match=f"^{label}: {option}: expected (None|0.0) since"):
        FACTORIES[name](0.1, **{option: ALL[option]})


@pytest.mark.parametrize("option", ALL)
def test_what_follows_a_step_is_known_when_it_is_traced(option):
    with pytest.raises(TypeError, match=f"^Adam: {option}: expected a number that is known when"):
        mdbopt.jax.adam(0.1, **{option: jnp.asarray(0.5)})
    injected = optax.inject_hyperparams(mdbopt.jax.adam, static_args=(option,))(
        lr=0.1, **{option: ALL[option]}
    )
    x = jnp.array([1.0, -2.0])
    updates, _ = jax.jit(injected.update)(x, injected.init(x), x)
    plain = mdbopt.jax.adam(0.1, **{option: ALL[option]})
    expected, _ = plain.update(x, plain.init(x), x)
    np.testing.assert_allclose(updates, expected, rtol=1e-6)


@pytest.mark.parametrize("option", ["l1", "average"])
def test_what_depends_on_parameters_is_told_them(option):
    transformation, x = mdbopt.jax.adam(0.1, **{option: ALL[option]}), jnp.ones(3)
    with pytest.raises(ValueError, match=f"^Adam: params: .*which {option} depends on, got None"):
        transformation.update(x, transformation.init(x))


def test_a_state_without_an_average_has_none():
    plain, averaging, x = mdbopt.jax.adam(0.1), mdbopt.jax.adam(0.1, average=0.9), jnp.ones(3)
    for transformation, other in ((plain, averaging), (averaging, plain)):
        with pytest.raises(TypeError, match=r"^Adam: state: expected the state that init makes"):
            transformation.step(x, x, other.init(x))
    with pytest.raises(KeyError, match="average"):
        mdbopt.jax.average_eval_params(x, plain.init(x))
    with pytest.raises(ValueError, match="pytree structure error"):
        mdbopt.jax.average_eval_params({"w": x}, averaging.init(x))
    wide = averaging.init(x)
    wide.arrays["average"] = x.astype(jnp.bfloat16)
    with pytest.raises(TypeError, match=re.escape("state: average: expected float32 of shape (3")):
        averaging.step(x, x, wide)
