"""`minimize(warm_start=)`: from results, states and known changes."""

import pickle

import numpy as np
import pytest

import mdbopt
from mdbopt import problems


def logistic(l2):
    generator = np.random.default_rng(1)
    X = generator.normal(size=(70, 5)) * np.geomspace(0.1, 50.0, 5)
    return problems.logistic(X, X[:, 0] + generator.normal(size=70) > 0.0, l2=l2)


FIRST, SECOND = logistic(0.1), logistic(0.03)


def first(**arguments):
    return mdbopt.minimize(FIRST, FIRST.x0, jac=True, **arguments)


def warm(earlier):
    return mdbopt.WarmStart(earlier, l2=(FIRST.l2_of_weights, SECOND.l2_of_weights))


def test_results_states_and_pickles_give_the_same_path():
    result = first()
    starts = (result, result.state, pickle.loads(pickle.dumps(result)))
    runs = [mdbopt.minimize(SECOND, None, jac=True, warm_start=warm(at)) for at in starts]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.trace["f"], runs[0].trace["f"])
    cold = mdbopt.minimize(SECOND, result.x, jac=True)
    assert runs[0].success
    assert runs[0].nfev < cold.nfev


def test_without_a_known_change_the_run_converges():
    run = mdbopt.minimize(SECOND, None, jac=True, warm_start=first())
    assert run.success
    assert np.abs(SECOND(run.x)[1]).max() <= 1e-8


def test_x0_is_where_it_starts():
    x0 = np.full(SECOND.d, 0.01)
    run = mdbopt.minimize(SECOND, x0, jac=True, warm_start=warm(first()))
    assert run.trace["f"][0] == SECOND(x0)[0]
    assert run.success


def test_a_checkpoint_of_a_warm_start_resumes_to_the_same_bits(tmp_path):
    start = warm(first())
    whole = mdbopt.minimize(SECOND, None, jac=True, warm_start=start)
    file = tmp_path / "run.npz"
    arguments = {"jac": True, "warm_start": start, "checkpoint": file, "resume": "auto"}
    mdbopt.minimize(SECOND, None, **arguments, options={"maxfun": 4})
    rest = mdbopt.minimize(SECOND, None, **arguments)
    np.testing.assert_array_equal(rest.trace["f"], whole.trace["f"])


@pytest.mark.parametrize(
    ("method", "words"),
    [("box", "a search of method box, got guarded"), ("bb", "None for a method that carries")],
)
def test_other_methods_refuse(method, words):
    with pytest.raises(ValueError, match=f"warm_start: expected {words}"):
        mdbopt.minimize(SECOND, SECOND.x0, jac=True, method=method, warm_start=first())


def test_results_of_other_methods_are_refused():
    with pytest.raises(TypeError, match="a result of minimize by one of guarded, box"):
        mdbopt.minimize(SECOND, None, jac=True, warm_start=first(method="bb"))
