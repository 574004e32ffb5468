"""Threads: the same bits from any number of them, after a fork, and from several callers."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mdbopt import _core
from mdbopt.kernels import _internal as kernels

N = 300_007  # enough for seven threads
HAS_FORK = hasattr(os, "fork")


def data(seed):
    a, b = np.random.default_rng(seed).standard_normal((2, N))
    return a, b


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_any_number_of_threads_gives_the_same_bits():
    a, b = data(1)
    one = kernels.dot(a, b, threads=1).dot
    assert one == pytest.approx(a @ b, rel=1e-9)
    for threads in (2, 3, 7, 16, 64):
        assert kernels.dot(a, b, threads=threads).dot == one
    assert kernels.dot(a, b).dot == one


def test_more_threads_than_chunks():
    a = np.arange(1500.0)
    assert kernels.dot(a, a, threads=64).dot == kernels.dot(a, a, threads=1).dot


def test_fewer_threads_after_more():
    a, b = data(2)
    wanted = kernels.dot(a, b, threads=1).dot
    assert {kernels.dot(a, b, threads=t).dot for t in (7, 2, 7, 3, 1, 5) * 20} == {wanted}


def test_callers_at_once():
    """Only one of them gets the workers at a time; the others run their parts themselves."""

    def work(seed):
        a, b = data(seed)
        wanted = kernels.dot(a, b, threads=1).dot
        return all(kernels.dot(a, b, threads=3).dot == wanted for _ in range(60))

    with ThreadPoolExecutor(4) as callers:
        assert all(callers.map(work, range(8)))


def test_writers_at_once():
    def work(seed):
        a, _ = data(seed)
        u = np.empty_like(a)
        for _ in range(20):
            u[:] = 7
            kernels.square(a, u, threads=3)
            if not np.array_equal(u, a * a):
                return False
        return True

    with ThreadPoolExecutor(4) as callers:
        assert all(callers.map(work, range(4)))


def test_default_number_of_threads():
    code = "from mdbopt import _core; print(_core.threads())"
    assert int(run_python(code)[0]) == _core.threads() >= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_default_respects_the_affinity_mask():
    code = """
import os
os.environ.pop("MDBOPT_NUM_THREADS", None)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from mdbopt import _core
print(_core.threads())
"""
    assert run_python(code) == ["1"]


# The default is found when it is first needed: in each child by its own variables.
VARIABLES = """
import json, os, sys
from mdbopt import _core

for name in ("MDBOPT_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "LOKY_MAX_CPU_COUNT"):
    os.environ.pop(name, None)
for variables in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        os.environ.update(variables)
        os.write(1, f"{_core.threads()} ".encode())
        os._exit(0)
    os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not HAS_FORK, reason="needs os.fork")
def test_variables_of_openmp_and_loky():
    wanted = {"1": 1, "5": 5, "5,2": 5, " 5 , 2": 5, "1000000": 4096}
    ignored = ("", "0", "-3", "many", "2.5", "4x", ",4")
    cases = [
        ({}, None),
        *(({"OMP_NUM_THREADS": value}, count) for value, count in wanted.items()),
        *(({"OMP_NUM_THREADS": value}, None) for value in ignored),
        *(({"LOKY_MAX_CPU_COUNT": value}, None) for value in ("words", "0", "4096")),
        ({"LOKY_MAX_CPU_COUNT": "1"}, 1),
        ({"OMP_NUM_THREADS": "5", "OMP_THREAD_LIMIT": "3"}, 3),
        ({"OMP_NUM_THREADS": "5", "LOKY_MAX_CPU_COUNT": "1"}, 5),
        ({"MDBOPT_NUM_THREADS": "7", "OMP_NUM_THREADS": "5", "OMP_THREAD_LIMIT": "3"}, 7),
    ]
    done = subprocess.run(
        [sys.executable, "-c", VARIABLES, json.dumps([variables for variables, _ in cases])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [int(word) for word in done.stdout.split()]
    default = found[0]
    assert found == [default if count is None else count for _, count in cases]


def test_workers_of_joblib_share_the_processors():
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(_core.threads)() for _ in range(2))
    assert found == ([1, 1] if "MDBOPT_NUM_THREADS" not in os.environ else [_core.threads()] * 2)


# The address space ends where it does now, but for a little.
STARVED = """
import resource
import numpy as np
from mdbopt import kernels

a, b = np.random.default_rng(4).standard_normal((2, 300_007))
wanted = kernels.dot(a, b, threads=1).dot
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (4 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_threads_that_cannot_start_are_done_without():
    code = "print(kernels.dot(a, b, threads=64).dot == wanted)"
    assert run_python(f"{STARVED}\n{code}") == ["True"]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize(
    "search", ["Guarded()", "Box()", "Ellipsoid(refine=1)", "Simplex()", "Backtracking()"]
)
def test_a_search_that_finds_no_memory_says_so(search):
    code = f"""
import mdbopt
search = mdbopt.{search}
try:
    search.init(a, 1.0, b)
except MemoryError:
    print("refused")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
state = search.init(a, 0.5 * float(a @ a), a)
search.judge(state, 0.0, 0.0 * search.propose(state))
print(state.nfev)
"""
    starved = STARVED.replace("(4 << 20)", "(1 << 20)")
    assert run_python(f"{starved}\n{code}") == ["refused", "2"]


# A child that hangs is ended by its alarm and so fails.
FORK = """
import os, signal, threading, warnings
import numpy as np
from mdbopt import kernels

# Python 3.12 warns of any fork beside threads; that they do no harm is what is tested.
warnings.filterwarnings("ignore", category=DeprecationWarning)
a, b = np.random.default_rng(4).standard_normal((2, 300_007))
wanted = kernels.dot(a, b, threads=7).dot


def child(generations):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        good = all(kernels.dot(a, b, threads=t).dot == wanted for t in (7, 2, 7))
        good = good and (generations == 1 or child(generations - 1))
        os._exit(0 if good else 1)
    return os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.skipif(not HAS_FORK, reason="needs os.fork")
def test_a_forked_child_computes_the_same():
    code = (
        FORK
        + """
print(child(3), kernels.dot(a, b, threads=7).dot == wanted)
"""
    )
    assert run_python(code) == ["True", "True"]


@pytest.mark.skipif(not HAS_FORK, reason="needs os.fork")
def test_a_child_forked_while_the_workers_work():
    code = (
        FORK
        + """
stop = threading.Event()


def busy():
    while not stop.is_set():
        kernels.dot(a, b, threads=7)


beside = threading.Thread(target=busy)
beside.start()
print(all(child(1) for _ in range(20)), kernels.dot(a, b, threads=7).dot == wanted)
stop.set()
beside.join()
"""
    )
    assert run_python(code) == ["True", "True"]
