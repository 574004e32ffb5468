"""The optimizers as rows, each with the kernel that its steps must equal, and trees of arrays."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from reference_half import mix64, widen

import mdbopt
from mdbopt import kernels

LR = 0.1
RULES = {rule.name: rule for rule in mdbopt.rules()}
BACKENDS = [backend.name for backend in mdbopt.backends() if backend.supported]


@dataclass(frozen=True)
class Case:
    """An optimizer with some options, and the same as a rule with scalars, both for LR."""

    optimizer: type
    options: dict
    rule: str
    scalars: dict = field(default_factory=dict)
    starts: dict = field(default_factory=dict)  # of arrays not 0 at first; None: a copy of x
    numbers: dict = field(default_factory=dict)  # what the rule gives back, at first

    def make(self, **options):
        return self.optimizer(LR, **self.options, **options)

    @property
    def label(self):
        return self.optimizer.__name__

    @property
    def description(self):
        return RULES[self.rule]

    @property
    def elementwise(self):
        """Whether no number runs over all arrays of a step."""
        return self.description.walks == 1 and not self.numbers


ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_root": 0.0, "bias_correction": 1.0}
FLAT = {"beta1": 0.5, "beta2": 0.75, "eps": 0.0, "eps_root": 1e-6, "bias_correction": 0.0}
FLAT_OPTIONS = FLAT | {"bias_correction": False}
ADAGRAD = {"eps": 1e-10, "eps_root": 0.0}
OPTAX = {"eps": 0.0, "eps_root": 1e-7}
MEAN = {"alpha": 0.99, "eps": 1e-8, "eps_root": 0.0}
FAST = {"alpha": 0.5, "eps": 0.0, "eps_root": 1e-3}
INERTIA = {"momentum": 0.9}
X_PREV, RATES, ALPHA = {"x_prev": None}, {"p": 1.0}, {"alpha": 1.0}
TOGETHER = {"hyper_lr": 0.02, "multiplicative": 1.0}
ADDED = {"hyper_lr": 0.02 / LR, "multiplicative": 0.0}
ADDITIVE = {"mode": "additive"}

CASES = {
    "SGD": Case(mdbopt.SGD, {}, "sgd"),
    "SGD-momentum": Case(mdbopt.SGD, INERTIA, "sgd_momentum", INERTIA),
    "SGD-dampened": Case(
        mdbopt.SGD, INERTIA | {"dampening": 0.3}, "sgd_momentum", INERTIA | {"dampening": 0.3}
    ),
    "SGD-nesterov": Case(
        mdbopt.SGD, INERTIA | {"nesterov": True}, "sgd_momentum", INERTIA | {"nesterov": 1.0}
    ),
    "SGD-heavy_ball": Case(
        mdbopt.SGD, INERTIA | {"heavy_ball": True}, "heavy_ball", INERTIA, X_PREV
    ),
    "NormalizedGD": Case(mdbopt.NormalizedGD, {}, "normalized_gd"),
    "NormalizedGD-momentum": Case(
        mdbopt.NormalizedGD, INERTIA, "normalized_gd_momentum", INERTIA, X_PREV
    ),
    "SignDescent": Case(mdbopt.SignDescent, {}, "sign_descent"),
    "SignDescent-momentum": Case(
        mdbopt.SignDescent, INERTIA, "sign_descent_momentum", INERTIA, X_PREV
    ),
    "Signum": Case(mdbopt.Signum, {}, "signum", INERTIA),
    "Signum-0.5": Case(mdbopt.Signum, {"momentum": 0.5}, "signum", {"momentum": 0.5}),
    "Lion": Case(mdbopt.Lion, {}, "lion", {"beta1": 0.9, "beta2": 0.99}),
    "Lion-0.5": Case(
        mdbopt.Lion, {"beta1": 0.5, "beta2": 0.0}, "lion", {"beta1": 0.5, "beta2": 0.0}
    ),
    "Adam": Case(mdbopt.Adam, {}, "adam", ADAM | {"weight_decay": 0.0}),
    "Adam-flat": Case(mdbopt.Adam, FLAT_OPTIONS, "adam", FLAT),
    "AdamW": Case(mdbopt.AdamW, {}, "adam", ADAM | {"weight_decay": 0.01}),
    "AMSGrad": Case(mdbopt.AMSGrad, {}, "amsgrad", ADAM),
    "AMSGrad-flat": Case(mdbopt.AMSGrad, FLAT_OPTIONS, "amsgrad", FLAT),
    "AdaGrad": Case(mdbopt.AdaGrad, {}, "adagrad", ADAGRAD),
    "AdaGrad-optax": Case(
        mdbopt.AdaGrad, OPTAX | {"initial": 0.1}, "adagrad", OPTAX, {"sum_of_squares": 0.1}
    ),
    "AdaGradNorm": Case(
        mdbopt.AdaGradNorm, {}, "adagrad_norm", ADAGRAD, numbers={"sum_of_squares": 0.0}
    ),
    "AdaGradNorm-optax": Case(
        mdbopt.AdaGradNorm,
        OPTAX | {"initial": 0.1},
        "adagrad_norm",
        OPTAX,
        numbers={"sum_of_squares": 0.1},
    ),
    "RMSProp": Case(mdbopt.RMSProp, {}, "rmsprop", MEAN),
    "RMSProp-centered": Case(mdbopt.RMSProp, FAST | {"centered": True}, "rmsprop_centered", FAST),
    "RMSProp-momentum": Case(mdbopt.RMSProp, FAST | INERTIA, "rmsprop_momentum", FAST | INERTIA),
    "RMSProp-both": Case(
        mdbopt.RMSProp,
        INERTIA | {"centered": True},
        "rmsprop_centered_momentum",
        MEAN | INERTIA,
    ),
    "Rprop": Case(
        mdbopt.Rprop,
        {},
        "rprop",
        {"shrink": 0.5, "grow": 1.2, "least": 1e-6 / LR, "most": 50.0 / LR},
        {"eta": 1.0},
    ),
    "Rprop-narrow": Case(
        mdbopt.Rprop,
        {"etas": (0.25, 3.0), "step_sizes": (0.05, 0.2)},
        "rprop",
        {"shrink": 0.25, "grow": 3.0, "least": 0.05 / LR, "most": 0.2 / LR},
        {"eta": 1.0},
    ),
    "HypergradientSGD": Case(
        mdbopt.HypergradientSGD, {}, "hypergradient_sgd", TOGETHER, numbers=ALPHA
    ),
    "HypergradientSGD-additive": Case(
        mdbopt.HypergradientSGD,
        ADDITIVE | INERTIA,
        "hypergradient_sgd",
        ADDED | INERTIA,
        numbers=ALPHA,
    ),
    "HypergradientAdam": Case(
        mdbopt.HypergradientAdam, {}, "hypergradient_adam", ADAM | TOGETHER, numbers=ALPHA
    ),
    "HypergradientAdam-additive": Case(
        mdbopt.HypergradientAdam,
        ADDITIVE | FLAT_OPTIONS,
        "hypergradient_adam",
        FLAT | ADDED,
        numbers=ALPHA,
    ),
    "DiagonalHypergradient": Case(
        mdbopt.DiagonalHypergradient, {}, "diagonal_hypergradient_log", {"hyper_lr": 0.05}, RATES
    ),
    "DiagonalHypergradient-weights": Case(
        mdbopt.DiagonalHypergradient,
        {"mode": "weights"},
        "diagonal_hypergradient_weights",
        {"hyper_lr": 0.05},
        RATES,
    ),
    "DiagonalHypergradient-additive": Case(
        mdbopt.DiagonalHypergradient,
        ADDITIVE,
        "diagonal_hypergradient",
        {"hyper_lr": 0.05 / LR},
        RATES,
    ),
    "OSGM": Case(
        mdbopt.OSGM,
        {},
        "osgm",
        {"hyper_lr": 0.5, "eps": 1e-12},
        X_PREV | RATES,
        {"norm2": 0.0},
    ),
}
# One row for each of the classes.
CLASSES = {case.label: case for case in reversed(CASES.values())}


class ByKernel:
    """A flat array and its state, stepped by the kernel of a case."""

    def __init__(self, case, x, dtype=None, seed=None, **shared):
        self.case, self.x, self.t, self.seed = case, x.copy(), 0, seed
        self.shared = {"flush_subnormals": True, "dtype": dtype} | shared
        wide = np.float64 if x.dtype == np.float64 else np.float32
        numbers = widen(x, dtype) if dtype else x
        starts = {stream.name: 0.0 for stream in case.description.streams[2:]} | case.starts
        self.states = {
            name: numbers.astype(wide) if start is None else np.full(x.shape, start, wide)
            for name, start in starts.items()
        }
        self.numbers = dict(case.numbers)

    def step(self, g, **given):
        self.t += 1
        scalars = self.case.scalars | self.numbers
        if "t" in dict(self.case.description.scalars):
            scalars["t"] = float(self.t)
        if self.seed is not None:  # the kernel's random bits are those of t = 0
            own = int(mix64(self.t)) ^ int(mix64(0)) ^ self.seed
            given = {"rounding": "stochastic", "seed": own} | given
        sums = getattr(kernels, self.case.rule)(
            self.x, g, *self.states.values(), **{"lr": LR} | scalars | self.shared | given
        )
        self.numbers = {name: getattr(sums, name) for name in self.numbers}


class Hook:
    """An array that calls a function when it is looked at."""

    def __init__(self, array, function):
        self.array, self.function = array, function

    def __dlpack__(self, **request):
        self.function()
        return self.array.__dlpack__(**request)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def drawn(seed, shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def joined(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def leaves(tree):
    """List the leaves of a tree in the order of its lists and dicts."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def built(template, arrays):
    """Put arrays in the places of a template's numbers."""
    if isinstance(template, dict):
        return {key: built(item, arrays) for key, item in template.items()}
    if isinstance(template, (list, tuple)):
        items = [built(item, arrays) for item in template]
        return type(template)(*items) if hasattr(template, "_fields") else type(template)(items)
    return arrays[template]


def same(a, b):
    """Whether two arrays have the same dtype, shape and bits."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_all(ours, theirs):
    ours, theirs = leaves(ours), leaves(theirs)
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def assert_same_state(a, b):
    assert list(a) == list(b)
    for name in a:
        if isinstance(a[name], np.ndarray):
            assert same(a[name], b[name]), name
        else:
            assert repr(a[name]) == repr(b[name]), name  # NaN equals NaN


def image(state, *trees):
    """Everything that a step may write, as bytes."""
    arrays = [leaf for tree in (*state._arrays.values(), *trees) for leaf in leaves(tree)]
    memory = [bytes(a.tobytes()) for a in arrays if isinstance(a, np.ndarray)]
    return state.t, repr(state._numbers()), memory


@contextmanager
def nothing_written(state, *trees):
    before = image(state, *trees)
    yield
    assert image(state, *trees) == before


def sgd(bound, params, grads):
    """Return a step of SGD with rate 1 over these, and its state; the first one is taken."""
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(params)
    step = bound(optimizer, params, grads, state)
    assert step()
    return step, state
