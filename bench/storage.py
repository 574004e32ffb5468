"""States in other formats: what a step of AdamW takes, and what training loses.

`speed`: seconds of a step with float32 parameters and states in each format beside torch.optim's
fused AdamW in float32, on the same shapes and numbers, in turns; torchao's and bitsandbytes' own
AdamW in 8 bits where they are installed. `quality`: the loss after a number of steps, of softmax
regression on classes whose counts follow Zipf's law and of a small transformer on a Markov chain of
such words, over that of the same run with float32 states.

    python bench/storage.py --part speed --size 1e7 --threads 1,2
    python bench/storage.py --part quality --seeds 0,1,2
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import _common
import numpy as np
from measuring import values
from measuring.clock import Call, Turn, all_threads, paired
from measuring.methods import ADAM_BETAS, EPS, METHODS
from measuring.peers import PEERS

import mdbopt

ADAMW = METHODS["adamw"]
OPTIONS = {"beta1": ADAM_BETAS[0], "beta2": ADAM_BETAS[1], "eps": EPS}
FORMATS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"state_dtype": "bfloat16"},
    "8bit": {"state_dtype": "8bit"},
    "8bit to nearest": {"state_dtype": "8bit", "state_rounding": "nearest"},
    "remainder": {"master": "remainder"},
    "remainder, 8bit": {"master": "remainder", "state_dtype": "8bit"},
}
ROUNDS = 9


def our_step(size: int, threads: int, form: dict[str, Any]) -> Call:
    """Give a step of ours on one array."""
    param, grad = values.uniform(size, "float32"), values.gradient(size, "float32")
    dtype = None
    if "master" in form:
        param, dtype = (param.view(np.uint32) >> 16).astype(np.uint16), "bfloat16"
    optimizer = mdbopt.AdamW(ADAMW["lr"], threads=threads, **OPTIONS, **form)
    return optimizer.plan(param, grad, optimizer.init(param, dtype=dtype)).step


def their_steps(size: int, threads: int) -> dict[str, Call]:
    """Give the steps of what is installed, of float32 parameters."""
    steps: dict[str, Call] = {}
    peer = PEERS["torch"]
    if not peer.installed or not peer.set_threads(threads):
        return steps
    from measuring.peers._torch import trainable

    def fresh() -> list[Any]:
        return trainable(*values.parameters([(size,)], "float32", "torch"))

    fused = peer.step(ADAMW, *values.parameters([(size,)], "float32", "torch"))
    if fused is not None:
        steps["torch fused, float32"] = fused
    if importlib.util.find_spec("torchao") is not None:
        from torchao.optim import AdamW8bit

        steps["torchao, 8bit"] = AdamW8bit(fresh(), lr=ADAMW["lr"]).step
    if importlib.util.find_spec("bitsandbytes") is not None:
        import bitsandbytes

        steps["bitsandbytes, 8bit"] = bitsandbytes.optim.AdamW8bit(fresh(), lr=ADAMW["lr"]).step
    return steps


def speed(sizes: list[int], threads: list[int], span: float) -> list[dict[str, Any]]:
    """Time each format beside each of the others' steps."""
    rows = []
    for size in sizes:
        for count in threads:
            others = their_steps(size, count)
            others["ours, float32"] = our_step(size, count, {})
            for form, options in FORMATS.items():
                ours = our_step(size, count, options)
                for name, theirs in others.items():
                    pair = paired(Turn(ours), Turn(theirs), span, ROUNDS)
                    rows.append(
                        {
                            "format": form,
                            "size": size,
                            "threads": count,
                            "beside": name,
                            "ns": 1e9 * pair.ours / size,
                            "its ns": 1e9 * pair.theirs / size,
                            "ratio": pair.ratio,
                            "low": pair.low,
                            "high": pair.high,
                        }
                    )
    return rows


def softmax(steps: int, seed: int, form: dict[str, Any]) -> float:
    """Train softmax regression on classes by Zipf's law; give the loss of all rows."""
    features, classes, rows, batch = 64, 256, 8192, 256
    random = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, classes + 1)
    y = random.choice(classes, rows, p=share / share.sum())
    centres = random.normal(size=(classes, features))
    x = (centres[y] + 2.0 * random.normal(size=(rows, features))).astype(np.float32)

    def errors(weights: Any, chosen: Any) -> tuple[Any, float]:
        z = x[chosen] @ weights
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        place = np.arange(len(p)), y[chosen]
        loss = float(np.mean(np.log(total[:, 0]) - z[place]))
        p /= total
        p[place] -= 1.0
        return p, loss

    weights = np.zeros((features, classes), np.float32)
    optimizer = mdbopt.AdamW(1e-2, weight_decay=0.0, seed=seed, **OPTIONS, **form)
    state = optimizer.init(weights)
    for _ in range(steps):
        chosen = random.integers(0, rows, batch)
        p, _ = errors(weights, chosen)
        optimizer.step(weights, (x[chosen].T @ p / batch).astype(np.float32), state)
    return errors(weights, np.arange(rows))[1]


