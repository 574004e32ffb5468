"""Methods of `minimize` that step from x0 by formulas of their own, one family a file.

Each is a `Descent`: a frozen set of options that states its formula in a few hooks over the walks
of the core. Its state at work is an `Iteration`. docs/methods.md lists them.
"""
