"""What follows a step on a device, with the bits of the CPU."""

import numpy as np
import pytest
from both_sides import Both, bits, drawn

import mdbopt

ALL = {"max_update": 0.5, "l1": 0.3, "average": 0.9}
FINISHES = {
    "max_update": {"max_update": 0.5},
    "l1": {"l1": 0.3},
    "average": {"average": 0.9},
    "l1 and average": {"l1": 0.3, "average": 0.9},
    "all": ALL,
}
HELD_BACK = {
    "mask": {"cautious": "mask", "weight_decay": 0.1},
    "decay": {"cautious_weight_decay": True, "weight_decay": 0.1},
    "both, and all that follows": {
        "cautious": "mask",
        "cautious_weight_decay": True,
        "weight_decay": 0.1,
        "maximize": True,
        **ALL,
    },
}
OPTIMIZERS = (
    mdbopt.AdamW,
    mdbopt.SGD,
    mdbopt.AdaGradNorm,
    mdbopt.LAMB,
    mdbopt.NovoGrad,
    mdbopt.HypergradientAdam,
)
HOLDING_BACK = (mdbopt.Signum, mdbopt.NAdam, mdbopt.Adamax, mdbopt.AdEMAMix, mdbopt.LaProp)
CASES = [(make, options) for make in OPTIMIZERS for options in FINISHES.values()]
CASES += [(make, options) for make in HOLDING_BACK for options in HELD_BACK.values()]
DTYPES = ["float64", "float32", "float16", "bfloat16"]


def name_of(value):
    return getattr(value, "__name__", None) or "-".join(value)


def optimizer_of(make, options):
    decoupled = {"decoupled": True} if "cautious_weight_decay" in options else {}
    return make(0.05, seed=5, flush_subnormals=False, **decoupled, **options)


def as_stored(arrays, dtype):
    return bits(arrays, dtype) if dtype == "bfloat16" else [a.astype(dtype) for a in arrays]


def both_of(library, make, options, dtype="float32"):
    given = dtype if dtype == "bfloat16" else None
    return Both(library, optimizer_of(make, options), as_stored(drawn(1), dtype), given)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("make", "options"), CASES, ids=name_of)
def test_steps_give_the_bits_of_the_cpu(library, make, options, dtype):
    both = both_of(library, make, options, dtype)
    before = [a.copy() for a in both.here]
    for step in range(3):
        more = {"max_norm": 0.5, "grad_scale": 4.0} if step == 2 else {}
        both.step(as_stored(drawn(2 + step), dtype), **more)
    both.check()
    assert not all(map(np.array_equal, both.here, before))


@pytest.mark.parametrize("finish", [ALL, HELD_BACK["both, and all that follows"]], ids=name_of)
@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("float32", {"state_dtype": "8bit"}),
        ("float32", {"state_dtype": "bfloat16"}),
        ("bfloat16", {"master": "remainder", "state_dtype": "8bit"}),
        ("bfloat16", {"rounding": "stochastic"}),
        ("float16", {"rounding": "stochastic", "state_dtype": "8bit"}),
    ],
    ids=str,
)
def test_what_is_stored_otherwise_is_finished_in_float32(library, finish, dtype, stored):
    both = both_of(library, mdbopt.NAdam, finish | stored, dtype)
    for step in range(3):
        both.step(as_stored(drawn(2 + step), dtype), max_norm=0.5)
    both.check()


@pytest.mark.parametrize("finish", [ALL, HELD_BACK["both, and all that follows"]], ids=name_of)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_step_sizes_of_arrays_and_of_coordinates(library, finish, dtype):
    both = both_of(library, mdbopt.NAdam, finish, dtype)
    g, each = as_stored(drawn(2), dtype), [np.abs(r) for r in as_stored(drawn(3), dtype)]
    rates = [0.01 * (1 + k) for k in range(len(g))]
    both.step(g, lr=rates)
    both.check()
    both.optimizer.step(both.here, g, both.state_here, lr=each)
    there = [[library.array(a) for a in arrays] for arrays in (g, each)]
    both.optimizer.step(both.there, there[0], both.state_there, lr=there[1])
    both.check()


def test_a_copy_is_of_what_is_finished(library):
    both = both_of(library, mdbopt.AdamW, ALL)
    g = drawn(2)
    copies = [np.zeros(p.shape, np.uint16) for p in both.here]
    near = [library.array(c) for c in copies]
    both.optimizer.step(both.here, g, both.state_here, copy=copies)
    there = [library.array(a) for a in g]
    both.optimizer.step(both.there, there, both.state_there, copy=near)
    both.check()
    for ours, theirs, x in zip(near, copies, both.here, strict=True):
        assert np.array_equal(library.numpy(ours), theirs)
        assert np.array_equal(theirs, bits([x])[0])


