"""Masters, states and arithmetic on the host: the steps of the optimizer itself, however late."""

import copy
import gc
import io
import pickle

import pytest
import torch
from test_torch_backward import BY_TENSOR, sums_over_all
from torch.optim import lr_scheduler
from torch_cases import UPDATES, make

import mdbopt.torch
from mdbopt.torch._transfers import Transfers


class Late(Transfers):
    """Copies that are done when they are waited for, as a device's may be; nothing before."""

    def __init__(self):
        self.log, self.coming, self.going = [], [], []

    def fetch(self, target, source):
        target.fill_(torch.nan)  # whoever reads it now would show
        self.coming.append((target, source.clone()))

    def mark(self):
        return len(self.coming)

    def wait(self, mark):
        for target, source in self.coming[:mark]:
            target.copy_(source)
        self.log.append(("wait", mark))

    def send(self, target, source):
        self.going.append((target, source.clone()))
        self.log.append(("send", len(self.going)))

    def finish(self):
        for target, source in self.going:
            target.copy_(source)
        self.coming, self.going = [], []
        self.log.append(("finish", 0))


def network(dtype=torch.float32):
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    return torch.nn.Sequential(*layers).to(dtype)


def backward(model, t):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(t))
    loss = model(x.to(model[0].weight.dtype)).square().mean()
    loss.backward()
    return loss


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def kind_of(name):
    return getattr(mdbopt.torch, name)


WHERE = [None, Late]


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("late", WHERE)
@pytest.mark.parametrize(("name", "options"), BY_TENSOR)
def test_steps_are_those_of_the_optimizer(name, options, late, free):
    ours, theirs = network(), network()
    optimizer = mdbopt.torch.Offload(
        ours.parameters(),
        kind_of(name),
        bucket_bytes=64,
        transfers=late and late(),
        free_gradients=free,
        **options,
    )
    other = make(name, theirs.parameters(), **options)
    for t in range(4):
        for model, each in ((ours, optimizer), (theirs, other)):
            each.zero_grad()
            backward(model, t)
            each.step()
        assert all(p.grad is None for p in ours.parameters()) == free
    assert same(ours, theirs)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine, its = optimizer.state[p], other.state[q]
        assert {*mine} == {*its, "master"}
        assert all(torch.equal(torch.as_tensor(mine[n]), torch.as_tensor(its[n])) for n in its)


def step_of_both(optimizer, ours, other, wide, t):
    """Step parameters, and others that are as wide as their masters by the same gradients."""
    optimizer.zero_grad()
    backward(ours, t)
    for p, q in zip(ours.parameters(), wide.parameters(), strict=True):
        q.grad = p.grad.float()
    optimizer.step()
    other.step()


def test_half_precision_has_masters_of_float32():
    ours, wide = network(torch.bfloat16), network(torch.bfloat16).float()
    optimizer = mdbopt.torch.Offload(
        ours.parameters(), mdbopt.torch.AdamW, lr=1e-3, transfers=Late()
    )
    other = mdbopt.torch.AdamW(wide.parameters(), lr=1e-3)
    for t in range(5):
        step_of_both(optimizer, ours, other, wide, t)
        for p, q in zip(ours.parameters(), wide.parameters(), strict=True):
            assert torch.equal(optimizer.state[p]["master"], q)
            assert torch.equal(p, q.bfloat16())


def test_low_bits_are_masters_too():
    ours, theirs = network(torch.bfloat16), network(torch.bfloat16)
    options = {"lr": 1e-3, "master": "remainder", "state_dtype": "8bit"}
    optimizer = mdbopt.torch.Offload(ours.parameters(), mdbopt.torch.AdamW, **options)
    other = mdbopt.torch.AdamW(theirs.parameters(), **options | {"state_rounding": "stochastic"})
    assert optimizer.param_groups[0]["master"] == "remainder"
    for model, each in ((ours, optimizer), (theirs, other)):
        backward(model, 0)
        each.step()
    assert optimizer.state[ours[0].weight]["master"].dtype == torch.bfloat16
    assert optimizer.state[ours[0].weight]["low"].dtype == torch.uint16
    assert torch.equal(ours[2].bias, theirs[2].bias)


