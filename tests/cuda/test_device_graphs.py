"""Steps that a CUDA graph records, and numbers that are read on the device when a step runs."""

import ctypes
from contextlib import contextmanager

import numpy as np
import pytest

import mdbopt


def fill(library, array, value):
    """Write a number to an array of one element, in the order of the current stream."""
    if library.name == "emulated":
        runtime = library.module.RUNTIME
        library.module.wait(array.index)
        held = np.full(1, value, array.dtype)
        assert runtime.cudaMemcpy(array.address, held.ctypes.data, held.nbytes, 1) == 0
    else:
        array[...] = value


@contextmanager
def recorded(library, step):
    """Take a step, record another one, and give what replays it."""
    if library.name == "torch":
        torch = library.module
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        yield graph.replay
        return
    mdbopt.cuda.synchronize()  # states were made on the default stream
    with library.new_stream() as stream:
        step()
        if library.name == "cupy":
            stream.begin_capture()
            step()
            graph = stream.end_capture()
            yield lambda: graph.launch(stream)
            stream.synchronize()
            return
        runtime = library.module.RUNTIME
        handle, graph, launchable = (ctypes.c_void_p(n) for n in (stream, 0, 0))
        assert runtime.cudaStreamBeginCapture(handle, 0) == 0
        step()
        assert runtime.cudaStreamEndCapture(handle, ctypes.byref(graph)) == 0
        assert runtime.cudaGraphInstantiate(ctypes.byref(launchable), graph, 0) == 0
        yield lambda: runtime.cudaGraphLaunch(launchable, handle)


def arrays(library, count, seed=0, dtype=np.float32):
    random = np.random.default_rng(seed)
    host = [random.uniform(0.1, 1.0, 700 + 3 * k).astype(dtype) for k in range(count)]
    return host, [library.array(values) for values in host]


