"""A network whose parameters lie in pieces on several processes (FSDP2), trained by mdbopt.

torchrun --nproc-per-node 2 examples/fsdp_training.py
"""

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch.distributed.fsdp import fully_shard

from mdbopt.torch import AdamW


def digits():
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(images / 16.0, dtype=torch.float32)[order], torch.tensor(labels)[order]
    return x[400:], y[400:], x[:400], y[:400]


def main(epochs=5):
    torch.manual_seed(0)
    x, y, x_test, y_test = digits()
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    fully_shard(model[0])
    fully_shard(model)
    # The norm that is bounded is that of all gradients, on all processes.
    optimizer = AdamW(model.parameters(), lr=1e-2, weight_decay=0.05, max_norm=1.0)

    rank, ranks = dist.get_rank(), dist.get_world_size()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):  # the same order on every process
            own = batch[rank::ranks]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[own]), y[own])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        accuracy = float((model(x_test).argmax(1) == y_test).float().mean())
    if rank == 0:
        print(f"{100 * accuracy:.1f} % of 400 held-out digits are recognised")
    return accuracy


if __name__ == "__main__":
    dist.init_process_group("gloo")
    try:
        main()
    finally:
        dist.destroy_process_group()
