"""More elements than 32 bits count; needs a real device with room for them."""

import pytest

import mdbopt

SIZE = 2**31 + 5


@pytest.fixture
def torch_with_room():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    free, _ = torch.cuda.mem_get_info()
    if free < 6 * SIZE:
        pytest.skip(f"needs {6 * SIZE / 2**30:.0f} GiB free on the device, has {free / 2**30:.0f}")
    return torch


@pytest.mark.gpu
def test_every_element_is_reached(torch_with_room):
    torch = torch_with_room
    x = torch.zeros(SIZE, dtype=torch.bfloat16, device="cuda")
    g = torch.ones_like(x)
    mdbopt.kernels.sgd(x, g, lr=0.5)
    assert bool((x == -0.5).all())


@pytest.mark.gpu
def test_every_element_is_summed(torch_with_room):
    torch = torch_with_room
    a = torch.ones(SIZE, dtype=torch.bfloat16, device="cuda")
    sums = mdbopt.kernels.norm(a)
    assert (sums.norm2, sums.max) == (SIZE, 1.0)
