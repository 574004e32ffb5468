"""A small network trained on mini-batches; mdbopt takes the place of torch.optim by one import."""

import torch
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import OneCycleLR

from mdbopt.torch import AdamW


def main(epochs=15):
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(labels)
    order = torch.randperm(len(x))
    test, train = order[:400], order[400:]

    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    no_decay = [p for name, p in model.named_parameters() if name.endswith("bias")]
    decay = [p for name, p in model.named_parameters() if name.endswith("weight")]
    groups = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    optimizer = AdamW(groups, lr=1e-2, weight_decay=0.05, max_norm=1.0)
    batches = len(train.split(64))
    schedule = OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * batches)

    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        accuracy = float((model(x[test]).argmax(1) == y[test]).float().mean())
    print(f"{100 * accuracy:.1f} % of 400 held-out digits are recognised")
    return accuracy


if __name__ == "__main__":
    main()
