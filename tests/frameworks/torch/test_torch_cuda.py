"""Parameters on a GPU: the bits of the CPU, loss scales, saved states, steps on the host."""

import copy
import io

import pytest
import torch
from test_torch_backward import BY_TENSOR
from torch_cases import UPDATES, give_gradients, make, parameters, same

import mdbopt.torch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device"),
]
DEVICE = "cuda"

# A GPU keeps subnormal numbers.
BITS = {"flush_subnormals": False}
FORMATS = [{"state_dtype": "8bit"}, {"state_dtype": "bfloat16"}, {"master": "remainder"}]
FOLLOWING = [{"max_update": 0.01}, {"l1": 0.1}, {"average": 0.9}]
SHAPES = ((40, 30), (5,), (), (2, 2, 2), (0, 3), (1500,))


def moved(params):
    return [p.detach().clone().to(DEVICE).requires_grad_() for p in params]


def steps_of_both(here, near, there, far, first, last):
    """Take steps with gradients of the same bits, drawn where the parameters on the CPU are."""
    for t in range(first, last):
        give_gradients(near, t)
        for p, q in zip(near, far, strict=True):
            q.grad = p.grad.to(DEVICE)
        here.step()
        there.step()


def assert_same(here, near, there, far):
    assert same(near, [q.cpu() for q in far])
    ours, theirs = (each.state_dict()["state"] for each in (there, here))
    assert ours.keys() == theirs.keys()
    for k, entry in theirs.items():
        assert entry.keys() == ours[k].keys()
        for name, value in entry.items():
            assert torch.equal(ours[k][name].cpu(), value), (k, name)


def check_both(name, dtype, steps=4, **options):
    near = parameters(dtype, shapes=SHAPES)
    far = moved(near)
    here, there = (make(name, params, **BITS, **options) for params in (near, far))
    steps_of_both(here, near, there, far, 0, steps)
    assert_same(here, near, there, far)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("name", "options"), UPDATES)
def test_updates_have_the_bits_of_the_cpu(name, options, dtype):
    check_both(name, dtype, **options)


@pytest.mark.parametrize("options", [*FORMATS, {**FORMATS[0], **FORMATS[2]}])
@pytest.mark.parametrize("name", ["AdamW", "Lion", "AdEMAMix"])
def test_formats_have_the_bits_of_the_cpu(name, options):
    dtype = torch.bfloat16 if "master" in options else torch.float32
    check_both(name, dtype, lr=0.01, seed=3, **options)


@pytest.mark.parametrize("options", FOLLOWING)
@pytest.mark.parametrize("name", ["AdamW", "LAMB", "SGD"])
def test_what_follows_a_step_has_the_bits_of_the_cpu(name, options):
    check_both(name, torch.float32, lr=0.05, **options)


@pytest.mark.parametrize("max_norm", [1e-2, 1e6])
def test_clipping_has_the_bits_of_the_cpu(max_norm):
    near = parameters(shapes=SHAPES)
    far = moved(near)
    options = {"lr": 0.05, "max_norm": max_norm, "maximize": True, **BITS}
    here, there = (mdbopt.torch.AdamW(params, **options) for params in (near, far))
    steps_of_both(here, near, there, far, 0, 3)
    assert_same(here, near, there, far)
    assert float(there.total_norm) == float(here.total_norm)


def test_groups_of_rules_have_the_bits_of_the_cpu():
    near = parameters(shapes=SHAPES)
    far = moved(near)

    def optimizer_of(params):
        members = (
            mdbopt.torch.AdamW(params[:3], lr=0.05, **BITS),
            mdbopt.torch.Lion(params[3:], lr=0.01, **BITS),
        )
        return mdbopt.torch.Groups(members, max_norm=0.5)

    here, there = map(optimizer_of, (near, far))
    steps_of_both(here, near, there, far, 0, 3)
    assert same(near, [q.cpu() for q in far])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_states_go_from_device_to_device(dtype):
    near = parameters(dtype, shapes=SHAPES)
    far = moved(near)
    here, there = (mdbopt.torch.AdamW(params, lr=0.05, **BITS) for params in (near, far))
    steps_of_both(here, near, there, far, 0, 2)
    saved = io.BytesIO()
    torch.save(here.state_dict(), saved)
    saved.seek(0)
    there = mdbopt.torch.AdamW(far, lr=0.05, **BITS)
    there.load_state_dict(torch.load(saved, map_location=DEVICE))
    steps_of_both(here, near, there, far, 2, 4)
    assert_same(here, near, there, far)
    here = mdbopt.torch.AdamW(near, lr=0.05, **BITS)
    here.load_state_dict(there.state_dict())
    steps_of_both(here, near, there, far, 4, 6)
    assert_same(here, near, there, far)


def test_schedule_free_shows_its_average():
    near = parameters(shapes=SHAPES)
    far = moved(near)
    here, there = (mdbopt.torch.ScheduleFreeAdamW(p, lr=0.05, **BITS) for p in (near, far))
    for each in (here, there):
        each.train()
    steps_of_both(here, near, there, far, 0, 3)
    trained = [q.detach().clone() for q in far]
    for each in (here, there):
        each.eval()
    assert same(near, [q.cpu() for q in far])
    for each in (here, there):
        each.train()
    assert same(near, [q.cpu() for q in far])
    assert not same(trained, [torch.zeros_like(q) for q in trained])