OPTIMIZERS = {
    "adamw": (mdbopt.AdamW(lr=0.1), {}),
    "clipped": (mdbopt.Adam(lr=0.1), {"max_norm": 0.5}),
    "learned": (mdbopt.HypergradientSGD(lr=0.1, hyper_lr=1e-3), {}),
    "summed": (mdbopt.AdaGradNorm(lr=0.1), {}),
    "summed by array": (mdbopt.LAMB(lr=0.1), {"max_norm": 0.5}),
    "in 8 bits": (mdbopt.AdamW(lr=0.1, state_dtype="8bit"), {"max_norm": 0.5}),
    "summed by array, in bfloat16": (mdbopt.LAMB(lr=0.1, state_dtype="bfloat16"), {}),
    "finished": (mdbopt.AdamW(lr=0.1, max_update=0.5, l1=0.3, average=0.9), {"max_norm": 0.5}),
    "held back": (mdbopt.Signum(lr=0.1, cautious="mask", weight_decay=0.1), {"max_norm": 0.5}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("count", [1, 7])
def test_replays_are_steps(library, name, count):
    optimizer, options = OPTIMIZERS[name]
    optimizer = type(optimizer)(**{**vars(optimizer), "flush_subnormals": False})
    host, params = arrays(library, count)
    host_grads, grads = arrays(library, count, seed=1)
    state, here = optimizer.init(params), optimizer.init(host)
    plan = optimizer.plan(params, grads, state)
    with recorded(library, lambda: plan.step(**options)) as replay:
        for _ in range(4):
            replay()
        for _ in range(5):
            optimizer.step(host, host_grads, here, **options)
        for ours, theirs in zip(params, host, strict=True):
            np.testing.assert_array_equal(library.numpy(ours), theirs)
        assert state.t == here.t == 5
        numbers = {key for key in state if np.ndim(np.asarray(here[key])) == 0}
        assert all(state[key] == here[key] for key in numbers)


def test_replays_on_another_stream_are_waited_for(emulated):
    optimizer = mdbopt.AdamW(lr=0.1)
    x, g = (emulated.array(np.ones(10, np.float32)) for _ in range(2))
    state = optimizer.init(x)
    runtime = emulated.RUNTIME
    graph, launchable = ctypes.c_void_p(), ctypes.c_void_p()
    with emulated.new_stream() as stream, emulated.new_stream() as other:
        handle = ctypes.c_void_p(other)
        optimizer.step(x, g, state)
        assert runtime.cudaStreamBeginCapture(handle, 0) == 0
        optimizer.step(x, g, state)
        assert runtime.cudaStreamEndCapture(handle, ctypes.byref(graph)) == 0
        assert runtime.cudaGraphInstantiate(ctypes.byref(launchable), graph, 0) == 0
        assert runtime.cudaGraphLaunch(launchable, ctypes.c_void_p(stream)) == 0
        assert state.t == 2


def test_random_bits_advance_with_every_replay(library):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    optimizer = mdbopt.SGD(lr=0.1, rounding="stochastic", seed=3, flush_subnormals=False)
    host = np.linspace(1.0, 2.0, 1500).astype(ml_dtypes.bfloat16)
    host_grad = np.full(1500, 1e-3, ml_dtypes.bfloat16)
    x, g = library.array(host), library.array(host_grad)
    state, here = optimizer.init(x), optimizer.init(host)
    plan = optimizer.plan(x, g, state)
    with recorded(library, plan.step) as replay:
        replay()
        replay()
        for _ in range(3):
            optimizer.step(host, host_grad, here)
        np.testing.assert_array_equal(
            np.asarray(library.numpy(x)).view(np.uint16), host.view(np.uint16)
        )


def test_numbers_are_read_when_a_replay_runs(library):
    optimizer = mdbopt.Adam(flush_subnormals=False)
    (host,), (x,) = arrays(library, 1)
    (host_grad,), (g,) = arrays(library, 1, seed=1)
    lr = library.array(np.array(0.5, np.float32))
    scale = library.array(np.array([4.0], np.float32))
    found = library.array(np.array([0.0], np.float32))
    state, here = optimizer.init(x), optimizer.init(host)

    def step():
        return optimizer.step(x, g, state, lr=lr, grad_scale=scale, found_inf=found)

    with recorded(library, step) as replay:
        optimizer.step(host, host_grad, here, lr=0.5, grad_scale=4.0)
        for rate, by, skip in ((0.25, 4.0, 0), (0.25, 8.0, 1), (0.125, 2.0, 0)):
            fill(library, lr, rate)
            fill(library, scale, by)
            fill(library, found, float(skip))
            replay()
            optimizer.step(host, host_grad, here, lr=rate, grad_scale=by, found_inf=skip)
        np.testing.assert_array_equal(library.numpy(x), host)
        assert state.t == here.t == 3


def test_what_a_recording_would_have_to_allocate(emulated):
    """A first step within a recording is refused, and so is one over other arrays."""
    runtime = emulated.RUNTIME
    optimizer = mdbopt.AdaGradNorm(lr=0.1)
    x, g = (emulated.array(np.ones(3000)) for _ in range(2))
    state = optimizer.init(x)
    with emulated.new_stream() as stream:
        handle, graph = ctypes.c_void_p(stream), ctypes.c_void_p()
        assert runtime.cudaStreamBeginCapture(handle, 0) == 0
        with pytest.raises(RuntimeError, match=r"a graph is being recorded .* outside"):
            optimizer.step(x, g, state)
        runtime.cudaStreamEndCapture(handle, ctypes.byref(graph))
    optimizer.step(x, g, state)
    assert state.t == 1


def test_a_state_is_not_read_within_a_recording(emulated):
    runtime, optimizer = emulated.RUNTIME, mdbopt.AdaGradNorm(lr=0.1)
    x, g = (emulated.array(np.ones(3)) for _ in range(2))
    state = optimizer.init(x)
    with emulated.new_stream() as stream:
        handle, graph = ctypes.c_void_p(stream), ctypes.c_void_p()
        optimizer.step(x, g, state)
        assert runtime.cudaStreamBeginCapture(handle, 0) == 0
        optimizer.step(x, g, state)
        with pytest.raises(RuntimeError, match="cannot be read before it has run"):
            state.t  # noqa: B018
        assert runtime.cudaStreamEndCapture(handle, ctypes.byref(graph)) == 0
        assert state.t == 1


def test_numbers_elsewhere_are_refused(library):
    optimizer = mdbopt.SGD(lr=0.1)
    x, g = (library.array(np.ones(3)) for _ in range(2))
    host, grad = np.ones(3), np.ones(3)
    state, lr = optimizer.init(host), library.array(np.array(0.1))
    with pytest.raises(ValueError, match=r"SGD: lr lives on a device, expected .* \(as params\)"):
        optimizer.step(host, grad, state, lr=lr)
    if library.devices > 1:
        state, found = optimizer.init(x), library.array(np.zeros(1), 1)
        with pytest.raises(ValueError, match="SGD: found_inf lives on cuda:1, expected cuda:0"):
            optimizer.step(x, g, state, found_inf=found)
