"""A step among PyTorch's other machinery: closures, hooks, loss scales, autograd, compilation."""

import gc
import weakref

import pytest
import torch
from torch.optim import optimizer as base
from torch_cases import (
    UPDATE_IDS,
    UPDATES,
    give_gradients,
    make,
    parameters,
    rosenbrock,
    same,
    steps,
)

updates = pytest.mark.parametrize(("name", "options"), UPDATES, ids=UPDATE_IDS)


def test_a_closure_is_evaluated_once_with_gradients():
    x = torch.ones(3, requires_grad=True)
    optimizer = make("AdamW", [x], lr=0.1)
    seen = []

    def closure():
        seen.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = x.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert seen == [True]
    assert float(loss.detach()) == 3.0
    assert bool((x < 1.0).all())
    assert optimizer.step() is None


@pytest.mark.parametrize("name", ["AdamW", "Guarded"])
def test_the_order_of_hooks(name):
    x = torch.ones(4, requires_grad=True)
    optimizer = make(name, [x])
    closure = rosenbrock(optimizer, [x])
    order = []
    handles = [
        base.register_optimizer_step_pre_hook(lambda *_: order.append("every before")),
        base.register_optimizer_step_post_hook(lambda *_: order.append("every after")),
        optimizer.register_step_pre_hook(lambda *_: order.append("before")),
        optimizer.register_step_post_hook(lambda *_: order.append("after")),
    ]
    try:
        optimizer.step(closure)
        assert order == ["every before", "before", "after", "every after"]
    finally:
        for handle in handles:
            handle.remove()
    optimizer.step(closure)
    assert len(order) == 4


def test_a_hook_may_change_the_arguments():
    x = torch.ones(2, requires_grad=True)
    optimizer = make("SGD", [x], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "changed"), {}))
    assert optimizer.step(lambda: "given") == "changed"


@pytest.mark.parametrize("name", ["AdamW", "Guarded"])
def test_hooks_of_states(name):
    x = torch.ones(4, requires_grad=True)
    optimizer = make(name, [x])
    order = []

    def marked(optimizer, state):
        order.append("saved")
        return {**state, "mark": 1}

    def unmarked(optimizer, state):
        order.append("loading")
        assert torch.is_tensor(next(iter(state["state"][0].values()), torch.ones(1)))
        return {name: value for name, value in state.items() if name != "mark"}

    optimizer.register_state_dict_pre_hook(lambda *_: order.append("saving"))
    optimizer.register_state_dict_post_hook(marked)
    optimizer.register_load_state_dict_pre_hook(unmarked)
    optimizer.register_load_state_dict_post_hook(lambda *_: order.append("loaded"))
    saved = optimizer.state_dict()
    assert saved["mark"] == 1
    saved["state"] = {0: {}}
    optimizer.load_state_dict(saved)
    assert order == ["saving", "saved", "loading", "loaded"]


def test_a_profile_names_the_step():
    params = parameters()
    optimizer = make("AdamW", params)
    give_gradients(params, 0)
    with torch.autograd.profiler.profile() as profile:
        optimizer.step()
    assert any(event.name == "Optimizer.step#AdamW.step" for event in profile.function_events)


@updates
def test_loss_scales_are_taken_out_in_the_step(name, options):
    params, others = parameters(), parameters()
    a, b = make(name, params, **options), make(name, others, **options)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    for t in range(4):
        give_gradients(params, t)
        give_gradients(others, t)
        scale = scaler.scale(torch.ones(())).item()
        for p in params:
            p.grad *= scale
        scaler.step(a)
        scaler.update()
        b.step()
    assert same(params, others)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "HypergradientAdam"])
def test_steps_with_infinite_gradients_are_skipped(name):
    params = parameters()
    optimizer = make(name, params, lr=0.01)
    steps(optimizer, params, 0, 2)
    before = [p.detach().clone() for p in params]
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.ones(()))
    give_gradients(params, 2)
    params[1].grad[0] = torch.inf
    scaler.step(optimizer)
    scaler.update()
    assert same(params, before)
    assert float(optimizer.state[params[0]]["step"]) == 2.0
    assert scaler.get_scale() == 2.0


def test_unscaled_gradients_are_not_scaled_again():
    params, others = parameters(), parameters()
    a, b = make("AdamW", params), make("AdamW", others)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    give_gradients(params, 0)
    give_gradients(others, 0)
    for p in params:
        p.grad *= 8.0
    scaler.unscale_(a)
    scaler.step(a)
    b.step()
    assert same(params, others)


def test_autograd_is_told_what_was_written():
    x = torch.ones(3, requires_grad=True)
    w = torch.ones(3, requires_grad=True)
    optimizer = make("SGD", [x], lr=0.1)
    loss = (x * w).sum()
    for _ in range(2):  # planned, then as planned
        version = x._version
        x.grad = torch.ones(3)
        optimizer.step()
        assert x._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_searches_tell_autograd():
    x = torch.tensor([-1.2, 1.0], requires_grad=True)
    version = x._version
    optimizer = make("Guarded", [x])
    optimizer.step(rosenbrock(optimizer, [x]))
    assert x._version > version


@pytest.mark.parametrize("layout", ["transposed", "channels last", "with gaps"])
def test_parameters_of_any_layout(layout):
    make_one = {
        "transposed": lambda: torch.arange(12.0).reshape(3, 4).t(),
        "channels last": lambda: (
            torch.arange(36.0).reshape(1, 4, 3, 3).contiguous(memory_format=torch.channels_last)
        ),
        "with gaps": lambda: torch.arange(12.0)[::2],
    }[layout]
    x, y = make_one().requires_grad_(), make_one().contiguous().requires_grad_()
    a, b = make("AdamW", [x], lr=0.1), make("AdamW", [y], lr=0.1)
    for t in range(3):
        drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(t))
        x.grad, y.grad = drawn.clone(), drawn.clone()
        a.step()
        b.step()
    assert torch.equal(x, y)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_beside_each_other(dtype):
    params = [*parameters(dtype), *parameters(torch.float32)]
    optimizer = make("AdamW", params, lr=0.1)
    before = [p.detach().clone() for p in params]
    steps(optimizer, params, 0, 2)
    assert all(p.numel() == 0 or not torch.equal(p, q) for p, q in zip(params, before, strict=True))


def test_a_model_that_holds_its_optimizer_is_freed():
    def trained():
        model = torch.nn.Linear(4, 4)
        model.optimizer = make("AdamW", model.parameters())
        for _ in range(2):
            model(torch.ones(1, 4)).sum().backward()
            model.optimizer.step()
        return weakref.ref(model.weight)

    alive = trained()
    gc.collect()
    assert alive() is None


@pytest.mark.slow
# Dynamo's own, of the loss that it looks at after a graph break.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_training_step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    other = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    other.load_state_dict(model.state_dict())
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    a, b = make("AdamW", model.parameters()), make("AdamW", other.parameters())

    def train(model, optimizer):
        optimizer.zero_grad()
        loss = (model(x) - 1.0).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    compiled = torch.compile(train, backend="aot_eager")
    for _ in range(4):
        compiled(model, a)
        train(other, b)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-6)
