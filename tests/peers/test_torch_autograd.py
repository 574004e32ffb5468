"""Autograd notices a step: a backward pass through values that were overwritten raises."""

import numpy as np
import pytest

import mdbopt

torch = pytest.importorskip("torch", reason="torch is not installed")

STALE = "modified by an inplace operation"


def product(x):
    """Return a graph that needs the values of x, which must not change before its backward pass."""
    return (x * torch.ones(4, dtype=x.dtype, requires_grad=True)).sum()


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_stale_backward_pass_raises(count, bound):
    params = [torch.nn.Parameter(torch.ones(4)) for _ in range(count)]
    grads = [torch.ones(4) for _ in params]
    optimizer = mdbopt.SGD(0.1)
    state = optimizer.init(params)
    plan = optimizer.plan(params, grads, state)
    for _ in range(2):
        losses = [product(p) for p in params]
        versions = [p._version for p in params]
        assert plan.step() if bound else optimizer.step(params, grads, state)
        assert [p._version for p in params] == [v + 1 for v in versions]
        for loss in losses:
            with pytest.raises(RuntimeError, match=STALE):
                loss.backward()


def test_a_state_made_for_numpy_steps_tensors_no_more_quietly():
    x = torch.nn.Parameter(torch.ones(4))
    optimizer = mdbopt.SGD(0.1)
    state = optimizer.init(np.ones(4, np.float32))
    loss = product(x)
    optimizer.step(x, torch.ones(4), state)
    with pytest.raises(RuntimeError, match=STALE):
        loss.backward()


@pytest.mark.parametrize("torch_first", [False, True])
@pytest.mark.parametrize("optimizer", [mdbopt.SGD(0.1), mdbopt.Adam(0.1)])
def test_arrays_of_two_libraries_step_rightly_or_are_refused_by_name(optimizer, torch_first):
    x, array = torch.nn.Parameter(torch.ones(4)), np.ones(4, np.float32)
    params = [x, array] if torch_first else [array, x]
    try:
        state = optimizer.init(params)
    except TypeError as error:
        assert f"{type(optimizer).__name__}: params[1]" in str(error)  # noqa: PT017
        return
    loss = product(x)
    assert optimizer.step(params, [torch.ones(4), np.ones(4, np.float32)], state)
    assert np.allclose(array, 0.9)
    assert torch.allclose(x, torch.tensor(0.9))
    with pytest.raises(RuntimeError, match=STALE):
        loss.backward()


def test_the_copy_counts_as_written():
    x = torch.ones(4)
    working = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    loss = product(working)
    optimizer.step(x, torch.full((4,), 3.0), state, copy=working)
    assert torch.equal(working, torch.full((4,), -2.0, dtype=torch.bfloat16))
    with pytest.raises(RuntimeError, match=STALE):
        loss.backward()


def test_a_step_that_writes_nothing_counts_nothing():
    x = torch.nn.Parameter(torch.ones(4))
    optimizer = mdbopt.Adam(0.1)
    state = optimizer.init(x)
    loss = product(x)
    assert not optimizer.step(x, torch.ones(4), state, found_inf=torch.ones(()))
    assert not optimizer.step(x, torch.ones(4), state, found_inf=torch.ones((), requires_grad=True))
    with pytest.raises(ValueError, match=r"grads has shape \(3,\)"):
        optimizer.step(x, torch.ones(3), state)
    one = optimizer.init([x])
    assert optimizer.step([x], [None], one)
    assert x._version == 0
    loss.backward()


def test_parameters_keep_their_place_in_autograd():
    x = torch.nn.Parameter(torch.ones(4))
    optimizer = mdbopt.Adam(0.1)
    state = optimizer.init(x)
    for context in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with context():
            optimizer.step(x, torch.ones(4), state)
        assert x.is_leaf
        assert x.requires_grad
        assert x.grad_fn is None
    product(x).backward()
    assert torch.equal(x.grad, torch.ones(4))


def test_gradients_that_are_part_of_a_graph_are_read():
    x = torch.nn.Parameter(torch.full((4,), 2.0))
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    assert g.requires_grad
    optimizer = mdbopt.SGD(0.25)
    optimizer.step(x, g, optimizer.init(x))
    assert torch.equal(x, torch.full((4,), -1.0))


def test_tensors_made_in_inference_mode_have_no_version_and_step():
    with torch.inference_mode():
        x = torch.ones(4)
    optimizer = mdbopt.SGD(0.5)
    assert optimizer.step(x, torch.ones(4), optimizer.init(x))
    assert torch.equal(x, torch.full((4,), 0.5))


def test_a_lazy_copy_is_not_written():
    x = torch.ones(4)
    lazy = torch._lazy_clone(x)
    optimizer = mdbopt.SGD(0.5)
    optimizer.step(x, torch.ones(4), optimizer.init(x))
    assert torch.equal(x, torch.full((4,), 0.5))
    assert torch.equal(lazy, torch.ones(4))
