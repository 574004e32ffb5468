"""What importing mdbopt.jax says where it cannot be used."""

import subprocess
import sys

import pytest

LACKING = {
    "jax": ("import sys; sys.modules['jax'] = None", r"pip install 'mdbopt[jax]'"),
    "optax": ("import sys; sys.modules['optax'] = None", r"pip install 'mdbopt[jax]'"),
    "headers": (
        "import mdbopt._core as core; core.xla_targets = dict",
        "-C cmake.define.MDBOPT_JAX_INCLUDE_DIR=FOLDER",
    ),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_the_error_says_how_to_get_it(lacking):
    if lacking == "headers":
        pytest.importorskip("optax", reason="optax is not installed")
    before, hint = LACKING[lacking]
    source = f"{before}\nimport mdbopt\ntry:\n import mdbopt.jax\nexcept ImportError as e: print(e)"
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("mdbopt.jax: ")
    assert hint in run.stdout


def test_mdbopt_does_not_import_it():
    source = "import sys, mdbopt; print({'jax', 'optax'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
