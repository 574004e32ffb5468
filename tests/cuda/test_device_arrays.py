"""Arrays on a device through kernels and optimizers: in, on which stream, and out."""

import copy
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import mdbopt
from mdbopt import _core
from mdbopt._arrays import Library, device_of, dtype_name, is_device
from mdbopt.kernels import _internal as kernels


def streams(dtype=np.float64, shape=(5, 7)):
    rng = np.random.default_rng(8)
    x, g = rng.standard_normal((2, *shape)).astype(dtype)
    return [x, g, np.full(shape, 0.25), np.full(shape, 7, dtype)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_gives_the_bits_of_the_cpu(library, dtype):
    host = streams(dtype)
    near = [library.array(a) for a in host]
    assert kernels.box_trial(*near, step=0.5) == kernels.box_trial(*host, step=0.5)
    assert np.array_equal(library.numpy(near[3]), host[3])


def test_column_major_arrays(library):
    host = [np.asfortranarray(a) for a in streams()]
    near = [library.array(a) for a in host]
    assert kernels.box_trial(*near, step=0.5) == kernels.box_trial(*host, step=0.5)
    assert np.array_equal(library.numpy(near[3]), host[3])


def test_a_slice_is_read_and_written_where_it_is(library):
    g, u = np.arange(10.0), np.full(10, 7.0)
    near_g, near_u = library.array(g), library.array(u)
    kernels.square(near_g[2:6], near_u[3:7])
    kernels.square(g[2:6], u[3:7])
    assert np.array_equal(library.numpy(near_u), u)


def test_empty_arrays(library):
    assert kernels.norm(library.array(np.empty(0))) == kernels.norm(np.empty(0))


def test_step_sizes_and_a_copy(library):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    if library.name == "cupy":
        pytest.skip("CuPy has no bfloat16")
    rng = np.random.default_rng(3)
    x, g, lr = rng.standard_normal((3, 40)).astype(np.float32)
    image = np.zeros(40, ml_dtypes.bfloat16)
    near = [library.array(a) for a in (x, g, lr, image)]
    kernels.sgd(near[0], near[1], lr=near[2], copy=near[3])
    kernels.sgd(x, g, lr=lr, copy=image)
    assert np.array_equal(library.numpy(near[0]), x)
    assert np.array_equal(library.numpy(near[3]).view(np.uint16), image.view(np.uint16))


def test_work_goes_to_the_current_stream(emulated):
    g, u = emulated.array(np.arange(4.0)), emulated.array(np.zeros(4))
    g.requests, u.requests = [], []
    with emulated.new_stream() as stream:
        kernels.square(g, u)
    kernels.square(g, u)
    asked = [{"stream": s, "max_version": (1, 3)} for s in (stream, emulated.LEGACY)]
    assert g.requests == u.requests == asked
    assert emulated.Lent.alive == {}


def test_the_first_array_says_the_stream(emulated):
    values = np.arange(4.0)
    plain = emulated.array(values, kind=emulated.Plain)
    other = emulated.array(np.zeros(4))
    plain.requests, other.requests = [], []
    with emulated.new_stream() as stream:
        kernels.square(plain, other)
        assert [r["stream"] for r in plain.requests + other.requests] == [1, 1]
        kernels.square(other, emulated.array(values, kind=emulated.Plain))
        assert other.requests[-1]["stream"] == stream


def test_no_capsule_is_made_where_c_functions_read(emulated):
    x, g = (emulated.array(np.arange(6.0) + k, kind=emulated.Glanced) for k in range(2))
    host = [np.arange(6.0), np.arange(6.0) + 1]
    kernels.sgd(x, g, lr=0.5)
    kernels.sgd(*host, lr=0.5)
    assert np.array_equal(x.numpy(), host[0])
    sgd = mdbopt.SGD(0.5)
    state = sgd.init(x)
    sgd.step({"a": [x]}, {"a": [g]}, state)
    sgd.step({"a": [host[0]]}, {"a": [host[1]]}, sgd.init(host[0]))
    assert np.array_equal(x.numpy(), host[0])
    # Those of another library order themselves on its stream.
    plain = emulated.array(host[1], kind=emulated.Plain)
    plain.requests = []
    with emulated.new_stream() as stream:
        kernels.sgd(emulated.array(host[0]), plain, lr=0.5)
        sgd.step([emulated.array(host[0], kind=emulated.Glanced)], [plain], sgd.init([x]))
    assert [r["stream"] for r in plain.requests] == [stream, stream]


def test_cupy_is_asked_with_its_device_current(emulated, monkeypatch):
    log = []

    class Device:
        def __init__(self, index):
            self.index = index

        def __enter__(self):
            log.append(self.index)

        def __exit__(self, *_):
            log.append("left")

    cuda = SimpleNamespace(
        Device=Device,
        runtime=SimpleNamespace(getDevice=lambda: 1),
        get_current_stream=lambda: SimpleNamespace(ptr=0),
    )
    array_type = type("Array", (emulated.Plain,), {"__module__": "cupy._core.core"})
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    g, u = (emulated.array(np.arange(3.0), kind=array_type) for _ in range(2))
    kernels.square(g, u)
    assert np.array_equal(u.numpy(), np.arange(3.0) ** 2)
    assert log == [0, "left"] * 3  # its stream, and the two capsules


OPTIMIZERS = {
    "AdamW": mdbopt.AdamW(0.1, weight_decay=0.1),
    "SGD": mdbopt.SGD(0.1, momentum=0.5),
    "AdaGradNorm": mdbopt.AdaGradNorm(0.1),
    "OSGM": mdbopt.OSGM(0.1),
    "LAMB": mdbopt.LAMB(0.1),
    "MARSLion, stochastic": mdbopt.MARSLion(0.1, rounding="stochastic", seed=3),
    "stochastic": mdbopt.Lion(0.1, rounding="stochastic", seed=3),
    "RAdam": mdbopt.RAdam(0.1, beta2=0.9),
    "AdEMAMix": mdbopt.AdEMAMix(0.1, warmup=2),
    "ADOPT": mdbopt.ADOPT(0.1),
    "ScheduleFreeAdamW": mdbopt.ScheduleFreeAdamW(0.1, warmup=2),
}


def trees(make, dtype=np.float32):
    rng = np.random.default_rng(5)

    def one(*shape):
        return make(rng.standard_normal(shape).astype(dtype))

    return [{"w": [one(3, 4), one(7)], "b": one(1)} for _ in range(2)]


def leaves(tree):
    return [*tree["w"], tree["b"]]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_steps_give_the_bits_of_the_cpu(library, name, dtype):
    optimizer = OPTIMIZERS[name]
    params, grads = trees(library.array, dtype)
    host, host_grads = trees(np.array, dtype)
    state, host_state = optimizer.init(params), optimizer.init(host)
    for k in range(3):
        options = {"max_norm": 0.5} if k == 2 else {}
        there = optimizer.step(params, grads, state, **options)
        here = optimizer.step(host, host_grads, host_state, **options)
        if k == 2:  # a norm that lives where the arrays do
            assert (is_device(there), dtype_name(there), tuple(there.shape)) == (
                True,
                "float64",
                (),
            )
            assert float(library.numpy(there)) == here
        else:
            assert there is here is True
    for near, far in zip(leaves(params), leaves(host), strict=True):
        assert np.array_equal(library.numpy(near), far)
    assert all(is_device(a) for a in state.values() if hasattr(a, "shape"))
    assert state._numbers() == host_state._numbers()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_averages_are_those_of_the_cpu(library, dtype):
    optimizer = mdbopt.ScheduleFreeSGD(0.1)
    params, grads = trees(library.array, dtype)
    host, host_grads = trees(np.array, dtype)
    state, host_state = optimizer.init(params), optimizer.init(host)
    for _ in range(2):
        optimizer.step(params, grads, state)
        optimizer.step(host, host_grads, host_state)
    for swap in (optimizer.eval, optimizer.train):
        before = [a.copy() for a in leaves(host)]
        swap(params, state)
        swap(host, host_state)
        for near, far in zip(leaves(params), leaves(host), strict=True):
            assert np.array_equal(library.numpy(near), far)
        assert not all(map(np.array_equal, leaves(host), before))
        assert (state.t, state._numbers()) == (host_state.t, host_state._numbers())


def test_rates_of_all_kinds(library):
    sgd = mdbopt.SGD(0.1)
    x, g = np.arange(4.0), np.ones(4)
    for near, far in [
        (library.array(np.array(0.5)), 0.5),
        ([library.array(np.arange(4.0))], [np.arange(4.0)]),
        (library.array(np.array([0.25])), [0.25]),
        (np.array([0.25]), [0.25]),
    ]:
        params, host = [library.array(x)], [x.copy()]
        sgd.step(params, [library.array(g)], sgd.init(params), lr=near)
        sgd.step(host, [g], sgd.init(host), lr=far)
        assert np.array_equal(library.numpy(params[0]), host[0])


@pytest.mark.parametrize("options", [{}, {"max_update": 0.5}, {"decoupled": False}], ids=str)
def test_decays_that_a_step_is_given(library, options):
    optimizer = mdbopt.NAdam(0.1, weight_decay=0.25, **{"decoupled": True, **options})
    params, host = [library.array(np.ones(3))], [np.ones(3)]
    state, here = optimizer.init(params), optimizer.init(host)
    for decay in (0.5, [0.75], None, 0.0):
        optimizer.step(params, [library.array(np.ones(3))], state, weight_decay=decay)
        optimizer.step(host, [np.ones(3)], here, weight_decay=decay)
        assert np.array_equal(library.numpy(params[0]), host[0])
    each = mdbopt.SGD(0.1, weight_decay=[0.5, 0.5])
    params, host = [[make(np.ones(n)) for n in (3, 4)] for make in (library.array, np.array)]
    each.step(params, [library.array(np.ones(n)) for n in (3, 4)], each.init(params))
    each.step(host, [np.ones(n) for n in (3, 4)], each.init(host))
    assert all(np.array_equal(library.numpy(a), b) for a, b in zip(params, host, strict=True))


def test_a_device_scalar_skips(library):
    x, g, sgd = library.array(np.ones(3)), library.array(np.ones(3)), mdbopt.SGD(0.5)
    state = sgd.init(x)
    for found, scale in ((1.0, 4.0), (0.0, 2.0)):
        there = {"found_inf": found, "grad_scale": scale}
        there = {name: library.array(np.array(value)) for name, value in there.items()}
        assert sgd.step(x, g, state, **there)  # whether it was skipped, the device knows
    assert np.array_equal(library.numpy(x), np.full(3, 0.75))
    assert state.t == 1
    assert not sgd.step(x, g, state, found_inf=True)


@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_groups_give_the_bits_of_the_cpu(library, max_norm):
    optimizer = mdbopt.groups([(mdbopt.Lion(0.1), "b"), (mdbopt.AdamW(0.1, threads=2), None)])
    near = mdbopt.groups([(mdbopt.Lion(0.1), "b"), (mdbopt.AdamW(0.1), None)])
    params, grads = trees(library.array)
    host, host_grads = trees(np.array)
    state, host_state = near.init(params), optimizer.init(host)
    for _ in range(3):
        there = near.step(params, grads, state, max_norm=max_norm, grad_scale=2.0)
        assert there == optimizer.step(
            host, host_grads, host_state, max_norm=max_norm, grad_scale=2.0
        )
    for ours, theirs in zip(leaves(params), leaves(host), strict=True):
        assert np.array_equal(library.numpy(ours), theirs)
    skips = library.array(np.array(1.0))
    near.step(params, grads, state, found_inf=skips)
    assert state.t == 3
    before = library.numpy(params["b"]).copy()
    assert near.step(params, grads, state, found_inf=1.0) is False
    assert np.array_equal(library.numpy(params["b"]), before)


def test_rows_are_refused(library):
    x, g = library.array(np.ones((4, 3))), library.array(np.ones((1, 3)))
    sgd = mdbopt.SGD(0.5)
    with pytest.raises(
        ValueError, match=r"params lives on cuda:0, expected the CPU for a step of some rows"
    ):
        sgd.step(x, g, sgd.init(x), rows=[2])
    assert np.array_equal(library.numpy(x), np.ones((4, 3)))


def test_a_state_is_saved_and_restored(library):
    adam = mdbopt.AdamW(0.1)
    (params, grads), (host, host_grads) = trees(library.array), trees(np.array)
    state, host_state = adam.init(params), adam.init(host)
    adam.step(params, grads, state)
    adam.step(host, host_grads, host_state)
    saved, host_saved = dict(state), dict(host_state)
    for made in (
        adam.restore(params, saved),
        adam.restore(params, host_saved),
        copy.deepcopy(state),
        pickle.loads(pickle.dumps(state)),
    ):
        assert made.t == 1
        for name, value in host_saved.items():
            if hasattr(value, "shape"):
                assert is_device(made[name])
                assert np.array_equal(library.numpy(made[name]), value)
    back = adam.restore(host, saved)
    assert np.array_equal(back.m["w"][0], host_state.m["w"][0])
    assert not is_device(back.m["w"][0])


def test_library_takes_device_arrays(library):
    x = library.array(np.arange(3.0))
    found = Library(x)
    assert found.is_device
    assert device_of(x) == 0
    assert not is_device(np.ones(3))
    made = found.from_device(_core.to_device(np.arange(4.0), 0))
    assert type(made) is type(x)
    assert np.array_equal(library.numpy(made), np.arange(4.0))
    assert np.array_equal(found.to_host(x, "x"), np.arange(3.0))


def test_kept_memory_is_counted(library):
    before = mdbopt.cuda.memory_allocated()
    array = _core.to_device(np.ones(1000), 0)
    assert mdbopt.cuda.memory_allocated() >= before + 8000
    taken = library.module.from_dlpack(array)
    del array
    assert np.array_equal(library.numpy(taken), np.ones(1000))
    del taken
    mdbopt.cuda.synchronize()
    assert mdbopt.cuda.memory_allocated() == before


def test_device_array(library):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    array = _core.to_device(values, 0)
    assert (array.shape, array.dtype, array.device, len(array)) == ((2, 3), "float32", 0, 2)
    assert np.array_equal(array.to_numpy(), values)
    assert np.array_equal(_core.to_host(library.array(values.T)), values.T)
    assert array.__dlpack_device__() == (2, 0)
    interface = array.__cuda_array_interface__
    assert (interface["typestr"], interface["version"], interface["stream"]) == ("<f4", 3, 1)
    assert "dltensor_versioned" in repr(array.__dlpack__(stream=-1, max_version=(1, 0)))
    assert '"dltensor"' in repr(array.__dlpack__(stream=1))
    copied = library.module.from_dlpack(
        type(
            "Copy",
            (),
            {
                "__dlpack_device__": lambda self: array.__dlpack_device__(),
                "__dlpack__": lambda self, **request: array.__dlpack__(**{**request, "copy": True}),
            },
        )()
    )
    kernels.square(library.array(np.full((2, 3), 2.0)), _core.to_device(np.ones((2, 3)), 0))
    assert np.array_equal(library.numpy(copied), values)
    with pytest.raises(ValueError, match="stream: expected 1"):
        array.__dlpack__(stream=0)
    with pytest.raises(BufferError, match="lives on cuda:0, cannot be had on device"):
        array.__dlpack__(dl_device=(1, 0), copy=False)
    assert kernels.norm(array) == kernels.norm(values)


def test_devices():
    cuda = mdbopt.cuda
    assert cuda.is_available() == (cuda.why_not() == "") == (cuda.devices() != [])
    for k, device in enumerate(cuda.devices()):
        assert device.index == k
        assert device.memory > 0
        assert device.compute_capability[0] >= 1
    with pytest.raises((ValueError, RuntimeError), match=r"device: expected|cannot be used"):
        cuda.synchronize(1000)
