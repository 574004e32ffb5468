"""What comes in, what goes out, and what is never swallowed.

Tests are named after what the published code of arXiv 2306.02527 does; they assert what must happen
instead.
"""

import ast
import pathlib
import re
import tracemalloc

import numpy as np
import pytest
from recorded import ALL_METHODS, CONVERGED, LIMIT, METHODS, STOPPED, quadratic, solve
from scipy.optimize import OptimizeResult, OptimizeWarning

import mdbopt

CURVATURES = [1.0, 4.0, 20.0]
PACKAGE = pathlib.Path(mdbopt.__file__).parent
CORE = pathlib.Path(__file__).parents[2] / "csrc"
# The places that print on request; the command line is one big request.
MAY_PRINT = ("_minimize/minimize.py", "_minimize/progress.py", "cli/", "__main__.py")


class Counted:
    """An objective that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return quadratic(CURVATURES)(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_nan_or_inf_in_x0(method, value):
    objective = Counted()
    with pytest.raises(ValueError, match="x0"):
        mdbopt.minimize(objective, [1.0, value, 1.0], jac=True, method=method)
    assert objective.calls == 0


def test_no_debugger_print_or_assert_in_the_package():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            assert not isinstance(node, ast.Assert), place
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names}
                assert not names & {"pdb", "ipdb"}, place
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("breakpoint", "set_trace"), place
                assert node.func.id != "print" or place.startswith(MAY_PRINT), place


@pytest.mark.skipif(not CORE.is_dir(), reason="the sources are not beside the tests")
def test_no_abort_print_or_assert_in_the_core():
    forbidden = re.compile(r"(?<!static_)\bassert\s*\(|\b(abort|exit)\s*\(|std::c(out|err)|printf")
    for path in sorted(CORE.rglob("*")):
        if path.suffix in (".h", ".cpp"):
            assert not forbidden.search(path.read_text()), path.name


@pytest.mark.parametrize("method", ALL_METHODS)
def test_float32_silently_upcast(method):
    result, objective = solve(quadratic(CURVATURES), np.ones(3, np.float32), method, gtol=1e-3)
    assert {point.dtype for point in objective.points} == {np.dtype(np.float32)}
    assert result.x.dtype == result.jac.dtype == np.float32
    assert result.status == CONVERGED


@pytest.mark.parametrize("method", ALL_METHODS)
def test_reused_gradient_buffer(method):
    fresh = quadratic(CURVATURES, centre=0.3)
    buffer = np.empty(3)

    def reusing(x):
        f, buffer[:] = fresh(x)
        return f, buffer

    expected = mdbopt.minimize(fresh, np.ones(3), jac=True, method=method)
    result = mdbopt.minimize(reusing, np.ones(3), jac=True, method=method)
    assert result.nfev == expected.nfev
    np.testing.assert_array_equal(result.x, expected.x)
    np.testing.assert_array_equal(result.jac, expected.jac)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_objective_mutates_x(method):
    fresh = quadratic(CURVATURES, centre=0.3)

    def mutating(x):
        f, g = fresh(x)
        x[:] = np.nan
        return f, g

    x0 = np.ones(3)
    expected = mdbopt.minimize(fresh, x0, jac=True, method=method)
    result = mdbopt.minimize(mutating, x0, jac=True, method=method)
    assert result.nfev == expected.nfev
    np.testing.assert_array_equal(result.x, expected.x)
    np.testing.assert_array_equal(x0, 1)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_column_x0_becomes_matrix(method):
    result, objective = solve(quadratic(CURVATURES), np.ones((3, 1)), method)
    assert {point.shape for point in objective.points} == {(3,)}
    assert result.x.shape == (3,)


@pytest.mark.parametrize("method", METHODS)
def test_column_gradient_becomes_matrix(method):
    size = 100_000
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"jac.*\(100000, 1\)"):
        mdbopt.minimize(
            lambda x: (float(x @ x), 2 * x[:, None]), np.ones((size, 1)), jac=True, method=method
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 8 * size


@pytest.mark.parametrize("method", ALL_METHODS)
def test_int32_x0_overflow(method):
    dtypes = set()

    def fun(x):
        dtypes.add(x.dtype)
        return float(x @ x), 2 * x

    result = mdbopt.minimize(fun, np.array([50_000, -70_000], np.int32), jac=True, method=method)
    assert dtypes == {np.dtype(np.float64)}
    assert result.trace["f"][0] == 7.4e9
    assert result.success


@pytest.mark.parametrize("method", ALL_METHODS)
def test_complex_x0_accepted(method):
    objective = Counted()
    with pytest.raises(TypeError, match="x0"):
        mdbopt.minimize(objective, np.ones(3, complex), jac=True, method=method)
    assert objective.calls == 0


@pytest.mark.parametrize("value", [0, 0.0, -1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_bad_initial_box(method, value):
    objective = Counted()
    with pytest.raises(ValueError, match="initial_scale"):
        mdbopt.minimize(
            objective, np.ones(3), jac=True, method=method, options={"initial_scale": value}
        )
    assert objective.calls == 0


@pytest.mark.parametrize("value", [1e-3, 1e160, 1e308])
@pytest.mark.parametrize("method", METHODS)
def test_huge_initial_box_works(method, value):
    result, _ = solve(quadratic(CURVATURES), np.ones(3), method, maxfun=2000, initial_scale=value)
    assert result.status == CONVERGED


@pytest.mark.parametrize(
    "error", [FloatingPointError, ValueError, KeyboardInterrupt, SystemExit, StopIteration,
              GeneratorExit, MemoryError, RuntimeError]
)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_user_floatingpointerror_swallowed(method, error):
    raised = error("mine")

    def fun(x):
        if np.abs(x).max() != 1:
            raise raised
        return quadratic(CURVATURES)(x)

    with pytest.raises(error) as caught:
        mdbopt.minimize(fun, np.ones(3), jac=True, method=method)
    assert caught.value is raised


@pytest.mark.parametrize("stop_after", [1, 3])
@pytest.mark.parametrize("manner", ["returns True", "raises StopIteration"])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_callback_stop_ignored(method, manner, stop_after):
    calls = []

    def callback(x):
        calls.append(x)
        if len(calls) < stop_after:
            return False
        if manner == "returns True":
            return True
        raise StopIteration

    result = mdbopt.minimize(
        quadratic(CURVATURES), np.ones(3), jac=True, method=method, callback=callback
    )
    assert (result.status, result.success, result.nit) == (STOPPED, False, stop_after)
    assert len(calls) == stop_after


@pytest.mark.parametrize("method", ALL_METHODS)
def test_no_status(method):
    result, _ = solve(quadratic(CURVATURES), np.ones(3), method, maxfun=3)
    assert isinstance(result, OptimizeResult)
    assert (result.status, result.success, result.nfev, result.nit) == (LIMIT, False, 3, 2)
    assert {"success", "status", "message", "nfev", "njev", "nit"} <= set(result)


@pytest.mark.parametrize(
    ("value", "error"), [("bfgs", TypeError), (-1, ValueError), (1.5, TypeError)]
)
def test_refine_argument(value, error):
    objective = Counted()
    with pytest.raises(error, match="refine"):
        mdbopt.minimize(
            objective, np.ones(3), jac=True, method="ellipsoid", options={"refine": value}
        )
    assert objective.calls == 0


@pytest.mark.parametrize("name", ["backtrack", "eps", "maxcor"])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_backtrack_option_dead(method, name):
    expected = mdbopt.minimize(quadratic(CURVATURES), np.ones(3), jac=True, method=method)
    with pytest.warns(OptimizeWarning, match=name):
        result = mdbopt.minimize(
            quadratic(CURVATURES), np.ones(3), jac=True, method=method, options={name: 3}
        )
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.nfev == expected.nfev


@pytest.mark.parametrize("x0", [[], np.empty(0), np.empty((0, 3)), np.empty(0, np.float32)])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_empty_x0(method, x0):
    with pytest.raises(ValueError, match="x0"):
        mdbopt.minimize(quadratic(CURVATURES), x0, jac=True, method=method)
