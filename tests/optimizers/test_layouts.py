"""Arrays of any layout are updated in place, to the bits of a step over dense ones."""

import numpy as np
import pytest
from arrays import Producer, read_only
from optimizer_cases import CASES, drawn, leaves, nothing_written, same

import mdbopt

SHAPE = (6, 4, 10)
VIEWS = {
    "F order": lambda w: w.T,
    "permuted": lambda w: w.transpose(1, 0, 2),
    "every second row": lambda w: w[::2],
    "some columns": lambda w: w[:, :, :3],
    "backwards": lambda w: w[::-1, :, ::-1],
    "backwards with gaps": lambda w: w[::-2, 1:3, ::-3],
    "one column": lambda w: w[:, 2, 3],
    "0-d": lambda w: w[1, 2, 3],
    "an axis of one": lambda w: w[:, 1:2, ::2],
    "a diagonal": lambda w: np.lib.stride_tricks.as_strided(
        w, (4,), ((w.strides[0] + w.strides[1]),)
    ),
    "empty": lambda w: w[:0, ::2],
    "cut axes": lambda w: w.reshape(3, 2, 4, 2, 5)[:, :, ::2, 1, ::2].transpose(3, 0, 2, 1),
}
GRADIENTS = {
    "dense": lambda g: g,
    "F order": lambda g: np.array(g, order="F"),
    "gaps": lambda g: np.repeat(g, 2, axis=-1)[..., ::2] if g.ndim else g,
    "backwards": lambda g: np.flip(np.flip(g).copy()),
    "misaligned": lambda g: misaligned(g),
    "read-only": lambda g: read_only(np.array(g, order="F")),
    "DLPack": lambda g: Producer(np.array(g, order="F"), read_only=True),
}


