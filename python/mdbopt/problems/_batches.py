"""_batches – a problem over rows, as an endless sequence of problems over a few of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from mdbopt import _checks
from mdbopt.stochastic._batches import batches

from ._problem import RowsProblem

Rows = TypeVar("Rows", bound=RowsProblem)


def minibatches(fun: Rows, size: int, *, seed: int = 0) -> Iterator[Rows]:
    """Yield the problem over batches of its rows, for ever.

    An epoch is a new order of all rows, cut into batches; a rest that is smaller than a batch is
    left out. A batch of all rows is `fun` itself, each time: no noise at all.

    Parameters
    ----------
    fun : RowsProblem
        A problem over rows of X, softmax for one.
    size : int
        Rows in a batch, 1 to `fun.n`.
    seed : int, optional
        Of the generator of the orders.

    Yields
    ------
    RowsProblem
        Of the same kind, `d`, classes and l2, with `n` = size; the mean is over its own rows.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above, in this call and not in the first `next`.

    Examples
    --------
    >>> from mdbopt import problems
    >>> fun = problems.least_squares([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> batches = problems.minibatches(fun, 2)
    >>> next(batches)
    <mdbopt.problems.least_squares: n=2, d=2, float64>
    """
    if not isinstance(fun, RowsProblem):
        raise TypeError(f"minibatches: fun is {fun!r}, expected a problem over rows")
    count = _checks.whole("size", size, least=1, below=fun.n + 1)
    return _batches(fun, count, _checks.whole("seed", seed, least=0))


def _batches(fun: Rows, size: int, seed: int) -> Iterator[Rows]:
    while size == fun.n:
        yield fun
    for rows in batches(fun.n, size, seed):
        yield fun.at_rows(rows)
