"""A small network fitted on all data at once: Guarded in the place of torch.optim.LBFGS."""

import torch
from sklearn.datasets import load_digits

from mdbopt.torch import Guarded


def main(steps=10):
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16.0), torch.tensor(labels)
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10))
    model.double()
    optimizer = Guarded(model.parameters())

    def closure():
        optimizer.zero_grad()
        penalty = sum(p.square().sum() for p in model.parameters())
        loss = torch.nn.functional.cross_entropy(model(x), y) + 5e-4 * penalty
        loss.backward()
        return loss

    for _ in range(steps):
        loss = float(optimizer.step(closure))
    evaluations = optimizer.state[model[0].weight]["func_evals"]
    print(f"loss {loss:.4f} after {evaluations} evaluations")
    return loss, evaluations


if __name__ == "__main__":
    main()
