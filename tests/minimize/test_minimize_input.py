"""`minimize`: what it takes, what it refuses, and which argument its message names."""

import decimal
import fractions
import re

import numpy as np
import pytest
from arrays import text
from recorded import ALL_METHODS, METHODS, quadratic

import mdbopt

BOWL = quadratic([1.0, 4.0, 20.0], centre=0.3)
X0 = np.array([1.0, -2.0, 3.0])


def minimize(fun=BOWL, x0=X0, jac=True, **arguments):
    return mdbopt.minimize(fun, x0, jac=jac, **arguments)


def unreachable(x):
    raise AssertionError("the objective was evaluated")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_dtype_is_kept(method, dtype):
    result = minimize(x0=X0.astype(dtype), method=method)
    assert result.x.dtype == result.jac.dtype == dtype
    assert result.step_sizes.dtype == np.float64
    assert result.success


@pytest.mark.parametrize(
    "x0", [np.array([1, -2, 3]), np.array([1, -2, 3], np.int8), [1, -2, 3], (1.0, -2.0, 3.0),
           np.array([1.0, -2.0, 3.0], ">f8"), np.array([1.0, 0, -2.0, 0, 3.0])[::2],
           np.array([3.0, -2.0, 1.0])[::-1]]
)  # fmt: skip
def test_other_forms_of_x0_give_the_same_run(x0):
    result, expected = minimize(x0=x0), minimize()
    assert result.x.dtype == np.float64
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.nfev == expected.nfev


SEVERAL = {
    "dict": lambda: {"w": np.ones((2, 2)), "b": np.ones(2)},
    "dict of numbers": lambda: {"a": 1.0, "b": 2.0},
    "list": lambda: [np.ones((2, 2)), np.ones(2)],
    "tuple": lambda: (np.ones(3), {"b": np.ones(2)}),
    "nested": lambda: [[np.ones(2)], [np.ones(1)]],
    "generator": lambda: (np.ones(k) for k in (1, 2)),
    "objects": lambda: np.array([np.ones(1), np.ones(2)], object),
}
STARTS = {
    "minimize": lambda given: minimize(unreachable, given),
    "diagnose": lambda given: mdbopt.diagnose(unreachable, given),
    "init": lambda given: mdbopt.Guarded().init(given, 1.0, X0),
}
ONE = "several arrays become one by np.concatenate([np.ravel(a) for a in arrays]), which fun takes "


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", SEVERAL)
def test_several_arrays_are_told_the_way(kind, start):
    given = SEVERAL[kind]()
    with pytest.raises(TypeError) as caught:
        STARTS[start](given)
    said = str(caught.value)
    assert re.match(r"x0?: expected an array of real numbers, got \w+; several", said), said
    assert ONE in said
    assert "\n" not in said


def test_the_way_that_is_told_works():
    arrays = [np.full((2, 2), 3.0), np.ones(2)]

    def fun(x):
        w, b = np.split(x, [4])
        return float(w @ w + b @ b), 2 * np.concatenate([w, b])

    result = mdbopt.minimize(fun, np.concatenate([np.ravel(a) for a in arrays]), jac=True)
    assert result.success


def test_boolean_x0_is_zeros_and_ones():
    result = minimize(x0=np.array([True, False, True]), options={"return_all": True})
    np.testing.assert_array_equal(result.allvecs[0], [1.0, 0.0, 1.0])


@pytest.mark.parametrize("x0", [3.0, 3, np.float64(3), np.array(3.0), np.float32(3)])
def test_a_number_is_a_point_of_one_coordinate(x0):
    result = mdbopt.minimize(lambda x: (float(x @ x), 2 * x), x0, jac=True)
    assert result.x.shape == (1,)
    assert result.success


