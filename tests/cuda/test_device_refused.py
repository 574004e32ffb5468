"""Device arrays that are refused: the error, what it names, and that nothing is written."""

import os
import subprocess
import sys

import numpy as np
import pytest

import mdbopt
from mdbopt import _core
from mdbopt.kernels import _internal as kernels


def refused(error, text, call, *untouched):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    for array in untouched:
        assert np.all(_core.to_host(array) == 7)


@pytest.mark.parametrize("options", [{"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}])
def test_states_in_a_format(library, options):
    near = library.array(np.full(4, 7.0, np.float32))
    optimizer = mdbopt.AdamW(1.0, **options)
    here = optimizer.init(np.zeros(4, np.float32))
    text = "AdamW: state.m lives on the CPU, expected cuda:0"
    refused(ValueError, text, lambda: optimizer.step(near, near, here), near)
    rows = library.array(np.full((3, 4), 7.0, np.float32))
    columns = library.array(np.asfortranarray(np.full((3, 4), 7.0, np.float32)))
    if "8bit" in options.values():
        text = (
            "AdamW: params is not in row-major order, expected it on cuda:0, as the state's arrays"
        )
        g = library.array(np.asfortranarray(np.ones((3, 4), np.float32)))
        state = optimizer.init(columns)
    else:
        text = "AdamW: grads orders its elements in memory unlike params, expected the same strides"
        g, state = rows, optimizer.init(columns)
    refused(ValueError, text, lambda: optimizer.step(columns, g, state), columns, rows)


def test_cpu_and_device_do_not_mix(library):
    x, near = np.full(4, 7.0), library.array(np.full(4, 7.0))
    refused(
        ValueError,
        "sgd: stream 'g' lives on the CPU, expected cuda:0 (as 'x')",
        lambda: kernels.sgd(near, x, lr=1.0),
        near,
    )
    refused(
        ValueError,
        "sgd: stream 'g' lives on cuda:0, expected the CPU (as 'x')",
        lambda: kernels.sgd(x, near, lr=1.0),
        near,
    )
    refused(
        ValueError,
        "sgd: stream 'lr' lives on the CPU, expected cuda:0",
        lambda: kernels.sgd(near, library.array(x), lr=np.ones(4)),
        near,
    )
    sgd = mdbopt.SGD(1.0)
    refused(
        ValueError,
        "SGD: grads[0] lives on the CPU, expected cuda:0 (as the first of params)",
        lambda: sgd.step([near], [x], sgd.init([near])),
        near,
    )
    refused(
        ValueError,
        "SGD: params[1] lives on cuda:0, expected the CPU (as the first of params)",
        lambda: sgd.step([x, near], [x + 1, near], sgd.init([x, near])),
        near,
    )
    adam = mdbopt.AdamW(1.0)
    refused(
        ValueError,
        "AdamW: state.m lives on the CPU, expected cuda:0",
        lambda: adam.step(near, library.array(x), adam.init(x)),
        near,
    )
    assert np.all(x == 7)


def test_two_devices_do_not_mix(library):
    if library.devices < 2:
        pytest.skip("one device only")
    here, there = (library.array(np.full(4, 7.0), k) for k in range(2))
    refused(
        ValueError,
        "sgd: stream 'g' lives on cuda:1, expected cuda:0 (as 'x')",
        lambda: kernels.sgd(here, there, lr=1.0),
        here,
        there,
    )
    sgd = mdbopt.SGD(1.0)
    refused(
        ValueError,
        "SGD: params[1] lives on cuda:1, expected cuda:0",
        lambda: sgd.step([here, there], [here, there], sgd.init([here, there])),
        here,
        there,
    )
    kernels.sgd(there, library.array(np.ones(4), 1), lr=1.0)
    assert np.all(library.numpy(there) == 6)


ARRAY_OF_NOWHERE = """
import numpy as np, pytest
from arrays import CUDA, Producer
import mdbopt
from mdbopt import kernels
class Nowhere(Producer):
    def __dlpack_device__(self):
        return CUDA, 0
x = Nowhere(np.ones(3), device_type=CUDA)
no_cuda = "lives on cuda:0, but CUDA cannot be used: MDBOPT_CUDA_LIBRARY: (?s:.+)does not exist"
with pytest.raises(RuntimeError, match=f"^norm: stream 'a' {no_cuda}"):
    kernels.norm(x)
sgd = mdbopt.SGD()
with pytest.raises(RuntimeError, match="^SGD: params lives on cuda:0, but CUDA cannot be used"):
    sgd.step(x, x, sgd.init(np.ones(3)))
assert "does not exist" in mdbopt.cuda.why_not()
assert mdbopt.cuda.devices() == []
with pytest.raises(RuntimeError, match="^CUDA cannot be used: "):
    mdbopt.cuda.memory_allocated()
"""


def runs_alone(script, **variables):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_a_library(tmp_path):
    runs_alone(ARRAY_OF_NOWHERE, MDBOPT_CUDA_LIBRARY=str(tmp_path / "none.so"))


def test_a_device_that_is_not_there(emulated):
    array = emulated.array(np.ones(3))

    class Beyond(emulated.Plain):
        index = 1000

    beyond = Beyond(array.memory, array.address, array._layout)
    refused(
        RuntimeError,
        "norm: stream 'a' lives on cuda:1000, but CUDA has",
        lambda: kernels.norm(beyond),
    )


def test_layouts(emulated):
    values = np.full(10, 7.0)
    array = emulated.array(values)
    shifted = emulated.Array(array.memory, array.address + 4, array[:9]._layout)
    out = emulated.array(values[:9])
    for wrong, text in [
        (shifted, "is not aligned to its element size"),
        (array[::2], "has gaps between its elements"),
        (array[::-1], "has a negative stride"),
        (array[:8], "has 8 elements, expected 9"),
        (emulated.array(values[:9].astype(np.float32)), "has dtype float32, expected float64"),
    ]:
        error = TypeError if "dtype" in text else ValueError
        refused(
            error,
            f"sgd: stream 'g' {text}",
            lambda wrong=wrong: kernels.sgd(out, wrong, lr=1.0),
            out,
        )
    sgd = mdbopt.SGD(1.0)
    refused(ValueError, "SGD: grads is not", lambda: sgd.step(out, shifted, sgd.init(out)), out)


def test_read_only(emulated):
    x, g = emulated.array(np.full(3, 7.0)), emulated.array(np.ones(3))
    refused(
        ValueError,
        "sgd: stream 'x' is read-only, expected a writable array",
        lambda: kernels.sgd(x.as_read_only(), g, lr=1.0),
        x,
    )
    sgd = mdbopt.SGD(1.0)
    refused(
        ValueError,
        "SGD: params is read-only",
        lambda: sgd.step(x.as_read_only(), g, sgd.init(x)),
        x,
    )


def test_overlap(library):
    x = library.array(np.full(6, 7.0))
    refused(ValueError, "overlaps stream", lambda: kernels.sgd(x[:4], x[2:], lr=1.0), x)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"backend": "baseline"}, "backend: expected none for arrays on cuda:0, got 'baseline'"),
        ({"threads": 2}, "threads: expected none for arrays on cuda:0, got 2"),
        (
            {"flush_subnormals": True},
            "flush_subnormals: expected False for arrays on cuda:0, got True",
        ),
    ],
)
def test_options_of_the_cpu(library, options, text):
    x, g = library.array(np.full(3, 7.0)), library.array(np.ones(3))
    refused(ValueError, f"sgd: {text}", lambda: kernels.sgd(x, g, lr=1.0, **options), x)
    if "flush_subnormals" not in options:
        sgd = mdbopt.SGD(1.0, **options)
        name = next(iter(options))
        refused(
            ValueError,
            f"SGD: {name}: expected None for parameters on cuda:0",
            lambda: sgd.step(x, g, sgd.init(x)),
            x,
        )


