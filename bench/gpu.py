"""The goals on a GPU, each beside what is measured in the same run: PyTorch, or the rate of copies.

A ratio is the other's time over ours, or our rate over the copy rate, so that more is better. Every
row takes turns with its other, A B A B …, and is told as the ratio of medians with the quartiles.

    make bench-cuda ARGS='--json cuda.json'
    python bench/gpu.py --only adamw
    python bench/gpu.py --device cpu --scale 1e-4     # tries the script out where there is no GPU
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import _common
import numpy as np
import torch
from measuring import values
from measuring.methods import METHODS

import mdbopt

Step = Callable[[], Any]

ROUNDS = 9
WARM_UP = 3
COPY, SEARCH, FUSED, BITS, MODEL, FOREACH, SMALL, GUARDED = (
    0.92,
    0.85,
    1.0,
    1.5,
    1.05,
    1.5,
    1.2,
    3.0,
)
# float64, bytes an element that are moved: docs/cuda.md.
BYTES = {("box", "accepted"): 48, ("box", "rejected"): 72}
BYTES |= {("ellipsoid", kind): moved + 16 for (_, kind), moved in list(BYTES.items())}


@dataclass(frozen=True)
class Bench:
    """Where it runs, and how large."""

    device: torch.device
    scale: float
    seconds: float

    def size(self, elements: float) -> int:
        """Scale a number of elements."""
        return max(1, int(elements * self.scale))

    def full(self, elements: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Make numbers in (0, 1)."""
        return torch.rand(self.size(elements), device=self.device, dtype=torch.float32).to(dtype)

    def timed(self, step: Step, repeats: int) -> float:
        """Tell the seconds of one step, of several queued together."""
        if self.device.type == "cpu":
            begin = time.perf_counter()
            for _ in range(repeats):
                step()
            return (time.perf_counter() - begin) / repeats
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            step()
        end.record()
        end.synchronize()
        return 1e-3 * begin.elapsed_time(end) / repeats

    def turns(self, *steps: Step, most: int = 10**9) -> list[list[float]]:
        """Time the steps in turns, at most so many together."""
        repeats = []
        for step in steps:
            for _ in range(WARM_UP):
                step()
            once = self.timed(step, 1)
            fitting = int(self.seconds / ROUNDS / len(steps) / max(once, 1e-7))
            repeats.append(min(max(1, fitting), most))
        return [
            [self.timed(step, count) for step, count in zip(steps, repeats, strict=True)]
            for _ in range(ROUNDS)
        ]


@dataclass
class Row:
    """A measurement: seconds of both, their ratio with its quartiles, and the goal."""

    case: str
    other: str
    ours: float
    theirs: float
    low: float
    ratio: float
    high: float
    goal: float | None


def row(case: str, other: str, turns: list[list[float]], factor: float, goal: float | None) -> Row:
    """Put turns of (ours, theirs) together; factor is how much more work ours is."""
    ours, theirs = (statistics.median(column) for column in zip(*turns, strict=True))
    ratios = sorted(factor * b / a for a, b in turns)
    quarter = len(ratios) // 4
    low, high = ratios[quarter], ratios[-1 - quarter]
    return Row(case, other, ours, theirs, low, factor * theirs / ours, high, goal)


def copy_step(bench: Bench, elements: float) -> tuple[Step, int]:
    """Copy an array on the device; gives the bytes read and written, too."""
    a = bench.full(elements)
    b = torch.empty_like(a)
    return lambda: b.copy_(a), 8 * a.numel()


def updates(bench: Bench) -> Iterator[Row]:
    """Step by every update rule on one float32 array, beside the copy rate."""
    elements = 2.5e8
    copy, copied = copy_step(bench, elements)
    described = {rule.name: rule for rule in mdbopt.rules()}
    x, grad = bench.full(elements), bench.full(elements)
    for name, method in METHODS.items():
        optimizer = getattr(mdbopt, method.optimizer)(**method.options)
        plan = optimizer.plan(x, grad, optimizer.init(x))
        moved = described[method.rule].bytes["float32"] * x.numel()
        turns = bench.turns(plan.step, copy)
        yield row(f"{name} float32 2.5e8", "copy", turns, moved / copied, COPY)
        del plan
        x.uniform_(0.0, 1.0)