def test_gradient_of_a_point_of_one_coordinate_may_be_a_number():
    result = mdbopt.minimize(lambda x: (float(x @ x), 2 * x[0]), [3.0], jac=True)
    assert result.success


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_flattened_in_c_order(order):
    start = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]], order=order)
    points = []

    def fun(x):
        points.append(x.copy())
        return float(x @ x), 2 * x

    assert minimize(fun, start).x.shape == (6,)
    np.testing.assert_array_equal(points[0], [1, -2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("x0", "error"),
    [
        ([], ValueError),
        ([1.0, np.nan], ValueError),
        ([1.0, 1j], TypeError),
        (np.array([1.0, None]), TypeError),
        (["1", "2"], TypeError),
        ("1.0", TypeError),
        (None, TypeError),
        ({"a": 1.0}, TypeError),
        ([[1.0, 2.0], [3.0]], TypeError),
        (np.ones(2, np.float16), TypeError),
        (np.ones(2, np.longdouble), TypeError),
        (np.array(["2020-01-01"], "datetime64[D]"), TypeError),
    ],
)
def test_x0_that_is_no_real_point_is_refused(x0, error):
    with pytest.raises(error, match="x0"):
        minimize(unreachable, x0)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_x0_is_never_written(method):
    x0 = X0.copy()
    x0.flags.writeable = False
    result = minimize(x0=x0, method=method)
    np.testing.assert_array_equal(x0, X0)
    assert not np.shares_memory(result.x, x0)


@pytest.mark.parametrize("method", METHODS)
def test_points_handed_out_are_private(method):
    kept, copies = [], []

    def keeping(x):
        kept.append(x)
        copies.append(x.copy())
        return BOWL(x)

    minimize(keeping, method=method)
    for point, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(point, copy)
        point[:] = 0


def test_a_kept_view_is_as_private_as_the_point():
    kept, copies = [], []

    def keeping(x):
        kept.append(x[1:])
        copies.append(x[1:].copy())
        return BOWL(x)

    minimize(keeping)
    for view, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(view, copy)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_fun_and_jac_get_points_of_their_own(method, kept):
    points = []

    def f(x):
        value = BOWL(x)[0]
        x[:] = np.nan
        if kept:
            points.append(x)
        return value

    def g(x):
        gradient = BOWL(x)[1]
        x *= 1e3
        if kept:
            points.append(x)
        return gradient

    result, expected = minimize(f, jac=g, method=method), minimize(method=method)
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.nfev == expected.nfev
    assert len({id(point) for point in points}) == len(points)


def test_f_and_its_gradient_may_be_parts_of_their_points():
    # An objective in place: the point is the memory of what it returns.
    def f(x):
        x -= 3.0
        x *= x
        return x

    def g(x):
        x -= 3.0
        x *= 2.0
        return x

    result = minimize(f, [5.0], jac=g)
    assert result.success
    np.testing.assert_allclose(result.x, 3.0)


def test_points_are_writable():
    def fun(x):
        assert x.flags.writeable
        assert x.flags.c_contiguous
        x *= 1.0
        return BOWL(x)

    assert minimize(fun).success


def test_the_gradient_may_be_the_point_itself():
    result = minimize(lambda x: (0.5 * float(x @ x), x))
    assert result.success
    np.testing.assert_array_equal(result.jac, result.x)


@pytest.mark.parametrize(
    "value", [np.float64, np.array, lambda f: np.array([f]), lambda f: np.array([[f]]),
              np.longdouble, lambda f: [f], lambda f: [[f]], lambda f: np.array(f, object),
              lambda f: np.array([f], object), decimal.Decimal, fractions.Fraction,
              lambda f: np.ma.array([f]), lambda f: pytest.importorskip("pandas").Series([f]),
              lambda f: np.array(f, ">f8")]
)  # fmt: skip
def test_f_may_be_any_form_of_one_number(value):
    def fun(x):
        f, g = BOWL(x)
        return value(f), g

    assert minimize(fun).fun == minimize().fun


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices_of_one_row():
    x0 = np.matrix(X0)
    result = minimize(lambda x: (np.matrix(BOWL(x)[0]), np.matrix(BOWL(x)[1]).A1), x0)
    assert np.array_equal(result.x, minimize().x)


@pytest.mark.parametrize("value", [5, np.int8(5), np.array([5]), [5], 5.0])
def test_f_may_be_a_whole_number(value):
    result = mdbopt.minimize(lambda x: (value, np.zeros(3)), X0, jac=True)
    assert (result.fun, result.status) == (5.0, 0)


@pytest.mark.parametrize("value", [True, np.True_, np.array([True])])
def test_f_may_be_a_truth_value(value):
    assert mdbopt.minimize(lambda x: (value, np.zeros(3)), X0, jac=True).fun == 1.0


@pytest.mark.parametrize(
    "value", [None, "1.0", 1j, np.complex128(1), np.array(1j), np.array([1 + 0j]), [1.0, 2.0],
              np.ones(2), np.empty(0), [], {}, object(), b"1", np.array(["a"]), ["1.0"], [None],
              np.ma.masked, np.ma.array([1.0], mask=True), np.datetime64(1, "s"),
              [[1.0], [1.0, 2.0]], text("1.0"), np.array(None)]
)  # fmt: skip
@pytest.mark.parametrize("jac", [True, lambda x: x])
def test_f_that_is_no_real_number_is_refused(value, jac):
    def fun(x):
        return (value, x) if jac is True else value

    with pytest.raises(TypeError, match="fun"):
        minimize(fun, jac=jac)


@pytest.mark.parametrize("f", [[1.0, 2.0], np.ones(2), np.empty(0), np.ones((1, 2)),
                               [1.0, [2.0, 3.0]], ()])  # fmt: skip
@pytest.mark.parametrize("jac", [True, None, lambda x: x])
def test_f_of_several_numbers_is_refused_in_the_words_of_scipy_too(f, jac):
    # SciPy raises a ValueError, and what it says is what its users look for.
    with pytest.raises(ValueError, match=r"^fun: expected a real number.* must return a scalar"):
        minimize(lambda x: (f, x) if jac is True else f, jac=jac)


@pytest.mark.parametrize("pair", [tuple, list])
@pytest.mark.parametrize("jac", [None, "3-point", lambda x: x])
def test_a_pair_where_f_alone_is_expected_is_told_what_to_say(pair, jac):
    with pytest.raises(TypeError, match=rf"fun: .*{pair.__name__} of shape .2,.*jac=True"):
        minimize(lambda x: pair(BOWL(x)), jac=jac)
    assert minimize(lambda x: pair(BOWL(x)), jac=True).success
    with pytest.raises(TypeError, match=r"fun: .*scalar value\.$"):
        minimize(lambda x: (pair(BOWL(x)), x), jac=True)


def test_f_is_refused_before_its_gradient_is_asked():
    with pytest.raises(TypeError, match="fun"):
        minimize(lambda x: None, jac=unreachable)


@pytest.mark.parametrize("answer", [1.0, (1.0,), (1.0, X0, X0), None, np.ones(2), "ab"])
def test_fun_that_returns_no_pair_is_refused(answer):
    with pytest.raises(TypeError, match="fun"):
        minimize(lambda x: answer)


@pytest.mark.parametrize(
    "gradient", [np.ones(2), np.ones(4), np.ones((3, 1)), np.ones((1, 3)), np.ones(()),
                 np.empty(0), 1.0, [1.0, 2.0]]
)  # fmt: skip
def test_gradient_of_another_shape_is_refused(gradient):
    with pytest.raises(ValueError, match=r"jac.*\(3,\)"):
        minimize(lambda x: (1.0, gradient))


@pytest.mark.parametrize(
    "gradient", [np.ones(3, complex), np.array([1.0, None, 2.0]), None, np.ones(3, np.longdouble),
                 np.array(["a", "b", "c"]), "abc", ["1", "2", "3"], {}, [1, 2, 2**53 + 1],
                 text("1", "2", "3"), np.ones(3, "m8[s]"),
                 np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])]
)  # fmt: skip
def test_gradient_of_another_type_is_refused(gradient):
    with pytest.raises((TypeError, ValueError), match="jac"):
        minimize(lambda x: (1.0, gradient))


