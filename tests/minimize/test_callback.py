"""Callbacks of `minimize`: what they are given, and how they stop a run."""

import numpy as np
import pytest
import scipy.optimize
from recorded import ALL_METHODS, CONVERGED, STOPPED, quadratic

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)


def minimize(method="guarded", **arguments):
    x0 = np.array([1.0, -2.0, 3.0])
    return mdbopt.minimize(BOWL, x0, jac=True, method=method, **arguments)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_plain_callback_gets_copies_of_the_current_point(method):
    kept = []
    result = minimize(method, callback=kept.append)
    assert len(kept) == result.nit
    np.testing.assert_array_equal(kept[-1], result.x)
    current = np.maximum.accumulate(np.where(result.trace["accepted"], range(result.nfev), 0))
    np.testing.assert_array_equal([BOWL(x)[0] for x in kept], result.trace["f"][current[1:]])
    assert len({id(x) for x in kept}) == len(kept)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_rich_callback(method):
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)

    result = minimize(method, callback=callback)
    assert len(seen) == result.nit
    for number, now in enumerate(seen, 1):
        assert set(now) == {"x", "fun", "jac", "nit", "nfev", "step_sizes", "accepted"}
        assert (now.nit, now.nfev) == (number, number + 1)
        f, g = BOWL(now.x)
        assert now.fun == f
        np.testing.assert_array_equal(now.jac, g)
        assert now.accepted == result.trace["accepted"][number]
    np.testing.assert_array_equal(seen[-1].step_sizes, result.step_sizes)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_callback_that_writes_changes_nothing(method):
    def callback(intermediate_result):
        for name in ("x", "jac", "step_sizes"):
            intermediate_result[name][:] = np.nan

    result, expected = minimize(method, callback=callback), minimize(method)
    for name in ("x", "jac", "step_sizes"):
        np.testing.assert_array_equal(result[name], expected[name])
    np.testing.assert_array_equal(result.trace["f"], expected.trace["f"])


@pytest.mark.parametrize("answer", [None, False, 0, 1, "stop", np.array([True, True])])
def test_only_true_stops(answer):
    # SciPy stops on StopIteration alone; a truthy value may be any callback's leftover.
    assert minimize(callback=lambda x: answer).status == CONVERGED


@pytest.mark.parametrize("answer", [True, np.True_])
def test_true_stops(answer):
    result = minimize(callback=lambda x: answer)
    assert (result.status, result.success, result.nit) == (STOPPED, False, 1)
    assert result.message == "`callback` returned True."


def test_stop_iteration_ends_in_the_words_of_scipy():
    def callback(x):
        raise StopIteration

    result = minimize(callback=callback)
    assert (result.status, result.success, result.nit) == (STOPPED, False, 1)
    assert result.message == "`callback` raised `StopIteration`."


def keyword_only(seen):
    def callback(*, intermediate_result):
        seen.append(intermediate_result)

    return callback


def annotated(seen):
    def callback(intermediate_result: "NothingOfThatName") -> None:  # noqa: F821
        seen.append(intermediate_result)

    return callback


def method_of_an_object(seen):
    class Watcher:
        def callback(self, intermediate_result):
            seen.append(intermediate_result)

    return Watcher().callback


def with_more(seen):
    def callback(x, intermediate_result=None):
        seen.append(x)

    return callback


def of_any_arguments(seen):
    return lambda *arguments: seen.append(*arguments)


@pytest.mark.parametrize(
    ("make", "rich"),
    [(keyword_only, True), (annotated, True), (method_of_an_object, True), (with_more, False),
     (of_any_arguments, False)],
)  # fmt: skip
def test_what_a_callback_is_given_is_what_scipy_gives_it(make, rich):
    ours, theirs = [], []
    minimize(callback=make(ours))
    scipy.optimize.minimize(BOWL, np.ones(3), jac=True, method="BFGS", callback=make(theirs))
    for seen in (ours, theirs):
        assert seen
        assert isinstance(seen[0], scipy.optimize.OptimizeResult) == rich


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_exceptions_of_the_callback_pass(error):
    raised = error("mine")

    def callback(x):
        raise raised

    with pytest.raises(error) as caught:
        minimize(callback=callback)
    assert caught.value is raised


def test_callable_objects_serve_as_callbacks():
    class Counter:
        count = 0

        def __call__(self, intermediate_result):
            assert intermediate_result.nit == self.count + 1
            self.count += 1

    counter = Counter()
    assert minimize(callback=counter).nit == counter.count
