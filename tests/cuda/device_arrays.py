"""Device arrays for tests, of PyTorch, CuPy or, without a device, of an emulated CUDA."""

import importlib
import os
from types import SimpleNamespace

import numpy as np


def _torch():
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"

    def array(values, device=0):
        values = np.asarray(values)
        if values.dtype.name == "bfloat16":
            bits = torch.from_numpy(values.view(np.int16).copy())
            return bits.to(f"cuda:{device}").view(torch.bfloat16)
        strides = [stride // values.itemsize for stride in values.strides]
        made = torch.empty_strided(
            values.shape, strides, dtype=getattr(torch, values.dtype.name), device=f"cuda:{device}"
        )
        return made.copy_(torch.from_numpy(values))

    def numpy(array):
        if array.dtype == torch.bfloat16:
            ml_dtypes = importlib.import_module("ml_dtypes")
            return array.detach().view(torch.int16).cpu().numpy().view(ml_dtypes.bfloat16)
        return array.detach().cpu().numpy()

    def new_stream(device=0):
        return torch.cuda.stream(torch.cuda.Stream(device))

    count = torch.cuda.device_count()
    return SimpleNamespace(
        name="torch", array=array, numpy=numpy, new_stream=new_stream, devices=count, module=torch
    )


def _cupy():
    cupy = importlib.import_module("cupy")
    if not cupy.cuda.is_available():
        return "CuPy finds no CUDA device"

    def array(values, device=0):
        with cupy.cuda.Device(device):
            return cupy.array(values, order="K")

    def new_stream(device=0):
        with cupy.cuda.Device(device):
            return cupy.cuda.Stream(non_blocking=True)

    count = cupy.cuda.runtime.getDeviceCount()
    return SimpleNamespace(
        name="cupy",
        array=array,
        numpy=cupy.asnumpy,
        new_stream=new_stream,
        devices=count,
        module=cupy,
    )


def _emulated():
    import emulated_arrays

    if isinstance(emulated_arrays.RUNTIME, str):
        return emulated_arrays.RUNTIME
    count = len(importlib.import_module("mdbopt").cuda.devices())
    return SimpleNamespace(
        name="emulated",
        array=emulated_arrays.array,
        numpy=emulated_arrays.Array.numpy,
        new_stream=emulated_arrays.new_stream,
        devices=count,
        module=emulated_arrays,
    )


MAKERS = {"torch": _torch, "cupy": _cupy, "emulated": _emulated}


def library(name):
    """Return what makes the arrays of a library, or why it cannot."""
    real = name != "emulated"
    if real and os.environ.get("MDBOPT_CUDA_LIBRARY"):
        return "MDBOPT_CUDA_LIBRARY names an emulated one"
    try:
        found = MAKERS[name]()
    except ImportError:
        return f"{name} is not installed"
    return found


NAMES = tuple(MAKERS)
