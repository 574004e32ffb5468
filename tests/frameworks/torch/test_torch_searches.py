"""Searches: evaluations, what a step does, what it does when something changed in between."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch_cases import SEARCHES, make, parameters, rosenbrock, same

import mdbopt

search = pytest.mark.parametrize("name", SEARCHES)


def start(dtype=torch.float64):
    return [torch.tensor([-1.2, 1.0], dtype=dtype), torch.tensor([[0.5, 2.0]], dtype=dtype)]


def begin(name, dtype=torch.float64, **options):
    x = [p.requires_grad_() for p in start(dtype)]
    optimizer = make(name, x, **options)
    calls = []
    return x, optimizer, rosenbrock(optimizer, x, calls), calls


@search
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_lower_the_loss(name, dtype):
    _, optimizer, closure, calls = begin(name, dtype)
    first = optimizer.step(closure)
    assert float(first) == calls[0]
    last = [float(optimizer.step(closure)) for _ in range(8)]
    assert last == sorted(last, reverse=True)
    assert last[-1] < 0.5 * calls[0]


@search
@pytest.mark.parametrize("groups", ["coordinate", "tensor"])
def test_the_path_is_that_of_the_search(name, groups):
    """One evaluation for each point that the search proposes, and none between steps."""
    x, optimizer, closure, calls = begin(
        name, max_iter=3, tolerance_grad=0.0, tolerance_change=0.0, groups=groups
    )
    for _ in range(6):
        optimizer.step(closure)
    assert all(isinstance(each, float) for each in calls)

    z = torch.cat([p.flatten() for p in start()]).numpy()

    def evaluate(z):
        a, b = z[0::2], z[1::2]
        g = np.empty_like(z)
        g[0::2] = -2 * (1 - a) - 400 * a * (b - a**2)
        g[1::2] = 200 * (b - a**2)
        return float(((1 - a) ** 2 + 100 * (b - a**2) ** 2).sum()), g

    labels = [0, 0, 1, 1] if groups == "tensor" else None
    ours = getattr(mdbopt, name)(groups=labels)
    state = ours.init(z, *evaluate(z))
    values = [state.f]
    while len(values) < len(calls):
        f, g = evaluate(ours.propose(state))
        values.append(f)
        ours.judge(state, f, g)
    assert values[:8] == pytest.approx(calls[:8], rel=1e-9)
    assert len(values) == len(calls) == optimizer.state[x[0]]["func_evals"]


def value_at(x):
    z = torch.cat([p.detach().flatten() for p in x])
    a, b = z[0::2], z[1::2]
    return float(((1 - a) ** 2 + 100 * (b - a**2) ** 2).sum())


@search
def test_parameters_are_those_of_the_last_move(name):
    x, optimizer, closure, calls = begin(name, max_eval=7, max_iter=50)
    values = []
    for _ in range(5):
        optimizer.step(closure)
        values.append(value_at(x))
        assert values[-1] in calls
    assert len(calls) == 35
    assert values == sorted(values, reverse=True)


def test_limits_of_a_step():
    x, optimizer, closure, calls = begin("Guarded", max_iter=4)
    optimizer.step(closure)
    assert optimizer.state[x[0]]["n_iter"] <= 4
    assert len(calls) <= 5  # max_iter * 5 // 4
    x, optimizer, closure, calls = begin("Guarded", max_iter=1000, tolerance_grad=1e-3)
    optimizer.step(closure)
    assert max(float(p.grad.abs().max()) for p in x) <= 1e-3
    known = len(calls)
    optimizer.step(closure)
    assert len(calls) == known  # it is known that there is nothing to do
    x, optimizer, closure, calls = begin("Guarded", max_iter=1000, tolerance_change=1e9)
    optimizer.step(closure)
    assert optimizer.state[x[0]]["n_iter"] == 1


def test_parameters_that_changed_are_evaluated_anew():
    x, optimizer, closure, calls = begin("Guarded", max_iter=2)
    optimizer.step(closure)
    known = len(calls)
    with torch.no_grad():
        x[0].fill_(3.0)
    loss = optimizer.step(closure)
    assert calls[known] == float(loss)
    assert float(loss) > calls[0]
    assert value_at(x) < float(loss)


def test_another_closure_is_evaluated_anew():
    """Batches: the closure captures another tensor."""
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = make("Guarded", [w], max_iter=3)
    for seed in (0, 1, 2, 2):
        batch = torch.randn(
            8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )

        def closure(batch=batch):
            optimizer.zero_grad()
            loss = (batch @ w - 1.0).square().mean()
            loss.backward()
            return loss

        before = float((batch @ w.detach() - 1.0).square().mean())
        assert float(optimizer.step(closure)) == pytest.approx(before, rel=1e-14)
        after = float((batch @ w.detach() - 1.0).square().mean())
        assert after < before


def counting(optimizer, w, data):
    """A closure that counts its calls in a variable around it."""
    count = 0

    def closure():
        nonlocal count
        count += 1
        optimizer.zero_grad()
        loss = (data @ w - 1.0).square().mean()
        loss.backward()
        return loss

    return closure, lambda: count


def test_what_counts_as_the_same_closure():
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    data = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    optimizer = make("Box", [w], max_eval=2)
    closure, count = counting(optimizer, w, data)
    optimizer.step(closure)
    optimizer.step(closure)
    assert count() == 4
    state = optimizer._state
    again, _ = counting(optimizer, w, data)  # another object that does the same
    optimizer.step(again)
    assert optimizer._state is state
    data.mul_(2.0)  # written to in place
    before = float((data @ w.detach() - 1.0).square().mean())
    assert float(optimizer.step(again)) == pytest.approx(before)
    assert optimizer._state is not state


def test_reevaluate_asks_in_every_step():
    x, optimizer, closure, calls = begin("Guarded", max_iter=1, max_eval=2, reevaluate=True)
    other, second, plain, fewer = begin("Guarded", max_iter=1, max_eval=1)
    for _ in range(3):
        optimizer.step(closure)
    assert len(calls) == 6
    for _ in range(6):
        second.step(plain)
    assert len(fewer) == 6
    assert optimizer._state is not None
    assert x[0].shape == other[0].shape


@search
@pytest.mark.parametrize("way", ["load", "pickle", "deepcopy"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_searches_go_on_to_the_same_bits(name, way, dtype):
    x, optimizer, closure, _ = begin(name, dtype, max_iter=4, groups="tensor")
    for _ in range(3):
        optimizer.step(closure)
    if way == "load":
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        others = [p.detach().clone().requires_grad_() for p in x]
        other = make(name, others)
        other.load_state_dict(torch.load(file, weights_only=True))
    else:
        other = (
            copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))
        )
        others = other.param_groups[0]["params"]
    assert same(x, others)
    assert other._state is not None
    optimizer.param_groups[0]["reevaluate"] = other.param_groups[0]["reevaluate"] = True
    again = rosenbrock(other, others)
    for _ in range(4):
        assert float(optimizer.step(closure)) == float(other.step(again))
    assert same(x, others)
    assert optimizer._state == other._state


def test_a_state_of_another_search_is_refused():
    x, optimizer, closure, _ = begin("Guarded")
    optimizer.step(closure)
    other = make("Ellipsoid", [p.detach().clone().requires_grad_() for p in x])
    with pytest.raises(ValueError, match="state: "):
        other.load_state_dict(optimizer.state_dict())


def test_lr_is_a_part_of_the_way():
    x, whole, closure, _ = begin("Guarded", max_iter=2)
    y, half, other, _ = begin("Guarded", max_iter=2, lr=0.5)
    z, none, nothing, _ = begin("Guarded", max_iter=2, lr=0.0)
    whole.step(closure)
    half.step(other)
    none.step(nothing)
    for p, q, r, s in zip(x, y, z, start(), strict=True):
        assert torch.allclose(q, s + 0.5 * (p - s), rtol=1e-14)
        assert torch.equal(r.detach(), s)
    scheduler = torch.optim.lr_scheduler.StepLR(half, 1, 0.5)
    half.step(other)
    scheduler.step()
    assert half.param_groups[0]["lr"] == 0.25


@search
def test_maximize(name):
    x, up, _, _ = begin(name, maximize=True, max_iter=5)
    y, down, closure, _ = begin(name, max_iter=5)

    def negative():
        up.zero_grad()
        z = torch.cat([p.flatten() for p in x])
        a, b = z[0::2], z[1::2]
        loss = -((1 - a) ** 2 + 100 * (b - a**2) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(3):
        up.step(negative)
        down.step(closure)
    assert same(x, y)


def test_a_closure_that_raises_leaves_the_best_parameters():
    x, optimizer, closure, calls = begin("Guarded", max_iter=3)
    optimizer.step(closure)
    best = [p.detach().clone() for p in x]

    def broken():
        raise KeyError("broken")

    class Broken(Exception):
        pass

    def breaks():
        if len(calls) > 7:
            raise Broken
        return closure()

    with pytest.raises(KeyError):
        optimizer.step(broken)
    assert same(x, best)

    def go_on():
        for _ in range(9):
            optimizer.step(breaks)

    with pytest.raises(Broken):
        go_on()
    assert value_at(x) in calls
    assert value_at(x) <= calls[0]


def test_trials_that_are_not_finite_are_no_end():
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    optimizer = make("Guarded", [x], max_iter=50, initial_scale=1e3)

    def closure():
        optimizer.zero_grad()
        loss = (x - torch.log(x)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(x.detach()) == pytest.approx(1.0, rel=1e-4)


def test_a_start_that_is_not_finite_changes_nothing():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = make("Box", [x])
    bad = True

    def closure():
        optimizer.zero_grad()
        loss = x.square().sum() * (torch.nan if bad else 1.0)
        loss.backward()
        return loss

    assert torch.isnan(optimizer.step(closure))
    assert torch.equal(x.detach(), torch.tensor([1.0, 2.0]))
    bad = False
    optimizer.step(closure)
    assert float(x.detach().square().sum()) < 5.0


def test_parameters_without_gradients_stay():
    x, frozen = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    empty = torch.ones(0, requires_grad=True)
    optimizer = make("Guarded", [x, frozen, empty])

    def closure():
        optimizer.zero_grad()
        loss = x.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(x.detach().abs().max()) < 1e-3
    assert torch.equal(frozen.detach(), torch.ones(3))


def test_what_is_no_closure():
    optimizer = make("Guarded", parameters())
    with pytest.raises(TypeError, match="Guarded: closure: expected a callable"):
        optimizer.step()
    with pytest.raises(TypeError, match="Guarded: closure: expected the loss, a real number"):
        optimizer.step(lambda: "low")


def test_a_grad_scaler_is_refused():
    x, optimizer, closure, _ = begin("Guarded", torch.float32)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(closure())
    with pytest.raises(RuntimeError, match="Guarded: GradScaler: expected losses and gradients"):
        scaler.step(optimizer, closure)
    optimizer.step(closure)  # without it all is well
    assert not same(x, start(torch.float32))
