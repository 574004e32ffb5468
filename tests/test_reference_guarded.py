"""The guarded search takes the path of its reference, and neither can change a constant alone."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pytest
from guarded_cases import NOISY, ORDINARY, PARTICULAR, REVEALED_BY
from reference_guarded import FLOAT32, FLOAT64, Guarded

import mdbopt

CASES = {**ORDINARY, **PARTICULAR, **NOISY}
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
    ended: bool


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
    return Path(start, judged, state.status, search.converged(state))


def agree(trial, it):
    """Whether two trials are the same, to TOLERANCE of each coordinate or of its step."""
    size = np.maximum(np.abs(it.trial), np.abs(it.trial.astype(float) - it.x))
    return bool((np.abs(trial.astype(float) - it.trial) <= TOLERANCE * size).all())


def departure(name, constants=None):
    """Return the first evaluation at which the reference goes another way, None if it never does.

    It is told what the library was told, and goes on from the library's own trial: where a pair of
    float64 points is rounded to float32, their last digit would else grow to a difference of 1e-8.
    """
    start, judged, status, ended = path(name)
    reference = Guarded(*start, **CASES[name].options, constants=constants)
    for k, it in enumerate(judged):
        if reference.ended or not agree(reference.ask(), it):
            return k
        if reference.tell(it.f, it.g, at=it.trial) != it.moved:
            return k
    return None if (reference.status, reference.ended) == (status, ended) else len(judged)


def test_ordinary_problems_take_200_evaluations_and_eight_of_them_alone():
    assert all(len(path(name).judged) == 200 for name in ORDINARY)
    assert sum(case.free == 200 for case in ORDINARY.values()) >= 8


@pytest.mark.parametrize("name", CASES)
def test_the_library_takes_the_path_of_the_reference(name):
    assert departure(name) is None


@pytest.mark.parametrize("name", ORDINARY)
def test_the_reference_finds_the_path_by_itself(name):
    """In most cases for 200 evaluations. Where a pair rounds the other way, free paths part."""
    case = CASES[name]
    fun, x0 = case.start()
    reference = Guarded(x0, *fun(x0), **case.options)
    for it in path(name).judged[: case.free]:
        trial = reference.ask()
        assert agree(trial, it)
        f, g = fun(trial)
        np.testing.assert_allclose(f, it.f, rtol=TOLERANCE)
        assert reference.tell(f, g) == it.moved


def changed(constants, name, sign):
    """Return the constants with one a tenth larger or smaller, whole numbers by 1 at least."""
    value = getattr(constants, name)
    if isinstance(value, int):
        value += sign * max(1, round(value / 10))
    elif name == "safety":  # it is 1 but for a margin
        value = 1 - (1 - value) * (1 + 0.1 * sign)
    else:
        value *= 1 + 0.1 * sign
    return dataclasses.replace(constants, **{name: value})


@pytest.mark.parametrize(
    ("constant", "sign", "name"),
    [(constant, 1, larger) for constant, larger, _ in REVEALED_BY]
    + [(constant, -1, smaller) for constant, _, smaller in REVEALED_BY],
)
def test_no_constant_can_change_by_a_tenth(constant, sign, name):
    constants = FLOAT32 if CASES[name].dtype == "float32" else FLOAT64
    assert departure(name, constants) is None
    assert departure(name, changed(constants, constant, sign)) is not None


def test_every_constant_is_tried():
    named = {constant for constant, _, _ in REVEALED_BY}
    assert named == {field.name for field in dataclasses.fields(FLOAT64)}


def test_every_constant_that_depends_on_the_dtype_is_tried_in_both():
    for field in dataclasses.fields(FLOAT64):
        dtypes = {CASES[n].dtype for constant, *names in REVEALED_BY for n in names
                  if constant == field.name}  # fmt: skip
        if getattr(FLOAT64, field.name) != getattr(FLOAT32, field.name):
            assert dtypes == {"float64", "float32"}
