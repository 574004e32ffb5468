"""Judgements decided on the device: the state of those that wait; nothing crosses to the host."""

import ctypes
import pickle

import device_arrays
import numpy as np
import pytest

import mdbopt

SIZE = 1300
SETS = {
    "box": mdbopt.Box(initial_scale=0.02, forward=1.5),
    "simplex": mdbopt.Simplex(initial_scale=0.02, forward=1.5, cut="hypergradient"),
    "ellipsoid": mdbopt.Ellipsoid(initial_scale=0.02, forward=1.5),
    "plain": mdbopt.Ellipsoid(initial_scale=0.02, forward=1.5, candidate="plain"),
    "backtracking": mdbopt.Backtracking(initial_scale=0.02, forward=1.5),
}
BOX = SETS["box"]
GUARDED = {"guarded": mdbopt.Guarded(), "guarded, 3 pairs": mdbopt.Guarded(memory=3)}
LABELS = np.arange(SIZE) % 7
OTHERS = {
    "box, groups": mdbopt.Box(initial_scale=0.02, forward=1.5, groups=LABELS),
    "ellipsoid, groups": mdbopt.Ellipsoid(forward=1.5, groups=LABELS),
    "ellipsoid, refined": mdbopt.Ellipsoid(forward=1.5, refine=2),
    "guarded, noise": mdbopt.Guarded(noise=(1e-3, 1e-3)),
    "guarded, cg": mdbopt.Guarded(proposer="cg"),
    "guarded, nesterov": mdbopt.Guarded(proposer="nesterov", cut="hypergradient"),
    "guarded, groups": mdbopt.Guarded(proposer="heavy-ball", groups=LABELS),
}
GUARDED |= {name: search for name, search in OTHERS.items() if name.startswith("guarded")}
ALL = SETS | GUARDED | OTHERS
CURVATURES = np.linspace(1.0, 50.0, SIZE)


def evaluate(x):
    away = x.astype(np.float64) - 0.5
    return float(0.5 * (CURVATURES @ away**2)), (CURVATURES * away).astype(x.dtype)


def begin(search, library, dtype=np.float64):
    x = np.zeros(SIZE, dtype)
    f, g = evaluate(x)
    return search.init(library.array(x), f, library.array(g))


def step(search, state, library, number=None, **how):
    f, g = evaluate(library.numpy(search.propose(state, copy=False)))
    told = f if number is None else library.array(np.array(f, number))
    return search.judge(state, told, library.array(g), **how)


def assert_same(a, b):
    a, b = dict(a), dict(b)
    assert list(a) == list(b)
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ALL)
def test_the_state_of_judgements_that_wait(library, name, dtype):
    search = ALL[name]
    waiting, later = begin(search, library, dtype), begin(search, library, dtype)
    kinds = set()
    for k in range(30):
        kinds.add(step(search, waiting, library))
        number = (None, np.float64)[k % 2]
        assert step(search, later, library, number, wait=False) is None
        if k % 5 == 0:
            assert_same(waiting, later)
    assert_same(waiting, later)
    assert kinds == {True, False} or name == "guarded, cg"
    for each in ("f", "gmax", "ncut", "accepted", "nfev", "status"):
        assert getattr(waiting, each) == getattr(later, each)
    for each in ("x", "g", "step_sizes"):
        np.testing.assert_array_equal(
            library.numpy(getattr(waiting, each)), library.numpy(getattr(later, each))
        )
    for wait in (True, False, True, True):
        moved = step(search, waiting, library)
        assert step(search, later, library, wait=wait) == (moved if wait else None)
    assert_same(waiting, later)


@pytest.mark.parametrize("number", [np.float32, np.float16, "bfloat16"])
def test_f_of_any_float_dtype(library, number):
    if number == "bfloat16":
        number = pytest.importorskip("ml_dtypes").bfloat16
    waiting, later = begin(BOX, library), begin(BOX, library)
    for shape in ((), (1,), (1, 1)):
        f, g = evaluate(library.numpy(BOX.propose(waiting)))
        told = np.full(shape, f / 1e3, number)
        BOX.judge(waiting, float(told.ravel()[0]), library.array(g))
        BOX.propose(later)
        BOX.judge(later, library.array(told), library.array(g), wait=False)
        assert_same(waiting, later)


def test_the_trial_keeps_its_place(library):
    state = begin(BOX, library)
    step(BOX, state, library, wait=False)
    y = BOX.propose(state, copy=False)
    for _ in range(12):
        f, g = evaluate(library.numpy(y))
        BOX.judge(state, f, library.array(g), wait=False)
        copy = library.numpy(BOX.propose(state))
        np.testing.assert_array_equal(library.numpy(y), copy)
    assert state.accepted > 0
    assert state.ncut > 0


@pytest.mark.parametrize("name", ["box", "ellipsoid", "guarded"])
def test_saved_states_go_on(library, name, tmp_path):
    search = ALL[name]
    state = begin(search, library)
    for _ in range(7):
        step(search, state, library, wait=False)
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz") as file:
        back = search.restore(file, like=library.array(np.empty(0)))
    twin = pickle.loads(pickle.dumps(state))
    for _ in range(6):
        step(search, state, library, wait=False)
        step(search, back, library, wait=False)
        step(search, twin, library)
    assert_same(state, back)
    assert_same(state, twin)


def test_other_streams(library):
    waiting, later = begin(BOX, library), begin(BOX, library)

    def steps():
        for _ in range(4):
            step(BOX, waiting, library)
            step(BOX, later, library, wait=False)
        assert_same(waiting, later)

    steps()
    with library.new_stream():
        steps()
        with library.new_stream():
            steps()


