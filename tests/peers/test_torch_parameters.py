"""Parameters of PyTorch's modules: training, half precision, saving, missing gradients."""

import copy
import io
import pickle

import pytest
from peer_runs import difference

import mdbopt

torch = pytest.importorskip("torch", reason="torch is not installed")

HALF = [torch.bfloat16, torch.float16]


def model(seed=3):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))


def loss_of(network, inputs):
    return (network(inputs) - inputs.prod(dim=1, keepdim=True)).square().mean()


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_a_small_network_trains_as_with_torchs_adamw(context):
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(7))
    network, other = model(), model()
    params = list(network.parameters())
    optimizer = mdbopt.AdamW(0.01, weight_decay=0.1)
    state = optimizer.init(params)
    torchs = torch.optim.AdamW(other.parameters(), lr=0.01, weight_decay=0.1)
    losses = []
    for _ in range(100):
        for net in (network, other):
            net.zero_grad()
            loss = loss_of(net, inputs)
            loss.backward()
        losses.append(loss.item())
        with context():
            assert optimizer.step(params, [p.grad for p in params], state)
        torchs.step()
    assert losses[-1] < 0.3 * losses[0]
    # Rounding in float32, which the network takes up into its gradients.
    assert difference([p.detach() for p in params], [p.detach() for p in other.parameters()]) < 1e-4
    assert all(p.is_leaf and p.requires_grad and p.grad_fn is None for p in params)
    assert all(type(m) is torch.Tensor and not m.requires_grad for m in state.m)


def test_a_dict_of_named_parameters_gives_names_to_the_state():
    params = dict(model().named_parameters())
    state = mdbopt.Adam().init(params)
    assert {f"m['{name}']" for name in params} <= set(state)
    assert state.v["2.bias"].shape == params["2.bias"].shape


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype):
    network = model().to(dtype)
    params = list(network.parameters())
    optimizer = mdbopt.AdamW(0.01)
    state = optimizer.init(params)
    wide = [torch.nn.Parameter(p.detach().float()) for p in params]
    torchs = torch.optim.AdamW(wide, lr=0.01)
    inputs = torch.randn(32, 4, generator=torch.Generator().manual_seed(7)).to(dtype)
    for _ in range(20):
        network.zero_grad()
        loss_of(network, inputs).backward()
        for w, p in zip(wide, params, strict=True):
            w.data.copy_(p.data)
            w.grad = p.grad.float()
        optimizer.step(params, [p.grad for p in params], state)
        torchs.step()
        for w, p in zip(wide, params, strict=True):
            exact, rounded = w.detach().double(), p.detach().double()
            spacing = torch.finfo(dtype).eps * 2.0 ** torch.floor(torch.log2(exact.abs()))
            # The rest is the rounding of float32, where the exact value is nearly between two.
            assert bool(((rounded - exact).abs() <= 0.5 * spacing + 1e-6).all())
    for name in ("m", "v"):
        tensors = getattr(state, name)
        assert all(t.dtype == torch.float32 and type(t) is torch.Tensor for t in tensors)
        torchs_name = {"m": "exp_avg", "v": "exp_avg_sq"}[name]
        assert difference(tensors, [torchs.state[w][torchs_name] for w in wide]) < 1e-6


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("optimizer", [mdbopt.Adam(0.1), mdbopt.OSGM(0.1)])
def test_bit_patterns_in_uint16_are_half_precision_by_name(optimizer, dtype):
    """The same arrays as torch.uint16 and in their own dtype take the same steps."""
    x = torch.linspace(-2.0, 2.0, 9).to(dtype)
    bits = x.clone().view(torch.uint16)
    state = optimizer.init(x)
    state_of_bits = optimizer.init(bits, dtype=str(dtype).removeprefix("torch."))
    for k in range(5):
        g = torch.linspace(-1.0, 3.0 - k, 9).to(dtype)
        optimizer.step(x, g, state)
        optimizer.step(bits, g.view(torch.uint16), state_of_bits)
        assert torch.equal(bits.view(dtype), x)
    with pytest.raises(TypeError, match=r"params: has dtype uint16.*dtype='bfloat16' or 'float16'"):
        optimizer.init(bits)


@pytest.mark.parametrize(
    "optimizer",
    [mdbopt.AMSGrad(0.1), mdbopt.HypergradientAdam(0.1), mdbopt.SGD(0.1, momentum=0.5)],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_saved_state_goes_on_to_the_same_bits(optimizer, dtype):
    generator = torch.Generator().manual_seed(2)
    params = [torch.nn.Parameter(torch.randn(n, generator=generator).to(dtype)) for n in (5, 3)]

    def steps(at, state, count, seed):
        gradients = torch.Generator().manual_seed(seed)
        for _ in range(count):
            grads = [torch.randn(p.shape, generator=gradients).to(dtype) for p in at]
            optimizer.step(at, grads, state)
        return at

    state = optimizer.init(params)
    steps(params, state, 3, seed=1)
    file = io.BytesIO()
    torch.save({"params": params, "state": dict(state)}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    restored = optimizer.restore(loaded["params"], loaded["state"])
    assert restored.t == 3
    branches = [
        (loaded["params"], restored),
        (copy.deepcopy(params), copy.deepcopy(state)),
        (copy.deepcopy(params), pickle.loads(pickle.dumps(state))),
    ]
    steps(params, state, 4, seed=9)
    for at, other in branches:
        steps(at, other, 4, seed=9)
        assert all(torch.equal(p, q) for p, q in zip(params, at, strict=True))
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                assert type(other[name]) is torch.Tensor
                assert torch.equal(other[name], value)
            else:
                assert other[name] == value


def test_parameters_without_a_gradient_stay():
    network, other = model(), model()
    params = list(network.parameters())
    optimizer = mdbopt.AdamW(0.01)
    state = optimizer.init(params)
    torchs = torch.optim.AdamW(other.parameters(), lr=0.01)
    for net in (network, other):
        net[0].requires_grad_(False)
        loss_of(net, torch.ones(8, 4)).backward()
    before = [p.detach().clone() for p in params]
    versions = [p._version for p in params]
    assert optimizer.step(params, [p.grad for p in params], state)
    torchs.step()
    assert [p._version - v for p, v in zip(params, versions, strict=True)] == [0, 0, 1, 1]
    assert all(torch.equal(p, b) for p, b in zip(params[:2], before[:2], strict=True))
    assert not any(m.any() for m in state.m[:2])
    assert difference([p.detach() for p in params], [p.detach() for p in other.parameters()]) < 1e-6


def test_t_counts_for_all_arrays_where_torch_counts_for_each():
    """A first gradient after three steps is corrected as torch's first, or as our fourth."""
    optimizer = mdbopt.Adam(0.1)
    ours = [torch.zeros(2), torch.zeros(2)]
    theirs = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    state = optimizer.init(ours)
    torchs = torch.optim.Adam(theirs, lr=0.1)
    for k in range(4):
        grads = [torch.ones(2), torch.ones(2) if k == 3 else None]
        for p, g in zip(theirs, grads, strict=True):
            p.grad = g
        torchs.step()
        optimizer.step(ours, grads, state)
    assert difference(ours[:1], [theirs[0].detach()]) < 1e-6
    assert torch.allclose(theirs[1], torch.tensor(-0.1))
    m, v = 0.1 / (1 - 0.9**4), 0.001 / (1 - 0.999**4)
    assert torch.allclose(ours[1], torch.tensor(-0.1 * m / v**0.5))
