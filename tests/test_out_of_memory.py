"""Memory that ends, in any allocation of the core: MemoryError, nothing broken, no abort."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
SOURCE = Path(__file__).parent / "failing_memory.cpp"

SETTING = """
import ctypes, numpy as np, mdbopt
from mdbopt import kernels
memory = ctypes.PyDLL(LIBRARY)
memory.grant_allocations.argtypes = [ctypes.c_long]

def check(work, *, ready=lambda: None, after=lambda given: None):
    '''Let every allocation of some work fail in turn, and those after it.'''
    for granted in range(10_000):
        given = ready()
        memory.grant_allocations(granted)
        try:
            work(given)
            raised = False
        except MemoryError:
            raised = True
        refused = memory.refused_allocations()
        assert raised == (refused > 0), f"{refused} failed unsaid after {granted}"
        after(given)
        if not raised:
            assert granted > 0
            return
    raise AssertionError("no end")

x, g = np.ones(50), np.linspace(1, 2, 50)
kernels.norm(x)  # threads are counted once, and without a quota where memory ends then
"""

SEARCH = """
search = mdbopt.{}
def begun():
    state = search.init(x, 1.0, g)
    search.propose(state)
    return state
def judge(state):
    for k in range(12):
        search.judge(state, 10.0 if k % 3 == 0 else 1 - 0.01 * k, g * (1 - 0.01 * k))
        search.propose(state)
check(lambda _: search._new())
check(lambda _: search.init(x, 1.0, g))
check(judge, ready=begun)
check(dict, ready=begun)
saved = dict(begun())
check(lambda _: search.restore(saved))
"""
SEARCHES = [
    "Box()",
    "Ellipsoid(groups=np.arange(50) % 3)",
    "Guarded()",
    "Guarded(proposer='cg')",
]

KERNEL = """
def ready():
    return [np.ones(50), g, np.ones(50), np.zeros(50)]
def untouched_or_done(a):
    assert np.all(a[3] == 0) or np.all(a[3] == 1 - 0.5 * g)
for make in (np.asarray, np.ndarray.tolist, lambda a: np.repeat(a, 2)[::2]):
    work = lambda a: kernels.box_trial(a[0], make(a[1]), a[2], a[3], step=0.5)
    check(work, ready=ready, after=untouched_or_done)
"""

OPTIMIZER = """
optimizer = mdbopt.AdamW(0.1)
params = {"a": [np.ones(9), np.ones((2, 3))], "b": np.ones(3)}
check(lambda _: optimizer.init(params))
def ready():
    p = {"a": [np.ones(9), np.ones((2, 3))], "b": np.ones(3)}
    return p, optimizer.init(p)
def whole(given):
    touched = [np.all(a != 1) for a in (*given[0]["a"], given[0]["b"])]
    assert all(touched) or not any(touched)
check(lambda given: optimizer.step(given[0], params, given[1]), ready=ready, after=whole)
"""

# In forks, since the pool is made once; sums and arrays are those of one thread.
POOL = """
import os
x = np.ones(300_000)
for granted in range(100):
    if os.fork() > 0:
        if os.waitstatus_to_exitcode(os.wait()[1]) == 0:
            break
        continue
    memory.grant_allocations(granted)
    try:
        kernels.dot(x, x, threads=2)
        done = True
    except MemoryError:
        done = False
    refused = memory.refused_allocations()
    assert kernels.dot(x, x, threads=2).dot == 300_000
    os._exit(0 if done and refused == 0 else 1)
else:
    raise AssertionError("no end")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if not sys.platform.startswith("linux") or COMPILER is None:
        pytest.skip("needs Linux and a C++ compiler")
    made = tmp_path_factory.mktemp("memory") / "libfailing_memory.so"
    subprocess.run(
        [*COMPILER.split(), "-std=c++20", "-shared", "-fPIC", SOURCE, "-o", made, "-ldl"],
        check=True,
    )
    return made


@pytest.mark.parametrize(
    "program",
    [*(SEARCH.format(search) for search in SEARCHES), KERNEL, OPTIMIZER, POOL],
    ids=[*SEARCHES, "kernel", "optimizer", "pool"],
)
def test_each_allocation_may_fail(library, program):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"LIBRARY = {str(library)!r}\n{SETTING}{program}"],
        env={**os.environ, "LD_PRELOAD": str(library), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