def adamw_pair(
    bench: Bench,
    shapes: list[tuple[int, ...]],
    dtype: torch.dtype,
    own: dict[str, Any],
    **options: Any,
) -> tuple[Step, Step]:
    """Make steps of AdamW over the same shapes: ours planned, and PyTorch's."""
    ours, theirs = (
        [torch.rand(shape, device=bench.device).to(dtype) for shape in shapes] for _ in range(2)
    )
    grads = [torch.rand(shape, device=bench.device).to(dtype) for shape in shapes]
    optimizer = mdbopt.AdamW(lr=1e-3, weight_decay=1e-2, **own)
    plan = optimizer.plan(ours, grads, optimizer.init(ours))
    parameters = [torch.nn.Parameter(tensor) for tensor in theirs]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad
    return plan.step, torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2, **options).step


def adamw(bench: Bench) -> Iterator[Row]:
    """Run AdamW over one array, a model and many small arrays, beside PyTorch."""
    one = [(bench.size(2.5e8),)]
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        pair = adamw_pair(bench, one, dtype, {}, fused=True)
        yield row(f"adamw {name} 2.5e8", "torch fused", bench.turns(*pair), 1.0, FUSED)
    models = {
        "gpt2, 148 arrays": [tuple(shape) for shape in values.gpt2()],
        "1000 arrays of 1000": [(1000,)] * 1000,
    }
    if bench.scale < 1:
        models = {name: shapes[:10] for name, shapes in models.items()}
    for name, shapes in models.items():
        for kind, goal in (("fused", MODEL), ("foreach", FOREACH)):
            pair = adamw_pair(bench, shapes, torch.float32, {}, **{kind: True})
            yield row(f"adamw {name}", f"torch {kind}", bench.turns(*pair), 1.0, goal)


def stored(bench: Bench) -> Iterator[Row]:
    """Run AdamW with states in formats, and with what follows a step, beside PyTorch."""
    one = [(bench.size(2.5e8),)]
    single, half = torch.float32, torch.bfloat16
    for name, dtype, other, options, goal in (
        ("8 bits", single, single, {"state_dtype": "8bit"}, BITS),
        ("bfloat16", single, single, {"state_dtype": "bfloat16"}, BITS),
        ("remainder", half, single, {"master": "remainder"}, FUSED),
        ("remainder, 8 bits", half, single, {"master": "remainder", "state_dtype": "8bit"}, BITS),
        ("all bfloat16", half, half, {"state_dtype": "bfloat16"}, FUSED),
    ):
        ours, _ = adamw_pair(bench, one, dtype, options, fused=True)
        _, theirs = adamw_pair(bench, one, other, {}, fused=True)
        case = f"adamw {name} 2.5e8"
        yield row(case, f"torch fused {str(other)[6:]}", bench.turns(ours, theirs), 1.0, goal)
    ours, theirs = adamw_pair(bench, one, single, {"average": 0.99}, fused=True)
    x, average = (bench.full(2.5e8) for _ in range(2))

    def averaged() -> None:
        theirs()
        average.lerp_(x, 0.01)

    turns = bench.turns(ours, averaged)
    yield row("adamw average 2.5e8", "torch fused, lerp_", turns, 1.0, FUSED)


def captured(bench: Bench, step: Step) -> Step:
    """Record a step in a graph; where there are none, it stays as it is."""
    if bench.device.type == "cpu":
        return step
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def small(bench: Bench) -> Iterator[Row]:
    """Run AdamW over 1e4 elements, called and recorded in a graph."""
    on_device = bench.device.type != "cpu"
    pair = adamw_pair(bench, [(10_000,)], torch.float32, {}, fused=True, capturable=on_device)
    yield row("adamw float32 1e4, called", "torch fused", bench.turns(*pair), 1.0, None)
    recorded = [captured(bench, step) for step in pair]
    yield row("adamw float32 1e4, graph", "torch fused, graph", bench.turns(*recorded), 1.0, SMALL)


