"""`minimize` of arrays on a device: it stays there, and takes the path of the CPU."""

import gc

import numpy as np
import pytest
from recorded import ALL_METHODS

import mdbopt
from mdbopt._arrays import is_device

SIZE = 600
CURVATURES = np.geomspace(1.0, 100.0, SIZE)
OPTIONS = {"maxiter": 25}


def fun(x):
    """Return a quadratic around 1 and its gradient, on the CPU."""
    away = x.astype(np.float64) - 1.0
    return float(0.5 * (CURVATURES @ away**2)), (CURVATURES * away).astype(x.dtype)


@pytest.fixture
def there(library):
    """Give the objective for arrays of the library."""

    def evaluate(x):
        assert is_device(x)
        assert type(x) is type(library.array(np.empty(1)))
        f, g = fun(library.numpy(x))
        return f, library.array(g)

    return evaluate


def start(dtype=np.float64):
    return np.zeros(SIZE, dtype)


def solve(objective=fun, x0=None, **arguments):
    x0 = start() if x0 is None else x0
    return mdbopt.minimize(objective, x0, jac=True, **({"options": OPTIONS} | arguments))


def assert_same_run(library, on_device, wanted):
    for name in ("x", "jac", "step_sizes"):
        array = on_device[name]
        assert is_device(array)
        np.testing.assert_array_equal(library.numpy(array), wanted[name], err_msg=name)
    for name in ("fun", "nit", "nfev", "njev", "status", "message", "ncut", "success"):
        assert on_device[name] == wanted[name], name
    for name in ("f", "best", "gmax", "accepted", "ncut"):
        column = on_device.trace[name]
        assert type(column) is np.ndarray
        np.testing.assert_array_equal(column, wanted.trace[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ALL_METHODS)
def test_the_run_of_the_cpu(library, there, method, dtype, capsys):
    options = OPTIONS | {"disp": True}
    wanted = solve(x0=start(dtype), method=method, options=options)
    on_device = solve(there, library.array(start(dtype)), method=method, options=options)
    assert_same_run(library, on_device, wanted)
    printed = capsys.readouterr().out
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


@pytest.mark.parametrize("method", [m for m in mdbopt.methods() if m not in ALL_METHODS])
def test_methods_of_the_cpu_say_so(library, there, method):
    with pytest.raises(ValueError, match=f"x0: method '{method}' works on the CPU.*guarded"):
        solve(there, library.array(start()), method=method)


def test_the_value_may_be_on_the_device_and_the_gradient_apart(library):
    def value(x, scale):
        return library.array(np.array(scale * fun(library.numpy(x))[0]))

    def gradient(x, scale):
        return library.array(scale * fun(library.numpy(x))[1])

    on_device = mdbopt.minimize(
        value, library.array(start()), (2.0,), jac=gradient, options=OPTIONS
    )
    wanted = solve(lambda x: tuple(2.0 * each for each in fun(x)))
    assert_same_run(library, on_device, wanted)


def test_points_are_private_and_x0_is_not_written(library):
    x0 = library.array(start())
    kept = []

    def spoils(x):
        f, g = fun(library.numpy(x))
        x[...] = np.nan if library.name == "emulated" else x * np.nan
        kept.append(x)
        return f, library.array(g)

    on_device = solve(spoils, x0)
    assert_same_run(library, on_device, solve())
    assert not library.numpy(x0).any()
    assert all(np.isnan(library.numpy(x)).all() for x in kept)


def test_fun_and_jac_get_points_of_their_own(library):
    def spoils(x, answer):
        x[...] = np.nan if library.name == "emulated" else x * np.nan
        return answer

    def value(x):
        return spoils(x, fun(library.numpy(x))[0])

    def gradient(x):
        return spoils(x, library.array(fun(library.numpy(x))[1]))

    on_device = mdbopt.minimize(value, library.array(start()), jac=gradient, options=OPTIONS)
    assert_same_run(library, on_device, solve())


@pytest.mark.parametrize("jac", [None, "3-point"])
def test_differences_are_for_the_cpu(library, there, jac):
    with pytest.raises(ValueError, match=r"jac: .*device.*expected True"):
        mdbopt.minimize(lambda x: there(x)[0], library.array(start()), jac=jac)
    assert mdbopt.minimize(there, library.array(start()), jac=True, options=OPTIONS).nit == 25


def test_more_axes(library, there):
    x0 = library.array(start().reshape(20, 30))
    assert_same_run(library, solve(there, x0), solve())


def test_callbacks_and_all_points_get_arrays_there(library, there):
    seen, rich = [], []

    def watch(intermediate_result):
        rich.append(intermediate_result)

    options = OPTIONS | {"return_all": True}
    wanted = solve(options=options)
    on_device = solve(there, library.array(start()), options=options, callback=seen.append)
    solve(there, library.array(start()), callback=watch)
    for a, b in zip(on_device.allvecs, wanted.allvecs, strict=True):
        np.testing.assert_array_equal(library.numpy(a), b)
    assert len(seen) == len(rich) == wanted.nit
    np.testing.assert_array_equal(library.numpy(seen[-1]), wanted.x)
    for name in ("x", "jac", "step_sizes"):
        assert is_device(rich[-1][name])
        np.testing.assert_array_equal(library.numpy(rich[-1][name]), wanted[name])


@pytest.mark.parametrize("method", ["guarded", "ellipsoid"])
def test_checkpoints_are_resumed_anywhere(library, there, method, tmp_path):
    wanted = solve(method=method)
    few = {"maxiter": 9}
    near, far = library.array(start()), start()
    solve(method=method, options=few, checkpoint=tmp_path / "here.npz")
    solve(there, near, method=method, options=few, checkpoint=tmp_path / "there.npz")
    for name in ("here.npz", "there.npz"):
        on_device = solve(there, near, method=method, resume=tmp_path / name)
        assert_same_run(library, on_device, wanted)
        here = solve(x0=far, method=method, resume=tmp_path / name)
        assert type(here.x) is np.ndarray
        np.testing.assert_array_equal(here.x, wanted.x)
        assert here.nfev == wanted.nfev


def gradient_refused(library, make, error, match, dtype=np.float64):
    def evaluate(x):
        f, g = fun(library.numpy(x))
        return f, make(g)

    with pytest.raises(error, match=match):
        solve(evaluate, library.array(start().astype(dtype)))


def test_a_gradient_that_does_not_fit_is_refused(library):
    def refused(*case):
        gradient_refused(library, *case)

    refused(
        lambda g: g,
        TypeError,
        r"jac: expected an array on cuda:0 \(as x0\), got ndarray on the CPU",
    )
    refused(list, TypeError, r"jac: expected an array on cuda:0 \(as x0\), got list$")
    refused(lambda _: None, TypeError, "jac: expected an array, got None")
    refused(
        lambda g: library.array(g[1:]),
        ValueError,
        r"jac: expected a gradient of shape \(600,\), got \(599,\)",
    )
    refused(
        lambda g: library.array(g.astype(np.float64)),
        TypeError,
        r"jac: expected dtype float32 \(as x0\), got float64; return it in float32, or",
        np.float32,
    )
    if library.devices > 1:
        refused(
            lambda g: library.array(g, 1),
            TypeError,
            r"jac: expected an array on cuda:0 \(as x0\), got \w+ on cuda:1",
        )


def test_starts_that_do_not_fit_are_refused(library, there):
    for x0, error, match in (
        (np.empty(0), ValueError, "x0: expected at least one element"),
        (np.full(SIZE, np.nan), ValueError, "x0: expected finite numbers, got NaN or inf"),
        (np.zeros(SIZE, np.float16), TypeError, "x0"),
    ):
        with pytest.raises(error, match=match):
            solve(there, library.array(x0))


def test_one_variable(library):
    def evaluate(x):
        x = library.numpy(x)
        return float((x[0] - 3.0) ** 2), library.array(np.array(2.0 * (x[0] - 3.0)))

    result = solve(evaluate, library.array(np.zeros(1)))
    assert library.numpy(result.x)[0] == pytest.approx(3.0)


def test_memory_is_given_back(library, there):
    gc.collect()
    held = mdbopt.cuda.memory_allocated(0)
    result = solve(there, library.array(start()))
    gc.collect()
    # what the search has learnt, for another start
    assert mdbopt.cuda.memory_allocated(0) - held > 80 * 4 * SIZE
    del result["state"]
    gc.collect()
    assert mdbopt.cuda.memory_allocated(0) - held == 3 * 8 * SIZE  # x, jac and step sizes
    del result
    gc.collect()
    assert mdbopt.cuda.memory_allocated(0) == held
