"""Time of an optimizer's step in other libraries: `mdbopt.torch` and `mdbopt.jax`, AdamW, float32.

Torch: `step()` of mdbopt.torch beside that of torch.optim, fused and foreach, with the gradients at
hand; each takes turns with ours on the same shapes and numbers. JAX: `update` and `apply_updates`
of mdbopt.jax under jit, old arrays donated, beside the same with optax's; and `step` of mdbopt.jax,
which is one call, beside that. A library that is not installed is left out. Many small arrays, and
one of 1e3, show what a step costs beside the arithmetic; medians of turns, and the quartiles of the
ratios.

    python bench/adapters.py --threads 1,2 --seconds 2
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import _common
from measuring import values
from measuring.clock import Call, Turn, all_threads, paired
from measuring.methods import ADAM_BETAS, EPS, METHODS
from measuring.peers import PEERS

ADAMW = METHODS["adamw"]
OPTIONS = {
    "lr": ADAMW["lr"],
    "eps": EPS,
    "weight_decay": ADAMW["weight_decay"],
}
ROUNDS = 15
# As many arrays as GPT-2 small has, each of 64 elements; one small array.
CASES: dict[str, list[values.Shape]] = {"148 of 64": [(64,)] * 148, "one of 1e3": [(1000,)]}


def torch_step(shapes: list[values.Shape], threads: int) -> Call:
    """Give a step of mdbopt.torch."""
    from measuring.peers import _torch

    import mdbopt.torch

    params = _torch.trainable(*values.parameters(shapes, "float32", "torch"))
    step: Call = mdbopt.torch.AdamW(params, betas=ADAM_BETAS, threads=threads, **OPTIONS).step
    return step


def jax_transformation(threads: int) -> Any:
    """Give that of mdbopt.jax."""
    import mdbopt.jax

    beta1, beta2 = ADAM_BETAS
    return mdbopt.jax.adamw(beta1=beta1, beta2=beta2, threads=threads, **OPTIONS)


def jax_update(shapes: list[values.Shape], threads: int) -> Call:
    """Give `update` of mdbopt.jax and optax's `apply_updates`, which are waited for."""
    from measuring.peers import _jax

    params, grads = values.parameters(shapes, "float32", "numpy")
    return _jax.compiled(jax_transformation(threads), params, grads)


def jax_step(shapes: list[values.Shape], threads: int) -> Call:
    """Give `step` of mdbopt.jax, which is waited for."""
    from measuring.peers import _jax

    transformation = jax_transformation(threads)
    params, grads = values.parameters(shapes, "float32", "numpy")
    return _jax.donated(transformation.step, transformation.init, params, grads)


class Adapter(NamedTuple):
    """Ours in a library, and beside whom."""

    library: str
    make: Callable[[list[values.Shape], int], Call]
    peers: tuple[str, ...]


ADAPTERS = {
    "torch": Adapter("torch", torch_step, ("torch", "torch-foreach")),
    "jax": Adapter("jax", jax_update, ("jax",)),
    "jax step": Adapter("jax", jax_step, ("jax",)),
}


def measure(adapter: str, case: str, threads: int, span: float) -> list[dict[str, Any]]:
    """Time our step beside that of each peer; none where one cannot be held to the threads."""
    rows = []
    for name in ADAPTERS[adapter].peers:
        peer = PEERS[name]
        if not peer.installed or not peer.set_threads(threads):
            continue
        shapes = CASES[case]
        theirs = peer.step(ADAMW, *values.parameters(shapes, "float32", peer.memory))
        if theirs is None:
            continue
        ours = ADAPTERS[adapter].make(shapes, threads)
        pair = paired(Turn(ours), Turn(theirs), span, ROUNDS)
        rows.append(
            {
                "adapter": adapter,
                "arrays": case,
                "threads": threads,
                "beside": name,
                "us": 1e6 * pair.ours,
                "us_other": 1e6 * pair.theirs,
                "ratio": pair.ratio,
                "low": pair.low,
                "high": pair.high,
            }
        )
    return rows


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--library", choices=("torch", "jax"), action="append")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pair")
    parser.add_argument("--threads", type=_common.parse_sizes, help="default 1,all")
    args = parser.parse_args()
    _common.print_machine()
    rows = [
        row
        for name, adapter in ADAPTERS.items()
        if args.library is None or adapter.library in args.library
        if importlib.util.find_spec(adapter.library) is not None
        for threads in args.threads or sorted({1, all_threads()})
        for case in CASES
        for row in measure(name, case, threads, args.seconds)
    ]
    if not rows:
        print("neither torch nor jax with optax is installed, beside which to measure")
    else:
        head = ["adapter", "arrays", "threads", "beside", "us", "its us", "ratio", "from", "to"]
        _common.print_table(head, [list(row.values()) for row in rows])
    _common.write_json(args.json, {"adapters": rows})


if __name__ == "__main__":
    _common.run_main(main)