def test_refusals(library):
    def refused(search, what, error=ValueError, **changed):
        state = begin(search, library)
        f, g = evaluate(library.numpy(search.propose(state)))
        call = {"f": f, "g": library.array(g)} | changed
        with pytest.raises(error, match=what):
            search.judge(state, call["f"], call["g"], wait=False)
        search.judge(state, f, library.array(g))  # this has cost nothing

    refused(BOX, "f: expected one number, got 2", f=library.array(np.zeros(2)))
    refused(BOX, "f: expected a real number", TypeError, f="1")
    refused(BOX, "g: expected 1300 elements", g=library.array(np.zeros(3)))
    refused(BOX, "g: lives on the CPU", g=np.zeros(SIZE))
    x = np.zeros(SIZE)
    f, g = evaluate(x)
    state = BOX.init(x, f, g)
    BOX.propose(state)
    with pytest.raises(ValueError, match="wait: expected True for arrays on the CPU, got False"):
        BOX.judge(state, f, g, wait=False)


def test_a_search_finds_its_set_without_waiting(library):
    search = mdbopt.Box(forward=1.5)
    waiting, later = begin(search, library), begin(search, library)
    assert later["seeking"] == 1
    for _ in range(30):
        step(search, waiting, library)
        step(search, later, library, wait=False)
    assert later["seeking"] == 0
    assert_same(waiting, later)


def counts(runtime):
    names = ("synchronizations", "bytes_to_host", "copies_to_device", "allocations")
    return [runtime.emulated_count(name.encode()) for name in names]


@pytest.mark.parametrize("name", ALL)
def test_nothing_waits_and_nothing_crosses(emulated, name):
    search, runtime = ALL[name], emulated.RUNTIME
    library = device_arrays.library("emulated")
    state = begin(search, library)
    step(search, state, library, wait=False)
    y = search.propose(state, copy=False)
    for _ in range(12):
        f, g = evaluate(y.numpy())
        f, g = emulated.array(np.array(f)), emulated.array(g)
        before = counts(runtime)
        search.judge(state, f, g, wait=False)
        search.propose(state, copy=False)
        assert counts(runtime) == before
    assert state.accepted > 0
    assert state.ncut > 0 or name in GUARDED


KERNELS = {"box": 14, "simplex": 14, "plain": 14, "ellipsoid": 21, "backtracking": 11}
# 29, and 6 for each bundle of pairs: 20 of the 80 pairs that are kept at this size.
KERNELS |= {"guarded": 149, "guarded, 3 pairs": 47, "guarded, noise": 149}
KERNELS |= {"box, groups": 18, "guarded, cg": 30, "guarded, nesterov": 30, "guarded, groups": 31}
# With those that look for the first set.
KERNELS |= {"ellipsoid, groups": 41, "ellipsoid, refined": 36}


@pytest.mark.parametrize("name", ALL)
def test_a_judgement_is_so_many_kernels(emulated, name):
    search, runtime = ALL[name], emulated.RUNTIME
    library = device_arrays.library("emulated")
    state = begin(search, library)
    for _ in range(8):
        f, g = evaluate(search.propose(state, copy=False).numpy())
        g = emulated.array(g)
        before = runtime.emulated_count(b"kernels")
        search.judge(state, f, g, wait=False)
        runtime.cudaDeviceSynchronize()
        assert runtime.emulated_count(b"kernels") - before == KERNELS[name]


class Graph:
    """What a stream of the emulated runtime records."""

    def __init__(self, runtime, stream):
        self.runtime, self.stream, self.exec = runtime, ctypes.c_void_p(stream), ctypes.c_void_p()

    def __enter__(self):
        assert self.runtime.cudaStreamBeginCapture(self.stream, 2) == 0
        return self

    def __exit__(self, *raised):
        graph = ctypes.c_void_p()
        assert self.runtime.cudaStreamEndCapture(self.stream, ctypes.byref(graph)) == 0
        if raised[0] is None:
            flags = ctypes.c_ulonglong(0)
            assert self.runtime.cudaGraphInstantiate(ctypes.byref(self.exec), graph, flags) == 0
        assert self.runtime.cudaGraphDestroy(graph) == 0

    def replay(self):
        assert self.runtime.cudaGraphLaunch(self.exec, self.stream) == 0

    def close(self):
        assert self.runtime.cudaStreamSynchronize(self.stream) == 0
        assert self.runtime.cudaGraphExecDestroy(self.exec) == 0


@pytest.mark.parametrize("name", ALL)
def test_a_graph_judges(emulated, name):
    search, runtime = ALL[name], emulated.RUNTIME
    library = device_arrays.library("emulated")
    waiting, state = begin(search, library), begin(search, library)
    f, g = emulated.array(np.zeros(())), emulated.array(np.zeros(SIZE))
    with emulated.new_stream() as stream:
        search.propose(state)
        with (
            pytest.raises(RuntimeError, match="a graph is being recorded"),
            Graph(runtime, stream),
        ):
            search.judge(state, 0.0, g)
        state = begin(search, library)
        y = search.propose(state, copy=False)
        runtime.cudaDeviceSynchronize()
        graph = Graph(runtime, stream)
        with graph:
            search.judge(state, f, g, wait=False)
            with pytest.raises(RuntimeError, match="cannot be read before it has run"):
                _ = state.f
        for k in range(20):
            step(search, waiting, library)
            told = evaluate(y.numpy())
            f[...], g[...] = told
            graph.replay()
            if k % 4 == 0:
                assert_same(waiting, state)
        assert_same(waiting, state)
        moved = step(search, waiting, library)
        assert step(search, state, library) == moved
        assert_same(waiting, state)
        graph.close()
        del state, y
