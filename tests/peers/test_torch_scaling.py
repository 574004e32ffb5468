"""What PyTorch does to gradients before a step: clipping by norm, loss scales, skipped steps."""

import numpy as np
import pytest
from peer_runs import STEPS, Problem, difference, largest_difference, stepped_by_torch

import mdbopt

torch = pytest.importorskip("torch", reason="torch is not installed")

# As in test_torch_optim.py; the norm adds one rounding to it.
CLOSE = {"float64": 1e-13, "float32": 1e-5}


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(
    ("ours", "kind", "options"),
    [
        (mdbopt.SGD(0.05, momentum=0.9), torch.optim.SGD, {"momentum": 0.9}),
        (mdbopt.AdamW(0.05), torch.optim.AdamW, {}),
        (mdbopt.RMSProp(0.05, centered=True), torch.optim.RMSprop, {"centered": True}),
    ],
)
def test_max_norm_is_clip_grad_norm(ours, kind, options, dtype):
    max_norm = 3.5
    norms = []

    def clip(t, optimizer):
        params = optimizer.param_groups[0]["params"]
        norms.append(float(torch.nn.utils.clip_grad_norm_(params, max_norm)))

    problem = Problem(dtype)
    theirs = stepped_by_torch(kind, problem, clip, lr=0.05, **options)
    worst = largest_difference(problem, ours, theirs, options=lambda t: {"max_norm": max_norm})
    assert worst <= CLOSE[dtype]
    assert min(norms) < max_norm < max(norms)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_norm_that_is_not_finite_spreads_as_in_torch(bad):
    gradients = [np.array([3.0, bad, 0.0]), np.ones(2)]
    params = [np.zeros(3), np.zeros(2)]
    theirs = [torch.nn.Parameter(torch.from_numpy(x.copy())) for x in params]
    for p, g in zip(theirs, gradients, strict=True):
        p.grad = torch.from_numpy(g.copy())
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    torch.optim.SGD(theirs, lr=1.0).step()
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(params, gradients, optimizer.init(params), max_norm=1.0)
    for p, q in zip(params, theirs, strict=True):
        assert np.array_equal(p, q.detach().numpy(), equal_nan=True)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e30), ("float64", 1e200)])
def test_squares_out_of_range_are_clipped_where_torch_takes_no_step(dtype, size):
    g = np.array([3.0, 4.0], dtype) * np.array(size, dtype)
    theirs = torch.nn.Parameter(torch.zeros(2, dtype=getattr(torch, dtype)))
    theirs.grad = torch.from_numpy(g.copy())
    norm = float(torch.nn.utils.clip_grad_norm_([theirs], 1.0))
    params = np.zeros(2, dtype)
    optimizer = mdbopt.SGD(1.0)
    optimizer.step(params, g, optimizer.init(params), max_norm=1.0)
    assert difference([params], [np.array([-0.6, -0.8])]) <= CLOSE[dtype]
    if np.isinf(norm):
        assert not theirs.grad.any()


def test_grad_scale_and_found_inf_are_those_of_the_fused_functional():
    from torch.optim.adamw import adamw

    problem = Problem("float32")
    params = problem.start()
    optimizer = mdbopt.AdamW(0.05, weight_decay=0.1)
    state = optimizer.init(params)
    theirs = [torch.from_numpy(x) for x in problem.start()]
    m, v = ([torch.zeros_like(p) for p in theirs] for _ in range(2))
    counts = [torch.zeros(()) for _ in theirs]
    skipped = 0
    for t in range(STEPS):
        scale = torch.tensor(2.0 ** (t % 17))
        found_inf = torch.tensor(float(t % 7 == 3))
        skipped += int(found_inf)
        own = [np.asarray(float(scale) * g) for g in problem.gradients(params, t)]
        taken = optimizer.step(params, own, state, grad_scale=scale, found_inf=found_inf)
        assert taken == (found_inf == 0.0)
        adamw(
            theirs,
            [scale * torch.from_numpy(g) for g in problem.gradients(theirs, t)],
            *(m, v, [], counts),
            fused=True,
            grad_scale=scale,
            found_inf=found_inf,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=0.05,
            weight_decay=0.1,
            eps=1e-8,
            maximize=False,
        )
        assert difference(params, theirs) <= CLOSE["float32"]
    assert state.t == float(counts[0]) == STEPS - skipped
    assert difference(state.m, m) <= CLOSE["float32"]
    assert difference(state.v, v) <= CLOSE["float32"]


class Scaled(torch.optim.Optimizer):
    """Mdbopt's AdamW as torch's GradScaler wants an optimizer that undoes the scale itself."""

    _step_supports_amp_scaling = True

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.ours = mdbopt.AdamW(lr)
        self.params = self.param_groups[0]["params"]
        self.mdbopt_state = self.ours.init(self.params)

    def step(self):
        return self.ours.step(
            self.params,
            [p.grad for p in self.params],
            self.mdbopt_state,
            grad_scale=self.grad_scale,
            found_inf=self.found_inf,
        )


def by_grad_scaler(make):
    """Train under a GradScaler that finds a gradient out of range; return its scales, too."""
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    inputs = torch.randn(20, 5)
    optimizer = make(list(model.parameters()))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)
    scales = []
    for t in range(40):
        optimizer.zero_grad()
        loss = (model(inputs) - inputs[:, :1] ** 2).square().mean()
        scaler.scale(loss * (float("inf") if t == 17 else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return [p.detach() for p in model.parameters()], scales, optimizer


def test_a_step_under_torchs_grad_scaler():
    theirs, their_scales, _ = by_grad_scaler(
        lambda params: torch.optim.AdamW(params, lr=0.01, fused=True)
    )
    ours, scales, optimizer = by_grad_scaler(lambda params: Scaled(params, lr=0.01))
    assert optimizer.mdbopt_state.t == 39
    assert scales == their_scales
    assert len(set(scales)) > 3
    assert difference(ours, theirs) <= CLOSE["float32"]
