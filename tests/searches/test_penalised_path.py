"""With an l1 penalty the guarded search takes the path of its reference."""

import numpy as np
import pytest
from recorded import classification, logistic
from reference_l1 import Penalised
from test_bounded_path import TOLERANCE, least_squares

import mdbopt


def logistic_case():
    features, labels = classification(count=40)
    return logistic(features, labels, l2=0.0), np.ones(5)


# An objective with the units of its variables, l1 over the largest |g| at 0, bounds, options.
CASES = {
    "raw columns": (least_squares(60, 20, 1, 2), 0.1, (-np.inf, np.inf), {}),
    "most of it zeros": (least_squares(60, 20, 2, 1), 0.5, (-np.inf, np.inf), {}),
    "more variables than rows": (least_squares(20, 50, 3, 1), 0.1, (-np.inf, np.inf), {}),
    "nonnegative": (least_squares(60, 20, 4, 1), 0.1, (0.0, np.inf), {}),
    "bounds away from 0": (least_squares(60, 20, 5, 1), 0.1, (0.05, 0.3), {}),
    "few pairs": (least_squares(80, 30, 6, 1), 0.05, (-np.inf, np.inf), {"memory": 3}),
    "groups": (
        least_squares(60, 20, 7, 1), 0.1, (-0.2, np.inf), {"groups": np.arange(20) % 7}
    ),
    "logistic": (logistic_case(), 0.1, (-np.inf, np.inf), {}),
    "noise": (least_squares(60, 20, 8, 1), 0.1, (-0.2, np.inf), {"noise": (1e-3, 1e-2)}),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_the_library_takes_the_path_of_the_reference(name, dtype):
    (fun, units), share, sides, options = CASES[name]
    lower, upper = (np.array(side * units, dtype) for side in sides)
    x0 = np.clip(np.zeros(units.size, dtype), lower, upper)
    start = (x0, *fun(x0))
    l1 = np.array(share * np.abs(start[2] * units).max() / units, dtype)
    l1[3] = 0  # as an intercept
    search = mdbopt.Guarded(bounds=np.stack([lower, upper], axis=1), l1=l1, **options)
    state = search.init(*start)
    reference = Penalised(*start, l1, lower, upper, **options)
    closed = 0
    for _ in range(120):
        if search.converged(state):
            break
        trial, x = search.propose(state), state.x.copy()
        size = np.maximum(np.abs(trial), np.abs(trial.astype(float) - x))
        assert (np.abs(reference.ask().astype(float) - trial) <= TOLERANCE * size).all()
        f, g = fun(trial)
        moved = search.judge(state, f, g)
        assert reference.tell(f, g, at=trial) == moved
        np.testing.assert_allclose(state.gmax, reference.gmax / reference.scale, rtol=1e-12)
        np.testing.assert_allclose(state.f, reference.f / reference.scale, rtol=1e-12)
        closed += moved and ((state.x == 0) & (x != 0)).any()
    assert closed > 0 or (lower > 0).any()  # else no coordinate ever stopped at its kink
    assert (state.status, search.converged(state)) == (reference.status, reference.ended)
