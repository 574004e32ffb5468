"""What changes between two steps is seen, although a step that is planned looks at little."""

import os
import subprocess
import sys

import pytest
import torch
from torch.optim import lr_scheduler
from torch_cases import give_gradients, make, parameters, same, same_states, steps

from mdbopt.torch._plan import Plan


@pytest.fixture
def alone(monkeypatch):
    """Count the steps that the core took by itself."""
    taken = []
    step = Plan.step_alone

    def counted(plan, max_norm):
        result = step(plan, max_norm)
        taken.append(result is not None)
        return result

    monkeypatch.setattr(Plan, "step_alone", counted)
    return taken


def pair(**options):
    """Give an optimizer, and one that plans every step anew, on the same parameters."""
    params, others = parameters(), parameters()
    return params, make("AdamW", params, lr=0.05, **options), others, make("AdamW", others, lr=0.05)


def step_both(optimizer, params, other, others, t):
    give_gradients(params, t)
    give_gradients(others, t)
    optimizer.step()
    other._plan = None
    other.step()


def give_memory(tensor):
    tensor.data = tensor.detach().clone()


def set_memory(tensor):
    with torch.no_grad():
        tensor.set_(tensor.detach().clone())


def swap_objects(tensor):
    torch.utils.swap_tensors(tensor, tensor.detach().clone().requires_grad_(tensor.requires_grad))


def swap_transposed(tensor):
    with torch.no_grad():
        tensor.set_(tensor.detach().t().clone().t())


