"""Within bounds the guarded search takes the path of its reference."""

import numpy as np
import pytest
from recorded import classification, logistic
from reference_bounds import Bounded

import mdbopt

TOLERANCE = 1e-9


def least_squares(rows, size, seed, decades):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, size)) * 10.0 ** rng.uniform(-decades, decades, size)
    target = table @ (rng.normal(size=size) / np.abs(table).max(axis=0))

    def fun(x):
        rest = table @ x.astype(float) - target
        return float(0.5 * rest @ rest / rows), (table.T @ rest / rows).astype(x.dtype)

    return fun, 1 / np.abs(table).max(axis=0)


def logistic_case():
    features, labels = classification(count=40)
    return logistic(features, labels, l2=0.01), np.ones(5)


CASES = {
    "raw columns": (least_squares(60, 20, 1, 2), (-0.1, 0.3), {}),
    "nonnegative": (least_squares(60, 20, 2, 1), (0.0, np.inf), {}),
    "more variables than rows": (least_squares(20, 50, 3, 1), (-0.2, 0.2), {}),
    "few pairs": (least_squares(80, 30, 4, 1), (0.0, np.inf), {"memory": 3}),
    "groups": (least_squares(60, 20, 5, 1), (-0.3, 0.1), {"groups": np.arange(20) % 7}),
    "more than 40 pairs": (least_squares(90, 60, 6, 2), (0.0, np.inf), {}),
    "logistic": (logistic_case(), (-0.1, 0.1), {}),
    "noise": (least_squares(60, 20, 7, 1), (-0.1, 0.1), {"noise": (1e-3, 1e-2)}),
}


def bounds_of(units, sides, dtype):
    """Return bounds in the units of the variables, the first fixed, every fifth one infinite."""
    lower, upper = (np.array(side * units, dtype) for side in sides)
    lower[4::5], upper[4::5] = -np.inf, np.inf
    lower[0] = upper[0] = 0
    return lower, upper


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_the_library_takes_the_path_of_the_reference(name, dtype):
    (fun, units), sides, options = CASES[name]
    lower, upper = bounds_of(units, sides, dtype)
    x0 = np.zeros(units.size, dtype)
    search = mdbopt.Guarded(bounds=np.stack([lower, upper], axis=1), **options)
    start = (x0, *fun(x0))
    state, reference = search.init(*start), Bounded(*start, lower, upper, **options)
    closed = 0
    for _ in range(120):
        if search.converged(state):
            break
        trial, x = search.propose(state), state.x.copy()
        assert ((trial >= lower) & (trial <= upper)).all()
        size = np.maximum(np.abs(trial), np.abs(trial.astype(float) - x))
        assert (np.abs(reference.ask().astype(float) - trial) <= TOLERANCE * size).all()
        f, g = fun(trial)
        moved = search.judge(state, f, g)
        assert reference.tell(f, g, at=trial) == moved
        np.testing.assert_allclose(state.gmax, reference.gmax / reference.scale, rtol=1e-12)
        closed += moved and not (state.active[state.x != x] == 0).all()
    assert closed > 0  # else no pair was ever cut to a face
    assert (state.status, search.converged(state)) == (reference.status, reference.ended)
