"""An optimizer for each parameter that steps within the backward pass, and what frees it."""

import gc
import weakref

import pytest
import torch
from torch_cases import UPDATES, make, same

import mdbopt
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


SCHEDULE_FREE = ("schedule_free_sgd", "schedule_free_adam")


def sums_over_all(name, options):
    kind = make(name, [torch.ones(1, requires_grad=True)], **options)
    rule = kind._optimizer_of(kind.param_groups[0])._rule()
    sums = next(each for each in mdbopt.rules() if each.name == rule)
    return bool(sums.sums) and not sums.per_array and rule not in ("nadam", *SCHEDULE_FREE)


BY_TENSOR = [each for each in UPDATES if not sums_over_all(*each)]


@pytest.mark.parametrize(("name", "options"), BY_TENSOR)
def test_groups_are_their_one_face(name, options):
    """Schedules and states are of all, for rules that learn from each tensor by itself."""
    inside, after = network(), network()
    optimizers, _ = step_in_backward(lambda params, lr: make(name, params, **options), inside)
    face = mdbopt.torch.Groups(optimizers.values())
    optimizer = make(name, after.parameters(), **options)
    schedules = [torch.optim.lr_scheduler.StepLR(each, 2, 0.5) for each in (face, optimizer)]
    for t in range(5):
        backward(inside, t)
        face.step()
        optimizer.zero_grad()
        backward(after, t)
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    assert same(inside.parameters(), after.parameters())
    assert [group["lr"] for group in face.param_groups] == [optimizer.param_groups[0]["lr"]] * 4
    loaded = make(name, after.parameters(), **options)
    state = {**face.state_dict(), "param_groups": optimizer.state_dict()["param_groups"]}
    loaded.load_state_dict(state)
    optimizer.zero_grad()
    backward(after, 9), backward(inside, 9)
    loaded.step()
    assert same(inside.parameters(), after.parameters())


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