AVERAGES = [
    ("AdamW", {"average": 0.5}),
    ("ScheduleFreeAdamW", {"lr": 0.05}),
    ("ScheduleFreeSGD", {}),
]


@pytest.mark.parametrize("late", WHERE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "options"), AVERAGES)
def test_the_average_is_shown_and_taken_away(name, options, dtype, late):
    ours, wide = network(dtype), network(dtype).float()
    optimizer = mdbopt.torch.Offload(
        ours.parameters(), kind_of(name), bucket_bytes=1, transfers=late and late(), **options
    )
    other = make(name, wide.parameters(), **options)

    def steps(first, last):
        for t in range(first, last):
            step_of_both(optimizer, ours, other, wide, t)

    def assert_same():
        for p, q in zip(ours.parameters(), wide.parameters(), strict=True):
            assert torch.equal(optimizer.state[p]["master"], q)
            assert torch.equal(p, q.to(dtype))

    steps(0, 3)
    trained = [p.detach().clone() for p in ours.parameters()]
    for _ in range(2):
        optimizer.eval()
        other.eval()
        assert_same()
    assert not any(
        torch.equal(p, before) for p, before in zip(ours.parameters(), trained, strict=True)
    )
    backward(ours, 3)
    for refused in (optimizer.step, optimizer.read_parameters):
        with pytest.raises(ValueError, match=r"params: expected the point where"):
            refused()
    for _ in range(2):
        optimizer.train()
        other.train()
        assert_same()
    steps(3, 5)
    assert_same()


def test_it_is_saved_where_its_average_is_shown():
    ours, theirs = network(), network()
    optimizer, loaded = (
        mdbopt.torch.Offload(model.parameters(), mdbopt.torch.AdamW, average=0.5)
        for model in (ours, theirs)
    )
    backward(ours, 0)
    optimizer.step()
    optimizer.eval()
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert same(ours, theirs)
    with pytest.raises(ValueError, match=r"params: expected the point where"):
        loaded.read_parameters()
    for model, each in ((ours, optimizer), (theirs, loaded)):
        each.train()
        each.zero_grad()
        backward(model, 1)
        each.step()
    assert same(ours, theirs)


def test_without_an_average_there_is_none_to_show():
    optimizer = mdbopt.torch.Offload(network().parameters(), mdbopt.torch.AdamW)
    for refused in (optimizer.eval, optimizer.train):
        with pytest.raises(ValueError, match=r"AdamW: .*: expected a group with an average"):
            refused()


def test_a_bucket_is_stepped_before_the_next_has_arrived():
    model, late = network(), Late()
    optimizer = mdbopt.torch.Offload(
        model.parameters(), mdbopt.torch.SGD, lr=0.1, bucket_bytes=1, transfers=late
    )
    backward(model, 0)
    assert [kind for kind, _ in late.log] == []
    optimizer.step()
    assert [kind for kind, _ in late.log] == ["wait", "send"] * 4 + ["finish"]
    late.log.clear()
    optimizer.zero_grad()
    optimizer.max_norm = 1.0
    backward(model, 1)
    optimizer.step()
    kinds = [kind for kind, _ in late.log]
    assert kinds[:4] == ["wait"] * 4
    assert kinds[4:] == ["wait", "send"] * 4 + ["finish"]


