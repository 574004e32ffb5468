"""Finite sums, a batch at a time: step sizes that every batch finds for itself.

`minimize_batches` (also `mdbopt.minimize_batches`) is all that there is to call.
"""

from mdbopt.stochastic._minimize_batches import minimize_batches

__all__ = ["minimize_batches"]
