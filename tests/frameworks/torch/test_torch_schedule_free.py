"""The average of the schedule-free optimizers on PyTorch's parameters."""

import copy

import numpy as np
import pytest
import torch
from torch_cases import make, parameters, same, steps

import mdbopt

CLASSES = {
    "ScheduleFreeSGD": {"lr": 0.05, "momentum": 0.8},
    "ScheduleFreeAdamW": {"lr": 0.05, "betas": (0.8, 0.99), "weight_decay": 0.1},
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_average_is_that_of_the_core(name):
    params = parameters()
    optimizer = make(name, params, **CLASSES[name])
    steps(optimizer, params, 0, 20)
    own = [p.detach().clone().numpy() for p in params]
    z = [optimizer.state[p]["z"].numpy() for p in params]
    optimizer.eval()
    optimizer.eval()  # once is enough
    for p, x, end in zip(params, own, z, strict=True):
        expected = x + np.float32(1.0 - 1.0 / 0.8) * (end - x)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    optimizer.train()
    optimizer.train()
    for p, x in zip(params, own, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-6, atol=1e-6)
    steps(optimizer, params, 20, 22)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CLASSES)
def test_the_average_of_half_precision_is_made_in_float32(name, dtype):
    params = parameters(dtype)
    optimizer = make(name, params, **CLASSES[name])
    steps(optimizer, params, 0, 3)
    own = [p.detach().clone() for p in params]
    optimizer.eval()
    for p, x in zip(params, own, strict=True):
        z = optimizer.state[p]["z"]
        assert z.dtype == torch.float32
        assert torch.equal(p.detach(), torch.lerp(x.float(), z, 1.0 - 1.0 / 0.8).to(dtype))


@pytest.mark.parametrize("name", CLASSES)
def test_no_step_from_the_average_and_it_is_saved(name):
    params = parameters()
    optimizer = make(name, params, **CLASSES[name])
    steps(optimizer, params, 0, 2)
    optimizer.eval()
    twins = [p.detach().clone().requires_grad_() for p in params]
    twin = make(name, twins, **CLASSES[name])
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, its in ((optimizer, params), (twin, twins)):
        before = [p.detach().clone() for p in its]
        with pytest.raises(ValueError, match=r"params: expected the point where gradients are"):
            steps(one, its, 2, 3)
        assert same(before, [p.detach() for p in its])
        one.train()
        steps(one, its, 2, 4)
    assert same([p.detach() for p in params], [p.detach() for p in twins])


@pytest.mark.parametrize("name", CLASSES)
def test_parameters_count_their_own_steps(name):
    """One that joins later has the weights of its own steps, as if it were alone."""
    params = parameters()
    optimizer = make(name, params, **CLASSES[name])
    alone = [p.detach().clone().requires_grad_() for p in params]
    optimizers = [make(name, [p], **CLASSES[name]) for p in alone]
    late = 1
    for t in range(8):
        for each in (params, alone):
            for k, p in enumerate(each):
                drawn = torch.Generator().manual_seed(10 * t + k)
                g = torch.randn(p.shape, generator=drawn)
                p.grad = None if k == late and t < 3 else g
        optimizer.step()
        for one in optimizers:
            one.step()
    assert same([p.detach() for p in params], [p.detach() for p in alone])
    assert float(optimizer.state[params[late]]["weight_sum"]) < float(
        optimizer.state[params[0]]["weight_sum"]
    )


def test_a_fresh_optimizer_has_no_average_to_show():
    params = parameters()
    before = [p.detach().clone() for p in params]
    optimizer = mdbopt.torch.ScheduleFreeSGD(params)
    optimizer.eval()
    optimizer.train()
    assert same(before, [p.detach() for p in params])
