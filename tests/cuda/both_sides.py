"""The same steps on the CPU and on a device, whose bits are compared."""

import numpy as np
from reference_half import nearest

from mdbopt._arrays import is_device

SHAPES = [(3, 500), (1,), (700,), (0,), (256,), (1024,), (5, 211)]


def drawn(seed, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def bits(arrays, kind="bfloat16"):
    return [nearest(a, kind) for a in arrays]


class Both:
    """The same parameters and states on the CPU and on a device."""

    def __init__(self, library, optimizer, params, dtype=None, array=None):
        self.library, self.optimizer, self.array = library, optimizer, array or library.array
        self.here, self.there = params, [self.array(p) for p in params]
        self.state_here = optimizer.init(self.here, dtype=dtype)
        self.state_there = optimizer.init(self.there, dtype=dtype)

    def step(self, grads, **options):
        there = [self.array(g) for g in grads]
        here = self.optimizer.step(self.here, grads, self.state_here, **options)
        return here, self.optimizer.step(self.there, there, self.state_there, **options)

    def check(self):
        for near, far in zip(self.there, self.here, strict=True):
            assert np.array_equal(self.library.numpy(near), far)
        for name, near in self.state_there._arrays.items():
            for ours, theirs in zip(near, self.state_here._arrays[name], strict=True):
                assert is_device(ours), name
                # Of a library that has it, bfloat16 itself.
                found = np.asarray(self.library.numpy(ours))
                found = found.view(theirs.dtype) if found.dtype.name == "bfloat16" else found
                assert np.array_equal(found, theirs), name
        assert self.state_there.t == self.state_here.t
        assert self.state_there._numbers() == self.state_here._numbers()
