"""Without PyTorch `mdbopt.torch` says what to install; PyTorch is imported only when asked for."""

import subprocess
import sys


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_error_names_the_extra():
    code = """
import sys
sys.modules["torch"] = None
try:
    import mdbopt.torch
except ModuleNotFoundError as error:
    print(error.name, error)
"""
    assert run(code).startswith("torch mdbopt.torch needs PyTorch")
    assert "pip install mdbopt[torch]" in run(code)


def test_mdbopt_alone_brings_in_no_torch():
    assert run("import sys, mdbopt; print('torch' in sys.modules)") == "False\n"
