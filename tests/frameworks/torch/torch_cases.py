"""Optimizers with options that reach each of their rules, and small problems for them."""

import torch

import mdbopt.torch

SHAPES = ((4, 3), (5,), (), (2, 2, 2), (0, 3))

# The name of each class and options of a step that is not trivial.
UPDATES = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "heavy_ball": True}),
    ("NormalizedGD", {"lr": 0.05}),
    ("NormalizedGD", {"lr": 0.05, "momentum": 0.5}),
    ("SignDescent", {"lr": 0.01}),
    ("SignDescent", {"lr": 0.01, "momentum": 0.5}),
    ("SignDescent", {"lr": 0.001, "scale": "l1", "momentum": 0.5}),
    ("Signum", {"lr": 0.01}),
    ("Signum", {"lr": 0.01, "weight_decay": 0.1, "cautious": "mask"}),
    ("Lion", {"lr": 0.01, "weight_decay": 0.1}),
    ("Lion", {"lr": 0.01, "weight_decay": 0.1, "cautious": "scaled"}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "decay": "adamc"}),
    ("AdamW", {"lr": 0.05, "decay": "independent", "cautious": "mask"}),
    ("AdamW", {"lr": 0.05, "cautious": "scaled", "cautious_weight_decay": True}),
    ("MAdam", {"lr": 0.05}),
    ("DoG", {"initial": 0.1}),
    ("DoWG", {"initial": 0.1, "weight_decay": 0.1}),
    ("NovoGrad", {"lr": 0.05, "weight_decay": 0.1}),
    ("Prodigy", {"d0": 0.1, "weight_decay": 0.1}),
    ("Prodigy", {"d0": 0.01, "betas": (0.8, 0.9), "beta3": 0.5, "bias_correction": True}),
    ("FTRL", {"lr": 0.5, "beta": 0.5, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.8, 0.9)}),
    ("AMSGrad", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"lr": 0.05, "cautious": "mask"}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adamax", {"lr": 0.05}),
    ("AdaBelief", {"lr": 0.05, "weight_decay": 0.1}),
    ("Yogi", {"lr": 0.05, "initial_accumulator_value": 0.1}),
    ("Adan", {"lr": 0.05, "betas": (0.9, 0.8, 0.95)}),
    ("AdEMAMix", {"lr": 0.05, "warmup": 5}),
    ("LaProp", {"lr": 0.05}),
    ("ADOPT", {"lr": 0.05}),
    ("Adadelta", {"lr": 0.5}),
    ("ScheduleFreeSGD", {"lr": 0.05, "warmup": 5}),
    ("ScheduleFreeAdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ("AdaGrad", {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("AdaGradNorm", {"lr": 0.5}),
    ("RMSProp", {"lr": 0.01}),
    ("RMSProp", {"lr": 0.01, "centered": True, "momentum": 0.5}),
    ("Rprop", {"lr": 0.01}),
    ("HypergradientSGD", {"lr": 0.01}),
    ("HypergradientSGD", {"lr": 0.01, "mode": "additive", "hyper_lr": 1e-4, "momentum": 0.5}),
    ("HypergradientAdam", {"lr": 0.01}),
    ("DiagonalHypergradient", {"lr": 0.01}),
    ("DiagonalHypergradient", {"lr": 0.01, "mode": "weights"}),
    ("DiagonalHypergradient", {"lr": 0.01, "mode": "additive", "hyper_lr": 1e-4}),
    ("OSGM", {"lr": 0.01}),
    ("NormalizedGD", {"lr": 0.05, "per_array": True}),
    ("AGC", {"lr": 0.05, "weight_decay": 0.1}),
    ("StableAdamW", {"lr": 0.05}),
    ("LAMB", {"lr": 0.05}),
    ("LARS", {"lr": 0.5, "trust_coefficient": 0.1}),
    ("MARSAdamW", {"lr": 0.05}),
    ("MARSLion", {"lr": 0.01}),
]
UPDATE_IDS = [f"{name}-{'-'.join(map(str, options))}" for name, options in UPDATES]

# Ours, torch.optim's and options of both.
ALIKE = [
    ("AdamW", "AdamW", {}),
    ("AdamW", "AdamW", {"amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.99), "eps": 1e-6}),
    ("Adam", "Adam", {"weight_decay": 0.1}),
    ("Adam", "Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}),
    ("AMSGrad", "Adam", {"amsgrad": True}),
    ("SGD", "SGD", {"weight_decay": 0.1}),
    ("SGD", "SGD", {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    ("SGD", "SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", "RMSprop", {"weight_decay": 0.1}),
    ("RMSprop", "RMSprop", {"momentum": 0.5}),
    ("RMSprop", "RMSprop", {"centered": True, "momentum": 0.5, "eps": 1e-3}),
    ("Adagrad", "Adagrad", {"lr_decay": 0.01, "initial_accumulator_value": 0.1}),
    ("Rprop", "Rprop", {}),
    ("Rprop", "Rprop", {"etas": (0.4, 1.3), "step_sizes": (1e-4, 0.01)}),
    ("RAdam", "RAdam", {"weight_decay": 0.1}),
    ("RAdam", "RAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Adamax", "Adamax", {"weight_decay": 0.1}),
    ("Adadelta", "Adadelta", {"weight_decay": 0.1}),
    ("NAdam", "NAdam", {"weight_decay": 0.1}),
    ("NAdam", "NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
]
ALIKE_IDS = [f"{ours}-{'-'.join(map(str, options))}" for ours, _, options in ALIKE]

SEARCHES = ["Guarded", "Box", "Ellipsoid", "Simplex", "Backtracking"]


def parameters(dtype=torch.float32, seed=0, shapes=SHAPES):
    """Draw parameters, the same ones in every dtype but for rounding."""
    drawn = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=drawn, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    ]


def give_gradients(params, t):
    """Set the gradients of a noisy quadratic around 2, which depend on parameters and t alone."""
    drawn = torch.Generator().manual_seed(t)
    for k, p in enumerate(params):
        noise = torch.randn(p.shape, generator=drawn, dtype=torch.float64)
        p.grad = ((1.0 + k) * (p.detach().double() - 2.0) + 0.3 * noise).to(p.dtype)


def steps(optimizer, params, first, last):
    """Take steps, each with new gradients."""
    for t in range(first, last):
        give_gradients(params, t)
        optimizer.step()


def make(name, params, **options):
    return getattr(mdbopt.torch, name)(params, **options)


def same(a, b):
    """Tell whether tensors are equal, bit for bit."""
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def same_states(a, b):
    """Tell whether the states of two optimizers are equal, bit for bit."""
    ours, theirs = (o.state_dict() for o in (a, b))
    if (
        ours["param_groups"] != theirs["param_groups"]
        or ours["state"].keys() != theirs["state"].keys()
    ):
        return False
    return all(
        entry.keys() == theirs["state"][k].keys()
        and all(
            torch.equal(value, theirs["state"][k][name])
            and value.dtype == theirs["state"][k][name].dtype
            for name, value in entry.items()
        )
        for k, entry in ours["state"].items()
    )


def rosenbrock(optimizer, x, calls=None):
    """Make a closure of a function with a curved valley, in pairs of coordinates of all tensors."""

    def closure():
        optimizer.zero_grad()
        z = torch.cat([p.flatten() for p in x])
        a, b = z[0::2], z[1::2]
        loss = ((1 - a) ** 2 + 100 * (b - a**2) ** 2).sum()
        loss.backward()
        if calls is not None:
            calls.append(float(loss.detach()))
        return loss

    return closure