def transformer(steps: int, seed: int, form: dict[str, Any]) -> float:
    """Train two layers on a Markov chain of 200 words; give the loss of unseen batches."""
    import torch

    import mdbopt.torch

    words, width, length, batch = 200, 64, 32, 16
    random = torch.Generator().manual_seed(seed)
    share = 1.0 / torch.arange(1, words + 1)
    chain = share * torch.rand(words, words, generator=random) ** 4
    chain /= chain.sum(1, keepdim=True)
    torch.manual_seed(seed)
    embed, place = torch.nn.Embedding(words, width), torch.nn.Embedding(length, width)
    layer = torch.nn.TransformerEncoderLayer(
        width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
    )
    body = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    head = torch.nn.Linear(width, words)
    model = torch.nn.ModuleList([embed, place, body, head])
    mask = torch.nn.Transformer.generate_square_subsequent_mask(length)

    def drawn() -> Any:
        row = torch.randint(0, words, (batch,), generator=random)
        rows = [row]
        for _ in range(length):
            row = torch.multinomial(chain[row], 1, generator=random)[:, 0]
            rows.append(row)
        return torch.stack(rows, 1)

    def loss(sequence: Any) -> Any:
        hidden = embed(sequence[:, :-1]) + place(torch.arange(length))
        logits = head(body(hidden, mask=mask, is_causal=True))
        return torch.nn.functional.cross_entropy(
            logits.reshape(-1, words), sequence[:, 1:].reshape(-1)
        )

    optimizer = mdbopt.torch.AdamW(
        model.parameters(), lr=1e-3, weight_decay=0.01, seed=seed, max_norm=1.0, **form
    )
    for _ in range(steps):
        optimizer.zero_grad()
        loss(drawn()).backward()
        optimizer.step()
    with torch.no_grad():
        return float(np.mean([float(loss(drawn())) for _ in range(50)]))


def quality(seeds: list[int], steps: int) -> list[dict[str, Any]]:
    """Train with each format of states, from the same start on the same batches."""
    tasks: dict[str, Callable[[int, int, dict[str, Any]], float]] = {"softmax": softmax}
    if importlib.util.find_spec("torch") is not None:
        tasks["transformer"] = transformer
    rows = []
    for task, run in tasks.items():
        for seed in seeds:
            losses = {
                name: run(steps, seed, form)
                for name, form in FORMATS.items()
                if "master" not in form
            }
            rows += [
                {
                    "task": task,
                    "seed": seed,
                    "format": name,
                    "loss": value,
                    "over float32": value / losses["float32"],
                }
                for name, value in losses.items()
            ]
    for task in tasks:
        for name in FORMATS:
            ratios = [r["over float32"] for r in rows if r["task"] == task and r["format"] == name]
            if ratios:
                mean = math.exp(float(np.mean(np.log(ratios))))
                rows.append(
                    {"task": task, "seed": "all", "format": name, "loss": "", "over float32": mean}
                )
    return rows


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--part", choices=("speed", "quality"), action="append")
    parser.add_argument("--size", type=_common.parse_sizes, default=[10_000_000])
    parser.add_argument("--threads", type=_common.parse_sizes, help="default 1,all")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each pair")
    parser.add_argument("--seeds", type=_common.parse_sizes, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    args = parser.parse_args()
    _common.print_machine()
    parts = args.part or ["speed", "quality"]
    result: dict[str, Any] = {}
    if "speed" in parts:
        threads = args.threads or sorted({1, all_threads()})
        result["speed"] = speed(args.size, threads, args.seconds)
    if "quality" in parts:
        result["quality"] = quality(args.seeds, args.steps)
    for rows in result.values():
        _common.print_table(list(rows[0]), [list(row.values()) for row in rows])
    _common.write_json(args.json, result)


if __name__ == "__main__":
    _common.run_main(main)
