"""What follows a step of PyTorch's parameters: bounds, shrinking, and an average."""

import copy
import io

import numpy as np
import pytest
import torch
from torch_cases import UPDATE_IDS, UPDATES, give_gradients, make, parameters, same, steps

import mdbopt
import mdbopt.torch

REFUSED = {"OSGM", "ScheduleFreeSGD", "ScheduleFreeAdamW"}
FINISH = {"max_update": 0.5, "l1": 0.01, "average": 0.9}
# Whose numbers begin with all parameters, or whose lr is none of the core's; the others say all.
OTHERWISE = {"DoG", "DoWG", "Prodigy", "Rprop"}
ROWS = [
    pytest.param(name, options, id=label)
    for (name, options), label in zip(UPDATES, UPDATE_IDS, strict=True)
    if name not in REFUSED | OTHERWISE
]


def finish_of(name):
    return {key: value for key, value in FINISH.items() if name != "FTRL" or key != "l1"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "options"), ROWS)
def test_steps_are_those_of_numpy(name, options, dtype):
    """The core's own optimizer, as the class makes it, steps NumPy's arrays to the same bits."""
    params = parameters(dtype)
    optimizer = make(name, params, **options, **finish_of(name))
    group = optimizer.param_groups[0]
    core = optimizer._optimizer_of(group)
    twins = [p.detach().clone() for p in params]
    start = {
        stream: optimizer._start(stream, value, group) for stream, value in core._arrays().items()
    }
    state = core.init(twins)
    for stream, value in start.items():
        for leaf in getattr(state, stream):
            if value is not None:
                leaf.fill_(value)
    for t in range(3):
        give_gradients(params, t)
        decay = optimizer._decay(group)
        rate = optimizer._rate(group, t)
        core.step(twins, [p.grad for p in params], state, lr=rate, weight_decay=decay)
        optimizer.step()
        assert same([p.detach() for p in params], twins)
        averages = [optimizer.state[p]["average"] for p in params]
        assert same(averages, state.average)
        assert all(a.dtype == torch.float32 for a in averages)


