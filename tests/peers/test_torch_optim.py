"""The optimizers that PyTorch has, too, step by step beside torch.optim."""

from dataclasses import replace

import numpy as np
import pytest
from peer_runs import STEPS, Problem, largest_difference, stepped_by_torch

import mdbopt

torch = pytest.importorskip("torch", reason="torch is not installed")
optim = torch.optim

# Rounding alone: some hundred spacings of numbers around 1, after 200 steps that do the same in
# another order of operations (fused multiply-adds, corrections as quotients or as factors).
CLOSE = {"float64": 1e-13, "float32": 1e-5}

# Ours, theirs and its options; lr is the same.
CASES = {
    "plain": (mdbopt.SGD(0.05), optim.SGD, {}),
    "plain_l2": (
        mdbopt.SGD(0.05, weight_decay=0.3, decoupled=False),
        optim.SGD,
        {"weight_decay": 0.3},
    ),
    "momentum": (mdbopt.SGD(0.05, momentum=0.9), optim.SGD, {"momentum": 0.9}),
    "dampening": (
        mdbopt.SGD(0.05, momentum=0.9, dampening=0.3, weight_decay=0.1, decoupled=False),
        optim.SGD,
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    ),
    "nesterov": (
        mdbopt.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.1, decoupled=False),
        optim.SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    "adam": (mdbopt.Adam(0.05), optim.Adam, {}),
    "adam_l2": (
        mdbopt.Adam(0.05, weight_decay=0.2, beta1=0.8, beta2=0.95, eps=1e-3),
        optim.Adam,
        {"weight_decay": 0.2, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adam_decoupled": (
        mdbopt.Adam(0.05, weight_decay=0.2, decoupled=True),
        optim.Adam,
        {"weight_decay": 0.2, "decoupled_weight_decay": True},
    ),
    "adamw": (mdbopt.AdamW(0.05), optim.AdamW, {}),
    "adamw_strong": (
        mdbopt.AdamW(0.05, weight_decay=0.5, eps=0.1),
        optim.AdamW,
        {"weight_decay": 0.5, "eps": 0.1},
    ),
    "amsgrad": (mdbopt.AMSGrad(0.05), optim.Adam, {"amsgrad": True}),
    "amsgrad_l2": (
        mdbopt.AMSGrad(0.05, weight_decay=0.2),
        optim.Adam,
        {"amsgrad": True, "weight_decay": 0.2},
    ),
    "amsgrad_decoupled": (
        mdbopt.AMSGrad(0.05, weight_decay=0.2, decoupled=True),
        optim.AdamW,
        {"amsgrad": True, "weight_decay": 0.2},
    ),
    "nadam": (mdbopt.NAdam(0.05), optim.NAdam, {}),
    "nadam_l2": (
        mdbopt.NAdam(0.05, weight_decay=0.2, beta1=0.8, momentum_decay=0.1, eps=1e-3),
        optim.NAdam,
        {"weight_decay": 0.2, "betas": (0.8, 0.999), "momentum_decay": 0.1, "eps": 1e-3},
    ),
    "nadam_decoupled": (
        mdbopt.NAdam(0.05, weight_decay=0.2, decoupled=True),
        optim.NAdam,
        {"weight_decay": 0.2, "decoupled_weight_decay": True},
    ),
    # With 0.999 the rectification of the first steps is a difference of nearly equal numbers.
    "radam": (mdbopt.RAdam(0.05, beta2=0.99), optim.RAdam, {"betas": (0.9, 0.99)}),
    "radam_l2": (
        mdbopt.RAdam(0.05, weight_decay=0.2, beta1=0.8, beta2=0.95, eps=1e-3),
        optim.RAdam,
        {"weight_decay": 0.2, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "radam_decoupled": (
        mdbopt.RAdam(0.05, beta2=0.99, weight_decay=0.2, decoupled=True),
        optim.RAdam,
        {"betas": (0.9, 0.99), "weight_decay": 0.2, "decoupled_weight_decay": True},
    ),
    "adamax": (mdbopt.Adamax(0.05), optim.Adamax, {}),
    "adamax_l2": (
        mdbopt.Adamax(0.05, weight_decay=0.2, beta1=0.8, beta2=0.95, eps=1e-3),
        optim.Adamax,
        {"weight_decay": 0.2, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adadelta": (mdbopt.Adadelta(), optim.Adadelta, {}),
    "adadelta_l2": (
        mdbopt.Adadelta(0.5, rho=0.95, eps=1e-3, weight_decay=0.2, decoupled=False),
        optim.Adadelta,
        {"rho": 0.95, "eps": 1e-3, "weight_decay": 0.2},
    ),
    "adagrad": (mdbopt.AdaGrad(0.3), optim.Adagrad, {}),
    "adagrad_initial": (
        mdbopt.AdaGrad(0.3, initial=0.5, eps=1e-3, weight_decay=0.2, decoupled=False),
        optim.Adagrad,
        {"initial_accumulator_value": 0.5, "eps": 1e-3, "weight_decay": 0.2},
    ),
    "rmsprop": (mdbopt.RMSProp(0.05), optim.RMSprop, {}),
    "rmsprop_l2": (
        mdbopt.RMSProp(0.05, alpha=0.9, eps=1e-3, weight_decay=0.2, decoupled=False),
        optim.RMSprop,
        {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.2},
    ),
    "rmsprop_centered": (mdbopt.RMSProp(0.05, centered=True), optim.RMSprop, {"centered": True}),
    "rmsprop_momentum": (mdbopt.RMSProp(0.05, momentum=0.9), optim.RMSprop, {"momentum": 0.9}),
    "rmsprop_both": (
        mdbopt.RMSProp(0.05, momentum=0.9, centered=True),
        optim.RMSprop,
        {"momentum": 0.9, "centered": True},
    ),
    "rprop": (mdbopt.Rprop(0.05), optim.Rprop, {}),
    "rprop_bounds": (
        mdbopt.Rprop(0.05, etas=(0.4, 1.3), step_sizes=(1e-3, 0.2)),
        optim.Rprop,
        {"etas": (0.4, 1.3), "step_sizes": (1e-3, 0.2)},
    ),
}
FUSED = (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_torchs(case, dtype, maximize):
    ours, kind, options = CASES[case]
    options = {"lr": ours.lr, "maximize": maximize, **options}
    ours = replace(ours, maximize=maximize)
    problem = Problem(dtype)
    for forms in ({}, {"fused": True}) if kind in FUSED else ({},):
        theirs = stepped_by_torch(kind, problem, **options, **forms)
        worst = largest_difference(problem, ours, theirs, sign=-1.0 if maximize else 1.0)
        assert worst <= CLOSE[dtype]


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("case", ["momentum", "nesterov", "adamw", "rmsprop_both"])
def test_a_schedule_of_lr_goes_into_step(case, dtype):
    ours, kind, options = CASES[case]

    def rate(t):
        return 0.05 * (1.0 + np.cos(t / 20)) / 2

    def before(t, optimizer):
        optimizer.param_groups[0]["lr"] = rate(t)

    problem = Problem(dtype)
    theirs = stepped_by_torch(kind, problem, before, lr=ours.lr, **options)
    worst = largest_difference(problem, ours, theirs, options=lambda t: {"lr": rate(t)})
    assert worst <= CLOSE[dtype]


@pytest.mark.parametrize("dtype", CLOSE)
def test_a_schedule_of_lr_replaces_the_lr_decay_of_adagrad(dtype):
    problem = Problem(dtype)
    theirs = stepped_by_torch(optim.Adagrad, problem, lr=0.5, lr_decay=0.02)
    worst = largest_difference(
        problem, mdbopt.AdaGrad(), theirs, options=lambda t: {"lr": 0.5 / (1 + 0.02 * t)}
    )
    assert worst <= CLOSE[dtype]


@pytest.mark.parametrize("dtype", CLOSE)
def test_heavy_ball_is_plain_momentum_while_lr_stays(dtype):
    heavy = mdbopt.SGD(0.05, momentum=0.9, heavy_ball=True)
    problem = Problem(dtype)
    theirs = stepped_by_torch(optim.SGD, problem, lr=0.05, momentum=0.9)
    # x - x_prev has lost digits that the momentum of m keeps, and goes on for ten steps.
    assert largest_difference(problem, heavy, theirs) <= 10 * CLOSE[dtype]

    def before(t, optimizer):
        optimizer.param_groups[0]["lr"] = 0.05 / (1 + t)

    theirs = stepped_by_torch(optim.SGD, problem, before, lr=0.05, momentum=0.9)
    worst = largest_difference(problem, heavy, theirs, options=lambda t: {"lr": 0.05 / (1 + t)})
    assert worst > 0.1


@pytest.mark.parametrize("dtype", CLOSE)
def test_sgd_decays_apart_from_the_gradient_unless_told(dtype):
    """L2 and decoupled decay are one without momentum, and differ with it."""
    problem = Problem(dtype)
    plain = stepped_by_torch(optim.SGD, problem, lr=0.05, weight_decay=0.3)
    assert largest_difference(problem, mdbopt.SGD(0.05, weight_decay=0.3), plain) <= CLOSE[dtype]

    ours = mdbopt.SGD(0.05, momentum=0.9, weight_decay=0.3)
    l2 = stepped_by_torch(optim.SGD, problem, lr=0.05, momentum=0.9, weight_decay=0.3)
    assert largest_difference(problem, ours, l2) > 0.01

    def decay(t, optimizer):
        with torch.no_grad():
            for p in optimizer.param_groups[0]["params"]:
                p.mul_(1 - 0.05 * 0.3)

    by_hand = stepped_by_torch(optim.SGD, problem, decay, lr=0.05, momentum=0.9)
    assert largest_difference(problem, ours, by_hand) <= CLOSE[dtype]


def test_bias_corrections_differ_from_torchs_in_the_last_bits():
    problem = Problem("float64")
    theirs = stepped_by_torch(optim.Adam, problem, lr=0.05)
    assert 0.0 < largest_difference(problem, mdbopt.Adam(0.05), theirs) <= CLOSE["float64"]


@pytest.mark.parametrize("dtype", CLOSE)
def test_centred_rmsprop_gives_no_nan_where_torch_does(dtype):
    """Equal gradients have no variance: rounding takes it below 0."""
    g = 4 * torch.rand(200, generator=torch.Generator().manual_seed(1), dtype=getattr(torch, dtype))
    theirs = torch.nn.Parameter(torch.zeros_like(g))
    torchs = optim.RMSprop([theirs], lr=1e-3, alpha=0.5, centered=True)
    theirs.grad = g
    ours = torch.zeros_like(g)
    optimizer = mdbopt.RMSProp(1e-3, alpha=0.5, centered=True)
    state = optimizer.init(ours)
    for _ in range(STEPS):
        torchs.step()
        optimizer.step(ours, g, state)
    assert theirs.isnan().any()
    assert ours.isfinite().all()


def test_subnormal_moments_are_flushed_unless_told():
    x, g, later = np.ones(4, np.float32), np.full(4, 1e-37, np.float32), np.zeros(4, np.float32)
    theirs = torch.nn.Parameter(torch.from_numpy(x.copy()))
    torchs = optim.SGD([theirs], lr=1.0, momentum=0.5)
    flushes = mdbopt.SGD(1.0, momentum=0.5)
    keeps = mdbopt.SGD(1.0, momentum=0.5, flush_subnormals=False)
    flushed, kept = flushes.init(x), keeps.init(x)
    for k in range(10):
        now = later if k else g
        flushes.step(x, now, flushed)
        keeps.step(x, now, kept)
        theirs.grad = torch.from_numpy(now)
        torchs.step()
    momentum = torchs.state[theirs]["momentum_buffer"].numpy()
    assert 0.0 < momentum[0] < np.finfo(np.float32).tiny
    assert np.array_equal(kept.m, momentum)
    assert not flushed.m.any()
