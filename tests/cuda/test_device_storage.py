"""States in 8 bits and bfloat16, and parameters with low bits, on a device: the bits of the CPU."""

import numpy as np
import pytest
from both_sides import Both, bits, drawn

import mdbopt

FORMATS = {
    "8bit": {"state_dtype": "8bit"},
    "8bit to nearest": {"state_dtype": "8bit", "state_rounding": "nearest"},
    "bfloat16": {"state_dtype": "bfloat16"},
    "bfloat16 to nearest": {"state_dtype": "bfloat16", "state_rounding": "nearest"},
    "remainder": {"master": "remainder"},
    "remainder, 8bit": {"master": "remainder", "state_dtype": "8bit"},
}
OPTIMIZERS = {
    "AdamW": (mdbopt.AdamW, {"weight_decay": 0.1}),
    "AMSGrad": (mdbopt.AMSGrad, {}),
    "AdEMAMix": (mdbopt.AdEMAMix, {"warmup": 2}),
    "AdaGrad": (mdbopt.AdaGrad, {"initial": 0.5}),
    "Lion": (mdbopt.Lion, {}),
    "LAMB": (mdbopt.LAMB, {}),
    "MARSAdamW": (mdbopt.MARSAdamW, {}),
    "HypergradientAdam": (mdbopt.HypergradientAdam, {}),
    "ScheduleFreeAdamW": (mdbopt.ScheduleFreeAdamW, {"warmup": 2}),
}


def optimizer_of(name, **options):
    make, own = OPTIMIZERS[name]
    return make(0.01, seed=5, flush_subnormals=False, **own, **options)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_give_the_bits_of_the_cpu(library, name, kind):
    master = "master" in FORMATS[kind]
    params = bits(drawn(1)) if master else drawn(1)
    both = Both(
        library, optimizer_of(name, **FORMATS[kind]), params, "bfloat16" if master else None
    )
    for step in range(3):
        options = {"max_norm": 0.5, "grad_scale": 4.0} if step == 2 else {}
        here, there = both.step(drawn(2 + step), **options)
        assert float(np.asarray(library.numpy(there))) == here if options else there is here
        both.check()
    if master:
        near, far = both.state_there.master(both.there), both.state_here.master(both.here)
        assert all(map(np.array_equal, near, far))


@pytest.mark.parametrize("params", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("grads", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("options", [{}, {"state_dtype": "8bit", "rounding": "stochastic"}])
def test_gradients_of_another_dtype(library, params, grads, options):
    if library.name != "emulated":
        pytest.skip("halves are uint16 here, which only the emulated library is told to be both")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kinds = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
    optimizer = optimizer_of("AdamW", **options)
    both = Both(library, optimizer, [p.astype(kinds[params]) for p in drawn(1)])
    for step in range(2):
        given = [g.astype(kinds[grads]) for g in drawn(2 + step)]
        here, there = both.step(given, max_norm=0.5)
        assert float(library.numpy(there)) == here
    both.check()


@pytest.mark.parametrize("kind", FORMATS)
def test_arrays_may_begin_anywhere(library, kind):
    """What does not begin at a multiple of 16 bytes cannot be moved in packs."""
    shapes = [(1500,), (1,), (256,), (700,)]
    master = "master" in FORMATS[kind]

    def given(seed):
        return bits(drawn(seed, shapes)) if master else drawn(seed, shapes)

    def behind_one(values):
        return library.array(np.concatenate([values[:1], values]))[1:]

    optimizer = optimizer_of("AdamW", average=0.9, max_update=0.5, **FORMATS[kind])
    dtype = "bfloat16" if master else None
    both = Both(library, optimizer, given(1), dtype, array=behind_one)
    both.step(given(2))
    both.step(given(3), max_norm=0.5)
    both.check()


def test_copies_and_step_sizes_of_coordinates(library):
    both = Both(library, optimizer_of("AdamW", state_dtype="8bit"), drawn(1))
    rates = [np.abs(r) for r in drawn(3)]
    copies = [np.zeros(p.shape, np.uint16) for p in both.here]
    near = [library.array(c) for c in copies]
    g, x = drawn(2), both.optimizer
    x.step(both.here, g, both.state_here, lr=rates, copy=copies)
    there = [library.array(r) for r in rates]
    x.step(both.there, [library.array(a) for a in g], both.state_there, lr=there, copy=near)
    both.check()
    assert all(np.array_equal(library.numpy(a), b) for a, b in zip(near, copies, strict=True))


def test_a_skipped_step_stores_nothing(library):
    both = Both(library, optimizer_of("AdamW", state_dtype="8bit"), drawn(1))
    both.step(drawn(2))
    found = library.array(np.array(1.0))
    there = [library.array(g) for g in drawn(3)]
    assert both.optimizer.step(both.there, there, both.state_there, found_inf=found)
    both.check()
    both.step(drawn(4))
    both.check()


@pytest.mark.parametrize("kind", FORMATS)
def test_states_move_between_cpu_and_device(library, kind):
    master = "master" in FORMATS[kind]
    dtype = "bfloat16" if master else None
    optimizer = optimizer_of("AdamW", **FORMATS[kind])
    both = Both(library, optimizer, bits(drawn(1)) if master else drawn(1), dtype)
    both.step(drawn(2))
    both.state_here, both.state_there = (
        optimizer.restore(both.here, dict(both.state_there), dtype=dtype),
        optimizer.restore(both.there, dict(both.state_here), dtype=dtype),
    )
    both.check()
    both.step(drawn(3))
    both.check()
    # And from one format to another.
    plain = optimizer_of("AdamW")
    near = plain.restore(both.there, dict(both.state_there), dtype=dtype) if not master else None
    if near is not None:
        for name in ("m", "v"):
            far = both.state_here.decoded(name)
            for ours, theirs, again in zip(
                getattr(near, name), far, both.state_there.decoded(name), strict=True
            ):
                assert np.array_equal(library.numpy(ours), theirs)
                assert np.array_equal(again, theirs)


def test_nan_shows_in_its_block_alone_and_the_state_says_where(library):
    both = Both(library, optimizer_of("AdamW", state_dtype="8bit"), drawn(1))
    g = drawn(2)
    g[0][0, 300] = np.nan
    with pytest.warns(RuntimeWarning, match=r"in state\.m\[0\], state\.v\[0\]"):
        both.step(g)  # the CPU says so, a device is not waited for
    assert both.state_there.not_finite() == both.state_here.not_finite() == ["m[0]", "v[0]"]
    wild = np.isnan(both.state_there.decoded("m")[0]).ravel()
    assert np.flatnonzero(wild).tolist() == list(range(256, 512))


@pytest.mark.slow
def test_arrays_longer_than_what_is_opened_at_once(library):
    length = 2048 * 1024
    shapes = [(5000,), (length + 3000,), (700,)]
    both = Both(library, optimizer_of("LAMB", state_dtype="8bit"), drawn(1, shapes))
    both.step(drawn(2, shapes))
    both.step(drawn(3, shapes), max_norm=0.5)
    both.check()
