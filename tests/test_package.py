"""The package as a whole: what it offers, and what importing it brings in."""

import re
import subprocess
import sys
import sysconfig
from importlib.metadata import metadata

import numpy as np
import pytest

import mdbopt


def test_every_name_is_there_and_listed():
    assert set(mdbopt.__all__) <= set(dir(mdbopt))
    assert {"data", "plot"} <= set(dir(mdbopt))
    assert all(getattr(mdbopt, name) is not None for name in mdbopt.__all__)
    assert not hasattr(mdbopt, "minimise")


def test_importing_brings_in_numpy_alone():
    """SciPy takes three times as long as all else; what needs it brings it in."""
    code = """
import sys, mdbopt
heavy = {"scipy", "sklearn", "matplotlib", "pandas", "torch", "jax"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
mdbopt.AdamW(), mdbopt.Guarded(), mdbopt.kernels.adam
assert "scipy" not in sys.modules
assert mdbopt.minimize(lambda x: (x @ x, 2 * x), [1.0, 2.0], jac=True).success
assert "scipy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has its lock always"
)
def test_importing_leaves_the_lock_of_a_free_threaded_python_off():
    code = "import sys, mdbopt; sys.exit(sys._is_gil_enabled())"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_states_have_their_names():
    assert isinstance(mdbopt.SGD().init(np.ones(2)), mdbopt.OptimizerState)
    assert isinstance(mdbopt.Box().init(np.ones(2), 1.0, np.ones(2)), mdbopt.SearchState)
    assert not hasattr(mdbopt, "State")
    assert not hasattr(mdbopt, "UpdateState")


def test_no_search_is_another():
    kinds = [mdbopt.Backtracking, mdbopt.Box, mdbopt.Simplex, mdbopt.Ellipsoid, mdbopt.Guarded]
    for kind in kinds:
        assert [k for k in kinds if isinstance(kind(), k)] == [kind]


def test_the_long_description_holds_where_no_file_lies_beside_it():
    """A package index shows it alone: whatever it links to has an address of its own."""
    text = metadata("mdbopt").get_payload() or metadata("mdbopt")["Description"]
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    assert "`docs/installing.md`" in text
    assert "convergence.png" not in text
