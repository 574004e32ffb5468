"""The rows of goals.py: what is measured beside what, and the ratio that is aimed at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from measuring import kernels, ours, updates, values, words
from measuring.clock import Pair, Turn, paired
from measuring.methods import METHODS, Method
from measuring.peers import PEERS
from measuring.yardstick import Yardstick

import mdbopt
from mdbopt.kernels._rules import Rule

# Threads, seconds and arrays to use; None when something is not there.
Measure = Callable[[int, float, values.Streams], "Pair | None"]

SMALL = {("numpy", "torch"): 15.0, ("numpy", "torch-functional"): 3.0}
SIZES = {
    10**5: {"torch": 3.0, "deepspeed": 1.7},
    10**6: {"torch": 1.8, "deepspeed": 1.5},
    10**7: {"torch": 1.3, "deepspeed": 1.2},
    10**8: {"torch": 1.2, "deepspeed": 1.15},
}
# Beside the others one size is enough.
BESIDE_ALL = 10**6
MODELS = {"tiny": 50.0, "resnet50": 1.3, "gpt2": 1.2}
SIGNS = {
    "lion": {"lion-pytorch": 6.0, "pytorch-optimizer": 6.0, "deepspeed": 1.1},
    "signum": {"pytorch-optimizer": 6.0},
    "sign_descent": {"pytorch-optimizer": 6.0},
}
HALF = {"torch": 1.5}
VECTORS = 1.5
COPY = 0.95
# Of what may take 1.15 and 1.05 times as long.
STOCHASTIC, SUBNORMAL = 1 / 1.15, 1 / 1.05

# Turns of a pair. Two cores of a virtual machine may now and then be one of its host; the median
# should not notice.
ROUNDS, COPY_ROUNDS = 9, 5
# All arrays of a rule fit a core's second cache.
CACHED = 30_000
# Divisions and roots of twice as many numbers take nearly twice as long.
DIVIDE = (
    *("adam", "amsgrad", "adagrad", "hypergradient_adam", "osgm"),
    *("rmsprop", "rmsprop_momentum", "rmsprop_centered", "rmsprop_centered_momentum"),
    *("diagonal_hypergradient_log", "diagonal_hypergradient_weights"),
)
RUNNING = updates.Peers(list(PEERS.values()))


@dataclass(frozen=True)
class Goal:
    """A row.

    Attributes
    ----------
    name, other : str
        A case, and what it is set beside.
    size : int
        Elements.
    measure : callable
        How it is measured.
    least : float, optional
        The ratio aimed at.
    threads : tuple of int
        One and all if empty.
    """

    name: str
    other: str
    size: int
    measure: Measure
    least: float | None = None
    threads: tuple[int, ...] = ()


def _beside(
    peer: str,
    where: Callable[[int], updates.Where],
    form: str = "step",
    memory: str | None = None,
) -> Measure:
    """Measure beside a peer, on arrays of its kind if nothing else is said."""

    def measure(threads: int, span: float, _streams: values.Streams) -> Pair | None:
        if not PEERS[peer].installed:
            return None
        at = where(threads)
        theirs = RUNNING.step(PEERS[peer], at)
        if theirs is None:
            return None
        mine = updates.our_turn(at, memory or PEERS[peer].memory, form)
        return paired(mine, Turn(theirs), span, ROUNDS)

    return measure


def _one(method: str, dtype: str, size: int) -> Callable[[int], updates.Where]:
    return lambda threads: updates.one_array(METHODS[method], dtype, size, threads)


def _model(name: str) -> Callable[[int], updates.Where]:
    return lambda threads: updates.model(METHODS["adamw"], "float32", name, threads)


def _small() -> Iterator[Goal]:
    where = _one("adamw", "float32", 1000)
    for form in reversed(ours.FORMS):
        for memory in ("numpy", "torch"):
            for peer in ("torch", "torch-functional"):
                least = SMALL.get((memory, peer)) if form == "plan" else None
                measure = _beside(peer, where, form, memory)
                yield Goal(f"adamw float32 1e3, {form}, {memory}", peer, 1000, measure, least)
    for peer in ("jax", "numba", "numpy"):
        yield Goal("adamw float32 1e3, plan, numpy", peer, 1000, _beside(peer, where, "plan"))


def _sizes() -> Iterator[Goal]:
    for size, least in SIZES.items():
        others = ("torch-foreach", "numba", "jax", "numpy") if size == BESIDE_ALL else ()
        for peer in (*least, *others):
            measure = _beside(peer, _one("adamw", "float32", size))
            yield Goal(f"adamw float32 {words.size(size)}", peer, size, measure, least.get(peer))


def _models() -> Iterator[Goal]:
    for model, least in MODELS.items():
        size = sum(map(math.prod, values.MODELS[model]()))
        where = _model(model)
        name = f"adamw float32 {model}"
        if model == "tiny":
            measure = _beside("torch", where, "step", "numpy")
            yield Goal(f"{name}, numpy", "torch", size, measure, least)
        goal = None if model == "tiny" else least
        yield Goal(name, "torch", size, _beside("torch", where), goal)
        yield Goal(name, "deepspeed", size, _beside("deepspeed", where))


def _signs_and_halves() -> Iterator[Goal]:
    size = 10**7
    for method, others in SIGNS.items():
        for peer, least in others.items():
            measure = _beside(peer, _one(method, "float32", size))
            yield Goal(f"{method} float32 1e7", peer, size, measure, least)
    for peer in ("torch", "deepspeed"):
        measure = _beside(peer, _one("adamw", "bfloat16", size))
        name = "adamw bfloat16 1e7, float32 state"
        yield Goal(name, peer, size, measure, HALF.get(peer))


def _ours(
    method: Method, size: int, dtype: str, first: dict[str, Any], second: dict[str, Any]
) -> Measure:
    """Two ways to run an update, the first beside the second."""

    def measure(threads: int, span: float, _streams: values.Streams) -> Pair | None:
        supported = {backend.name for backend in mdbopt.backends() if backend.supported}
        if not {each["backend"] for each in (first, second) if "backend" in each} <= supported:
            return None
        where = updates.one_array(method, dtype, size, threads)
        turns = [updates.our_turn(where, "numpy", "plan", **options) for options in (first, second)]
        return paired(*turns, span, ROUNDS)

    return measure


def _itself() -> Iterator[Goal]:
    for method in METHODS.values():
        if method.name == method.rule:
            least = None if method.rule in DIVIDE else VECTORS
            pair = ({"backend": "avx2"}, {"backend": "baseline"})
            measure = _ours(method, CACHED, "float32", *pair)
            yield Goal(f"{method.name} float32 3e4, avx2", "baseline", CACHED, measure, least, (1,))
    pair = ({"backend": "avx512"}, {"backend": "avx2"})
    measure = _ours(METHODS["adamw"], CACHED, "float32", *pair)
    yield Goal("adamw float32 3e4, avx512", "avx2", CACHED, measure, None, (1,))
    for size in (CACHED, 10**7):
        measure = _ours(METHODS["adamw"], size, "bfloat16", {"rounding": "stochastic"}, {})
        name = f"adamw bfloat16 {words.size(size)}, stochastic"
        yield Goal(name, "nearest", size, measure, STOCHASTIC)
    for part in ("m", "v"):
        for flush in (True, False):
            name = f"adamw float32 1e6, {part} subnormal{'' if flush else ', not flushed'}"
            least = SUBNORMAL if flush else None
            yield Goal(name, "normal", 10**6, _subnormal(part, flush), least)
        yield Goal(f"torch adamw float32 1e6, {part} subnormal", "normal", 10**6, _theirs(part))


# A step that flushes leaves no subnormal number, and others shrink: so the moments are filled anew
# before each step, outside of the clock. The gradient is 0, as for a row that no batch has touched
# for long.
SINGLE, STEPS = 1, 41
TINY, NORMAL = 1e-39, {"m": 1e-3, "v": 1e-6}


def _moments(arrays: dict[str, Any], part: str | None) -> Callable[[], None]:
    def fill() -> None:
        for name, array in arrays.items():
            array[:] = TINY if name == part else NORMAL[name]

    return fill


def _turn_of_ours(part: str | None, threads: int, flush: bool) -> Turn:
    params, grads = values.parameters([(10**6,)], "float32", "numpy")
    grads[0][:] = 0.0
    kept: dict[str, Any] = {}

    def take(state: Any) -> None:
        kept.update(m=state.m[0], v=state.v[0])

    options = {"form": "plan", "threads": threads, "flush_subnormals": flush}
    call = ours.step(METHODS["adamw"], params, grads, fill=take, **options)
    return Turn(call, _moments(kept, part), SINGLE)


def _subnormal(part: str, flush: bool) -> Measure:
    def measure(threads: int, span: float, _streams: values.Streams) -> Pair:
        turns = [_turn_of_ours(which, threads, flush) for which in (part, None)]
        return paired(*turns, span, STEPS)

    return measure


def _turn_of_torch(part: str | None) -> Turn:
    from measuring.peers import _torch

    params, grads = values.parameters([(10**6,)], "float32", "torch")
    grads[0].zero_()
    made = _torch.trainable(params, grads)
    optimizer = _torch.optimizer(METHODS["adamw"], made, fused=True)
    optimizer.step()
    state = optimizer.state[made[0]]
    moments = {"m": state["exp_avg"], "v": state["exp_avg_sq"]}
    return Turn(optimizer.step, _moments(moments, part), SINGLE)


def _theirs(part: str) -> Measure:
    def measure(threads: int, span: float, _streams: values.Streams) -> Pair | None:
        if not PEERS["torch"].installed:
            return None
        PEERS["torch"].set_threads(threads)
        return paired(_turn_of_torch(part), _turn_of_torch(None), span, STEPS)

    return measure


def _copies() -> Iterator[Goal]:
    size = 10**8
    for rule in mdbopt.rules():
        if rule.update:
            yield Goal(f"{rule.name} float32 1e8", "copy", size, _copy(rule, size), COPY)


def _copy(rule: Rule, size: int) -> Measure:
    active = next(backend.name for backend in mdbopt.backends() if backend.active)

    def measure(threads: int, span: float, streams: values.Streams) -> Pair:
        where = kernels.Where(rule.name, "float32", active, size, threads)
        case = kernels.Case(rule, where, streams)
        bytes_ = kernels.traffic(rule, "float32") * size
        return paired(Turn(case, case.refill), Yardstick(bytes_, threads), span, COPY_ROUNDS)

    return measure


GOALS: list[Goal] = [
    *_small(),
    *_sizes(),
    *_models(),
    *_signs_and_halves(),
    *_itself(),
    *_copies(),
]