def test_half_precision(library):
    x = library.array(np.ones(3, np.float16))
    refused(TypeError, "square: stream 'g' has dtype", lambda: kernels.square(x, x))


@pytest.fixture
def failing(emulated):
    """Give the runtime, and put it in order afterwards."""
    runtime = emulated.RUNTIME
    runtime.emulated_fail_next.argtypes = [emulated.c_char_p, emulated.c_int]
    yield runtime
    runtime.emulated_recover()


def test_out_of_memory(emulated, failing):
    failing.emulated_fail_next(b"allocation", 0)
    refused(MemoryError, "cuda:0: ", lambda: _core.to_device(np.ones(100), 0))
    assert len(_core.to_device(np.ones(100), 0)) == 100


def test_what_only_the_cpu_has_for_optimizers(library):
    """Mixed dtypes, decays of each array, narrower step sizes: one of each on a device."""
    one, other = np.full(3, 7, np.float32), np.full(4, 7.0)
    x, y, z = library.array(one), library.array(other), library.array(other.astype(np.float32))
    adamw = mdbopt.AdamW()

    def step(params, grads, **options):
        return lambda: adamw.step(params, grads, adamw.init(params), **options)

    grads = [library.array(one), library.array(other)]
    text = "AdamW: params[1] has dtype float64, expected float32, the one of all arrays on cuda:0"
    refused(TypeError, text, step([x, y], grads), x, y)
    grads = [library.array(one), library.array(np.ones(4, np.float32))]
    text = "AdamW: weight_decay[1]: expected the one number of all arrays on cuda:0"
    refused(ValueError, text, step([x, z], grads, weight_decay=[0.1, 0.2]), x, z)
    wide = library.array(one.astype(np.float64))
    refused(TypeError, "AdamW: grads has dtype float64, expected float32", step(x, wide), x)
    half = library.array(one.astype(np.float16))
    refused(TypeError, "AdamW: lr has dtype float16, expected float32", step(x, x, lr=half), x)
    assert step([x, z], grads, weight_decay=[0.1, 0.1])()


