"""The guarded search takes the path of its reference, and no constant of either can change alone."""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import numpy as np
import pytest
from guarded_cases import CONSTANTS, ORDINARY, PARTICULAR
from reference_guarded import FLOAT32, FLOAT64, RUNNING, Guarded

import mdbopt

CASES = {**ORDINARY, **PARTICULAR}
TOLERANCE = 1e-9


class Judged(NamedTuple):
    """One evaluation of the library's path, from `x` to `trial`."""

    x: np.ndarray
    trial: np.ndarray
    f: float
    g: np.ndarray
    moved: bool


class Path(NamedTuple):
    start: tuple
    judged: list
    status: int


@functools.cache
def path(name):
    """Return the path of the library."""
    case = CASES[name]
    fun, x0 = case.start()
    search = mdbopt.Guarded(**case.options)
    start = (x0, *fun(x0))
    state = search.init(*start)
    judged = []
    while len(judged) < case.evaluations and not search.converged(state):
        x, trial = state.x.copy(), search.propose(state)
        f, g = fun(trial)
        judged.append(Judged(x, trial, f, g, search.judge(state, f, g)))
    return Path(start, judged, state.status)


def agree(trial, it):
    """Whether two trials are the same, to TOLERANCE of each coordinate or of its step."""
    size = np.maximum(np.abs(it.trial), np.abs(it.trial.astype(float) - it.x))
    return bool((np.abs(trial.astype(float) - it.trial) <= TOLERANCE * size).all())


def departure(name, constants=None):
    """Return the first evaluation at which the reference goes another way, None if it never does.

    It is told what the library was told, and goes on from the library's own trial: where a pair of
    float64 points is rounded to float32, their last digit would else grow to a difference of 1e-8.
    """
    _, judged, status = path(name)
    reference = Guarded(*path(name).start, **CASES[name].options, constants=constants)
    for k, it in enumerate(judged):
        if reference.ended or not agree(reference.ask(), it):
            return k
        if reference.tell(it.f, it.g, at=it.trial) != it.moved:
            return k
    return None if reference.status == status else len(judged)


def test_there_are_eight_ordinary_problems_of_200_evaluations():
    assert len(ORDINARY) >= 8
    for name in ORDINARY:
        assert len(path(name).judged) == 200


@pytest.mark.parametrize("name", CASES)
def test_the_library_takes_the_path_of_the_reference(name):
    assert departure(name) is None


@pytest.mark.parametrize("name", ORDINARY)
def test_the_reference_finds_the_path_by_itself(name):
    """For 200 evaluations where both round alike: in float32, and in float64 where roundings of pairs
    happen to agree. Elsewhere one of them falls the other way sooner or later, and paths part."""
    case = CASES[name]
    fun, x0 = case.start()
    reference = Guarded(x0, *fun(x0), **case.options)
    for it in path(name).judged[: case.free]:
        trial = reference.ask()
        assert agree(trial, it)
        f, g = fun(trial)
        np.testing.assert_allclose(f, it.f, rtol=TOLERANCE)
        assert reference.tell(f, g) == it.moved