# What is done to the first parameter, to a state of it, or to the group of all.
CHANGES = {
    "nothing": lambda o, p: None,
    "a parameter has other memory": lambda o, p: give_memory(p),
    "a parameter is set": lambda o, p: set_memory(p),
    "a parameter is another object within": lambda o, p: swap_objects(p),
    "a parameter lies in another order": lambda o, p: swap_transposed(p),
    "a state has other memory": lambda o, p: give_memory(o.state[p]["exp_avg"]),
    "a state is another tensor": lambda o, p: o.state[p].update(
        exp_avg=o.state[p]["exp_avg"].clone()
    ),
    "a state is written to": lambda o, p: o.state[p]["exp_avg_sq"].mul_(4.0),
    "a state is gone": lambda o, p: o.state.pop(p),
    "a state has more": lambda o, p: o.state[p].update(mine=torch.ones(1)),
    "somebody has a state": lambda o, p: o.state.update(mine=[1, 2]),
    "a step count is written to": lambda o, p: o.state[p]["step"].fill_(40.0),
    "a step count is another tensor": lambda o, p: o.state[p].update(step=torch.tensor(40.0)),
    "lr is another number": lambda o, p: o.param_groups[0].update(lr=0.01),
    "lr is a tensor": lambda o, p: o.param_groups[0].update(lr=torch.tensor(0.01)),
    "lr is whole": lambda o, p: o.param_groups[0].update(lr=1),
    "decay is another number": lambda o, p: o.param_groups[0].update(weight_decay=0.3),
    "decay is whole": lambda o, p: o.param_groups[0].update(weight_decay=0),
    "betas are others": lambda o, p: o.param_groups[0].update(betas=(0.5, 0.6)),
    "betas are others in a list": lambda o, p: o.param_groups[0].update(betas=[0.5, 0.6]),
    "eps is a tensor": lambda o, p: o.param_groups[0].update(eps=torch.tensor(1e-3)),
    "it climbs": lambda o, p: o.param_groups[0].update(maximize=True),
    "the parameters turn round": lambda o, p: o.param_groups[0]["params"].reverse(),
    "a parameter is left out": lambda o, p: o.state.pop(o.param_groups[0]["params"].pop(2)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_between_two_steps(change, alone):
    params, optimizer, others, other = pair()
    for t in range(3):
        step_both(optimizer, params, other, others, t)
    assert alone == [True, True]
    change(optimizer, params[0])
    change(other, others[0])
    for t in range(3, 6):
        step_both(optimizer, params, other, others, t)
    assert same(params, others)
    for each in (optimizer, other):
        each.state.pop("mine", None)
    assert same_states(optimizer, other)


def test_a_step_size_is_read_by_its_tensor():
    params, optimizer, others, other = pair()
    rate = torch.tensor(0.05)
    optimizer.param_groups[0]["lr"] = rate
    for t in range(4):
        step_both(optimizer, params, other, others, t)
        rate.mul_(0.5)
        other.param_groups[0]["lr"] *= 0.5
    assert same(params, others)


def test_gradients_come_and_go(alone):
    params, optimizer, others, other = pair()
    for t, missing in enumerate([(), (0,), (0,), (0, 3), (), (), (0, 1, 2, 3, 4), ()]):
        give_gradients(params, t)
        give_gradients(others, t)
        for k in missing:
            params[k].grad = others[k].grad = None
        optimizer.step()
        other._plan = None
        other.step()
    assert same(params, others)
    # After they differed, counts of steps differ, too: a step is no single call then.
    assert alone == [False, True, False, False, False, False, False]


def forms_of_a_gradient():
    grad = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
    return {
        "in another order": grad.t().clone().t(),
        "with gaps": torch.stack([grad, grad], -1)[..., 0],
        "within another": torch.cat([torch.zeros(5), grad.flatten()])[5:].view(4, 3),
        "of no memory of its own": torch.ones(1).expand(4, 3),
        "copied when written": torch._lazy_clone(grad),
    }


@pytest.mark.parametrize("name", forms_of_a_gradient())
def test_gradients_of_other_forms(name):
    params, optimizer, others, other = pair()
    grad = forms_of_a_gradient()[name]
    for t in range(4):
        give_gradients(params, t)
        give_gradients(others, t)
        if t in (1, 3):
            params[0].grad = grad
            others[0].grad = grad.clone().contiguous()
        optimizer.step()
        other._plan = None
        other.step()
    assert same(params, others)


def test_a_negative_gradient_is_refused():
    params, optimizer, _, _ = pair()
    steps(optimizer, params, 0, 3)
    before = [p.detach().clone() for p in params]
    params[0].grad = torch._neg_view(params[0].grad)
    with pytest.raises(ValueError, match="negative bit set"):
        optimizer.step()
    assert same(params, before)


def test_a_gradient_that_is_the_parameter_itself():
    x = torch.ones(4, requires_grad=True)
    optimizer = make("AdamW", [x])
    for _ in range(2):
        x.grad = torch.ones(4)
        optimizer.step()
    before = x.detach().clone()
    x.grad = x.detach()
    for _ in range(2):
        with pytest.raises(ValueError, match="overlaps"):
            optimizer.step()
    assert torch.equal(x.detach(), before)
    x.grad = torch.ones(4)
    optimizer.step()
    assert not torch.equal(x.detach(), before)


@pytest.mark.parametrize("steps_before", [0, 2])
def test_copies_on_write_stay_what_they_are(steps_before):
    x = torch.ones(4, requires_grad=True)
    optimizer = make("AdamW", [x])
    x.grad = torch.ones(4)
    for _ in range(steps_before):
        optimizer.step()
    lazy = torch._lazy_clone(x.detach())
    before = lazy.tolist()
    optimizer.step()
    assert lazy.tolist() == before
    assert x.tolist() != before


def test_memory_that_is_gone_is_refused():
    x = torch.ones(4, requires_grad=True)
    optimizer = make("AdamW", [x])
    x.grad = torch.ones(4)
    optimizer.step()
    optimizer.step()
    x.untyped_storage().resize_(0)
    with pytest.raises((TypeError, ValueError), match="params"):
        optimizer.step()


def test_groups_with_options_of_their_own(alone):
    params, others = parameters(), parameters()

    def groups(p):
        return [{"params": p[:2], "lr": 0.1}, {"params": p[2:], "weight_decay": 0.0}]

    optimizer, other = make("AdamW", groups(params)), make("AdamW", groups(others))
    schedules = [
        lr_scheduler.LambdaLR(each, [lambda t: 0.9**t, lambda t: 0.8**t])
        for each in (optimizer, other)
    ]
    for t in range(5):
        step_both(optimizer, params, other, others, t)
        for schedule in schedules:
            schedule.step()
    assert same(params, others)
    assert alone == [True] * 4


def test_norms_are_bounded_alike(alone):
    params, optimizer, others, other = pair(max_norm=0.5)
    other.max_norm = 0.5
    for t in range(4):
        step_both(optimizer, params, other, others, t)
        assert optimizer.total_norm == other.total_norm > 0.5
    assert same(params, others)
    assert alone == [True] * 3


def test_many_elements_take_the_longer_way(alone):
    """They are worth handing over the interpreter's lock, so that their tensors have to be held."""
    params, others = parameters(shapes=((300, 200),)), parameters(shapes=((300, 200),))
    optimizer, other = make("AdamW", params), make("AdamW", others)
    for t in range(3):
        step_both(optimizer, params, other, others, t)
    assert same(params, others)
    assert alone == [False, False]


@pytest.mark.parametrize("name", ["NAdam", "AdaGrad", "HypergradientAdam", "Rprop"])
def test_rules_that_need_more_than_lr_take_the_longer_way(name, alone):
    params = parameters()
    steps(make(name, params, lr=0.01), params, 0, 3)
    assert alone == [False, False]


# In processes of their own, since the words of a tensor are looked for once; PyTorch and its
# optimizers, which take seconds to come, are imported once for all.
ASKED = """
import os, sys
import torch

def stepped(optimizer, x):
    for t in range(4):
        x.grad = torch.linspace(-1, 1, 5) * (t + 1)
        optimizer.step()

y = torch.ones(5, requires_grad=True)
stepped(torch.optim.AdamW([y], lr=0.1), y)

def tried(change, asked):
    exec(change)
    import mdbopt.torch
    x = torch.ones(5, requires_grad=True)
    optimizer = mdbopt.torch.AdamW([x], lr=0.1)
    stepped(optimizer, x)
    assert torch.allclose(x, y, rtol=1e-6)
    x.data = torch.zeros(5)
    optimizer.step()
    assert 0 < x.abs().max() < 0.2
    assert (optimizer._plan.step_alone(0.0) is None) == asked

for change, asked in {}.items():
    child = os.fork()
    if child == 0:
        try:
            tried(change, asked)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("after " + repr(change))
"""
CHANGES = {
    "": False,
    "torch._C._dispatch_keys = lambda tensor: 3": True,
    "torch.UntypedStorage.nbytes = lambda self: 11": True,
    "torch.Tensor.storage_offset = lambda self: 3": True,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_where_the_words_are_not_found_every_tensor_is_asked():
    run = subprocess.run(
        [sys.executable, "-c", ASKED.format(CHANGES)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
