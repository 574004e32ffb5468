"""Saved states and checkpoints that were changed: refused by name, or they go on."""

import contextlib
import functools
import os

import numpy as np
from scipy.optimize import OptimizeWarning
from source import Source, folder, refused, require, show, warned

import mdbopt
from mdbopt._minimize import checkpoint

CURVATURES = np.array([1.0, 3.0, 10.0, 0.1, 30.0])
SEARCHES = [
    mdbopt.Guarded(), mdbopt.Guarded(memory=3, proposer="lbfgs"), mdbopt.Guarded(proposer="cg"),
    mdbopt.Guarded(proposer="nesterov", groups=[0, 1, 0, 1, 2]),
    mdbopt.Guarded(bounds=[(-2, 2)] * 5, l1=0.1),
    mdbopt.Box(), mdbopt.Box(groups=[0, 1, 0, 1, 2]), mdbopt.Simplex(), mdbopt.Backtracking(),
    mdbopt.Ellipsoid(), mdbopt.Ellipsoid(refine=2, candidate="plain"), mdbopt.Guarded(noise=1e-3),
]  # fmt: skip
FORMATS = [{}, {"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}]


def evaluate(x):
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        f = float(0.5 * np.sum(CURVATURES * (wide - 1.0) ** 2))
        return f, (CURVATURES * (wide - 1.0)).astype(x.dtype)


def parameters(dtype):
    return {"a": [np.ones(5, dtype), np.ones((2, 3), dtype)], "b": np.ones((), dtype)}


def gradients(params):
    return {"a": [a * 0.5 for a in params["a"]], "b": params["b"] * 2.0}


@functools.cache
def optimizers():
    """Return (an optimizer, dtype, a state of it as it is saved) for each kind and format."""
    made = []
    for name in mdbopt.optimizers.__all__:
        for options in FORMATS:
            dtype = np.float32 if options else np.float64
            try:
                optimizer = getattr(mdbopt, name)(**options)
                params = parameters(dtype)
                state = optimizer.init(params)
            except (TypeError, ValueError):
                continue
            for _ in range(2):
                optimizer.step(params, gradients(params), state)
            made.append((optimizer, dtype, dict(state)))
    return made


@functools.cache
def searches():
    """Return (a search, a state of it as it is saved) for each kind."""
    made = []
    for search in SEARCHES:
        for dtype in (np.float64, np.float32):
            x = np.zeros(5, dtype)
            state = search.init(x, *evaluate(x))
            for _ in range(4):
                search.judge(state, *evaluate(search.propose(state)))
            made.append((search, dict(state)))
    return made


# Evaluations until a checkpoint is saved, and until those that go on from it end.
SAVED, SHORT, LONG = 12, 14, 20


def run(method, most, **files):
    options = {"maxfun": most}
    return mdbopt.minimize(evaluate, np.zeros(5), method=method, jac=True, options=options, **files)


@functools.cache
def checkpoints():
    """Return (a method, the entries of a checkpoint of its, its bytes) for each."""
    made = []
    path = os.path.join(folder(), "whole.npz")
    for method in mdbopt.methods():
        run(method, SAVED, checkpoint=path)
        with np.load(path) as file:
            entries = {name: file[name] for name in file.files if name != "digest"}
        with open(path, "rb") as file:
            made.append((method, entries, file.read()))
    return made


NAMES = ["m", "t", "more", "x", "", "m['a'][0]", "row_t['a'][0]", "row_t['b']", 3]
DTYPES = ["f2", "f4", "f8", "i8", "u1", "u2", ">f8", "c16", "O", "U8"]


def changed(source, saved):
    """Return (a copy of what was saved with some entries changed, their names)."""
    saved, names = dict(saved), set()
    for _ in range(1 + source.below(3)):
        kind = source.below(12)
        name = source.pick(sorted(saved, key=str) if saved and kind != 1 else NAMES)
        names.add(name)
        if kind == 0:
            saved.pop(name, None)
        elif kind == 2 and saved:
            saved[name] = saved[source.pick(sorted(saved, key=str))]
        elif kind > 6 and isinstance(saved.get(name), np.ndarray):
            saved[name] = array_like(source, saved[name])
        else:
            saved[name] = source.value()
    return saved, names


def array_like(source, value):
    """Return an array of a state with one number, its shape or its dtype changed."""
    kind = source.below(5)
    real = value.dtype.kind in "fui"
    if kind == 0:
        empty = value[:0] if value.ndim else value
        return source.pick([empty, value[None], value.T, value.tolist()])
    with np.errstate(all="ignore"):
        if kind == 1 and real:
            return np.nan_to_num(value).astype(source.pick(DTYPES))
        value = value.copy()
        if real and value.size:
            number = source.real() if value.dtype.kind == "f" else source.byte()
            value.flat[source.below(value.size)] = number
    return value


def of_optimizer(source):
    optimizer, dtype, saved = source.pick(optimizers())
    saved, names = changed(source, saved)
    show(optimizer, saved)
    params = parameters(dtype)
    given = saved if not source.seldom(64) else source.value()
    try:
        state = optimizer.restore(params, given)
    except (TypeError, ValueError) as error:
        return refused(error, {"saved"}, "restore of", optimizer, names)
    whole = source.goes_on()
    for _ in range(2 if whole else 1):
        try:
            optimizer.step(params, gradients(params), state)
        except RuntimeWarning as warning:
            warned(warning)
        except ValueError as error:
            # A state at its last step, or of an average that is looked at.
            refused(error, {"t: ", "train() goes back"}, "a step of", optimizer, names)
    if whole:
        dict(state)
    return None


def of_search(source):
    search, saved = source.pick(searches())
    saved, names = changed(source, saved)
    show(search, saved)
    given = saved if not source.seldom(64) else source.value()
    try:
        state = search.restore(given)
    except (TypeError, ValueError) as error:
        # An x of another size fits a state, and not what the search was made for.
        own = {f"{name}: expected" for name in ("groups", "bounds", "l1")}
        return refused(error, {"state", "saved", *own}, "restore of", search, names)
    whole = source.goes_on()
    for _ in range(6 if whole else 2):
        if search.converged(state):
            break
        y = search.propose(state)
        require(y.shape == state.x.shape, "a proposal of x's shape")
        require(np.isfinite(y).all(), "a finite proposal")
        if y.size != 5:
            break
        search.judge(state, *evaluate(y))
    if whole:
        dict(state)
    return None


def of_checkpoint(source):
    method, entries, _ = source.pick(checkpoints())
    entries, _ = changed(source, entries)
    arrays = {str(name) or "_": _savable(value) for name, value in entries.items()}
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind not in "OM"}
    arrays.pop("file", None)
    show(method, arrays)
    path = os.path.join(folder(), "run.npz")
    most = LONG if source.goes_on() else SHORT
    # To write the file and read it takes as long as tens of inputs; others get what it would give.
    if source.goes_on(256):
        np.savez(path, digest=np.array(checkpoint._digest(arrays)), **arrays)
        resume(method, path, most)
        return
    read = {name: a.item() if a.ndim == 0 else a for name, a in arrays.items() if name != "format"}
    with reading(read):
        resume(method, path, most)


@contextlib.contextmanager
def reading(entries):
    """Give these entries whatever checkpoint is read."""
    read = checkpoint.read
    checkpoint.read = lambda path: entries
    try:
        yield
    finally:
        checkpoint.read = read


def of_damaged_file(source):
    method, _, content = source.pick(checkpoints())
    content = bytearray(content)
    for _ in range(1 + source.below(4)):
        content[source.below(len(content))] = source.byte()
    path = os.path.join(folder(), "damaged.npz")
    with open(path, "wb") as file:
        file.write(content[: source.below(len(content))] if source.below(2) else content)
    show(method, path)
    resume(method, path, LONG)


def resume(method, path, most):
    try:
        run(method, most, resume=path)
    except OptimizeWarning:
        pass
    except (TypeError, ValueError) as error:
        refused(error, {"resume", "state"}, "resume of", method)


def _savable(value):
    """Return an array that a checkpoint may hold."""
    plain = isinstance(value, (np.ndarray, str, int, float, bool))
    try:
        return np.asarray(value, dtype=None if plain else "f8")
    except Exception:  # whatever there is that is no array
        return np.zeros(2)


# Files take ten times as long as the others, and most that are damaged are no archives.
KINDS = [of_optimizer, of_search, of_checkpoint, of_damaged_file]
KINDS += 7 * KINDS[:-1]


def prepare():
    """Make what inputs start from."""
    return optimizers(), searches(), checkpoints()


def one_input(data):
    source = Source(data)
    source.pick(KINDS)(source)
