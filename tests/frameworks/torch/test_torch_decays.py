"""Decay that follows lr, of groups with schedules."""

import numpy as np
import pytest
import torch

import mdbopt
import mdbopt.torch

RATES = (0.125, 0.5, 0.25)


def decay(optimizer, param, rates):
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        param.grad = torch.zeros_like(param)
        optimizer.step()


@pytest.mark.parametrize("kind", ["adamw", "adamc", "independent"])
def test_steps_are_those_of_the_core(kind):
    param = torch.tensor([1.0, -3.0], dtype=torch.float64, requires_grad=True)
    x = param.detach().numpy().copy()
    ours = mdbopt.AdamW(0.5, weight_decay=0.3, decay=kind)
    state = ours.init(x)
    optimizer = mdbopt.torch.AdamW([param], lr=0.5, weight_decay=0.3, decay=kind)
    decay(optimizer, param, RATES)
    for rate in RATES:
        ours.step(x, np.zeros(2), state, lr=rate)
    assert param.detach().numpy().tobytes() == x.tobytes()


def test_a_schedule_keeps_the_highest_lr():
    param = torch.ones(2, requires_grad=True)
    optimizer = mdbopt.torch.AdamW([param], lr=0.5, weight_decay=0.3, decay="adamc")
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: (t + 1) / 4)
    for _ in range(3):
        param.grad = torch.zeros_like(param)
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["peak_lr"] == 0.5
    wanted = np.prod([1.0 - 0.5 * (k / 4) ** 2 * 0.3 for k in (1, 2, 3)])
    assert np.allclose(param.detach().numpy(), wanted, rtol=1e-6)
    again = mdbopt.torch.AdamW([param], lr=1.0, weight_decay=0.3, decay="adamc")
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["peak_lr"] == 0.5


def test_a_group_says_its_highest_lr():
    param = torch.ones(1, dtype=torch.float64, requires_grad=True)
    group = {"params": [param], "peak_lr": 1.0}
    optimizer = mdbopt.torch.Lion([group], lr=0.25, weight_decay=0.5, decay="independent")
    decay(optimizer, param, [0.25])
    assert param.item() == 1.0 - 0.25 * 0.5


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan"), "1", None])
def test_what_is_no_highest_lr(peak):
    param = torch.ones(1, requires_grad=True)
    optimizer = mdbopt.torch.AdamW([param], lr=0.25, decay="adamc")
    with pytest.raises((TypeError, ValueError), match=r"^AdamW: peak_lr: expected a "):
        optimizer.add_param_group({"params": [torch.ones(1)], "peak_lr": peak})
    assert len(optimizer.param_groups) == 1


def test_cautious_options_are_where_the_core_has_them():
    param = torch.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match="cautious"):
        mdbopt.torch.SGD([param], lr=0.1, cautious="mask")
    with pytest.raises(TypeError, match="cautious"):
        mdbopt.torch.Adam([param], lr=0.1, cautious="mask", amsgrad=True)
    assert mdbopt.torch.Adam([param], lr=0.1, amsgrad=True).param_groups[0]["cautious"] is None
