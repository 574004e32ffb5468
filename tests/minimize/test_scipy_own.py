"""SciPy's own tests of `minimize`, those for any method, with `scipy_method` as the method.

They run in a process of their own: their marks are not those that this configuration knows.
"""

import importlib
import inspect
import json
import subprocess
import sys
import traceback
import warnings

import pytest

import mdbopt

# The class, the test, and what else it takes beside the method. Left out are those of bounds, which
# are refused, of Hessians, and of options that belong to one of SciPy's methods.
OWN = [
    ("TestOptimizeSimple", "test_callback_stopiteration", {"new_cb_interface": 0}),
    ("TestOptimizeSimple", "test_callback_stopiteration", {"new_cb_interface": 1}),
    ("TestOptimizeSimple", "test_callback_stopiteration", {"new_cb_interface": 2}),
    ("TestOptimizeSimple", "test_duplicate_evaluations", {}),
    ("TestOptimizeSimple", "test_minimize_warnings_gh1953", {}),
    ("TestOptimizeSimple", "test_nan_values", {}),
    ("TestOptimizeSimple", "test_no_increase", {}),
    ("TestOptimizeSimple", "test_respect_maxiter", {}),
    ("TestAnnotations", "test_callable_annotations", {}),
    ("", "test_minimize_maxiter_noninteger", {}),
]
METHODS = ("guarded", "box")
ABSENT = "this SciPy has no such test"


def outcome(group, test, arguments, method):
    """Run one test of SciPy's; say nothing where it passes."""
    theirs = importlib.import_module("scipy.optimize.tests.test_optimize")
    home = getattr(theirs, group, None) if group else theirs
    if not hasattr(home, test):
        return ABSENT
    owner = home() if inspect.isclass(home) else home
    if hasattr(owner, "setup_method"):
        owner.setup_method()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(owner, test)(method=mdbopt.scipy_method(method), **arguments)
    except BaseException:  # what pytest raises is no Exception
        return traceback.format_exc()
    return ""


@pytest.fixture(scope="module")
def outcomes():
    pytest.importorskip("scipy.optimize.tests")
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", range(len(OWN)), ids=lambda place: f"{OWN[place][1]}-{place}")
def test_scipys_own(outcomes, place, method):
    said = outcomes[METHODS.index(method)][place]
    if said == ABSENT:
        pytest.skip(said)
    assert not said


if __name__ == "__main__":
    print(json.dumps([[outcome(*each, method) for each in OWN] for method in METHODS]))
