"""Warm starts on a device: the bits of the CPU, from arrays there or numbers."""

import numpy as np
import pytest

import mdbopt

SIZE = 2500
CURVATURES = np.geomspace(1.0, 300.0, SIZE)
BEFORE, NOW = np.full(SIZE, 0.5), np.linspace(0.0, 0.4, SIZE)


def evaluate(x, l2):
    """Return a quadratic around 1, with its ridge, and its gradient."""
    away = x.astype(np.float64) - 1.0
    f = 0.5 * float(CURVATURES @ away**2 + l2 @ x.astype(np.float64) ** 2)
    return f, (CURVATURES * away + l2 * x).astype(x.dtype)


def run(search, give, take, dtype, known):
    """Return the state of a search that another one has begun, after some steps of both."""
    x = np.zeros(SIZE, dtype)

    def told(at, l2):
        f, g = evaluate(at, l2)
        return f, give(g)

    def steps(state, l2, count):
        for _ in range(count):
            search.judge(state, *told(np.array(take(search.propose(state))), l2))

    first = search.init(give(x), *told(x, BEFORE))
    steps(first, BEFORE, 9)
    l2 = (0.5, give(NOW)) if known else None
    x = np.array(take(first.x))
    second = search.init(give(x), *told(x, NOW), warm_start=mdbopt.WarmStart(first, l2=l2))
    begun = {name: np.copy(value) for name, value in second._core.save().items()}
    steps(second, NOW, 4)
    return begun, second


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("known", [True, False])
def test_the_bits_are_those_of_the_cpu(library, dtype, known):
    search = mdbopt.Guarded(memory=7)
    here, other = run(search, lambda a: a, lambda a: a, dtype, known)
    there, state = run(search, library.array, library.numpy, dtype, known)
    assert here["pairs"] == there["pairs"] > 3
    for name in ("set_b", "set_growth", "metric_kind", "metric_scale", "x", "trial"):
        assert here[name].tobytes() == there[name].tobytes(), name
    np.testing.assert_array_equal(library.numpy(state.x), other.x)


@pytest.mark.parametrize("name", ["Box", "Simplex", "Ellipsoid", "Backtracking"])
@pytest.mark.parametrize("known", [True, False])
def test_sets_have_the_bits_of_the_cpu(library, name, known):
    search = getattr(mdbopt, name)()
    here, other = run(search, lambda a: a, lambda a: a, np.float64, known)
    there, state = run(search, library.array, library.numpy, np.float64, known)
    assert here["seeking"] == 0
    for entry in here:
        if entry.startswith("set_") or entry in ("x", "trial"):
            assert here[entry].tobytes() == there[entry].tobytes(), entry
    np.testing.assert_array_equal(library.numpy(state.x), other.x)


def test_a_search_elsewhere_is_refused(library):
    search = mdbopt.Guarded()
    x = np.zeros(SIZE)
    f, g = evaluate(x, BEFORE)
    there = search.init(library.array(x), f, library.array(g))
    with pytest.raises(ValueError, match="warm_start: expected a search on the CPU"):
        search.init(x, f, g, warm_start=there)
