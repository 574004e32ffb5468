"""Tensors laid out, resized and moved as PyTorch allows it; and those without readable memory."""

import subprocess
import sys

import pytest

import mdbopt

torch = pytest.importorskip("torch", reason="torch is not installed")

CHANNELS_LAST = torch.channels_last
OPTIMIZERS = [mdbopt.SGD(0.5), mdbopt.AdamW(0.5), mdbopt.OSGM(0.5)]
by_name = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@by_name
@pytest.mark.parametrize(
    "order",
    [
        lambda a: a.to(memory_format=CHANNELS_LAST),
        lambda a: a.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
    ],
)
def test_orders_of_memory(optimizer, order):
    """The same elements in another order of memory take the same steps."""
    plain = drawn(2, 3, 4, 5)
    x = torch.nn.Parameter(order(plain.clone()))
    state, plain_state = optimizer.init(x), optimizer.init(plain)
    assert all(
        tree.stride() == x.stride() for tree in state.values() if isinstance(tree, torch.Tensor)
    )
    for seed in range(3):
        g = drawn(2, 3, 4, 5, seed=seed)
        assert optimizer.step(x, order(g), state)
        assert optimizer.step(plain, g, plain_state)
    # The dot products of OSGM are summed in the order of memory.
    assert torch.allclose(x, plain, rtol=1e-5, atol=1e-6)
    assert optimizer.step(x, g, state)
    assert optimizer.step(plain, g, plain_state)
    assert torch.allclose(x, plain, rtol=1e-5, atol=1e-6)


def test_strides_of_axes_of_one_element_do_not_matter():
    """A gradient may have others than its parameter: autograd does not look at them either."""
    x = drawn(3, 4).t().unsqueeze(1)
    g = torch.ones(12).as_strided((4, 1, 3), (1, 999, 4))
    expected = x - 0.5
    optimizer = mdbopt.SGD(0.5)
    optimizer.step(x, g, optimizer.init(x))
    assert torch.equal(x, expected)


def test_empty_and_single_elements():
    params = [torch.zeros(0, 3), torch.ones(()), torch.ones(1, 1)]
    optimizer = mdbopt.Adam(0.5)
    state = optimizer.init(params)
    assert optimizer.step(params, [torch.zeros(0, 3), torch.ones(()), torch.ones(1, 1)], state)
    assert params[1].item() == params[2].item() == 0.5


def test_shared_memory_is_refused_by_name():
    optimizer = mdbopt.Adam(0.5)
    tied = [torch.nn.Parameter(torch.ones(3))] * 2
    with pytest.raises(ValueError, match=r"params\[1\] overlaps params\[0\]"):
        optimizer.step(tied, [torch.ones(3), torch.ones(3)], optimizer.init(tied))
    assert torch.equal(tied[0], torch.ones(3))


def test_what_is_resized_between_steps_is_seen():
    x, g = torch.ones(4), torch.ones(4)
    optimizer = mdbopt.SGD(1.0)
    plan = optimizer.plan(x, g, optimizer.init(x))
    assert plan.step()
    assert torch.equal(x, torch.zeros(4))
    for tensor, value in ((x, 5.0), (g, 1.0)):
        tensor.resize_(100_000).fill_(value)  # to other memory
    assert plan.step()
    assert torch.equal(x, torch.full((100_000,), 4.0))
    x.set_(torch.full((3,), 9.0))
    with pytest.raises(ValueError, match=r"grads has shape \(100000,\), expected \(3,\)"):
        plan.step()
    g.data = torch.full((3,), 2.0)
    assert plan.step()
    assert torch.equal(x, torch.full((3,), 7.0))


def test_what_outgrew_its_state_is_refused():
    x, g = torch.ones(4), torch.ones(4)
    optimizer = mdbopt.Adam(1.0)
    state = optimizer.init(x)
    plan = optimizer.plan(x, g, state)
    plan.step()
    x.resize_(8).fill_(5.0)
    g.resize_(8).fill_(1.0)
    with pytest.raises(ValueError, match=r"state.m has shape \(4,\), expected \(8,\)"):
        plan.step()
    assert state.t == 1
    assert torch.equal(x, torch.full((8,), 5.0))


