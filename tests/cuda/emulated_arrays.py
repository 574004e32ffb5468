"""A small array library on an emulated CUDA: memory by cudaMalloc, arrays in and out by DLPack.

It offers what mdbopt asks of a library: `from_dlpack`, `full_like`, dtypes by name, and a current
stream, told through DLPack's C functions.
"""

import ctypes
import os
import weakref
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_int32, c_uint32, c_uint64, c_void_p, py_object
from functools import partial
from typing import ClassVar

import numpy as np
from arrays import CUDA, Destructor, DLTensor, Versioned, new_capsule

float32, float64, float16 = np.float32, np.float64, np.float16
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
LEGACY = 1

_current = {"stream": LEGACY}


def load():
    """Open the emulated runtime, or return why it cannot be."""
    path = os.environ.get("MDBOPT_CUDA_LIBRARY")
    if not path:
        return "MDBOPT_CUDA_LIBRARY names no emulated one"
    library = ctypes.CDLL(path)
    if not hasattr(library, "emulated_count"):
        return f"{path} is not emulated"
    library.cudaMalloc.argtypes = [POINTER(c_void_p), ctypes.c_size_t]
    library.cudaFree.argtypes = [c_void_p]
    library.cudaMemcpy.argtypes = [c_void_p, c_void_p, ctypes.c_size_t, c_int]
    library.cudaStreamCreateWithFlags.argtypes = [POINTER(c_void_p), ctypes.c_uint]
    library.cudaStreamDestroy.argtypes = [c_void_p]
    library.cudaStreamSynchronize.argtypes = [c_void_p]
    library.emulated_count.argtypes = [c_char_p]
    library.emulated_count.restype = c_uint64
    return library


RUNTIME = load()


def _check(status):
    if status != 0:
        raise RuntimeError(f"the emulated CUDA failed with {status}")


@contextmanager
def on_device(index):
    before = c_int()
    _check(RUNTIME.cudaGetDevice(ctypes.byref(before)))
    _check(RUNTIME.cudaSetDevice(index))
    try:
        yield
    finally:
        _check(RUNTIME.cudaSetDevice(before.value))


@contextmanager
def new_stream(device=0):
    """Make a stream the current one."""
    handle, before = c_void_p(), _current["stream"]
    with on_device(device):
        _check(RUNTIME.cudaStreamCreateWithFlags(ctypes.byref(handle), 1))
    _current["stream"] = handle.value
    try:
        yield handle.value
    finally:
        _current["stream"] = before
        _check(RUNTIME.cudaStreamSynchronize(handle))
        _check(RUNTIME.cudaStreamDestroy(handle))


def wait(device):
    with on_device(device):  # the default stream is that of the current device
        _check(RUNTIME.cudaStreamSynchronize(c_void_p(_current["stream"])))


class Memory:
    """Bytes on a device, or those that a DLPack capsule lends."""

    def __init__(self, device, size, address=None, let_go=None):
        self.device, self.size = device, size
        if address is None:
            pointer = c_void_p()
            with on_device(device):
                _check(RUNTIME.cudaMalloc(ctypes.byref(pointer), max(size, 1)))
            address = pointer.value
            weakref.finalize(self, RUNTIME.cudaFree, c_void_p(address))
        elif let_go is not None:
            weakref.finalize(self, let_go)
        self.address = address


class Array:
    """An array on an emulated device; indexed by basic slices only."""

    requests = ()  # a list takes down what __dlpack__ was asked

    def __init__(self, memory, address, layout, read_only=False):
        self.memory, self.address, self._layout, self.read_only = memory, address, layout, read_only

    shape = property(lambda self: self._layout.shape)
    dtype = property(lambda self: self._layout.dtype)
    ndim = property(lambda self: self._layout.ndim)
    size = property(lambda self: self._layout.size)
    index = property(lambda self: self.memory.device)

    def numpy(self):
        """Copy to the host, in the order of memory, once what is queued is done."""
        wait(self.index)
        layout = self._layout
        out = np.empty_like(layout, subok=False)
        if layout.size == 0:
            return out
        steps = zip(layout.shape, layout.strides, strict=True)
        extent = layout.itemsize + sum((n - 1) * stride for n, stride in steps)  # gaps, too
        raw = np.empty(extent, np.uint8)
        _check(RUNTIME.cudaMemcpy(raw.ctypes.data, self.address, extent, DEVICE_TO_HOST))
        out[...] = np.ndarray(layout.shape, layout.dtype, raw, 0, layout.strides)
        return out

    def __getitem__(self, key):
        part = self._layout[key]
        shift = part.__array_interface__["data"][0] - self._layout.__array_interface__["data"][0]
        return type(self)(self.memory, self.address + shift, part, self.read_only)

    def __setitem__(self, key, value):
        assert key is ...
        host = value.numpy() if isinstance(value, Array) else np.asarray(value)
        mine = np.empty_like(self._layout, subok=False)
        mine[...] = host
        wait(self.index)
        flat = mine.ravel(order="K")
        _check(RUNTIME.cudaMemcpy(self.address, flat.ctypes.data, flat.nbytes, HOST_TO_DEVICE))

    def __float__(self):
        return float(self.numpy())

    def copy(self):
        return array(self.numpy(), self.index, kind=type(self))

    def as_read_only(self):
        return type(self)(self.memory, self.address, self._layout, read_only=True)

    def __reduce__(self):
        return array, (self.numpy(), self.index)

    def __dlpack_device__(self):
        return CUDA, self.index

    def __dlpack__(self, *, stream=None, max_version=None):
        if isinstance(self.requests, list):
            self.requests.append({"stream": stream, "max_version": max_version})
        lent = Lent(self)
        return new_capsule(ctypes.addressof(lent.managed), b"dltensor_versioned", _unused)


