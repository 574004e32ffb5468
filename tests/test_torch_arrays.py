"""Torch's CPU tensors through DLPack."""

import numpy as np
import pytest

from mdbopt.kernels import _internal as kernels

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tensors_are_read_and_written_in_place(dtype):
    g, g_trial = torch.randn((2, 3, 4), dtype=dtype, generator=torch.Generator().manual_seed(1))
    u = torch.zeros(3, 4, dtype=torch.float64)
    kernels.hypergradient(g, g_trial, u, cocoercive=1.0)
    y = g.double() - g_trial.double()
    assert torch.equal(u, y * y)
    assert kernels.norm(g) == kernels.norm(g.numpy())


def test_arrays_of_both_kinds_mix():
    g, u = torch.arange(5.0), np.zeros(5)
    kernels.square(g, u)
    assert np.array_equal(u, np.arange(5.0) ** 2)


def test_tensors_that_are_refused():
    u = torch.full((4,), 7.0, dtype=torch.float64)
    text = "square: stream 'g': expected .* got dtype bfloat16; pass them as float32"
    with pytest.raises(TypeError, match=text):
        kernels.square(torch.ones(4, dtype=torch.bfloat16), u)
    with pytest.raises(ValueError, match="square: stream 'u' has gaps"):
        kernels.square(torch.ones(4), torch.ones(8, dtype=torch.float64)[::2])
    with pytest.raises(ValueError, match="square: stream 'u' overlaps stream 'g'"):
        kernels.square(u, u)
    assert torch.equal(u, torch.full_like(u, 7.0))


@pytest.mark.parametrize(
    "form",
    [lambda a: a.repeat_interleave(2)[::2], lambda a: a.bfloat16(), lambda a: a.half(),
     lambda a: a.int(), lambda a: a.requires_grad_(), lambda a: a[:1].expand(4)]
)  # fmt: skip
def test_forms_of_what_is_read(form):
    g = form(torch.arange(1.0, 5.0))
    x = torch.zeros(4, dtype=torch.float64)
    kernels.sgd(x, g, lr=0.5)
    assert torch.equal(x, -0.5 * g.detach().double())


def test_tensors_that_require_a_gradient():
    u = torch.zeros(4, dtype=torch.float64)
    kernels.square(torch.full((4,), 3.0, requires_grad=True), u)
    assert torch.equal(u, torch.full_like(u, 9.0))


def test_torch_is_told_what_was_written():
    w = torch.ones(4, requires_grad=True)
    x = torch.ones(4)
    y = (x * w).sum()
    kernels.sgd(x, torch.ones(4), lr=1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_transposed_tensors():
    g = torch.arange(6.0).reshape(2, 3).T
    u = torch.zeros(2, 3, dtype=torch.float64).T
    kernels.square(g, u)
    assert torch.equal(u, g.double() ** 2)
    flat = torch.zeros(3, 2, dtype=torch.float64)
    kernels.square(g, flat)
    assert torch.equal(flat, u)
    with pytest.raises(ValueError, match="orders its elements in memory unlike"):
        kernels.square(g.reshape(6), u)
