"""Rules of the core as functions on flat arrays: ``kernels.<rule>(stream, …, scalar=…)``.

They are for optimizers of your own: the first-order updates (``sgd``, ``adam``, …); the trial and
cut rules of the sets (``box_trial``, ``ellipsoid_cut``, …) with ``hypergradient``, the normal of a
cut; ``norm`` and ``dot``. `mdbopt.rules` describes all of them.

Streams are NumPy arrays or any array with ``__dlpack__``, float64 or float32, dense, all of one
size; a set's step sizes (``b``, ``axes``) and ``u`` are float64 always. On the CPU, streams that
are only read may have any strides and come in any form whose numbers that dtype holds (integers,
lists, narrower floats). Output streams are written in place. A call returns a named tuple of the
rule's sums, float64, and ``applied``: False when the rule refused its input, in which case nothing
was written. The same bits come back whatever the number of threads and the backend.

They live on the CPU or all on one CUDA device (`mdbopt.cuda`). There, a call is queued on the
stream that the library of the first array works on at the time, and waits for the device only when
the rule has sums; ``backend``, ``threads`` and ``flush_subnormals`` are for the CPU alone.

First-order updates (``sgd``, ``adam``, …) also take bfloat16 and float16 parameters and gradients,
with float32 state, and the keywords

* ``lr``: the step size, a number, or an array with one for each element;
* ``copy``: an array of bfloat16 that receives the new float32 parameters in the same walk;
* ``rounding="stochastic"`` with ``seed``: half-precision parameters are rounded up with the
  probability of what falls away, by random bits that follow from the seed and the element's place;
* ``dtype="bfloat16"`` or ``"float16"``: what arrays of uint16 are read as;
* ``flush_subnormals=True``: subnormal numbers count as 0, read and written.

Examples
--------
>>> import numpy as np
>>> from mdbopt import kernels
>>> x, g = np.array([1.0, 2.0]), np.array([0.5, -1.0])
>>> b, x_trial = np.array([1.0, 0.5]), np.empty(2)
>>> kernels.box_trial(x, g, b, x_trial, step=0.5)
box_trial(decrease=0.375, gmax=1.0, moved=0.25, applied=True)
>>> x_trial
array([0.75, 2.25])
"""

from __future__ import annotations

from mdbopt.kernels._kernel import Kernel, all_kernels
from mdbopt.kernels._rules import rules

__all__ = [rule.name for rule in rules()]

globals().update({name: all_kernels()[name] for name in __all__})  # no detour by __getattr__


def __getattr__(name: str) -> Kernel:
    raise AttributeError(f"mdbopt.kernels has no rule {name!r}; see mdbopt.rules()")


def __dir__() -> list[str]:
    return sorted(__all__)
