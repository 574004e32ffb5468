"""What CMake decides before anything is compiled: instruction sets, and CUDA when asked for."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from test_build import CSRC, ROOT

pytestmark = pytest.mark.slow
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
NOWHERE = {"CUDACXX": "/nowhere/nvcc"}
MISSING = "no CUDA compiler (nvcc) that works is found"
OLD = "does not know architecture 999 of MDBOPT_CUDA_ARCHITECTURES (80-real;999)"


@pytest.fixture
def configure(tmp_path):
    """Give what configures the extension: it returns exit status, what was said, and the plan."""
    if shutil.which("cmake") is None or shutil.which("ninja") is None:
        pytest.skip("cmake or ninja is not installed")
    pytest.importorskip("pybind11")
    pytest.importorskip("tvm_ffi")

    def run(*definitions, environment=None):
        command = ["cmake", "-G", "Ninja", "-S", ROOT, "-B", tmp_path, "-DMDBOPT_PYTHON=ON"]
        command += [f"-DPython_EXECUTABLE={sys.executable}", *(f"-D{each}" for each in definitions)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **(environment or {})}
        )
        plan = tmp_path / "build.ninja"
        said = " ".join((done.stdout + done.stderr).split())
        return done.returncode, said, plan.read_text() if plan.is_file() else ""

    return run


def test_nothing_of_cuda_unless_asked_for(configure):
    status, said, plan = configure()
    assert status == 0, said
    assert "CUDA" not in said
    assert "mdbopt_cuda" not in plan


def test_cuda_without_a_compiler(configure):
    status, said, _ = configure("MDBOPT_CUDA=ON", environment=NOWHERE)
    assert status != 0
    assert f"MDBOPT_CUDA is ON, but {MISSING}" in said
    status, said, plan = configure("MDBOPT_CUDA=AUTO", environment=NOWHERE)
    assert status == 0, said
    assert f"mdbopt: without CUDA, for {MISSING}" in said
    assert "mdbopt_cuda" not in plan


@needs_nvcc
def test_cuda_with_a_compiler_that_is_too_old(configure):
    asked = "MDBOPT_CUDA_ARCHITECTURES=80-real;999"
    status, said, plan = configure("MDBOPT_CUDA=AUTO", asked)
    assert status == 0, said
    assert "mdbopt: without CUDA, for" in said
    assert OLD in said
    assert "mdbopt_cuda" not in plan
    status, said, _ = configure("MDBOPT_CUDA=ON", asked)
    assert status != 0
    assert OLD in said
    assert "use a newer nvcc, or ask for others" in said
    status, said, plan = configure("MDBOPT_CUDA=ON", "MDBOPT_CUDA_ARCHITECTURES=80-real")
    assert status == 0, said
    assert "mdbopt_cuda" in plan


def test_another_word_for_cuda(configure):
    status, said, _ = configure("MDBOPT_CUDA=perhaps")
    assert status != 0
    assert "MDBOPT_CUDA is perhaps, expected OFF, ON or AUTO" in said


@pytest.mark.parametrize("compiler", ["clang++-14", "clang++-15", "g++-10"])
def test_a_compiler_that_is_too_old(configure, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    status, said, plan = configure(f"CMAKE_CXX_COMPILER={compiler}")
    assert status != 0
    assert re.search(r"mdbopt: (Clang|GNU) \S+ \(\S+\) is too old, use GCC 11", said), said
    assert not plan


def test_python_without_its_headers(configure, tmp_path):
    status, said, plan = configure(f"Python_INCLUDE_DIR={tmp_path}")
    assert status != 0
    assert f"mdbopt: Python.h of {sys.executable} is missing (on Debian or Ubuntu: sudo" in said
    assert not plan


def test_a_python_that_is_too_old(configure, tmp_path):
    """A stand-in that answers CMake's first question, the version, as Python 3.9 would."""
    old = tmp_path / "python3.9"
    old.write_text(f"""#!{sys.executable}
import sys
sys.version_info = (3, 9, 18, "final", 0)
sys.hexversion = 0x030912F0
sys.version = "3.9.18 (main)"
exec(sys.argv[2])
""")
    old.chmod(0o755)
    status, said, plan = configure(f"Python_EXECUTABLE={old}")
    assert status != 0
    assert f"mdbopt: Python 3.10 or newer is missing ({old} is 3.9.18)" in said
    assert not plan


def test_a_python_without_the_headers_of_pybind11(configure, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    status, said, plan = configure(f"Python_EXECUTABLE={bare}/bin/python")
    assert status != 0
    expected = f"pybind11.h is missing; for {bare}/bin/python: pip install pybind11 apache-tvm-ffi"
    assert expected in said
    assert not plan


def test_instruction_sets(configure):
    def compiled(plan):
        return set(re.findall(r"backend_(\w+)\.cpp\.o", plan))

    every = {path.stem.removeprefix("backend_") for path in CSRC.rglob("backend_*.cpp")}
    status, said, plan = configure()
    assert status == 0, said
    assert compiled(plan) in (every, {"baseline"})  # of x86, of others
    status, said, plan = configure("MDBOPT_NATIVE=ON")
    assert status == 0, said
    assert len(compiled(plan)) == 1
    assert compiled(plan) <= every


def test_the_headers_of_xlas_calls(configure, tmp_path):
    headers = tmp_path / "headers"
    status, said, _ = configure(f"MDBOPT_JAX_INCLUDE_DIR={headers}")
    assert status != 0
    assert f"MDBOPT_JAX_INCLUDE_DIR is {headers}, where no xla/ffi/api/ffi.h is" in said
    (headers / "xla/ffi/api").mkdir(parents=True)
    (headers / "xla/ffi/api/ffi.h").touch()
    status, said, plan = configure(f"MDBOPT_JAX_INCLUDE_DIR={headers}")
    assert status == 0, said
    assert f"-isystem {headers}" in plan
    assert "jax_search.cpp" in plan