def test_tensors_of_a_subclass_of_ones_own():
    class Named(torch.nn.Parameter):
        pass

    x = Named(torch.ones(4))
    optimizer = mdbopt.Adam(0.5)
    state = optimizer.init(x)
    assert isinstance(state.m, torch.Tensor)
    assert optimizer.step(x, torch.ones(4), state)
    assert torch.allclose(x, torch.tensor(0.5))
    assert x._version == 1


UNREADABLE = {
    "meta": lambda: torch.ones(4, device="meta"),
    "sparse": lambda: torch.ones(4).to_sparse(),
    "mkldnn": lambda: torch.ones(4).to_mkldnn(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(2)]),
    "complex": lambda: torch.ones(4, dtype=torch.complex64),
    "conjugate": lambda: torch.ones(4, dtype=torch.complex64).conj(),
    "booleans": lambda: torch.ones(4, dtype=torch.bool),
    "float8": lambda: torch.ones(4, dtype=torch.float8_e4m3fn),
}


REFUSALS = (TypeError, ValueError, BufferError, RuntimeError)  # torch's own among them
nested_warns = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")


@nested_warns
@pytest.mark.parametrize("kind", UNREADABLE)
def test_tensors_that_cannot_be_read_are_refused(kind):
    x = torch.ones(4)
    optimizer = mdbopt.Adam(0.5)
    state = optimizer.init(x)
    with pytest.raises(REFUSALS):
        optimizer.step(x, UNREADABLE[kind](), state)
    with pytest.raises(REFUSALS):
        optimizer.step(UNREADABLE[kind](), x, state)
    assert state.t == 0
    assert torch.equal(x, torch.ones(4))


@nested_warns
@pytest.mark.parametrize("kind", UNREADABLE)
def test_refusals_name_the_array(kind):
    x = torch.ones(4)
    optimizer = mdbopt.Adam(0.5)
    state = optimizer.init([x])
    with pytest.raises(REFUSALS, match=r"Adam: grads\[0\]"):
        optimizer.step([x], [UNREADABLE[kind]()], state)
    with pytest.raises(REFUSALS, match=r"Adam: params\[0\]"):
        optimizer.step([UNREADABLE[kind]()], [x], state)


@nested_warns
@pytest.mark.parametrize("kind", UNREADABLE)
def test_no_state_is_made_for_what_cannot_be_read(kind):
    with pytest.raises((TypeError, ValueError), match=r"Adam: params\[1\]"):
        mdbopt.Adam(0.5).init([torch.ones(4), UNREADABLE[kind]()])


# In a process of its own: reading there would end it.
WITHOUT_MEMORY = """
import warnings
import torch, mdbopt
from torch._subclasses.fake_tensor import FakeTensorMode

class Wrapper(torch.Tensor):
    __torch_dispatch__ = classmethod(lambda *given: NotImplemented)

def freed():
    tensor = torch.ones(4)
    tensor.untyped_storage().resize_(0)
    return tensor

warnings.simplefilter("ignore")
with FakeTensorMode():
    fake = torch.ones(4)
tensors = {
    "freed": freed(),
    "zero": torch._efficientzerotensor(4),
    "functional": torch._to_functional_tensor(torch.ones(4)),
    "fake": fake,
    "wrapper": torch.Tensor._make_wrapper_subclass(Wrapper, (4,)),
}
x, optimizer = torch.ones(4), mdbopt.SGD(1.0)
state = optimizer.init(x)
for name, tensor in tensors.items():
    for place in ("grads", "params"):
        print(place, name, flush=True)
        try:
            optimizer.step(*((x, tensor) if place == "grads" else (tensor, x)), state)
        except (TypeError, ValueError) as error:
            assert f"SGD: {place}" in str(error), error
        else:
            raise SystemExit("was not refused")
assert torch.equal(x, torch.ones(4))
"""


def test_tensors_without_memory_are_refused_by_name():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{run.returncode} after {run.stdout.splitlines()[-1:]}{run.stderr}"