def test_a_step_is_on_the_current_stream():
    """A gradient that is late on another stream is waited for there, as all else on that stream."""
    p = torch.zeros(1 << 20, device=DEVICE, requires_grad=True)
    optimizer = mdbopt.torch.SGD([p], lr=1.0)
    stream = torch.cuda.Stream()
    p.grad = torch.zeros_like(p)
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        for t in range(5):
            torch.cuda._sleep(10_000_000)
            p.grad.fill_(float(t))
            optimizer.step()
    stream.synchronize()
    assert torch.equal(p.detach(), torch.full_like(p, -10.0))


# -- loss scales ----------------------------------------------------------------------------------


def network(dtype=torch.float32, width=16):
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, width), torch.nn.Tanh(), torch.nn.Linear(width, 3)
    return torch.nn.Sequential(*layers).to(dtype)


def test_a_loss_scale_is_taken_out_and_a_step_with_inf_is_left_out():
    model = network().to(DEVICE)
    optimizer = mdbopt.torch.AdamW(model.parameters(), lr=0.01)
    other = copy.deepcopy(model)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.01, fused=True)
    scalers = [torch.amp.GradScaler(DEVICE, init_scale=2.0**10) for _ in range(2)]
    for t in range(6):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(t)).to(DEVICE)
        for net, each, scaler in ((model, optimizer, scalers[0]), (other, theirs, scalers[1])):
            each.zero_grad()
            with torch.autocast(DEVICE, dtype=torch.float16):
                loss = net(x).float().square().mean()
            scaler.scale(torch.inf * loss if t == 3 else loss).backward()
            before = [p.detach().clone() for p in net.parameters()]
            scaler.step(each)
            scaler.update()
            assert same(before, net.parameters()) == (t == 3)
    assert scalers[0].get_scale() == scalers[1].get_scale() == 2.0**9
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-6)


# -- masters and states on the host ---------------------------------------------------------------


def backward_of_both(model, other, t):
    """Give a model on the device, by a backward pass, and one on the CPU the same gradients."""
    drawn = torch.Generator().manual_seed(t)
    total = 0.0
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        q.grad = torch.randn(q.shape, generator=drawn).to(q.dtype)
        total = total + (p * q.grad.to(DEVICE)).sum()
    total.backward()


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize(("name", "options"), BY_TENSOR)
def test_offloaded_steps_are_those_of_the_cpu(name, options, free):
    other = network(width=2000)
    model = copy.deepcopy(other).to(DEVICE)
    optimizer = mdbopt.torch.Offload(
        model.parameters(),
        getattr(mdbopt.torch, name),
        bucket_bytes=4096,
        free_gradients=free,
        **options,
    )
    theirs = make(name, other.parameters(), **options)
    for t in range(4):
        optimizer.zero_grad()
        backward_of_both(model, other, t)
        optimizer.step()
        theirs.step()
        seen = [p.detach().clone() for p in model.parameters()]  # what the next pass would read
        assert same([p.cpu() for p in seen], other.parameters())


@pytest.mark.parametrize("max_norm", [1e-2, 1e6])
def test_offloaded_masters_of_half_precision_are_clipped_together(max_norm):
    other = network(torch.bfloat16, width=2000)
    model = copy.deepcopy(other).to(DEVICE)
    wide = copy.deepcopy(other).float()
    optimizer = mdbopt.torch.Offload(
        model.parameters(), mdbopt.torch.AdamW, lr=0.01, max_norm=max_norm, bucket_bytes=4096
    )
    theirs = mdbopt.torch.AdamW(wide.parameters(), lr=0.01)
    for t in range(3):
        optimizer.zero_grad()
        backward_of_both(model, other, t)
        norm = torch.sqrt(sum(q.grad.double().square().sum() for q in other.parameters()))
        factor = min(1.0, max_norm / float(norm))
        for p, q in zip(other.parameters(), wide.parameters(), strict=True):
            q.grad = p.grad.float() * factor
        optimizer.step()
        theirs.step()
        assert optimizer.total_norm == pytest.approx(float(norm), rel=1e-6)
        for p, q in zip(model.parameters(), wide.parameters(), strict=True):
            torch.testing.assert_close(
                optimizer.state[p]["master"], q.detach(), rtol=1e-4, atol=1e-5
            )
            assert torch.equal(p.cpu(), optimizer.state[p]["master"].bfloat16())


def test_offloaded_steps_take_a_loss_scale():
    model = network().to(DEVICE)
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, lr=0.1)
    scaler = torch.amp.GradScaler(DEVICE, init_scale=2.0**10)
    for t in range(3):
        optimizer.zero_grad()
        before = [p.detach().clone() for p in model.parameters()]
        loss = model(torch.ones(2, 4, device=DEVICE)).square().mean()
        scaler.scale(torch.inf * loss if t == 1 else loss).backward()
        scaler.step(optimizer)
        scaler.update()
        assert same(before, model.parameters()) == (t == 1)
    assert scaler.get_scale() == 2.0**9