def judging(bench: Bench, method: Any, accepted: bool) -> Step:
    """Make an iteration of a set that always accepts, or always cuts."""
    size = bench.size(1e8)
    x = torch.zeros(size, device=bench.device, dtype=torch.float64)
    g = torch.rand(size, device=bench.device, dtype=torch.float64) + 0.5
    opposite = -3.0 * g
    state = method.init(x, 0.0, g)
    told = {"f": 0.0}

    def step() -> None:
        method.propose(state, copy=False)
        if accepted:
            told["f"] = 2.0 * told["f"] - 1e9
        moved = method.judge(state, told["f"], g if accepted else opposite)
        if moved is not accepted:
            raise RuntimeError(f"the search {'accepted' if moved else 'rejected'} a point")

    return step


def searches(bench: Bench) -> Iterator[Row]:
    """Run iterations of the sets at d = 1e8, beside the bytes they must move at the copy rate."""
    copy, copied = copy_step(bench, 2e8)
    for name, made in (("box", mdbopt.Box), ("ellipsoid", mdbopt.Ellipsoid)):
        for kind in ("accepted", "rejected"):
            step = judging(bench, made(initial_scale=1e-3), kind == "accepted")
            moved = BYTES[name, kind] * bench.size(1e8)
            # Few: the set grows, or shrinks, with each.
            turns = bench.turns(step, copy, most=4)
            yield row(f"{name} {kind}, d = 1e8", "copy", turns, moved / copied, SEARCH)


def without_waiting(bench: Bench) -> Iterator[Row]:
    """Run whole iterations of a small box in a graph, beside a judgement that waits."""
    if bench.device.type == "cpu":
        return
    size = bench.size(1e4)
    a = torch.logspace(0, 3, size, device=bench.device, dtype=torch.float64)
    states = []
    search = mdbopt.Box(initial_scale=1e-4)
    for _ in range(2):
        x = torch.ones(size, device=bench.device, dtype=torch.float64)
        states.append(search.init(x, float(0.5 * (a * x).dot(x)), a * x))
    trials = [search.propose(state, copy=False) for state in states]

    def ours() -> None:
        g = a * trials[0]
        search.judge(states[0], 0.5 * g.dot(trials[0]), g, wait=False)

    def waiting() -> None:
        y = search.propose(states[1], copy=False)
        g = a * y
        search.judge(states[1], float(0.5 * g.dot(y)), g)

    # Few: the search ends when it has nothing left to win.
    turns = bench.turns(captured(bench, ours), waiting, most=10)
    yield row("box d = 1e4, in a graph", "judged by the host", turns, 1.0, None)


