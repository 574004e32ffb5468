"""One tree of several dtypes: one step, each array as in a step of its own, one norm for all."""

import numpy as np
import pytest
from optimizer_cases import CASES, assert_same_state, built, drawn, leaves, same, same_all

import mdbopt
from mdbopt import _core

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = ["f4", BFLOAT16, "f8", "f2", "f4", "f8", BFLOAT16]
SIZES = [(2000,), (30, 40), (), (0,), (7,), (1024,), (3000,)]
TEMPLATE = {"a": 0, "b": [1, (2, {"c": 3}), 4], "d": (5, 6)}


def mixed(seed, template=TEMPLATE):
    arrays = [x.astype(d) for x, d in zip(drawn(seed, SIZES), DTYPES, strict=True)]
    return built(template, arrays)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.by_array])
def test_each_array_is_as_in_a_step_of_its_own(name):
    params, alone = mixed(1), leaves(mixed(1))
    optimizer = CASES[name].make()
    state, states = optimizer.init(params), [optimizer.init(x) for x in alone]
    for step in range(3):
        optimizer.step(params, mixed(2 + step), state)
        for x, g, own in zip(alone, leaves(mixed(2 + step)), states, strict=True):
            optimizer.step(x, g, own)
    assert same_all(params, alone)
    for each in state._arrays:
        found = leaves(getattr(state, each))
        assert same_all(found, [getattr(own, each) for own in states])
        assert {a.dtype for a in found} == {np.dtype("f4"), np.dtype("f8")}


def test_one_norm_bounds_all():
    params, grads = mixed(1), mixed(2)
    wide = [g.astype("f8") for g in leaves(grads)]
    norm = float(np.sqrt(sum((g * g).sum() for g in wide)))
    optimizer = mdbopt.SGD(1.0)
    for max_norm in (norm / 3, norm * 3):
        others = mixed(1)
        found = optimizer.step(params, grads, optimizer.init(params), max_norm=max_norm)
        assert found == pytest.approx(norm, rel=1e-13)
        factor = min(1.0, max_norm / (found + 1e-6))
        for x, g in zip(leaves(others), leaves(grads), strict=True):
            optimizer.step(x, g, optimizer.init(x), grad_scale=1.0 / (1.0 / (1.0 / factor)))
        for ours, theirs in zip(leaves(params), leaves(others), strict=True):
            assert np.allclose(ours.astype("f8"), theirs.astype("f8"), rtol=1e-2, atol=1e-2)
        params = mixed(1)


def test_sums_run_over_all_dtypes(case):
    """A tree of float32 and float64 has the sums of the same numbers in float64."""
    sizes = [(2048,), (1024,), (300,)]
    dtypes = ["f4", "f8", "f4"]
    values = [x.astype(d) for x, d in zip(drawn(1, sizes), dtypes, strict=True)]
    optimizer = case.make()
    params, wide = values, [x.astype("f8") for x in values]
    state, other = optimizer.init(params), optimizer.init(wide)
    grads = [x.astype(d) for x, d in zip(drawn(2, sizes), dtypes, strict=True)]
    optimizer.step(params, grads, state)
    optimizer.step(wide, [g.astype("f8") for g in grads], other)
    for name, value in state._numbers().items():
        assert value == pytest.approx(getattr(other, name), rel=1e-6, abs=1e-12)
    for ours, theirs in zip(params, wide, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_one_crossing_and_one_walk():
    params, grads = leaves(mixed(1)), leaves(mixed(2))
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    optimizer.step(params, grads, state)
    _core.take_traffic()
    optimizer.step(params, grads, state)
    walks, moved = _core.take_traffic()
    each = CASES["AdamW"].description.bytes
    assert walks == 1
    assert moved == sum(x.size * each[x.dtype.name] for x in params)


def test_any_threads_give_the_same_bits(case):
    sizes = [(100_000,), (5000,), (70_000,)]
    results = []
    for threads in (1, 3):
        params, grads = (
            [x.astype(d) for x, d in zip(drawn(s, sizes), ("f4", BFLOAT16, "f8"), strict=True)]
            for s in (1, 2)
        )
        optimizer = case.make(threads=threads)
        state = optimizer.init(params)
        optimizer.step(params, grads, state, max_norm=1.0)
        results.append((params, state))
    assert same_all(results[0][0], results[1][0])
    assert_same_state(results[0][1], results[1][1])


def test_saved_restored_and_moved():
    optimizer = mdbopt.AdamW(0.1)
    params, others = mixed(1), mixed(1)
    state = optimizer.init(params)
    optimizer.step(params, mixed(2), state)
    optimizer.step(others, mixed(2), optimizer.init(others))
    twin = optimizer.restore(others, dict(state))
    optimizer.step(params, mixed(3), state)
    optimizer.step(others, mixed(3), twin)
    assert same_all(params, others)
    assert_same_state(twin, state)


def test_gradients_widen_and_copies_are_for_float32():
    params = [np.zeros(3, "f4"), np.zeros(3, "f8")]
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    half = np.ones(3, BFLOAT16)
    assert optimizer.step(params, [half, half], state)
    assert all(np.all(x == -1) for x in params)
    with pytest.raises(TypeError, match=r"^SGD: copy\[1\]: a bfloat16 copy needs float32 param"):
        optimizer.step(params, [half, half], state, copy=[np.zeros(3, "u2"), np.zeros(3, "u2")])
    assert same(params[0], np.full(3, -1, "f4"))