@pytest.mark.parametrize("stored", [{}, {"state_dtype": "8bit"}], ids=str)
def test_numbers_on_the_device_are_read_when_the_step_runs(library, stored):
    """And a step that is skipped there touches neither x nor the average."""
    both = both_of(library, mdbopt.Adamax, HELD_BACK["both, and all that follows"] | stored)
    for step, (lr, scale, skip) in enumerate([(0.5, 4.0, 0), (0.25, 2.0, 1), (0.125, 8.0, 0)]):
        g = drawn(2 + step)
        near = {"lr": lr, "grad_scale": scale, "found_inf": float(skip)}
        near = {name: library.array(np.array(value)) for name, value in near.items()}
        there = [library.array(a) for a in g]
        both.optimizer.step(both.there, there, both.state_there, **near)
        both.optimizer.step(
            both.here, g, both.state_here, lr=lr, grad_scale=scale, found_inf=float(skip)
        )
        both.check()
    assert both.state_here.t == 2


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_average_takes_the_place_of_the_parameters_and_leaves_it(library, dtype):
    both = both_of(library, mdbopt.AdamW, {"average": 0.7}, dtype)
    both.step(as_stored(drawn(2), dtype))
    for swap in (both.optimizer.eval, both.optimizer.train):
        before = [a.copy() for a in both.here]
        swap(both.here, both.state_here)
        swap(both.there, both.state_there)
        both.check()
        assert not all(map(np.array_equal, both.here, before))


def test_groups_are_finished_each_by_its_own_options(library):
    lion = optimizer_of(mdbopt.Lion, {"l1": 0.5, "average": 0.5})
    signum = optimizer_of(mdbopt.Signum, HELD_BACK["both, and all that follows"])
    optimizer = mdbopt.groups([(lion, "w"), (signum, None)])
    host = {"w": drawn(1)[0], "b": drawn(1)[2]}
    grads = {"w": drawn(2)[0], "b": drawn(2)[2]}
    near, near_grads = ({k: library.array(a) for k, a in tree.items()} for tree in (host, grads))
    states = optimizer.init(host), optimizer.init(near)
    for _ in range(2):
        optimizer.step(host, grads, states[0], max_norm=1.0)
        optimizer.step(near, near_grads, states[1], max_norm=1.0)
    for name, x in host.items():
        assert np.array_equal(library.numpy(near[name]), x)


def test_states_move_between_cpu_and_device(library):
    both = both_of(library, mdbopt.AdamW, ALL)
    both.step(drawn(2))
    optimizer = both.optimizer
    both.state_here, both.state_there = (
        optimizer.restore(both.here, dict(both.state_there)),
        optimizer.restore(both.there, dict(both.state_here)),
    )
    both.step(drawn(3))
    both.check()


def test_arrays_that_start_anywhere(library):
    """Not in packs of 16 bytes, where x does not start at one."""
    host, g = (np.random.default_rng(k).standard_normal(3001) for k in (1, 2))
    near, near_g = library.array(host), library.array(g)
    optimizer = optimizer_of(mdbopt.SGD, ALL)
    x, there = host[1:].copy(), near[1:]
    states = optimizer.init(x), optimizer.init(there)
    for _ in range(2):
        optimizer.step(x, g[1:], states[0])
        optimizer.step(there, near_g[1:], states[1])
    assert np.array_equal(library.numpy(near), np.concatenate([host[:1], x]))
    assert np.array_equal(library.numpy(states[1].average), states[0].average)


@pytest.mark.slow
@pytest.mark.parametrize("make", [mdbopt.LAMB, mdbopt.Signum])
@pytest.mark.parametrize("stored", [{}, {"state_dtype": "8bit"}], ids=str)
def test_arrays_longer_than_what_is_walked_at_once(library, make, stored):
    length = 2048 * 1024
    shapes = [(5000,), (length + 3000,), (700,), (1,), (1500,), (20,)]
    held = {"cautious": "mask", "weight_decay": 0.1} if make is mdbopt.Signum else {}
    both = Both(library, optimizer_of(make, ALL | held | stored), drawn(1, shapes))
    both.step(drawn(2, shapes))
    both.step(drawn(3, shapes), max_norm=0.5)
    both.check()
