"""Searches on a device: the bits of the CPU, and nothing of x's size crosses to the host."""

import copy
import gc
import pickle

import numpy as np
import pytest

import mdbopt

SIZE = 3500
LABELS = np.arange(SIZE) * 7 % 5
SEARCHES = {
    "lbfgs": mdbopt.Guarded(memory=6),
    "heavy-ball": mdbopt.Guarded(proposer="heavy-ball"),
    "nesterov": mdbopt.Guarded(proposer="nesterov"),
    "cg": mdbopt.Guarded(proposer="cg"),
    "guarded noise": mdbopt.Guarded(memory=6, noise=(1e-3, 1e-3)),
    "guarded groups": mdbopt.Guarded(memory=2, groups=LABELS),
    "guarded hypergradient": mdbopt.Guarded(memory=2, cut="hypergradient", groups=LABELS),
    "box": mdbopt.Box(),
    "box groups": mdbopt.Box(groups=LABELS),
    "simplex": mdbopt.Simplex(cut="hypergradient"),
    "simplex groups": mdbopt.Simplex(groups=LABELS),
    "ellipsoid": mdbopt.Ellipsoid(),
    "ellipsoid groups": mdbopt.Ellipsoid(groups=LABELS),
    "ellipsoid plain": mdbopt.Ellipsoid(candidate="plain"),
    "ellipsoid refined": mdbopt.Ellipsoid(candidate="plain", refine=2, groups=LABELS),
    "backtracking": mdbopt.Backtracking(),
}
FEW = ("lbfgs", "cg", "box", "ellipsoid groups", "backtracking")
CURVATURES = np.geomspace(1.0, 300.0, SIZE)


def evaluate(x):
    """Return a quadratic with a cubic in it, so that cuts differ, and its gradient."""
    away = x.astype(np.float64) - 1.0
    f = 0.5 * (CURVATURES @ away**2) + np.sum(np.abs(away) ** 3)
    g = CURVATURES * away + 3.0 * away * np.abs(away)
    return float(f), g.astype(x.dtype)


class Here:
    """A search on the CPU."""

    def __init__(self, search, dtype=np.float64, state=None):
        x = np.zeros(SIZE, dtype)
        self.search, self.state = search, state or search.init(x, *evaluate(x))

    def step(self):
        return self.search.judge(self.state, *evaluate(np.array(self.search.propose(self.state))))


class There:
    """A search on a device; the objective is evaluated here."""

    def __init__(self, search, library, dtype=np.float64, state=None):
        self.search, self.library = search, library
        x = np.zeros(SIZE, dtype)
        f, g = evaluate(x)
        self.state = state or search.init(library.array(x), f, library.array(g))

    def step(self):
        f, g = evaluate(self.library.numpy(self.search.propose(self.state)))
        return self.search.judge(self.state, f, self.library.array(g))


def assert_same(here, there):
    """Compare all that can be seen of two states; arrays of the second are on a device."""
    a, b, library = here.state, there.state, there.library
    for name in ("x", "g", "step_sizes"):
        on_device = getattr(b, name)
        assert mdbopt._arrays.is_device(on_device)
        np.testing.assert_array_equal(library.numpy(on_device), getattr(a, name), err_msg=name)
    for name in ("f", "gmax", "ncut", "accepted", "nfev", "status"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SEARCHES)
def test_the_bits_of_the_cpu(library, name, dtype):
    search = SEARCHES[name]
    here, there = Here(search, dtype), There(search, library, dtype)
    assert_same(here, there)
    moved = {there.step() if here.step() else not there.step() for _ in range(16)}
    assert moved == {True}  # both moved or neither
    assert_same(here, there)


@pytest.mark.parametrize("name", FEW)
def test_saved_states_go_from_one_to_the_other(library, name, tmp_path):
    search = SEARCHES[name]
    here, there = Here(search), There(search, library)
    for _ in range(6):
        here.step()
        there.step()
    saved = dict(there.state)
    assert saved.pop("device") == 0
    assert set(saved) == set(here.state)
    for key, value in here.state.items():
        np.testing.assert_array_equal(saved[key], value, err_msg=key)
    np.savez(tmp_path / "state.npz", **there.state)
    with np.load(tmp_path / "state.npz") as file:
        back = Here(search, state=search.restore(file))
    on = There(search, library, state=search.restore(here.state, like=library.array(np.empty(0))))
    for _ in range(5):
        for each in (here, there, back, on):
            each.step()
    assert type(back.state.x) is np.ndarray
    assert_same(here, there)
    assert_same(here, on)
    assert_same(back, there)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_and_pickles_stay_on_the_device(library, duplicate):
    search = SEARCHES["lbfgs"]
    there = There(search, library)
    for _ in range(4):
        there.step()
    twin = There(search, library, state=duplicate(there.state))
    here = Here(search)
    for _ in range(4):
        here.step()
    assert_same(here, twin)
    for each in (here, twin, there):
        each.step()
    assert_same(here, twin)
    assert_same(here, there)


@pytest.mark.parametrize("name", FEW)
def test_other_streams(library, name):
    search = SEARCHES[name]
    here, there = Here(search), There(search, library)
    for each in (here, there):
        each.step()
    with library.new_stream():
        for each in (here, there) * 4:
            each.step()
        assert_same(here, there)
        with library.new_stream():
            for each in (here, there) * 4:
                each.step()
            assert_same(here, there)
            del there, each