@pytest.mark.parametrize("after", range(7))
@pytest.mark.parametrize(
    ("options", "needed"), [({}, 5), ({"max_update": 0.5, "l1": 0.3, "average": 0.9}, 6)]
)
def test_a_step_without_memory_changes_nothing(emulated, failing, after, options, needed):
    host = [np.full(40 + k, 1.0 + k) for k in range(9)]
    params, grads = ([emulated.array(values) for values in host] for _ in range(2))
    adam = mdbopt.HypergradientAdam(lr=0.1, **options)
    state, here = adam.init(params), adam.init(host)
    failing.emulated_fail_next(b"allocation", after)
    try:
        stepped = adam.step(params, grads, state, max_norm=1.0) is not False
    except MemoryError:
        stepped = False
    # Memory for the norm, numbers, two tables and sums, each its own; a table for what follows.
    assert stepped == (after >= needed)
    failing.emulated_recover()
    assert state.t == int(stepped)
    if not stepped:
        for array, values in zip(params, host, strict=True):
            assert np.array_equal(array.numpy(), values)
        adam.step(params, grads, state, max_norm=1.0)
    adam.step(host, [values.copy() for values in host], here, max_norm=1.0)
    for near, far in zip(
        [params, *state._arrays.values()], [host, *here._arrays.values()], strict=True
    ):
        for array, values in zip(near, far, strict=True):
            assert np.array_equal(array.numpy(), values)


NO_DRIVER = """
import numpy as np, pytest
import mdbopt
assert "driver version is insufficient" in mdbopt.cuda.why_not()
assert mdbopt.cuda.devices() == []
with pytest.raises(RuntimeError, match="CUDA cannot be used: .*cudaErrorInsufficientDriver"):
    mdbopt.cuda.memory_allocated()
x = np.ones(3)
mdbopt.kernels.sgd(x, np.ones(3), lr=1.0)
assert not x.any()
"""


def test_without_a_driver(emulated):
    assert emulated.RUNTIME is not None
    runs_alone(NO_DRIVER, EMULATED_CUDA_DEVICES="no-driver")


def test_an_error_of_earlier_work(emulated, failing):
    x, g = emulated.array(np.ones(3)), emulated.array(np.ones(3))
    failing.emulated_fail_next(b"kernel", 0)
    kernels.sgd(x, g, lr=1.0)
    refused(RuntimeError, "cuda:0: in ", lambda: kernels.norm(x))