def averaging(dtype=torch.float32, **options):
    params = parameters(dtype)
    optimizer = make("AdamW", params, lr=0.05, average=0.8, **options)
    steps(optimizer, params, 0, 4)
    return optimizer, params


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_average_takes_the_place_of_the_parameters_and_leaves_it(dtype):
    optimizer, params = averaging(dtype)
    before = [p.detach().clone() for p in params]
    for _ in range(2):
        optimizer.eval()
        averages = [optimizer.state[p]["average"].to(dtype) for p in params]
        assert same([p.detach() for p in params], averages)
        assert same([optimizer.state[p]["parameters"] for p in params], before)
        with pytest.raises(ValueError, match=r"^AdamW: params: expected the point where"):
            optimizer.step()
        assert same([p.detach() for p in params], averages)
    for _ in range(2):
        optimizer.train()
        assert same([p.detach() for p in params], before)
        assert all("parameters" not in optimizer.state[p] for p in params)
    steps(optimizer, params, 4, 6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shown", [False, True])
def test_saved_and_loaded_it_goes_on_to_the_same_bits(dtype, shown):
    optimizer, params = averaging(dtype)
    if shown:
        optimizer.eval()
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    twins = [p.detach().clone().requires_grad_() for p in params]
    twin = make("AdamW", twins, lr=0.05, average=0.8)
    twin.load_state_dict(torch.load(file))
    copies, copied = copy.deepcopy((params, optimizer))
    for one, its in ((optimizer, params), (twin, twins), (copied, copies)):
        if shown:
            with pytest.raises(ValueError, match="params: expected the point where gradients are"):
                steps(one, its, 4, 5)
            one.train()
        steps(one, its, 4, 6)
    for one, its in ((twin, twins), (copied, copies)):
        assert same([p.detach() for p in its], [p.detach() for p in params])
        averages = [one.state[p]["average"] for p in its]
        assert same(averages, [optimizer.state[p]["average"] for p in params])


def test_a_state_without_an_average_gets_one():
    params = parameters()
    options = {"lr": 0.05, "momentum": 0.9}
    optimizer = make("SGD", params, **options)
    steps(optimizer, params, 0, 3)
    twins = [p.detach().clone().requires_grad_() for p in params]
    twin = make("SGD", twins, **options, average=0.5)
    saved = optimizer.state_dict()
    for group in saved["param_groups"]:
        group["average"] = 0.5
    twin.load_state_dict(saved)
    before = [p.detach().clone() for p in twins]
    steps(optimizer, params, 3, 4)
    steps(twin, twins, 3, 4)
    assert same([p.detach() for p in twins], [p.detach() for p in params])
    for p, x in zip(twins, before, strict=True):
        expected = 0.5 * x.double() + 0.5 * p.detach().double()
        assert torch.equal(twin.state[p]["average"], expected.float())


def test_groups_of_parameters_have_options_of_their_own():
    params = parameters()
    groups = [{"params": params[:2], "l1": 0.5, "average": 0.5}, {"params": params[2:]}]
    optimizer = make("AdamW", groups, lr=0.05)
    alone = [p.detach().clone().requires_grad_() for p in params]
    others = [
        make("AdamW", alone[:2], lr=0.05, l1=0.5, average=0.5),
        make("AdamW", alone[2:], lr=0.05),
    ]
    for t in range(3):
        for each in (params, alone):
            give_gradients(each, t)
        for each in (optimizer, *others):
            each.step()
    assert same([p.detach() for p in params], [p.detach() for p in alone])
    before = [p.detach().clone() for p in params]
    optimizer.eval()
    assert same([p.detach() for p in params[2:]], before[2:])
    assert not same([p.detach() for p in params[:2]], before[:2])
    optimizer.train()
    assert same([p.detach() for p in params], before)


def test_members_of_groups_show_their_averages():
    params = parameters()
    members = [
        make("Lion", params[:2], lr=0.01, average=0.5),
        make("ScheduleFreeSGD", params[2:4], lr=0.1),
        make("AdamW", params[4:], lr=0.1),
    ]
    optimizer = mdbopt.torch.Groups(members)
    steps(optimizer, params, 0, 3)
    before = [p.detach().clone() for p in params]
    optimizer.eval()
    averages = [members[0].state[p]["average"] for p in params[:2]]
    assert same([p.detach() for p in params[:2]], averages)
    with pytest.raises(ValueError, match="params: expected the point where gradients are taken"):
        optimizer.step()
    optimizer.train()
    assert same([p.detach() for p in params[:2]], before[:2])
    steps(optimizer, params, 3, 4)


def test_sparse_rows_are_finished_alone():
    weight = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    embedding = torch.nn.Embedding(20, 4, sparse=True, _weight=weight)
    weight = embedding.weight
    before = weight.detach().clone()
    optimizer = make("AdamW", [weight], lr=0.1, weight_decay=0.0, l1=0.5, average=0.5)
    embedding(torch.tensor([3, 7])).sum().backward()
    optimizer.step()
    own = before[[3, 7]].clone().numpy()
    core = mdbopt.AdamW(0.1, weight_decay=0.0, l1=0.5, average=0.5)
    state = core.init(own)
    core.step(own, np.ones((2, 4), np.float32), state)
    assert np.array_equal(weight.detach()[[3, 7]].numpy(), own)
    assert np.array_equal(optimizer.state[weight]["average"][[3, 7]].numpy(), state.average)
    others = [k for k in range(20) if k not in (3, 7)]
    assert torch.equal(weight.detach()[others], before[others])


def test_what_is_wrong_is_refused_by_name():
    params = parameters()
    for options, words in (
        ({"max_update": 0.0}, "max_update: expected a finite number > 0"),
        ({"l1": -1.0}, "l1: expected a finite number >= 0"),
        ({"average": 1.0}, r"average: expected a number in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=f"^Adam: {words}"):
            make("AdamW", params, lr=0.1, **options)
    for name in REFUSED:
        with pytest.raises(ValueError, match=f"^{name}: l1: expected 0.0 since"):
            make(name, params, l1=0.1)
    optimizer = make("AdamW", params)
    for call in (optimizer.eval, optimizer.train):
        with pytest.raises(ValueError, match=r"^AdamW: (eval|train): expected a group with an"):
            call()
