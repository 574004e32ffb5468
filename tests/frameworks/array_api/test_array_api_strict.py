"""Arrays of array-api-strict, which have what the array API standard says and nothing else."""

import numpy as np
import pytest

pytest.importorskip("array_api_strict")

import array_api_strict as xp
from recorded import ALL_METHODS, quadratic

import mdbopt

CURVATURES = [1.0, 4.0, 20.0]
START = [1.0, -2.0, 3.0]
DTYPES = [xp.float64, xp.float32]
KIND = type(xp.asarray(START))


def bowl(dtype, seen=None):
    h = xp.asarray(CURVATURES, dtype=dtype)

    def fun(x):
        if seen is not None:
            seen.append((type(x), x.dtype))
        return xp.sum(h * x * x) / 2, h * x

    return fun


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ALL_METHODS)
def test_it_is_minimize(method, dtype):
    x0 = xp.asarray(START, dtype=dtype)
    seen = []
    result = mdbopt.minimize(bowl(dtype, seen), x0, jac=True, method=method, options={"gtol": 1e-3})
    assert set(seen) == {(KIND, dtype)}
    assert result.success
    assert type(result.fun) is float
    assert {type(result[name]) for name in ("x", "jac", "step_sizes")} == {KIND}
    assert result.x.dtype == result.jac.dtype == dtype
    assert result.step_sizes.dtype == xp.float64
    assert bool(xp.all(x0 == xp.asarray(START, dtype=dtype)))
    kind = np.float64 if dtype == xp.float64 else np.float32
    expected = mdbopt.minimize(
        quadratic(np.array(CURVATURES, kind)),
        np.array(START, kind),
        jac=True,
        method=method,
        options={"gtol": 1e-3},
    )
    np.testing.assert_allclose(np.from_dlpack(result.x), expected.x, atol=1e-3)


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
def test_differences(scheme):
    kinds = set()

    def fun(x):
        kinds.add(type(x))
        return xp.sum(xp.asarray(CURVATURES, dtype=x.dtype) * x * x) / 2

    result = mdbopt.minimize(fun, xp.asarray(START), jac=scheme)
    assert result.success
    assert kinds == {type(result.x)} == {KIND}
    assert float(xp.max(xp.abs(result.x))) < 1e-4


def test_callbacks_and_points():
    kinds = set()
    result = mdbopt.minimize(
        bowl(xp.float64),
        xp.asarray(START),
        jac=True,
        callback=lambda x: kinds.add(type(x)),
        options={"return_all": True},
    )
    assert kinds == {type(x) for x in result.allvecs} == {KIND}


def test_a_gradient_of_its_own_kind():
    fun = bowl(xp.float64)
    result = mdbopt.minimize(lambda x: fun(x)[0], xp.asarray(START), jac=lambda x: fun(x)[1])
    expected = mdbopt.minimize(fun, xp.asarray(START), jac=True)
    assert bool(xp.all(result.x == expected.x))


def test_ask_and_tell():
    fun, x = bowl(xp.float64), xp.asarray(START)
    search = mdbopt.Guarded()
    state = search.init(x, *fun(x))
    while not search.converged(state, gtol=1e-8):
        y = search.propose(state)
        assert type(y) is KIND
        search.judge(state, *fun(y))
    assert type(state.x) is KIND


def test_what_is_no_real_number_is_refused_by_name():
    with pytest.raises(TypeError, match="x0"):
        mdbopt.minimize(bowl(xp.float64), xp.ones(3, dtype=xp.complex128), jac=True)


def test_whole_numbers_become_float64():
    result = mdbopt.minimize(bowl(xp.float64), xp.asarray([1, -2, 3]), jac=True)
    assert result.x.dtype == xp.float64