def test_what_is_given_is_a_copy(library):
    search = SEARCHES["box"]
    here, there = Here(search), There(search, library)
    for _ in range(5):
        here.step()
        y = there.search.propose(there.state)
        f, g = evaluate(library.numpy(y))
        for given in (y, there.state.x, there.state.g):
            given[...] = np.nan if library.name == "emulated" else given * np.nan
        there.search.judge(there.state, f, library.array(g))
    assert_same(here, there)


def test_arrays_elsewhere_are_refused(library):
    search = SEARCHES["box"]
    x = np.zeros(SIZE)
    f, g = evaluate(x)
    with pytest.raises(ValueError, match="g: lives on the CPU, expected cuda:0"):
        search.init(library.array(x), f, g)
    there = There(search, library)
    search.propose(there.state)
    with pytest.raises(ValueError, match=r"g: lives on the CPU, expected cuda:0 \(as x\)"):
        search.judge(there.state, f, g)
    with pytest.raises(TypeError, match="g: expected a NumPy array or"):
        search.judge(there.state, f, list(g))
    with pytest.raises(ValueError, match=f"g: expected {SIZE} elements"):
        search.judge(there.state, f, library.array(g[1:]))
    with pytest.raises(TypeError, match="g: expected dtype float64"):
        search.judge(there.state, f, library.array(g.astype(np.float32)))
    if library.devices > 1:
        with pytest.raises(ValueError, match=r"g: lives on cuda:1, expected cuda:0 \(as x\)"):
            search.judge(there.state, f, library.array(g, 1))
    # None of this costs the proposed point.
    assert there.step() in (True, False)


def test_a_second_device(library):
    if library.devices < 2:
        pytest.skip("one device only")
    search = SEARCHES["lbfgs"]
    x = np.zeros(SIZE)
    f, g = evaluate(x)
    here, there = Here(search), There(search, library)
    there.state = search.init(library.array(x, 1), f, library.array(g, 1))
    for _ in range(4):
        here.step()
        f, g = evaluate(library.numpy(search.propose(there.state)))
        search.judge(there.state, f, library.array(g, 1))
    assert_same(here, there)
    assert dict(there.state)["device"] == 1


def test_a_failed_start_leaves_nothing(library):
    gc.collect()
    held = mdbopt.cuda.memory_allocated(0)
    x = np.zeros(SIZE)
    f, g = evaluate(x)
    with pytest.raises(ValueError, match="x: expected finite numbers"):
        SEARCHES["lbfgs"].init(library.array(np.full(SIZE, np.inf)), f, library.array(g))
    gc.collect()
    assert mdbopt.cuda.memory_allocated(0) == held


@pytest.mark.parametrize("name", FEW)
def test_memory_is_given_back(library, name):
    gc.collect()
    held = mdbopt.cuda.memory_allocated(0)
    there = There(SEARCHES[name], library)
    for _ in range(3):
        there.step()
    given = there.state.x
    assert mdbopt.cuda.memory_allocated(0) > held + 5 * 8 * SIZE
    del there
    gc.collect()
    assert mdbopt.cuda.memory_allocated(0) - held == 8 * SIZE
    del given
    gc.collect()
    assert mdbopt.cuda.memory_allocated(0) == held


@pytest.mark.parametrize("name", SEARCHES)
def test_only_sums_cross_to_the_host(emulated, name):
    search = SEARCHES[name]
    x = np.zeros(SIZE)
    f, g = evaluate(x)
    state = search.init(emulated.array(x), f, emulated.array(g))

    def counted(what):
        return emulated.RUNTIME.emulated_count(what.encode())

    for _ in range(12):
        before = [counted(f"bytes_to_{where}") for where in ("host", "device")]
        y = search.propose(state)
        after = [counted(f"bytes_to_{where}") for where in ("host", "device")]
        assert before == after
        f, g = evaluate(y.numpy())
        g = emulated.array(g)
        before = [counted(f"bytes_to_{where}") for where in ("host", "device")]
        search.judge(state, f, g)
        after = [counted(f"bytes_to_{where}") for where in ("host", "device")]
        # Numbers, and once a program without the walks that have found the first set; the smallest
        # array has 4·SIZE bytes.
        assert all(b - a < 4 * SIZE for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "kind",
    [mdbopt.Box, mdbopt.Simplex, mdbopt.Ellipsoid, mdbopt.Backtracking, mdbopt.Guarded],
)
def test_a_judgement_waits_once(emulated, kind):
    def evaluate(x):
        h = np.linspace(1.0, 50.0, SIZE)
        return float(0.5 * (h @ (x - 0.5) ** 2)), h * (x - 0.5)

    search, x = kind(initial_scale=0.02, forward=1.5), np.zeros(SIZE)
    f, g = evaluate(x)
    state = search.init(emulated.array(x), f, emulated.array(g))
    seen = set()
    for _ in range(30):
        f, g = evaluate(search.propose(state).numpy())
        g = emulated.array(g)
        before = emulated.RUNTIME.emulated_count(b"synchronizations")
        moved = search.judge(state, f, g)
        waits = emulated.RUNTIME.emulated_count(b"synchronizations") - before
        assert waits == 1
        seen.add(moved)
    assert seen == {True, False} or kind is mdbopt.Guarded
