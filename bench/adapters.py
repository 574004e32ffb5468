"""Time of an optimizer's step in other libraries: `mdbopt.torch` and `mdbopt.jax`, AdamW, float32.

Torch: `step()` of mdbopt.torch beside that of torch.optim, fused and foreach, with the gradients at
hand; each takes turns with ours on the same shapes and numbers. JAX: `update` and `apply_updates`
of mdbopt.jax under jit, old arrays donated, beside the same with optax's. A library that is not
installed is left out. Many small arrays, and one of 1e3, show what a step costs beside the
arithmetic; medians of turns, and the quartiles of the ratios.

    python bench/adapters.py --threads 1,2 --seconds 2
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

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


def jax_step(shapes: list[values.Shape], threads: int) -> Call:
    """Give a step of mdbopt.jax, which is waited for."""
    from measuring.peers import _jax

    import mdbopt.jax

    beta1, beta2 = ADAM_BETAS
    transformation = mdbopt.jax.adamw(beta1=beta1, beta2=beta2, threads=threads, **OPTIONS)
    return _jax.compiled(transformation, *values.parameters(shapes, "float32", "numpy"))


# Ours, and beside whom.
ADAPTERS: dict[str, tuple[Callable[[list[values.Shape], int], Call], tuple[str, ...]]] = {
    "torch": (torch_step, ("torch", "torch-foreach")),
    "jax": (jax_step, ("jax",)),
}


def measure(library: str, case: str, threads: int, span: float) -> list[dict[str, Any]]:
    """Time our step beside that of each peer; none where one cannot be held to the threads."""
    make, peers = ADAPTERS[library]
    rows = []
    for name in peers:
        peer = PEERS[name]
        if not peer.installed or not peer.set_threads(threads):
            continue
        shapes = CASES[case]
        theirs = peer.step(ADAMW, *values.parameters(shapes, "float32", peer.memory))
        if theirs is None:
            continue
        pair = paired(Turn(make(shapes, threads)), Turn(theirs), span, ROUNDS)
        rows.append(
            {
                "library": library,
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
    parser.add_argument("--library", choices=tuple(ADAPTERS), action="append")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pair")
    parser.add_argument("--threads", type=_common.parse_sizes, help="default 1,all")
    args = parser.parse_args()
    _common.print_machine()
    rows = [
        row
        for library in args.library or ADAPTERS
        if importlib.util.find_spec(library) is not None
        for threads in args.threads or sorted({1, all_threads()})
        for case in CASES
        for row in measure(library, case, threads, args.seconds)
    ]
    if not rows:
        print("neither torch nor jax with optax is installed, beside which to measure")
    else:
        head = ["library", "arrays", "threads", "beside", "us", "its us", "ratio", "from", "to"]
        _common.print_table(head, [list(row.values()) for row in rows])
    _common.write_json(args.json, {"adapters": rows})


if __name__ == "__main__":
    _common.run_main(main)
