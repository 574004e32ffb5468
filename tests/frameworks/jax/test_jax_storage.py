"""States of mdbopt.jax in 8 bits and bfloat16, and parameters with low bits, beside NumPy's."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")

import jax.numpy as jnp  # noqa: E402
from jax_cases import arrays, bits, same  # noqa: E402

import mdbopt  # noqa: E402
import mdbopt.jax  # noqa: E402
from mdbopt.jax._updates import _FACTORIES, FACTORIES  # noqa: E402

FORMATS = {
    "8bit": {"state_dtype": "8bit"},
    "8bit to nearest": {"state_dtype": "8bit", "state_rounding": "nearest"},
    "bfloat16": {"state_dtype": "bfloat16"},
    "remainder": {"master": "remainder"},
    "remainder, 8bit": {"master": "remainder", "state_dtype": "8bit"},
}
# Without and with sums, with numbers, and with an average that does not start at 0.
SOME = {
    "adamw": {},
    "amsgrad": {},
    "lamb": {},
    "hypergradient_adam": {},
    "adagrad": {"initial": 0.5},
}


def tree(seed):
    rng = np.random.default_rng(seed)
    shapes = {"w": [(3, 500), (0, 4)], "b": [(), (700,)]}
    return {
        name: [np.asarray(rng.standard_normal(shape), np.float32) for shape in each]
        for name, each in shapes.items()
    }


def starts(name, options):
    """Give a transformation with parameters, and the same for NumPy."""
    kind, preset = _FACTORIES[name]
    own = {"lr": 0.01, "seed": 5, **SOME.get(name, {}), **options}
    master = "master" in options
    params = arrays(tree(0), jnp.bfloat16 if master else None)
    host = jax.tree.map(bits, params)
    optimizer = kind(**{**preset, **own})
    state = optimizer.init(host, dtype="bfloat16" if master else None)
    return FACTORIES[name](**own), params, optimizer, host, state


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", SOME)
def test_steps_have_the_bits_of_numpys(name, kind):
    transformation, params, optimizer, host, there = starts(name, FORMATS[kind])
    state = transformation.init(params)
    for step in range(4):
        grads = tree(1 + step)
        params, state = transformation.step(params, jax.tree.map(jnp.array, grads), state)
        optimizer.step(host, grads, there)
        assert same(params, host)
        assert set(state.arrays) == set(there._arrays)
        assert all(same(state.arrays[each], there._arrays[each]) for each in state.arrays)
    for each in optimizer._arrays():
        assert same(state.decoded(each, params), there.decoded(each))
    if "master" in FORMATS[kind]:
        assert same(state.master(params), there.master(host))


@pytest.mark.parametrize("kind", FORMATS)
def test_loops_and_donated_memory_change_no_bit(kind):
    transformation, params, optimizer, host, there = starts("adamw", FORMATS[kind])
    state = transformation.init(params)
    grads = [tree(1 + k) for k in range(4)]
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *grads[:3])

    def body(carried, g):
        return transformation.step(carried[0], g, carried[1]), None

    (params, state), _ = jax.jit(lambda start: jax.lax.scan(body, start, stacked))((params, state))
    step = jax.jit(transformation.step, donate_argnums=(0, 2))
    params, state = step(params, jax.tree.map(jnp.array, grads[3]), state)
    for g in grads:
        optimizer.step(host, g, there)
    assert same(params, host)
    assert all(same(state.arrays[each], there._arrays[each]) for each in state.arrays)


def test_updates_are_those_of_steps():
    transformation, params, *_ = starts("adamw", FORMATS["8bit"])
    grads = jax.tree.map(jnp.array, tree(1))
    updates, state = transformation.update(grads, transformation.init(params), params)
    stepped, other = transformation.step(params, grads, transformation.init(params))
    assert same(updates, jax.tree.map(jnp.subtract, stepped, params))
    assert same(state, other)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_parameters_take_float32_gradients(dtype):
    optimizer, transformation = mdbopt.AdamW(lr=0.01), mdbopt.jax.adamw(0.01)
    params = arrays(tree(0), dtype)
    host = jax.tree.map(bits, params)
    state, there = transformation.init(params), optimizer.init(host, dtype=dtype)
    for step in range(3):
        grads = tree(1 + step)
        params, state = transformation.step(params, jax.tree.map(jnp.array, grads), state)
        optimizer.step(host, grads, there)
    assert same(params, host)
    assert same(state.arrays, there._arrays)


def test_a_nan_stays_in_its_block():
    transformation = mdbopt.jax.adam(0.1, state_dtype="8bit")
    x = jnp.ones(1000)
    x, state = transformation.step(x, x.at[300].set(jnp.nan), transformation.init(x))
    wild = np.isnan(state.decoded("m", x))
    assert np.flatnonzero(wild).tolist() == list(range(256, 512))


def test_what_is_refused():
    x = jnp.ones(300)
    with pytest.raises(TypeError, match="AdamW: params: has dtype float32, expected bfloat16"):
        mdbopt.jax.adamw(0.1, master="remainder").init(x)
    with jax.enable_x64(True), pytest.raises(TypeError, match="has dtype float64, expected"):
        mdbopt.jax.adamw(0.1, state_dtype="8bit").init(jnp.ones(3))
    with pytest.raises(ValueError, match="SGD: state_dtype: expected None"):
        mdbopt.jax.sgd(0.1, state_dtype="8bit")
    coded, plain = mdbopt.jax.adamw(0.1, state_dtype="8bit"), mdbopt.jax.adamw(0.1)
    with pytest.raises(ValueError, match=r"state.m: expected shape \(2, 260\) \(as params\)"):
        coded.step(x, x, plain.init(x))
    with pytest.raises(ValueError, match=r"state.m: expected shape \(300,\) \(as params\)"):
        plain.step(x, x, coded.init(x))
    rounded = mdbopt.jax.adamw(0.1, state_dtype="bfloat16")
    with pytest.raises(TypeError, match="state: m: expected bfloat16 of shape"):
        rounded.step(x, x, plain.init(x))
    half = jnp.ones(3, jnp.bfloat16)
    low = mdbopt.jax.adamw(0.1, master="remainder")
    with pytest.raises(ValueError, match="AdamW: update: expected step, which writes"):
        low.update(half, low.init(half), half)
    with pytest.raises(TypeError, match="state: expected the state that init makes"):
        low.step(half, half, plain.init(half))
