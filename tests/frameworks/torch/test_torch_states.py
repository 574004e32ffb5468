"""States that are saved, loaded, copied and pickled, and what of them is the user's to change."""

import copy
import io
import pickle

import pytest
import torch
from torch_cases import (
    UPDATE_IDS,
    UPDATES,
    give_gradients,
    make,
    parameters,
    same,
    same_states,
    steps,
)

updates = pytest.mark.parametrize(("name", "options"), UPDATES, ids=UPDATE_IDS)


def copied(params):
    return [p.detach().clone().requires_grad_() for p in params]


@updates
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loaded_state_goes_on_to_the_same_bits(name, options, dtype):
    params = parameters(dtype)
    optimizer = make(name, params, **options)
    steps(optimizer, params, 0, 5)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    others = copied(params)
    other = make(name, others, lr=7.0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same_states(optimizer, other)
    for o, p in ((optimizer, params), (other, others)):
        steps(o, p, 5, 12)
    assert same(params, others)
    assert same_states(optimizer, other)


@updates
@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_copies_go_on_to_the_same_bits(name, options, way):
    params = parameters()
    optimizer = make(name, params, max_norm=2.0, **options)
    steps(optimizer, params, 0, 5)
    other = copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))
    others = other.param_groups[0]["params"]
    assert others[0] is not params[0]
    assert other.max_norm == 2.0
    for o, p in ((optimizer, params), (other, others)):
        steps(o, p, 5, 12)
    assert same(params, others)
    assert same_states(optimizer, other)


def test_states_of_half_precision_stay_float32():
    params = parameters(torch.bfloat16)
    optimizer = make("AdamW", params)
    steps(optimizer, params, 0, 3)
    saved = optimizer.state_dict()
    assert saved["state"][0]["exp_avg"].dtype == torch.float32
    assert not torch.equal(
        saved["state"][0]["exp_avg"], saved["state"][0]["exp_avg"].bfloat16().float()
    )
    other = make("AdamW", copied(params))
    other.load_state_dict(saved)
    assert same_states(optimizer, other)


def test_a_loaded_state_is_a_copy():
    params = parameters()
    optimizer = make("AdamW", params)
    steps(optimizer, params, 0, 3)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved["state"])
    others = copied(params)
    other = make("AdamW", others)
    other.load_state_dict(saved)
    steps(other, others, 3, 6)
    assert torch.equal(saved["state"][0]["exp_avg"], before[0]["exp_avg"])


def test_a_state_for_other_groups_is_refused():
    params = parameters()
    saved = make("AdamW", params).state_dict()
    with pytest.raises(ValueError, match="parameter group"):
        make("AdamW", params[:2]).load_state_dict(saved)


def changed_buffer(optimizer, p):
    optimizer.state[p]["exp_avg"] = torch.zeros_like(p)


def zeroed_in_place(optimizer, p):
    optimizer.state[p]["exp_avg"].zero_()


def other_memory(optimizer, p):
    optimizer.state[p]["exp_avg"].data = torch.zeros_like(p)


def counted_anew(optimizer, p):
    optimizer.state[p]["step"].zero_()


def no_state(optimizer, p):
    optimizer.state[p] = {}


def deleted(optimizer, p):
    del optimizer.state[p]


@pytest.mark.parametrize(
    "change", [changed_buffer, zeroed_in_place, other_memory, counted_anew, no_state, deleted]
)
def test_what_is_written_to_a_state_is_seen(change):
    """The second optimizer is made anew with what the first one should have."""
    params = parameters()
    optimizer = make("Adam", params, lr=0.1)
    steps(optimizer, params, 0, 4)
    others = copied(params)
    change(optimizer, params[0])
    other = make("Adam", others, lr=0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for o, p in ((optimizer, params), (other, others)):
        steps(o, p, 4, 8)
    assert same(params, others)
    assert same_states(optimizer, other)
    count = {counted_anew: 4.0, no_state: 4.0, deleted: 4.0}.get(change, 8.0)
    assert float(optimizer.state[params[0]]["step"]) == count
    assert float(optimizer.state[params[1]]["step"]) == 8.0


def test_a_parameter_that_takes_the_place_of_another():
    params = parameters()
    optimizer = make("Adam", params, lr=0.1)
    steps(optimizer, params, 0, 3)
    fresh = torch.randn(7, requires_grad=True)
    group = optimizer.param_groups[0]
    del optimizer.state[group["params"][1]]
    group["params"][1] = fresh
    before = fresh.detach().clone()
    now = group["params"]
    steps(optimizer, now, 3, 4)
    assert float(optimizer.state[fresh]["step"]) == 1.0
    assert torch.allclose((before - fresh.detach()).abs(), torch.full((7,), 0.1), rtol=1e-4)


def test_gradients_in_other_memory_are_read_there():
    params, others = parameters(), parameters()
    optimizer, other = make("Adam", params), make("Adam", others)
    kept = []  # so that no gradient takes the place of another
    for t in (0, 1, 2, 1, 0, 2):
        give_gradients(params, t)
        kept.append([p.grad for p in params])
        optimizer.step()
        for p, q in zip(others, params, strict=True):
            if p.grad is None:
                p.grad = q.grad.clone()
            else:
                p.grad.copy_(q.grad)
        other.step()
    for grads in (kept[0], kept[2], kept[0]):
        for p, q, g in zip(params, others, grads, strict=True):
            p.grad = g
            q.grad.copy_(g)
        optimizer.step()
        other.step()
    assert same(params, others)


def test_a_gradient_that_comes_to_lie_in_a_parameter_is_refused():
    x, y = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    optimizer = make("SGD", [x, y], lr=1.0)
    for p in (x, y):
        p.grad = torch.ones(4)
    optimizer.step()
    x.grad = y.detach()
    with pytest.raises(ValueError, match=r"grads\[0\] overlaps params\[1\]"):
        optimizer.step()
    assert torch.equal(y.detach(), torch.zeros(4))
    x.grad = torch.ones(4)
    optimizer.step()
    assert torch.equal(x.detach(), torch.full((4,), -1.0))


def test_a_parameter_in_other_memory_is_stepped_there():
    x = torch.ones(4, requires_grad=True)
    optimizer = make("SGD", [x], lr=1.0)
    x.grad = torch.ones(4)
    optimizer.step()
    x.data = torch.full((4,), 5.0)
    optimizer.step()
    assert torch.equal(x.detach(), torch.full((4,), 4.0))


def test_stochastic_rounding_goes_on_to_the_same_bits():
    options = {"lr": 1e-3, "rounding": "stochastic", "seed": 5}
    params = parameters(torch.bfloat16)
    optimizer = make("SGD", params, **options)
    steps(optimizer, params, 0, 5)
    others = copied(params)
    other = make("SGD", others, lr=1.0)
    other.load_state_dict(optimizer.state_dict())
    for o, p in ((optimizer, params), (other, others)):
        steps(o, p, 5, 12)
    assert same(params, others)