@pytest.mark.parametrize("max_norm", [1e-3, 1e3])
@pytest.mark.parametrize("late", WHERE)
def test_one_norm_bounds_all(late, max_norm):
    ours, theirs = network(torch.float64), network(torch.float64)
    optimizer = mdbopt.torch.Offload(
        ours.parameters(),
        mdbopt.torch.AdamW,
        max_norm=max_norm,
        bucket_bytes=1,
        transfers=late and late(),
    )
    other = mdbopt.torch.AdamW(theirs.parameters(), max_norm=max_norm)
    for t in range(3):
        for model, each in ((ours, optimizer), (theirs, other)):
            each.zero_grad()
            backward(model, t)
            each.step()
        assert optimizer.total_norm == pytest.approx(other.total_norm, rel=1e-13)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_groups_names_and_schedules():
    ours, theirs = network(), network()

    def groups(model):
        first, _, last = model
        return [
            {"params": list(first.named_parameters()), "weight_decay": 0.5},
            {"params": list(last.named_parameters("last")), "lr": 0.3},
        ]

    optimizer = mdbopt.torch.Offload(
        groups(ours), mdbopt.torch.AdamW, lr=0.1, decay="independent", bucket_bytes=1
    )
    other = mdbopt.torch.AdamW(groups(theirs), lr=0.1, decay="independent")
    factors = [lambda t: 0.5**t, lambda t: 1.0 / (1 + t)]
    schedules = [lr_scheduler.LambdaLR(each, factors) for each in (optimizer, other)]
    for t in range(4):
        for model, each, schedule in zip(
            (ours, theirs), (optimizer, other), schedules, strict=True
        ):
            each.zero_grad()
            backward(model, t)
            each.step()
            schedule.step()
    assert same(ours, theirs)
    assert [g["lr"] for g in optimizer.param_groups] == [g["lr"] for g in other.param_groups]
    ours[2].bias.grad = None
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="AdamW: lr: expected"):
        optimizer.step()


def test_accumulated_and_changed_gradients():
    ours, theirs = network(), network()
    optimizer = mdbopt.torch.Offload(ours.parameters(), mdbopt.torch.SGD, lr=0.1, transfers=Late())
    other = mdbopt.torch.SGD(theirs.parameters(), lr=0.1)
    for model, each in ((ours, optimizer), (theirs, other)):
        backward(model, 0), backward(model, 1)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        each.step()
        each.zero_grad()
        model[0].weight.grad = torch.ones(8, 4)  # of no backward pass, and no other is there
        each.step()
    assert same(ours, theirs)


@pytest.mark.parametrize("set_to_none", [False, True])
def test_forgotten_gradients(set_to_none):
    model, before = network(), network()
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, lr=0.1)
    backward(model, 0)
    optimizer.zero_grad(set_to_none)
    optimizer.step()
    assert same(model, before)


def test_a_scaler_unscales_and_skips():
    ours, theirs = network(), network()
    optimizer = mdbopt.torch.Offload(ours.parameters(), mdbopt.torch.AdamW, max_norm=0.01)
    other = mdbopt.torch.AdamW(theirs.parameters(), max_norm=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    loss = ours(torch.ones(2, 4)).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    theirs(torch.ones(2, 4)).square().mean().backward()
    other.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    before = copy.deepcopy(ours)
    ours[0].bias.grad[0] = torch.inf
    scaler.scale(torch.zeros(()))
    scaler.step(optimizer)
    assert same(ours, before)
    assert float(optimizer.state[ours[0].bias]["step"]) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_states_go_on(dtype):
    ours = network(dtype)
    optimizer = mdbopt.torch.Offload(ours.parameters(), mdbopt.torch.AdamW, lr=1e-3, bucket_bytes=1)
    for t in range(3):
        optimizer.zero_grad()
        backward(ours, t)
        optimizer.step()
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    other = network(dtype)
    loaded = mdbopt.torch.Offload(other.parameters(), mdbopt.torch.AdamW, lr=1.0)
    loaded.load_state_dict(torch.load(file))
    assert same(ours, other)
    for model, each in ((ours, optimizer), (other, loaded)):
        each.zero_grad()
        backward(model, 7)
        each.step()
    assert same(ours, other)
    assert loaded.param_groups[0]["lr"] == 1e-3


def test_a_state_of_the_optimizer_itself_is_read():
    ours, theirs = network(), network()
    other = mdbopt.torch.AdamW(theirs.parameters(), lr=0.1)
    backward(theirs, 0)
    other.step()
    ours.load_state_dict(theirs.state_dict())
    optimizer = mdbopt.torch.Offload(ours.parameters(), mdbopt.torch.AdamW, lr=0.1)
    optimizer.load_state_dict(other.state_dict())
    for model, each in ((ours, optimizer), (theirs, other)):
        each.zero_grad()
        backward(model, 1)
        each.step()
    assert same(ours, theirs)


def test_written_parameters_are_read_when_asked():
    model = network()
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, lr=0.1)
    with torch.no_grad():
        model[0].bias.fill_(5.0)
    optimizer.read_parameters()
    model[0].bias.grad = torch.ones(8)
    optimizer.step()
    assert torch.equal(model[0].bias, torch.full((8,), 5.0) - 0.1)