def misaligned(a):
    moved = np.frombuffer(bytearray(a.nbytes + 1), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def views(name, dtype=np.float64, seed=1):
    """A view, the array it is of, and a mask of what it shows."""
    (memory,) = drawn(seed, [SHAPE], dtype)
    view = VIEWS[name](memory)
    if view.ndim == 0:
        view = memory[1:2, 2, 3].reshape(())
    shown = np.zeros(SHAPE, bool)
    seen = VIEWS[name](shown)
    if name == "0-d":
        shown[1, 2, 3] = True
    else:
        seen[...] = True
    return view, memory, shown


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_views_are_updated_in_place(name, gradient):
    optimizer = mdbopt.AdamW(0.1, weight_decay=0.3)
    view, memory, shown = views(name)
    before, dense = memory.copy(), view.copy(order="C")
    state, other = optimizer.init(view), optimizer.init(dense)
    for step in range(2):
        (g,) = drawn(2 + step, [view.shape])
        assert optimizer.step(view, GRADIENTS[gradient](g), state)
        assert optimizer.step(dense, g, other)
    assert same(np.ascontiguousarray(view).reshape(view.shape), dense)
    assert same(memory[~shown], before[~shown])
    for each in ("m", "v"):
        assert np.array_equal(getattr(state, each), getattr(other, each))


@pytest.mark.parametrize("name", ["F order", "every second row", "backwards with gaps"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_every_optimizer(case, name, dtype):
    """Sums of one chunk do not depend on where its elements lie, but on their order."""
    optimizer = case.make()
    view, _, _ = views(name, dtype)
    order = np.argsort([-abs(stride) for stride in view.strides], kind="stable")
    turned = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in view.strides)

    def packed(a):
        return a[turned].transpose(order).copy(order="C")

    dense = packed(view)
    state, other = optimizer.init(view), optimizer.init(dense)
    for step in range(3):
        (g,) = drawn(2 + step, [view.shape], dtype)
        options = {"max_norm": 0.5} if step == 2 else {}
        ours = optimizer.step(view, g, state, **options)
        assert ours == optimizer.step(dense, packed(g), other, **options)
    assert same(packed(view), dense)
    for each in state._arrays:
        assert same(packed(getattr(state, each)), getattr(other, each))
    assert state._numbers() == other._numbers()


@pytest.mark.parametrize("threads", [1, 3])
def test_many_chunks_and_threads(threads):
    (memory,), (g,) = drawn(1, [(700, 900)], np.float32), drawn(2, [(450, 700)], np.float32)
    optimizer = mdbopt.AdamW(0.1, threads=threads)
    dense = memory[:, ::2].T.copy()
    optimizer.step(dense, g, optimizer.init(dense))
    optimizer.step(memory[:, ::2].T, g, optimizer.init(memory[:, ::2].T))
    assert same(memory[:, ::2].T.copy(), dense)


def test_expanded_gradients():
    for shape, g in (
        ((3, 4), np.float64(2.0)),
        ((3, 4), np.arange(4.0)),
        ((3, 4), np.ones((3, 1))),
    ):
        x, y = np.zeros(shape), np.zeros(shape)
        optimizer = mdbopt.Lion(0.5)
        assert optimizer.step(x, np.broadcast_to(g, shape), optimizer.init(x))
        optimizer.step(y, np.broadcast_to(g, shape).copy(), optimizer.init(y))
        assert same(x, y)


def test_rates_and_copies_of_any_layout():
    x, g = drawn(3, [(8, 6)] * 2, np.float32)
    rates = np.abs(drawn(4, [(6, 8)], np.float32)[0])
    image, expected = np.zeros((16, 6), np.uint16), np.zeros((8, 6), np.uint16)
    y, optimizer = x.copy(), mdbopt.SGD()
    optimizer.step(x, g, optimizer.init(x), lr=rates.T, copy=image[::2])
    optimizer.step(y, g, optimizer.init(y), lr=rates.T.copy(), copy=expected)
    assert same(x, y)
    assert same(image[::2].copy(), expected)
    assert not image[1::2].any()


def test_what_the_user_puts_into_a_state():
    x, g = drawn(5, [(5, 4)] * 2)
    optimizer, y = mdbopt.AdamW(0.1), x.copy()
    state, other = optimizer.init(x), optimizer.init(y)
    state._arrays["m"] = np.zeros((4, 10))[:, ::2].T
    state._core = mdbopt._core.Update(optimizer._options(), "AdamW", state._arrays)
    for _ in range(2):
        optimizer.step(x, g, state)
        optimizer.step(y, g, other)
    assert same(x, y)


# --- memory --------------------------------------------------------------------------------------
def sliding(memory, shape, strides):
    return np.lib.stride_tricks.as_strided(memory, shape, [8 * s for s in strides])


REPEATED = {
    "broadcast": lambda m: np.lib.stride_tricks.as_strided(m, (3, 4), (0, 8)),
    "windows": lambda m: sliding(m, (4, 3), (1, 1)),
    "one common element": lambda m: sliding(m, (3, 3), (2, 4)),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_parameter_that_repeats_memory_is_refused(name):
    memory = np.arange(20.0)
    x = REPEATED[name](memory)
    optimizer = mdbopt.SGD()
    state = optimizer.init(x)
    before = memory.copy()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^SGD: params has elements that share memory"):
            optimizer.step(x, np.ones(x.shape), state)
    assert same(memory, before)


def test_odd_strides_that_repeat_nothing():
    memory = np.zeros(9)
    x = sliding(memory, (2, 3), (3, 2))
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(x, np.arange(6.0).reshape(2, 3), optimizer.init(x))
    assert np.array_equal(-x, np.arange(6.0).reshape(2, 3))
    assert len(set(memory)) == 6


INTERLEAVED = {
    "columns": lambda m: [m[:, :3], m[:, 3:]],
    "rows": lambda m: [m[::2], m[1::2, ::2], m[1::2, 1::2]],
    "a dense row inside": lambda m: [m[:, 0], m[2, 1:]],
    "both ways": lambda m: [m[::-1, ::2], m[:, 1::2].T],
}


@pytest.mark.parametrize("name", INTERLEAVED)
def test_interleaved_memory_is_apart(name):
    memory = np.zeros((6, 6))
    params = INTERLEAVED[name](memory)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    for _ in range(2):
        assert optimizer.step(params, [np.ones(x.shape) for x in params], state)
    assert all(np.all(x == -2) for x in params)
    assert np.count_nonzero(memory) == sum(x.size for x in params)


OVERLAPPING = {
    "columns": (lambda m: [m[:, :3], m[:, 2:]], "params[1] overlaps params[0]"),
    "transposed": (lambda m: [m[1:3], m.T[3:5, 1:3]], "params[1] overlaps params[0]"),
    "the same": (lambda m: [m[::2], m[::2]], "params[1] overlaps params[0]"),
    "behind one between": (
        lambda m: [m[:, 0], m[1, 1:], m[5, :1]],
        "params[2] overlaps params[0]",
    ),
}


@pytest.mark.parametrize("name", OVERLAPPING)
def test_overlapping_memory_is_refused(name):
    make, text = OVERLAPPING[name]
    memory = np.zeros((6, 6))
    params = make(memory)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    for _ in range(2):
        with nothing_written(state, params), pytest.raises(ValueError, match="overlaps") as caught:
            optimizer.step(params, [np.ones(x.shape) for x in params], state)
    assert str(caught.value).startswith(f"AdamW: {text}, expected separate memory")


def test_gradients_beside_and_over_their_parameters():
    memory = np.arange(12.0).reshape(2, 6)
    optimizer = mdbopt.SGD(1.0)
    x = memory[:, ::2]
    state = optimizer.init(x)
    assert optimizer.step(x, memory[:, 1::2], state)
    assert same(x.copy(), np.full((2, 3), -1.0))
    for g in (memory[:, :3], memory[::-1, ::2], memory.T.reshape(-1)[:6].reshape(2, 3)):
        if not np.shares_memory(g, x):
            continue
        with (
            nothing_written(state, memory),
            pytest.raises(ValueError, match=r"^SGD: grads overlaps params"),
        ):
            optimizer.step(x, g, state)


@pytest.mark.parametrize("name", ["SGD-momentum", "NormalizedGD", "OSGM"])
def test_refused_steps_write_nothing_anywhere(name):
    view, memory, _ = views("backwards with gaps")
    params = [np.zeros(3), view, np.zeros(4)]
    optimizer = CASES[name].make()
    state = optimizer.init(params)
    grads = [np.ones(x.shape) for x in params]
    with nothing_written(state, params, [memory]), pytest.raises(ValueError, match="shape"):
        optimizer.step(params, [*grads[:2], np.ones(5)], state)
    assert optimizer.step(params, grads, state)
    assert len(leaves(params)) == 3
