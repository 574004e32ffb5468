"""States of mdbopt.torch in 8 bits and bfloat16, and bfloat16 parameters with low bits."""

import copy
import io

import numpy as np
import pytest
import torch

import mdbopt
import mdbopt.torch

FORMATS = [{"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}, {"master": "remainder"}]
BOTH = [*FORMATS, {"master": "remainder", "state_dtype": "8bit"}]


def model(dtype=torch.float32):
    torch.manual_seed(0)
    layers = torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 5)
    return torch.nn.Sequential(*layers).to(dtype)


def dtype_of(options):
    return torch.bfloat16 if "master" in options else torch.float32


def optimizer_of(net, options, **others):
    return mdbopt.torch.AdamW(net.parameters(), lr=3e-3, seed=5, **options, **others)


def trained(net, optimizer, first=0, steps=5):
    for step in range(first, first + steps):
        torch.manual_seed(100 + step)
        dtype = next(net.parameters()).dtype
        x, y = torch.randn(64, 20, dtype=dtype), torch.randn(64, 5, dtype=dtype)
        optimizer.zero_grad()
        (net(x) - y).float().square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("options", BOTH)
def test_a_step_is_that_of_the_core(options):
    net = model(dtype_of(options))
    optimizer = optimizer_of(net, options)
    others = copy.deepcopy(list(net.parameters()))
    core = mdbopt.AdamW(lr=3e-3, weight_decay=1e-2, seed=5, **options)
    trees = [p.detach() for p in others]
    state = core.init(trees)
    for step in range(3):
        trained(net, optimizer, first=step, steps=1)
        grads = [p.grad for p in net.parameters()]
        core.step(trees, grads, state)
        for param, other in zip(net.parameters(), trees, strict=True):
            assert torch.equal(param.detach(), other)
    names = {"exp_avg": "m", "exp_avg_sq": "v", "low": "low"}
    for k, param in enumerate(net.parameters()):
        for name, value in optimizer.state[param].items():
            if name != "step":
                assert torch.equal(value, getattr(state, names[name])[k])


@pytest.mark.parametrize("options", BOTH)
@pytest.mark.parametrize("way", ["state_dict", "deepcopy"])
def test_a_state_goes_on_to_the_same_bits(options, way):
    net = model(dtype_of(options))
    optimizer = optimizer_of(net, options)
    trained(net, optimizer)
    if way == "deepcopy":
        other, again = copy.deepcopy((net, optimizer))
    else:
        other = copy.deepcopy(net)
        again = optimizer_of(other, options)
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        again.load_state_dict(torch.load(file, weights_only=True))
    expected = trained(net, optimizer, first=5)
    for ours, theirs in zip(trained(other, again, first=5), expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("options", BOTH)
def test_states_of_torch_optim_are_taken_in(options):
    net = model(dtype_of(options))
    theirs = torch.optim.AdamW(net.parameters(), lr=3e-3)
    trained(net, theirs)
    ours = optimizer_of(net, options)
    saved = theirs.state_dict()
    ours.load_state_dict(saved)
    for group in ours.param_groups:
        group.update(options)
    ours.load_state_dict({**ours.state_dict(), "state": saved["state"]})
    core = mdbopt.AdamW(**options)
    for param in net.parameters():
        entry, known = ours.state[param], theirs.state[param]
        state = core.init(param.detach())
        assert {name: value.dtype for name, value in entry.items() if name.startswith("exp")} == {
            name: state[array].dtype for name, array in (("exp_avg", "m"), ("exp_avg_sq", "v"))
        }
        values = known["exp_avg"].float()
        if options.get("state_dtype") == "bfloat16":
            assert torch.equal(entry["exp_avg"], values.bfloat16())
    trained(net, ours)


def test_groups_may_differ():
    net = model()
    first, last = net[0].parameters(), net[2].parameters()
    groups = [{"params": first, "state_dtype": "8bit"}, {"params": last}]
    optimizer = mdbopt.torch.AdamW(groups, lr=1e-3)
    trained(net, optimizer)
    dtypes = [optimizer.state[p]["exp_avg"].dtype for p in net.parameters()]
    assert dtypes == [torch.uint8, torch.uint8, torch.float32, torch.float32]


def test_what_is_refused():
    with pytest.raises(
        TypeError, match=r"AdamW: params\[0\]: has dtype float32, expected bfloat16"
    ):
        mdbopt.torch.AdamW([torch.ones(3, requires_grad=True)], master="remainder")
    wide = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match=r"AdamW: 'w': has dtype float64, expected float32"):
        mdbopt.torch.AdamW([("w", wide)], state_dtype="8bit")
    with pytest.raises(ValueError, match=r"SGD: state_dtype: expected None"):
        mdbopt.torch.SGD([torch.ones(3, requires_grad=True)], lr=0.1, state_dtype="8bit")
    with pytest.raises(ValueError, match=r"state_dtype: expected one of"):
        mdbopt.torch.AdamW([torch.ones(3, requires_grad=True)], state_dtype="int8")


@pytest.mark.parametrize("options", FORMATS[:2])
def test_states_of_the_core_go_from_numpy_to_tensors_and_back(options):
    core = mdbopt.AdamW(lr=1e-2, **options)
    values = np.random.default_rng(3).standard_normal((2, 40, 30)).astype(np.float32)
    x, grad = values
    tensor = torch.from_numpy(x.copy())
    here, there = core.init(x), core.init(tensor)
    core.step(x, grad, here)
    core.step(tensor, torch.from_numpy(grad), there)
    here, there = core.restore(x, dict(there)), core.restore(tensor, dict(here))
    core.step(x, grad, here)
    core.step(tensor, torch.from_numpy(grad), there)
    assert np.array_equal(x, tensor.numpy())
    for name in ("m", "v"):
        assert np.array_equal(here.decoded(name), there.decoded(name))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
@pytest.mark.parametrize("options", BOTH)
def test_steps_on_a_device_have_the_bits_of_the_cpu(options):
    net = model(dtype_of(options))
    there = copy.deepcopy(net).cuda()
    ours, theirs = (optimizer_of(n, options, flush_subnormals=False) for n in (net, there))
    for step in range(3):
        trained(net, ours, first=step, steps=1)
        for near, far in zip(there.parameters(), net.parameters(), strict=True):
            near.grad = far.grad.cuda()
        theirs.step()
    again = optimizer_of(there, options)
    again.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for near, far in zip(there.parameters(), net.parameters(), strict=True):
        assert torch.equal(near.detach().cpu(), far.detach())
        for name, value in ours.state[far].items():
            assert torch.equal(theirs.state[near][name].cpu(), value)
            assert torch.equal(again.state[near][name].cpu(), value)