def test_parameters_count_their_versions():
    model = network()
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, lr=0.1)
    loss = backward(model, 0)
    before = model[0].weight._version
    optimizer.step(lambda: loss)
    assert model[0].weight._version > before


def test_it_leaves_no_hooks():
    model, late = network(), Late()
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, transfers=late)
    backward(model, 0)
    assert len(late.coming) == 4
    del optimizer
    gc.collect()
    backward(model, 0)
    assert len(late.coming) == 4
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_added_groups():
    model, extra = network(), torch.nn.Parameter(torch.ones(3))
    optimizer = mdbopt.torch.Offload(model.parameters(), mdbopt.torch.SGD, lr=0.1)
    optimizer.add_param_group({"params": [extra], "lr": 1.0})
    (3.0 * extra).sum().backward()
    optimizer.step()
    assert torch.equal(extra, torch.full((3,), -2.0))
    with pytest.raises(ValueError, match="momentum"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "momentum": 2.0})
    assert len(optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (
            TypeError,
            {"optimizer": torch.optim.AdamW},
            "optimizer: expected an update of mdbopt.tor",
        ),
        (TypeError, {"optimizer": mdbopt.torch.Guarded}, "expected an update .*, got Guarded"),
        (TypeError, {"optimizer": "AdamW"}, "expected an update of mdbopt.torch, got str"),
        (ValueError, {"max_norm": 0.0}, "Offload: max_norm: expected a finite number > 0"),
        (TypeError, {"free_gradients": 1}, "free_gradients: expected a bool, got int"),
        (ValueError, {"bucket_bytes": 0}, "bucket_bytes: expected a whole number >= 1"),
        (ValueError, {"reducer": lambda m: m}, "reducer: expected None"),
        (TypeError, {"momentum": 0.9}, "AdamW: unknown option 'momentum'"),
        (ValueError, {"lr": -1.0}, "AdamW: lr: expected a finite number >= 0"),
    ],
)
def test_refused_options(kind, given, words):
    given = {"optimizer": mdbopt.torch.AdamW} | given
    with pytest.raises(kind, match=words):
        mdbopt.torch.Offload(network().parameters(), given.pop("optimizer"), **given)


@pytest.mark.parametrize(("name", "options"), [each for each in UPDATES if sums_over_all(*each)])
def test_rules_with_sums_over_all_are_refused(name, options):
    with pytest.raises(ValueError, match=f"without sums over all parameters, got {name}"):
        mdbopt.torch.Offload(network().parameters(), kind_of(name), **options)


def test_refused_gradients_and_copies():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = mdbopt.torch.Offload(embedding.parameters(), mdbopt.torch.AdamW)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="Offload: gradients: expected dense ones"):
        optimizer.step()
    for way in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="Offload: cannot be copied or pickled"):
            way(optimizer)
