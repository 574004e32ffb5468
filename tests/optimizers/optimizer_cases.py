"""The cases of all optimizers, one for each class, and trees of arrays."""

from contextlib import contextmanager

import numpy as np
import rows_arrays
import rows_learned
import rows_schedule_free
import rows_updates
from optimizer_case import LR
from reference import CHUNK
from reference_half import mix64, unmix64, widen

import mdbopt
from mdbopt import kernels

BACKENDS = [backend.name for backend in mdbopt.backends() if backend.supported]
CASES = rows_updates.CASES | rows_learned.CASES | rows_arrays.CASES | rows_schedule_free.CASES
# One row for each of the classes.
CLASSES = {case.label: case for case in reversed(CASES.values())}


class ByKernel:
    """A flat array and its state, stepped by the kernel of a case.

    Where sums are of each array, it is cut into arrays of these sizes, a call for each.
    """

    def __init__(self, case, x, dtype=None, seed=None, sizes=None, **shared):
        self.case, self.x, self.t, self.seed = case, x.copy(), 0, seed
        self.sizes = [x.size] if sizes is None or not case.description.per_array else sizes
        self.shared = {"flush_subnormals": True, "dtype": dtype} | shared
        wide = np.float64 if x.dtype == np.float64 else np.float32
        numbers = widen(x, dtype) if dtype else x
        starts = {stream.name: 0.0 for stream in case.description.streams[2:]} | case.starts
        self.states = {
            name: numbers.astype(wide) if start is None else np.full(x.shape, start, wide)
            for name, start in starts.items()
        }
        self.numbers = case.numbers_of(len(self.sizes))

    def step(self, g, **given):
        self.t += 1
        each, found = self.case.description.per_array, []
        scalars = self.case.scalars | ({} if each else self.numbers)
        if "t" in dict(self.case.description.scalars):
            scalars["t"] = float(self.t)
        given = {"lr": LR} | scalars | self.shared | given
        begin, chunks = 0, 0
        for k, size in enumerate(self.sizes):
            if each:
                given |= {name: values[k] for name, values in self.numbers.items()}
            if self.seed is not None:
                given |= {"rounding": "stochastic", "seed": self.seed_of(chunks)}
            streams = (self.x, g, *self.states.values())
            own = [stream[begin : begin + size] for stream in streams]
            found.append(getattr(kernels, self.case.rule)(*own, **given))
            begin, chunks = begin + size, chunks + -(-size // CHUNK)
        for name in self.numbers:
            now = tuple(getattr(sums, name) for sums in found)
            self.numbers[name] = now if each else now[-1]

    def seed_of(self, chunks):
        """Return the seed with which the kernel, whose t is 0, has the bits from this chunk on."""
        key = int(mix64(int(mix64(self.t)) ^ self.seed)) + chunks
        return unmix64(key % 2**64) ^ int(mix64(0))


class Hook:
    """An array that calls a function when it is looked at."""

    def __init__(self, array, function):
        self.array, self.function = array, function

    def __dlpack__(self, **request):
        self.function()
        return self.array.__dlpack__(**request)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def drawn(seed, shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def joined(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def leaves(tree):
    """List the leaves of a tree in the order of its lists and dicts."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def built(template, arrays):
    """Put arrays in the places of a template's numbers."""
    if isinstance(template, dict):
        return {key: built(item, arrays) for key, item in template.items()}
    if isinstance(template, (list, tuple)):
        items = [built(item, arrays) for item in template]
        return type(template)(*items) if hasattr(template, "_fields") else type(template)(items)
    return arrays[template]


def same(a, b):
    """Whether two arrays have the same dtype, shape and bits."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_all(ours, theirs):
    ours, theirs = leaves(ours), leaves(theirs)
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def assert_same_state(a, b):
    assert list(a) == list(b)
    for name in a:
        if isinstance(a[name], np.ndarray):
            assert same(a[name], b[name]), name
        else:
            assert repr(a[name]) == repr(b[name]), name  # NaN equals NaN


def image(state, *trees):
    """Everything that a step may write, as bytes."""
    arrays = [leaf for tree in (*state._arrays.values(), *trees) for leaf in leaves(tree)]
    memory = [bytes(a.tobytes()) for a in arrays if isinstance(a, np.ndarray)]
    return state.t, repr(state._numbers()), memory


@contextmanager
def nothing_written(state, *trees):
    before = image(state, *trees)
    yield
    assert image(state, *trees) == before


def sgd(bound, params, grads):
    """Return a step of SGD with rate 1 over these, and its state; the first one is taken."""
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    step = bound(optimizer, params, grads, state)
    assert step()
    return step, state
