"""Optimizers of several rules as one: one norm, one scale, one skip, one state."""

import copy
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

import mdbopt
import mdbopt.torch


def model(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Embedding(10, 6), torch.nn.Linear(6, 5)).to(dtype)


def members(net, **kinds):
    embedding, linear = net
    lion = kinds.get("first", mdbopt.torch.Lion)(embedding.parameters(), lr=0.01)
    groups = [{"params": [linear.weight]}, {"params": [linear.bias], "lr": 0.5}]
    return [lion, mdbopt.torch.AdamW(groups, lr=0.02, weight_decay=0.1)]


def backward(net, seed=1):
    net.zero_grad()
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 10, (8,), generator=generator)
    loss = net(inputs).square().mean()
    loss.backward()
    return loss


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_each_member_steps_by_its_rule():
    net, other = model(), model()
    optimizer, alone = mdbopt.torch.Groups(members(net)), members(other)
    for step in range(3):
        backward(net, step), backward(other, step)
        optimizer.step()
        for each in alone:
            each.step()
    assert same(net, other)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.02, 0.5]
    assert set(optimizer.state) == set(net.parameters())
    assert "exp_avg" in optimizer.state[net[1].bias]


@pytest.mark.parametrize("max_norm", [0.01, 100.0])
def test_one_norm_bounds_all(max_norm):
    net, other = model(dtype=torch.float64), model(dtype=torch.float64)
    optimizer, alone = mdbopt.torch.Groups(members(net), max_norm=max_norm), members(other)
    for step in range(3):
        backward(net, step), backward(other, step)
        norm = torch.nn.utils.clip_grad_norm_(other.parameters(), max_norm)
        optimizer.step()
        for each in alone:
            each.step()
        assert optimizer.total_norm == pytest.approx(float(norm), rel=1e-12)
    for x, y in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12)


def test_schedules_and_closures():
    net = model()
    optimizer = mdbopt.torch.Groups(members(net))
    schedule = lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
    loss = optimizer.step(lambda: backward(net))
    schedule.step()
    assert loss.item() > 0
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.01, 0.25]


def test_a_scaler_unscales_and_skips_all():
    net, other = model(), model()
    optimizer = mdbopt.torch.Groups(members(net), max_norm=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    plain = mdbopt.torch.Groups(members(other), max_norm=0.1)
    net.zero_grad()
    scaler.scale(backward_loss(net)).backward()
    scaler.step(optimizer)
    scaler.update()
    backward_loss(other).backward()
    plain.step()
    assert same(net, other)
    assert optimizer.total_norm == plain.total_norm
    before = copy.deepcopy(net)
    net[1].bias.grad[0] = torch.inf
    scaler.scale(torch.zeros(()))
    scaler.step(optimizer)
    assert same(net, before)
    assert float(optimizer.state[net[1].bias]["step"]) == 1
    assert "found_inf" not in vars(optimizer.members[0])


def backward_loss(net):
    return net(torch.arange(8)).square().mean()


def test_states_are_those_of_one_optimizer():
    net, other = model(), model()
    optimizer = mdbopt.torch.Groups(members(net))
    for step in range(2):
        backward(net, step)
        optimizer.step()
    other.load_state_dict(net.state_dict())
    loaded = mdbopt.torch.Groups(members(other))
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert list(optimizer.state_dict()) == ["state", "param_groups"]
    for each, own in ((net, optimizer), (other, loaded)):
        backward(each, 5)
        own.step()
    assert same(net, other)
    fewer = mdbopt.torch.Groups(members(model())[:1])
    with pytest.raises(ValueError, match="parameter groups"):
        fewer.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_copies_go_on(way):
    net = model()
    optimizer = mdbopt.torch.Groups(members(net), max_norm=1.0)
    backward(net)
    optimizer.step()
    both = net, optimizer
    other, own = pickle.loads(pickle.dumps(both)) if way == "pickle" else copy.deepcopy(both)
    for each, stepped in ((net, optimizer), (other, own)):
        backward(each, 5)
        stepped.step()
    assert same(net, other)
    assert own.total_norm == optimizer.total_norm


def test_nothing_is_written_before_all_is_checked():
    net = model()
    optimizer = mdbopt.torch.Groups(members(net))
    backward(net)
    before = copy.deepcopy(net)
    optimizer.param_groups[2]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr: expected a"):
        optimizer.step()
    assert same(net, before)


def test_hooks_and_added_groups():
    net = model()
    optimizer = mdbopt.torch.Groups(members(net))
    called = []
    optimizer.register_step_post_hook(lambda *_: called.append("all"))
    optimizer.members[0].register_step_pre_hook(lambda *_: called.append("first"))
    extra = torch.nn.Parameter(torch.ones(3))
    optimizer.members[1].add_param_group({"params": [extra]})
    backward(net)
    extra.grad = torch.ones(3)
    optimizer.step()
    optimizer.zero_grad()
    assert called == ["first", "all"]
    assert extra.grad is None
    assert (extra < 1).all()


def test_schedule_free_members_show_their_average():
    net = model()
    kinds = {"first": mdbopt.torch.ScheduleFreeSGD}
    optimizer = mdbopt.torch.Groups(members(net, **kinds))
    for step in range(3):
        backward(net, step)
        optimizer.step()
    weight = net[0].weight.detach().clone()
    bias = net[1].bias.detach().clone()
    optimizer.eval()
    assert not torch.equal(net[0].weight, weight)
    with pytest.raises(ValueError, match="expected the point where gradients are taken"):
        optimizer.step()
    assert torch.equal(net[1].bias, bias)
    optimizer.train()
    torch.testing.assert_close(net[0].weight, weight)


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        (ValueError, lambda net: [], "expected at least one optimizer"),
        (
            TypeError,
            lambda net: [torch.optim.SGD(net.parameters())],
            r"members\[0\]: expected an update of mdbopt.torch, got SGD",
        ),
        (
            TypeError,
            lambda net: [mdbopt.torch.Guarded(net.parameters())],
            r"members\[0\]: expected an update of mdbopt.torch, got Guarded",
        ),
        (
            ValueError,
            lambda net: [mdbopt.torch.SGD(net.parameters(), max_norm=1.0)],
            r"members\[0\]: max_norm: expected None",
        ),
        (
            ValueError,
            lambda net: [mdbopt.torch.SGD(net.named_parameters()) for _ in range(2)],
            r"members\[1\]: '0.weight' is one of members\[0\] as well",
        ),
    ],
)
def test_refused_members(kind, make, words):
    with pytest.raises(kind, match=words):
        mdbopt.torch.Groups(make(model()))


def test_refused_calls():
    net = model()
    optimizer = mdbopt.torch.Groups(members(net))
    with pytest.raises(ValueError, match="expected a call of the member whose rule"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))]})
    optimizer.members[0].max_norm = 1.0
    backward(net)
    with pytest.raises(ValueError, match="Lion: max_norm: expected None in Groups"):
        optimizer.step()
    optimizer.members[0].max_norm = None
    with pytest.raises(ValueError, match="max_norm: expected a finite number > 0"):
        mdbopt.torch.Groups(members(net), max_norm=0.0)
    reducing = mdbopt.torch.SGD([torch.nn.Parameter(torch.ones(2))], reducer=lambda m: m[None])
    optimizer = mdbopt.torch.Groups([reducing], max_norm=1.0)
    with pytest.raises(ValueError, match="max_norm: expected None where SGD steps pieces"):
        optimizer.step()