def describe(tensor, of):
    """Fill in a DLTensor; returns what must outlive it."""
    shape, strides = (
        c_int64s(of.shape),
        c_int64s(s // of.dtype.itemsize for s in of._layout.strides),
    )
    tensor.data, tensor.byte_offset = of.address, 0
    tensor.device_type, tensor.device_id = CUDA, of.index
    tensor.ndim, tensor.shape, tensor.strides = of.ndim, shape, strides
    tensor.code = 4 if of.dtype.name == "bfloat16" else {"f": 2, "u": 1, "i": 0}[of.dtype.kind]
    tensor.bits, tensor.lanes = 8 * of.dtype.itemsize, 1
    return shape, strides


def c_int64s(numbers):
    numbers = list(numbers)
    return (ctypes.c_int64 * len(numbers))(*numbers)


class Lent:
    """A tensor behind a capsule, until its consumer or the capsule lets go."""

    alive: ClassVar = {}

    def __init__(self, of):
        self.of, self.managed = of, Versioned()
        self.managed.major, self.managed.flags = 1, int(of.read_only)
        self.managed.deleter = ctypes.cast(_let_go, c_void_p)
        self.kept = describe(self.managed.tensor, of)
        self.alive[ctypes.addressof(self.managed)] = self


Deleter = ctypes.CFUNCTYPE(None, c_void_p)


@Deleter
def _let_go(managed):
    del Lent.alive[managed]


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype, _get_pointer.argtypes = c_void_p, [py_object, c_char_p]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes = [c_void_p, c_char_p]
_get_raw_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_set_name = ctypes.pythonapi.PyCapsule_SetName
_set_name.argtypes = [py_object, c_char_p]
_USED = b"used_dltensor_versioned"


@ctypes.CFUNCTYPE(None, c_void_p)
def _unused(capsule):
    if _is_valid(capsule, b"dltensor_versioned"):
        del Lent.alive[_get_raw_pointer(capsule, b"dltensor_versioned")]


def _layout(shape, strides, dtype):
    """Make an array that has shape and strides, in bytes, but no memory."""
    return np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, strides)


def array(values, device=0, kind=Array):
    """Copy a NumPy array to a device, laid out alike."""
    values = np.asarray(values)
    if not (values.flags.c_contiguous or values.flags.f_contiguous):
        values = np.ascontiguousarray(values)
    memory = Memory(device, values.nbytes)
    made = kind(memory, memory.address, _layout(values.shape, values.strides, values.dtype))
    made[...] = values
    return made


def full_like(like, value, dtype=None):
    host = np.full_like(like._layout, value, dtype=dtype or like.dtype, subok=False)
    return array(host, like.index)


def from_dlpack(producer):
    """Take in an array of another library, in the order of the current stream."""
    kind, device = producer.__dlpack_device__()
    assert kind == CUDA
    capsule = producer.__dlpack__(stream=_current["stream"], max_version=(1, 0))
    managed = Versioned.from_address(_get_pointer(capsule, b"dltensor_versioned"))
    _set_name(capsule, _USED)
    tensor = managed.tensor
    assert (tensor.device_type, tensor.device_id) == (CUDA, device)
    name = {4: "bfloat16", 2: f"float{tensor.bits}", 1: f"uint{tensor.bits}"}[tensor.code]
    dtype = np.dtype(name)
    shape = tuple(tensor.shape[k] for k in range(tensor.ndim))
    strides = tuple(tensor.strides[k] * dtype.itemsize for k in range(tensor.ndim))
    let_go = Deleter(managed.deleter)
    address = tensor.data + tensor.byte_offset if tensor.data else 0
    memory = Memory(device, 0, address, partial(let_go, ctypes.addressof(managed)))
    return Array(memory, address, _layout(shape, strides, dtype), bool(managed.flags & 1))


# --- DLPack's C functions ------------------------------------------------------------------------
class ExchangeApi(ctypes.Structure):
    _fields_ = [
        ("major", c_uint32),
        ("minor", c_uint32),
        ("previous", c_void_p),
        ("allocator", c_void_p),
        ("from_object", c_void_p),
        ("to_object", c_void_p),
        ("tensor_from_object", c_void_p),
        ("current_work_stream", c_void_p),
    ]


@ctypes.PYFUNCTYPE(c_int, c_int, c_int32, POINTER(c_void_p))
def _current_work_stream(_kind, _device, out):
    # The legacy default stream is 0 for CUDA, as PyTorch and CuPy tell it.
    out[0] = None if _current["stream"] == LEGACY else _current["stream"]
    return 0


_shown = {}


@ctypes.PYFUNCTYPE(c_int, py_object, POINTER(DLTensor))
def _tensor_from_object(shown, out):
    _shown[id(shown)] = describe(out.contents, shown)
    return 0


def _api(**functions):
    api = ExchangeApi(1, 3)
    for name, function in functions.items():
        setattr(api, name, ctypes.cast(function, c_void_p))
    return api


_NAME = b"dlpack_exchange_api"
_API = _api(current_work_stream=_current_work_stream)
_LENDING_API = _api(
    current_work_stream=_current_work_stream, tensor_from_object=_tensor_from_object
)
Array.__dlpack_c_exchange_api__ = new_capsule(ctypes.addressof(_API), _NAME, Destructor())


class Glanced(Array):
    """Arrays that are read without a capsule, as only PyTorch's are."""

    __module__ = "torch.emulated"
    __dlpack_c_exchange_api__ = new_capsule(ctypes.addressof(_LENDING_API), _NAME, Destructor())

    def __dlpack__(self, **request):
        raise AssertionError("a capsule was asked for")


class Plain(Array):
    """Arrays of a library that says nothing of a stream."""

    __dlpack_c_exchange_api__ = None
