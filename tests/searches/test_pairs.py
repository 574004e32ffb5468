"""How many secant pairs `Guarded` keeps, and that memory is taken for those alone."""

import resource
import sys

import numpy as np
import pytest
from recorded import quadratic

import mdbopt


def start(size, **options):
    search = mdbopt.Guarded(**options)
    fun = quadratic(np.linspace(1, 50, size), centre=0.5)
    return search, search.init(np.zeros(size), *fun(np.zeros(size))), fun


def step(search, state, fun, times):
    for _ in range(times):
        search.judge(state, *fun(search.propose(state)))


@pytest.mark.parametrize(
    ("size", "pairs"),
    [
        (1, 80),
        (9, 80),
        (6553, 80),
        (6554, 79),
        (13_107, 40),
        (52_428, 10),
        (52_429, 10),
        (10**6, 10),
    ],
)
def test_the_default_depends_on_the_number_of_variables_alone(size, pairs):
    search = mdbopt.Guarded()
    assert search.init(np.zeros(size), 1.0, np.ones(size))["memory"] == pairs


@pytest.mark.parametrize("size", [3, 40])
def test_the_default_takes_the_path_of_its_number(size):
    fun = quadratic(np.geomspace(1, 1e4, size), centre=0.5)
    auto, same = (
        mdbopt.minimize(fun, np.zeros(size), jac=True, options={"memory": memory})
        for memory in ("auto", 80)
    )
    assert np.array_equal(auto.trace["f"], same.trace["f"])


def test_more_pairs_than_variables_save_evaluations():
    fun = quadratic(10.0 ** np.random.default_rng(4).uniform(-3, 3, 9), centre=0.5)
    few, many = (
        mdbopt.minimize(fun, np.zeros(9), jac=True, options={"memory": memory, "gtol": 1e-8}).nfev
        for memory in (3, 80)
    )
    assert many < few


def test_a_state_holds_the_pairs_that_there_are():
    search, state, fun = start(30, memory=1000)
    sizes = []
    for _ in range(4):
        step(search, state, fun, 3)
        slots = [name for name in state if name[0] == "s" and name[1:].isdigit()]
        assert len(slots) == state["pairs_used"] == state["pairs"] + 1
        assert state["lbfgs_sy"].size == len(slots) ** 2
        sizes.append(len(slots))
    assert sizes == sorted(set(sizes))


def test_a_limit_that_is_not_reached_takes_no_memory():
    """Pairs for the limit would be 8 GB, their table of products 8 TB."""
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    search, state, fun = start(1000, memory=10**6)
    step(search, state, fun, 10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < 50e6


@pytest.mark.parametrize("after", [1, 7, 25, 40])
def test_a_state_is_restored_however_many_pairs_it_has(after):
    search, state, fun = start(40)
    step(search, state, fun, after)
    restored = search.restore(dict(state))
    step(search, state, fun, 5)
    step(search, restored, fun, 5)
    assert np.array_equal(state.x, restored.x)


@pytest.mark.parametrize("memory", ["few", -1, 0, 2.5, float("nan"), [3]])
def test_what_is_no_number_of_pairs_is_refused(memory):
    with pytest.raises((TypeError, ValueError), match="memory: expected"):
        start(3, memory=memory)