def quadratic(bench: Bench, dtype: torch.dtype) -> tuple[Callable[..., Any], torch.Tensor]:
    """Make ½ Σ a x² with curvatures over six decades, its gradient written in place, and x0."""
    size = bench.size(1e7)
    a = torch.logspace(0, 6, size, device=bench.device, dtype=dtype)
    x0 = torch.rand(size, device=bench.device, dtype=dtype)

    def evaluate(x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        torch.mul(a, x, out=g)
        return 0.5 * torch.dot(x, g)

    return evaluate, x0


def guarded(bench: Bench) -> Iterator[Row]:
    """Run evaluations of the guarded search, d = 1e7 and ten pairs, beside PyTorch's L-BFGS."""
    for dtype in (torch.float32, torch.float64):
        yield guarded_row(bench, dtype)


def guarded_row(bench: Bench, dtype: torch.dtype) -> Row:
    """Measure it in one dtype."""
    evaluate, x0 = quadratic(bench, dtype)
    gradient = torch.empty_like(x0)
    search = mdbopt.Guarded(memory=10)
    state = search.init(x0, float(evaluate(x0, gradient)), gradient)

    def ours() -> None:
        y = torch.as_tensor(search.propose(state, copy=False))
        search.judge(state, float(evaluate(y, gradient)), gradient)

    parameter = torch.nn.Parameter(x0.clone())
    parameter.grad = torch.empty_like(x0)
    theirs = torch.optim.LBFGS(
        [parameter], max_iter=1, max_eval=2, history_size=10, tolerance_grad=0, tolerance_change=0
    )

    def closure() -> torch.Tensor:
        return evaluate(parameter.detach(), parameter.grad)

    for _ in range(15):
        ours()
        theirs.step(closure)

    # Few repeats: both converge, and then stop.
    def their_step() -> None:
        theirs.step(closure)

    turns = [[bench.timed(step, 3) for step in (ours, their_step)] for _ in range(ROUNDS)]
    name = str(dtype).removeprefix("torch.")
    return row(f"guarded {name} d = 1e7, m = 10", "torch LBFGS", turns, 1.0, GUARDED)


def same_search(bench: Bench) -> Iterator[Row]:
    """Run a search on CPU and device with gradients of the same bits; the cuts must be equal."""
    size = min(bench.size(1e6), 1_000_000)
    a = np.logspace(0, 4, size)
    outcome = []
    for device in ("cpu", bench.device):
        search = mdbopt.Box()
        x = torch.ones(size, dtype=torch.float64, device=device)
        scales = torch.from_numpy(a).to(device)

        def f_of(x: torch.Tensor) -> float:
            return float(0.5 * np.sum(a * x.cpu().numpy() ** 2))

        state = search.init(x, f_of(x), scales * x)
        for _ in range(60):
            y = torch.as_tensor(search.propose(state))
            search.judge(state, f_of(y), scales * y)
        outcome.append((state.ncut, torch.as_tensor(state.x).cpu()))
    (cuts, x), (cuts_there, x_there) = outcome
    same = cuts == cuts_there and torch.equal(x, x_there)
    yield Row(f"box on both, {cuts} cuts", "CPU", 1.0, 1.0, same, float(same), same, 1.0)


ALL = (updates, adamw, stored, small, searches, without_waiting, guarded, same_search)
PARTS = {part.__name__: part for part in ALL}


def driver() -> str:
    """Tell the version of the driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def told(measured: Row) -> list[Any]:
    """Write a row."""
    reached = None if measured.goal is None else "yes" if measured.ratio >= measured.goal else "NO"
    times = [f"{1e6 * seconds:.4g}" for seconds in (measured.ours, measured.theirs)]
    quartiles = f"{measured.low:.3g}-{measured.high:.3g}"
    ratio = f"{measured.ratio:.3g}"
    return [measured.case, measured.other, *times, ratio, quartiles, measured.goal, reached]


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, …; cpu to try the script")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pair")
    parser.add_argument("--only", choices=PARTS, action="append")
    args = parser.parse_args()
    bench = Bench(torch.device(args.device), args.scale, args.seconds)
    if bench.device.type == "cuda":
        print(f"{torch.cuda.get_device_name(bench.device)}, driver {driver()}, ", end="")
        print(f"PyTorch {torch.__version__}, mdbopt {mdbopt.__version__}")
        copy, copied = copy_step(bench, 2.5e8)
        seconds = statistics.median(turn for (turn,) in bench.turns(copy))
        print(f"copies on the device: {1e-9 * copied / seconds:.0f} GB/s, both ways counted")
    measured = []
    for name in args.only or PARTS:
        for found in PARTS[name](bench):
            measured.append(found)
            print(" | ".join(map(str, told(found))), flush=True)
    head = ["case", "beside", "us", "other us", "ratio", "quartiles", "goal", "reached"]
    _common.print_table(head, map(told, measured))
    _common.write_json(args.json, {"rows": [vars(found) for found in measured]})


if __name__ == "__main__":
    _common.run_main(main)
