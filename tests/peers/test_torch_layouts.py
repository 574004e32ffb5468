"""PyTorch's tensors as people have them: views, expanded and narrower gradients, models."""

import copy
import pickle

import numpy as np
import pytest

import mdbopt

torch = pytest.importorskip("torch")

VIEWS = {
    "transposed": lambda w: w.t(),
    "rows": lambda w: w[::2],
    "columns": lambda w: w[:, 1:4],
    "one column": lambda w: w[:, 2],
    "permuted": lambda w: w.view(4, 3, 6).permute(2, 0, 1),
    "channels last": lambda w: w.view(2, 3, 4, 3).to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_views_are_updated_in_place(name, dtype):
    torch.manual_seed(0)
    memory = torch.randn(12, 6).to(dtype)
    view = VIEWS[name](memory)
    dense = view.clone(memory_format=torch.contiguous_format)
    optimizer = mdbopt.AdamW(0.1)
    state, other = optimizer.init(view), optimizer.init(dense)
    for _ in range(3):
        g = torch.randn(view.shape).to(dtype)
        assert optimizer.step(view, g, state)
        assert optimizer.step(dense, g, other)
    assert torch.equal(view, dense)
    assert torch.equal(state.m, other.m)


@pytest.mark.parametrize("name", ["transposed", "columns"])
def test_a_written_view_counts_as_written(name):
    w = torch.ones(12, 6, requires_grad=True)
    loss = (w * w).sum()
    view = VIEWS[name](w.detach())
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(view, torch.ones(view.shape), optimizer.init(view))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_expanded_and_transposed_gradients():
    w = torch.zeros(3, 4, requires_grad=True)
    w.sum().backward()  # expands a number
    optimizer = mdbopt.SGD(0.5)
    for g in (
        w.grad,
        torch.ones(()).expand(3, 4),
        torch.ones(4, 3).t(),
        torch.ones(4).expand(3, 4),
    ):
        w.detach().zero_()
        assert optimizer.step(w, g, optimizer.init(w))
        assert torch.equal(w.detach(), torch.full((3, 4), -0.5))


def test_half_precision_gradients_of_float32_parameters():
    x, g = torch.randn(5000), torch.randn(5000).to(torch.bfloat16)
    y, optimizer = x.clone(), mdbopt.AdamW(0.1)
    optimizer.step([x], [g], optimizer.init([x]), max_norm=1.0)
    optimizer.step([y], [g.float()], optimizer.init([y]), max_norm=1.0)
    assert torch.equal(x, y)
    text = r"^AdamW: grads\[0\] has dtype float64, expected float32, .* pass it as float32$"
    with pytest.raises(TypeError, match=text):
        optimizer.step([x], [g.double()], optimizer.init([x]))


def test_integers_and_views_that_are_meant_negated():
    x, optimizer = torch.zeros(4), mdbopt.SGD(1.0)
    state = optimizer.init(x)
    assert optimizer.step(x, torch.arange(4), state)
    assert torch.equal(x, -torch.arange(4.0))
    z = torch.complex(torch.ones(4), torch.full((4,), 2.0))
    for g in (z.conj().imag, z.conj().imag[::2]):
        some = x[: len(g)]
        before = some.clone()
        with pytest.raises(ValueError, match=r"^SGD: grads has PyTorch's negative bit set"):
            optimizer.step(some, g, optimizer.init(some))
        assert torch.equal(some, before)
        assert optimizer.step(some, g.resolve_neg(), optimizer.init(some))
        assert torch.equal(some, before + 2)


def test_overlapping_and_expanded_parameters_are_refused():
    w = torch.zeros(4, 6)
    optimizer = mdbopt.SGD(1.0)
    halves = [w[:, :3], w[:, 3:]]
    assert optimizer.step(halves, [torch.ones(4, 3)] * 2, optimizer.init(halves))
    assert torch.equal(w, torch.full((4, 6), -1.0))
    common = [w[:, :4], w[:, 3:]]
    with pytest.raises(ValueError, match=r"^SGD: params\[1\] overlaps params\[0\]"):
        optimizer.step(common, [torch.ones(4, 4), torch.ones(4, 3)], optimizer.init(common))
    wide = w[:1].expand(4, 6)
    with pytest.raises(ValueError, match=r"^SGD: params has elements that share memory"):
        optimizer.step(wide, torch.ones(4, 6), optimizer.init(torch.zeros(4, 6)))


def test_a_model_of_two_dtypes_by_its_generators():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2, bias=False).double())
    twin = copy.deepcopy(model)
    for each in (model, twin):
        each[1](each[0](torch.ones(5, 3)).double()).pow(2).sum().backward()
    optimizer = mdbopt.SGD(0.1)
    state = optimizer.init(model.parameters())
    norm = optimizer.step(
        model.parameters(), (p.grad for p in model.parameters()), state, max_norm=0.5
    )
    expected = torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
    torch.optim.SGD(twin.parameters(), lr=0.1).step()
    assert norm == pytest.approx(float(expected), rel=1e-5)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5)


def test_numbers_of_pytorch():
    for lr in (
        torch.tensor(0.25),
        torch.tensor(0.25, dtype=torch.float64),
        torch.tensor([0.25])[0],
    ):
        x = torch.zeros(3)
        assert mdbopt.SGD(lr) == mdbopt.SGD(0.25)
        optimizer = mdbopt.SGD(9.0)
        assert optimizer.step(x, torch.ones(3), optimizer.init(x), lr=lr)
        assert torch.equal(x, torch.full((3,), -0.25))
    assert mdbopt.AdamW(weight_decay=torch.tensor([0.5, 0.25])).weight_decay == (0.5, 0.25)


def test_states_and_plans_are_sent():
    x, g = torch.zeros(3), torch.ones(3)
    optimizer = mdbopt.AdamW(0.1)
    plan = optimizer.plan({"x": x}, {"x": g}, optimizer.init({"x": x}))
    twin = pickle.loads(pickle.dumps(plan))
    plan.step()
    twin.step()
    assert torch.equal(twin._arguments[0]["x"], x)
    assert twin._state.t == 1
    assert np.array_equal(twin._state["m['x']"], plan._state["m['x']"])


def test_no_room_for_a_state():
    x = torch.zeros(1).expand(10**14)
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        mdbopt.AdamW().init(x)
    assert caught.type is MemoryError
    assert str(caught.value).startswith("AdamW: params: no room for a state")
