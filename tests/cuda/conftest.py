"""Every test runs on the arrays of each library that is here.

Without a driver, mdbopt opens the library that `make check-release` builds on a stand-in for CUDA.
"""

import ctypes
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EMULATED = ROOT / "build/release/tests/cuda_runtime/libmdbopt_cuda_emulated.so"


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


# Before anything asks mdbopt for a device.
if EMULATED.is_file() and not has_driver():
    os.environ.setdefault("MDBOPT_CUDA_LIBRARY", str(EMULATED))

import device_arrays  # noqa: E402

WITHOUT = "no CUDA device, and no emulated one: run `make check-release`"
LIBRARIES = {name: device_arrays.library(name) for name in device_arrays.NAMES}
HERE = [name for name, library in LIBRARIES.items() if not isinstance(library, str)]


def pytest_collection_modifyitems(items):
    for item in items:
        if {"library", "emulated"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("gpu")


@pytest.fixture(params=HERE or [None])
def library(request):
    """Give what makes device arrays: `array`, `numpy`, `new_stream`, `devices`, `module`."""
    if request.param is None:
        pytest.skip(WITHOUT)
    return LIBRARIES[request.param]


@pytest.fixture
def emulated():
    """Give the emulated library and its runtime."""
    if isinstance(LIBRARIES["emulated"], str):
        pytest.skip(LIBRARIES["emulated"])
    return LIBRARIES["emulated"].module
