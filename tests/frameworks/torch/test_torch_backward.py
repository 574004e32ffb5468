"""An optimizer for each parameter that steps within the backward pass, and what frees it."""

import gc
import weakref

import pytest
import torch
from torch_cases import same

import mdbopt.torch


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def backward(model, t):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(t))
    model(x).square().mean().backward()


def step_in_backward(kind, model):
    """Give each parameter an optimizer that steps as soon as its gradient is there."""
    optimizers = {p: kind([p], lr=0.01) for p in model.parameters()}

    def step(param):
        optimizers[param].step()
        optimizers[param].zero_grad()

    hooks = [p.register_post_accumulate_grad_hook(step) for p in model.parameters()]
    return optimizers, hooks


def test_steps_in_the_backward_pass_are_those_after_it():
    inside, after = network(), network()
    step_in_backward(mdbopt.torch.AdamW, inside)
    optimizer = mdbopt.torch.AdamW(after.parameters(), lr=0.01)
    for t in range(5):
        backward(inside, t)
        optimizer.zero_grad()
        backward(after, t)
        optimizer.step()
    assert same(inside.parameters(), after.parameters())
    assert all(p.grad is None for p in inside.parameters())


def left(kind, manner):
    """Count the optimizers, parameters and states that the collector leaves of a short run."""

    def run():
        model = network()
        optimizers, hooks = step_in_backward(kind, model)
        for t in range(3):
            backward(model, t)
        if manner == "removed":
            for hook in hooks:
                hook.remove()
        values = [
            value
            for optimizer in optimizers.values()
            for entry in optimizer.state.values()
            for value in entry.values()
        ]
        assert len(values) == 3 * len(optimizers)
        return [weakref.ref(each) for each in (*optimizers.values(), *optimizers, *values)]

    watched = run()
    gc.collect()
    return sum(one() is not None for one in watched)


@pytest.mark.parametrize("manner", ["removed", "left"])
def test_they_are_freed_as_torchs_are(manner):
    ours, theirs = (left(library.AdamW, manner) for library in (mdbopt.torch, torch.optim))
    assert ours == theirs
    # Hooks that are left hold optimizers, and these the parameters that have the hooks: PyTorch
    # keeps such hooks where the collector does not look.
    assert (ours == 0) is (manner == "removed")