@pytest.mark.parametrize("gradient", [np.ones(3), [1.0, 2.0, 3.0], np.array([1.0, 2, 3], object)])
def test_float64_gradient_of_a_float32_point_is_refused_with_advice_that_works(gradient):
    x0 = X0.astype(np.float32)
    with pytest.raises(
        TypeError, match=r"jac: expected dtype float32 \(as x0\), got float64; "
    ) as caught:
        minimize(lambda x: (1.0, gradient), x0)
    assert str(caught.value).endswith("return it in float32, or start from x0 in float64")
    limit = {"options": {"maxfun": 1}}
    assert minimize(lambda x: (1.0, np.float32(gradient)), x0, **limit).nfev == 1
    assert minimize(lambda x: (1.0, gradient), x0.astype(np.float64), **limit).nfev == 1


def test_whole_gradients_of_a_float32_point_are_taken_where_it_holds_them():
    def run(gradient):
        return minimize(lambda x: (1.0, gradient), X0.astype("f4"), options={"maxfun": 1}).jac

    assert run([1, -2, 2**24]).tolist() == [1, -2, 2**24]
    assert run(np.array([True, False, True])).tolist() == [1, 0, 1]
    with pytest.raises(
        TypeError, match="jac: expected whole numbers that float32 holds, got 16777217"
    ):
        run([1, 2, 2**24 + 1])


def test_a_gradient_of_the_wrong_shape_is_refused_before_it_is_copied():
    with pytest.raises(ValueError, match=r"jac.*\(1000000000, 3\)"):
        minimize(lambda x: (1.0, np.broadcast_to(np.float32(1), (10**9, 3))))


def test_a_list_serves_as_gradient():
    result = minimize(lambda x: (BOWL(x)[0], BOWL(x)[1].tolist()))
    np.testing.assert_array_equal(result.x, minimize().x)


@pytest.mark.parametrize("method", METHODS)
def test_gradient_with_strides(method):
    wide = np.empty((3, 5))

    def strided(x):
        f, wide[:, 2] = BOWL(x)
        return f, wide[:, 2]

    def reversed_twice(x):
        f, g = BOWL(x)
        return f, g[::-1].copy()[::-1]

    expected = minimize(method=method)
    for fun in (strided, reversed_twice):
        np.testing.assert_array_equal(minimize(fun, method=method).x, expected.x)


def test_read_only_gradient():
    def fun(x):
        f, g = BOWL(x)
        g.flags.writeable = False
        return f, g

    np.testing.assert_array_equal(minimize(fun).x, minimize().x)
