"""Arrays for tests of the border: streams of box_trial, and DLPack producers made by hand."""

import ctypes
from ctypes import POINTER, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

import numpy as np

from mdbopt import kernels

CPU, CUDA = 1, 2
INT, UINT, FLOAT, BFLOAT, COMPLEX, BOOL = 0, 1, 2, 4, 5, 6


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class Unversioned(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", c_void_p), ("deleter", c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", c_uint32),
        ("minor", c_uint32),
        ("context", c_void_p),
        ("deleter", c_void_p),
        ("flags", c_uint64),
        ("tensor", DLTensor),
    ]


Destructor = ctypes.CFUNCTYPE(None, c_void_p)
# These take the capsule while it is being freed, and so by its address.
get_context = ctypes.PYFUNCTYPE(c_void_p, c_void_p)(("PyCapsule_GetContext", ctypes.pythonapi))
release = ctypes.PYFUNCTYPE(None, c_void_p)(("Py_DecRef", ctypes.pythonapi))
set_context = ctypes.pythonapi.PyCapsule_SetContext
set_context.argtypes = [ctypes.py_object, c_void_p]
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [c_void_p, ctypes.c_char_p, Destructor]


class Producer:
    """Shows a NumPy array through `__dlpack__` as it is told to; counts capsules, which keep it."""

    alive = 0

    def __init__(
        self,
        array,
        *,
        versioned=True,
        accepts_version=True,
        read_only=False,
        major=1,
        name=None,
        shape=None,
        strides=None,
        null_strides=False,
        **fields,
    ):
        self.array = array
        self.accepts_version = accepts_version
        self.requests = []
        self.managed = Versioned() if versioned else Unversioned()
        self.name = name or (b"dltensor_versioned" if versioned else b"dltensor")
        if versioned:
            self.managed.major, self.managed.flags = major, int(read_only)
        if strides is None:
            strides = [stride // array.itemsize for stride in array.strides]
        shape = array.shape if shape is None else shape
        self.shape, self.strides = ((c_int64 * len(a))(*a) for a in (shape, strides))
        tensor = self.managed.tensor
        tensor.data = array.ctypes.data
        tensor.device_type = CPU
        tensor.ndim = len(shape)
        tensor.code, tensor.bits, tensor.lanes = FLOAT, 8 * array.itemsize, 1
        tensor.shape = self.shape
        tensor.strides = None if null_strides else self.strides
        for field, value in fields.items():
            setattr(tensor, field, value)

    def __dlpack__(self, **request):
        self.requests.append(request)
        if request and not self.accepts_version:
            raise TypeError(
                f"__dlpack__() got an unexpected keyword argument {next(iter(request))!r}"
            )
        capsule = new_capsule(ctypes.addressof(self.managed), self.name, let_go)
        Producer.alive += 1
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        set_context(capsule, id(self))
        return capsule


@Destructor
def let_go(capsule):
    Producer.alive -= 1
    release(get_context(capsule))


def call(x, g, b, x_trial, **options):
    return kernels.box_trial(x, g, b, x_trial, step=0.5, **options)


def streams(shape=6, dtype=np.float64):
    """Return x, g, b and x_trial of box_trial; the last holds 7 everywhere."""
    rng = np.random.default_rng(3)
    x, g = rng.standard_normal((2, *np.atleast_1d(shape))).astype(dtype)
    return [x, g, np.full(shape, 0.25), np.full(shape, 7, dtype)]


def expected(x, g, b):
    wide = x.astype(np.float64) - (0.5 * b) * g.astype(np.float64)
    return wide.astype(x.dtype)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def text(*words):
    """Return words in NumPy's dtype of variable width, where it has one."""
    variable = getattr(np, "dtypes", None) and getattr(np.dtypes, "StringDType", None)
    return np.array(words, variable() if variable else "U")


def overlapping(shift):
    base = np.full(20, 7.0)
    return base, base[:6], base[shift : shift + 6]
