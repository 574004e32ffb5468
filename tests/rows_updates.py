"""One row per first-order update: its mathematics in NumPy, in the order of operations of the C++.

Arrays have the type that the update computes in. Scalars are float64 and are rounded to that type
where they meet an element. Below the rows, the cases of the classes that run these updates.
"""

import math

import numpy as np
from optimizer_case import BOOL, FRACTION, NOT_NEGATIVE, Case
from reference import Range, Row, wide

import mdbopt

SIGNED, POSITIVE = Range(), Range(positive=True)

PLAIN = {"weight_decay": 0.0, "l2": 0.0, "grad_scale": 1.0}
COMMON = (
    PLAIN,
    PLAIN | {"weight_decay": 0.3},
    PLAIN | {"l2": 0.7},
    {"weight_decay": 0.01, "l2": 0.02, "grad_scale": -1.0},
    PLAIN | {"grad_scale": 2.0**-7 / 3.0},
)


# --- what they share -----------------------------------------------------------------------------
def real(v, value):
    """Round a scalar to the type of the arrays."""
    return v["x"].dtype.type(value)


def in_range(v, value):
    """Round a scalar to the type of the arrays, its largest number at most."""
    return real(v, min(float(value), float(np.finfo(v["x"].dtype).max)))


def gradient(v, s):
    return real(v, s["grad_scale"]) * v["g"] + real(v, s["l2"]) * v["x"]


def move(v, s, direction):
    kept = real(v, 1.0) - v["lr"] * real(v, s["weight_decay"])
    return kept * v["x"] - v["lr"] * direction


def average(v, beta, old, sample):
    return real(v, beta) * old + real(v, 1.0 - beta) * sample


def sign(a):
    one = a.dtype.type(1)
    return np.where(a < 0, -one, np.where(a > 0, one, a))


def not_below(least, a):
    """As the core's maximum, which keeps a NaN of either."""
    return np.where((a > least) | (a != a), a, least)


def power(base, t):
    result, base, left = np.float64(1.0), np.float64(base), int(t)
    while left > 0:
        if left % 2 == 1:
            result = result * base
        left, base = left // 2, base * base
    return result


def inverse_factorial(k):
    result = 1.0
    for factor in range(k, 1, -1):
        result /= factor
    return result


def exp(x):
    in_type, double = x.dtype.type, x.dtype == np.float64
    rounder = in_type(1.5 * 2.0 ** (52 if double else 23))
    k = (x * in_type(1.4426950408889634) + rounder) - rounder
    r = (x - k * in_type(0.693145751953125)) - k * in_type(1.4286068203094172e-6)
    degree = 13 if double else 7
    total = np.full(x.shape, inverse_factorial(degree), x.dtype)
    for n in range(degree - 1, -1, -1):
        total = total * r + in_type(inverse_factorial(n))
    return np.ldexp(total, np.where(np.isnan(k), 0, k).astype(np.int32))


def crossed(*own):
    """Give every set of an update's own scalars, and every set of those that all share, a turn."""
    count = max(len(own), len(COMMON))
    return tuple(own[k % len(own)] | COMMON[k % len(COMMON)] for k in range(count))


def update(states, scalars, step, gather=None, solve=None):
    """A row from step(v, s, g), which gives the direction and the states as they are left."""

    def apply(v, s, _put):
        direction, left = step(v, s, gradient(v, s))
        return left | {"x": move(v, s, direction)}, ()

    return Row({"x": SIGNED, "g": SIGNED} | states, crossed(*scalars), gather, solve, apply)


def moving_on(scalars, step, gather=None, solve=None):
    """A row whose x moves on by its momentum."""

    def apply(v, s, _put):
        inertia = real(v, s["momentum"]) * (v["x"] - v["x_prev"])
        moved = move(v, s, step(v, s, gradient(v, s))[0])
        return {"x": moved + inertia, "x_prev": v["x"]}, ()

    streams = {"x": SIGNED, "g": SIGNED, "x_prev": SIGNED}
    return Row(streams, crossed(*scalars), gather, solve, apply)


# --- along the gradient --------------------------------------------------------------------------
def along_momentum(v, s, g):
    gain = 1.0 if s["t"] == 1.0 else 1.0 - s["dampening"]
    m = real(v, s["momentum"]) * v["m"] + real(v, gain) * g
    return (g + real(v, s["momentum"]) * m if s["nesterov"] != 0.0 else m), {"m": m}


def norm2(v, s):
    g = wide(gradient(v, s))
    return (g * g,)


def inverse_norm(sums, _n, _s):
    return {"inverse": np.float64(0.0) if sums[0] == 0.0 else 1.0 / np.sqrt(sums[0])}


def along_normalised(v, s, g):
    return in_range(v, s["inverse"]) * g, {}


def along_signum(v, s, g):
    m = average(v, s["momentum"], v["m"], g)
    return sign(m), {"m": m}


def along_lion(v, s, g):
    direction = sign(average(v, s["beta1"], v["m"], g))
    return direction, {"m": average(v, s["beta2"], v["m"], g)}


# --- divided by roots ----------------------------------------------------------------------------
def corrections(s, t):
    if s["bias_correction"] == 0.0 or t < 1.0:
        return 1.0, 1.0
    return 1.0 / (1.0 - power(s["beta1"], t)), 1.0 / (1.0 - power(s["beta2"], t))


def corrected(v, s, m, squares, factors):
    root = np.sqrt(real(v, factors[1]) * squares + real(v, s["eps_root"]))
    return real(v, factors[0]) * m / (root + real(v, s["eps"]))


def along_adam(v, s, g):
    m = average(v, s["beta1"], v["m"], g)
    squares = average(v, s["beta2"], v["v"], g * g)
    return corrected(v, s, m, squares, corrections(s, s["t"])), {"m": m, "v": squares}


def along_amsgrad(v, s, g):
    _, left = along_adam(v, s, g)
    largest = not_below(v["v_max"], left["v"])
    direction = corrected(v, s, left["m"], largest, corrections(s, s["t"]))
    return direction, left | {"v_max": largest}


def mu(s, t):
    exponent = -0.040821994520255166 * (t * s["momentum_decay"])
    return s["beta1"] * (1.0 - 0.5 * exp(np.float64(max(exponent, -80.0))))


def product_of_mu(_sums, _n, s):
    return {"mu_product": s["mu_product"] * mu(s, s["t"])}


def along_nadam(v, s, g):
    m = average(v, s["beta1"], v["m"], g)
    squares = average(v, s["beta2"], v["v"], g * g)
    product, mu_next = s["mu_product"], mu(s, s["t"] + 1.0)
    ahead = real(v, mu_next / (1.0 - product * mu_next)) * m
    ahead = ahead + real(v, (1.0 - mu(s, s["t"])) / (1.0 - product)) * g
    correction = real(v, 1.0 / (1.0 - power(s["beta2"], s["t"])))
    root = np.sqrt(correction * squares + real(v, s["eps_root"]))
    return ahead / (root + real(v, s["eps"])), {"m": m, "v": squares}


def along_adagrad(v, s, g):
    total = v["sum_of_squares"] + g * g
    root = np.sqrt(total + real(v, s["eps_root"]))
    return g / (root + real(v, s["eps"])), {"sum_of_squares": total}


def one_sum_of_squares(sums, _n, s):
    total = s["sum_of_squares"] + sums[0]
    divisor = np.sqrt(total + s["eps_root"]) + s["eps"]
    return {"sum_of_squares": total, "inverse": 0.0 if divisor == 0.0 else 1.0 / divisor}


def along_rmsprop(v, s, g):
    left = {"v": average(v, s["alpha"], v["v"], g * g)}
    variance = left["v"]
    if "a" in v:
        left["a"] = average(v, s["alpha"], v["a"], g)
        variance = not_below(real(v, 0.0), variance - left["a"] * left["a"])
    direction = g / (np.sqrt(variance + real(v, s["eps_root"])) + real(v, s["eps"]))
    if "m" in v:
        direction = left["m"] = real(v, s["momentum"]) * v["m"] + direction
    return direction, left


M, V, A = {"m": SIGNED}, {"v": POSITIVE}, {"a": SIGNED}
INERTIA = ({"momentum": 0.9}, {"momentum": 0.0})
MOMENTUM = (
    {"t": 1.0, "momentum": 0.9, "dampening": 0.4, "nesterov": 0.0},
    {"t": 2.0, "momentum": 0.9, "dampening": 0.4, "nesterov": 0.0},
    {"t": 3.0, "momentum": 0.5, "dampening": 0.0, "nesterov": 1.0},
)
ADAM = tuple(
    {"t": t, "beta1": 0.9, "beta2": beta2, "eps": eps, "eps_root": root, "bias_correction": correct}
    for t, beta2, eps, root, correct in (
        (1.0, 0.999, 1e-8, 0.0, 1.0),
        (2.0, 0.95, 1e-3, 1e-4, 1.0),
        (7.0, 0.999, 1e-8, 0.0, 0.0),
        (1e6, 0.999, 0.0, 1e-8, 1.0),
        (12345.0, 0.0, 1e-8, 0.0, 1.0),
    )
)
NADAM = tuple(
    {"t": t, "beta1": beta1, "beta2": beta2, "eps": eps, "eps_root": root}
    | {"momentum_decay": decay, "mu_product": product}
    for t, beta1, beta2, eps, root, decay, product in (
        (1.0, 0.9, 0.999, 1e-8, 0.0, 4e-3, 1.0),
        (2.0, 0.9, 0.95, 1e-3, 1e-4, 0.3, 0.5),
        (1e6, 0.99, 0.999, 0.0, 1e-8, 4e-3, 1e-200),
        (7.0, 0.9, 0.5, 1e-8, 0.0, 0.0, 0.1),
        (3.0, 0.0, 0.999, 1e-8, 0.0, 1e9, 0.0),
    )
)
ROOTS = ({"eps": 1e-10, "eps_root": 0.0}, {"eps": 0.0, "eps_root": 1e-3})
RMSPROP = tuple(
    roots | {"alpha": alpha} for roots, alpha in zip(ROOTS * 2, (0.99, 0.5, 0.9, 0.0), strict=True)
)
RMSPROP_MOMENTUM = tuple(
    scalars | {"momentum": momentum}
    for scalars, momentum in zip(RMSPROP, (0.0, 0.9, 0.5, 0.9), strict=True)
)
SIGN_OF_G = lambda v, s, g: (sign(g), {})  # noqa: E731

UPDATES = {
    "sgd": update({}, ({},), lambda v, s, g: (g, {})),
    "sgd_momentum": update(M, MOMENTUM, along_momentum),
    "heavy_ball": moving_on(INERTIA, lambda v, s, g: (g, {})),
    "normalized_gd": update({}, ({},), along_normalised, norm2, inverse_norm),
    "normalized_gd_momentum": moving_on(INERTIA, along_normalised, norm2, inverse_norm),
    "sign_descent": update({}, ({},), SIGN_OF_G),
    "sign_descent_momentum": moving_on(INERTIA, SIGN_OF_G),
    "signum": update(M, INERTIA, along_signum),
    "lion": update(M, ({"beta1": 0.9, "beta2": 0.99}, {"beta1": 0.5, "beta2": 0.0}), along_lion),
    "adam": update(M | V, ADAM, along_adam),
    "amsgrad": update(M | V | {"v_max": POSITIVE}, ADAM, along_amsgrad),
    "nadam": update(M | V, NADAM, along_nadam, solve=product_of_mu),
    "adagrad": update({"sum_of_squares": POSITIVE}, ROOTS, along_adagrad),
    "adagrad_norm": update(
        {},
        [roots | {"sum_of_squares": s} for roots, s in zip(ROOTS, (0.0, 3e5), strict=True)],
        along_normalised,
        norm2,
        one_sum_of_squares,
    ),
    "rmsprop": update(V, RMSPROP, along_rmsprop),
    "rmsprop_centered": update(V | A, RMSPROP, along_rmsprop),
    "rmsprop_momentum": update(V | M, RMSPROP_MOMENTUM, along_rmsprop),
    "rmsprop_centered_momentum": update(V | A | M, RMSPROP_MOMENTUM, along_rmsprop),
}

# --- the optimizers ------------------------------------------------------------------------------
ADAM_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_root": 0.0, "bias_correction": 1.0}
FLAT = {"beta1": 0.5, "beta2": 0.75, "eps": 0.0, "eps_root": 1e-6, "bias_correction": 0.0}
FLAT_OPTIONS = FLAT | {"bias_correction": False}
NADAM_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_root": 0.0, "momentum_decay": 4e-3}
NADAM_FAST = {"beta1": 0.5, "beta2": 0.75, "eps": 0.0, "eps_root": 1e-6, "momentum_decay": 0.3}
ADAGRAD = {"eps": 1e-10, "eps_root": 0.0}
OPTAX = {"eps": 0.0, "eps_root": 1e-7}
MEAN = {"alpha": 0.99, "eps": 1e-8, "eps_root": 0.0}
FAST = {"alpha": 0.5, "eps": 0.0, "eps_root": 1e-3}
WITH_MOMENTUM = {"momentum": 0.9}
X_PREV = {"x_prev": None}
REFUSED_MOMENTUM = {"momentum": FRACTION}
REFUSED_AVERAGES = {"beta1": FRACTION, "beta2": FRACTION}
REFUSED_ROOTS = {"eps": NOT_NEGATIVE, "eps_root": NOT_NEGATIVE}
REFUSED_ADAM = REFUSED_AVERAGES | REFUSED_ROOTS | {"bias_correction": BOOL}

CASES = {
    "SGD": Case(
        mdbopt.SGD,
        {},
        "sgd",
        refused={
            "momentum": FRACTION,
            "dampening": (-0.1, 1.1, math.nan, "0", True),
            "nesterov": BOOL,
            "heavy_ball": BOOL,
        },
    ),
    "SGD-momentum": Case(mdbopt.SGD, WITH_MOMENTUM, "sgd_momentum", WITH_MOMENTUM),
    "SGD-dampened": Case(
        mdbopt.SGD,
        WITH_MOMENTUM | {"dampening": 0.3},
        "sgd_momentum",
        WITH_MOMENTUM | {"dampening": 0.3},
    ),
    "SGD-nesterov": Case(
        mdbopt.SGD,
        WITH_MOMENTUM | {"nesterov": True},
        "sgd_momentum",
        WITH_MOMENTUM | {"nesterov": 1.0},
    ),
    "SGD-heavy_ball": Case(
        mdbopt.SGD, WITH_MOMENTUM | {"heavy_ball": True}, "heavy_ball", WITH_MOMENTUM, X_PREV
    ),
    "NormalizedGD": Case(
        mdbopt.NormalizedGD,
        {},
        "normalized_gd",
        refused=REFUSED_MOMENTUM | {"per_array": BOOL},
    ),
    "NormalizedGD-momentum": Case(
        mdbopt.NormalizedGD, WITH_MOMENTUM, "normalized_gd_momentum", WITH_MOMENTUM, X_PREV
    ),
    "SignDescent": Case(mdbopt.SignDescent, {}, "sign_descent", refused=REFUSED_MOMENTUM),
    "SignDescent-momentum": Case(
        mdbopt.SignDescent, WITH_MOMENTUM, "sign_descent_momentum", WITH_MOMENTUM, X_PREV
    ),
    "Signum": Case(mdbopt.Signum, {}, "signum", WITH_MOMENTUM, refused=REFUSED_MOMENTUM),
    "Signum-0.5": Case(mdbopt.Signum, {"momentum": 0.5}, "signum", {"momentum": 0.5}),
    "Lion": Case(mdbopt.Lion, {}, "lion", {"beta1": 0.9, "beta2": 0.99}, refused=REFUSED_AVERAGES),
    "Lion-0.5": Case(
        mdbopt.Lion, {"beta1": 0.5, "beta2": 0.0}, "lion", {"beta1": 0.5, "beta2": 0.0}
    ),
    "Adam": Case(
        mdbopt.Adam, {}, "adam", ADAM_OPTIONS | {"weight_decay": 0.0}, refused=REFUSED_ADAM
    ),
    "Adam-flat": Case(mdbopt.Adam, FLAT_OPTIONS, "adam", FLAT),
    "AdamW": Case(
        mdbopt.AdamW, {}, "adam", ADAM_OPTIONS | {"weight_decay": 0.01}, refused=REFUSED_ADAM
    ),
    "AMSGrad": Case(mdbopt.AMSGrad, {}, "amsgrad", ADAM_OPTIONS, refused=REFUSED_ADAM),
    "AMSGrad-flat": Case(mdbopt.AMSGrad, FLAT_OPTIONS, "amsgrad", FLAT),
    "NAdam": Case(
        mdbopt.NAdam,
        {},
        "nadam",
        NADAM_OPTIONS,
        numbers={"mu_product": 1.0},
        refused=REFUSED_AVERAGES | REFUSED_ROOTS | {"momentum_decay": NOT_NEGATIVE},
    ),
    "NAdam-fast": Case(mdbopt.NAdam, NADAM_FAST, "nadam", NADAM_FAST, numbers={"mu_product": 1.0}),
    "AdaGrad": Case(
        mdbopt.AdaGrad, {}, "adagrad", ADAGRAD, refused=REFUSED_ROOTS | {"initial": NOT_NEGATIVE}
    ),
    "AdaGrad-optax": Case(
        mdbopt.AdaGrad, OPTAX | {"initial": 0.1}, "adagrad", OPTAX, {"sum_of_squares": 0.1}
    ),
    "AdaGradNorm": Case(
        mdbopt.AdaGradNorm,
        {},
        "adagrad_norm",
        ADAGRAD,
        numbers={"sum_of_squares": 0.0},
        refused=REFUSED_ROOTS | {"initial": NOT_NEGATIVE},
    ),
    "AdaGradNorm-optax": Case(
        mdbopt.AdaGradNorm,
        OPTAX | {"initial": 0.1},
        "adagrad_norm",
        OPTAX,
        numbers={"sum_of_squares": 0.1},
    ),
    "RMSProp": Case(
        mdbopt.RMSProp,
        {},
        "rmsprop",
        MEAN,
        refused=REFUSED_ROOTS | {"alpha": FRACTION, "momentum": FRACTION, "centered": BOOL},
    ),
    "RMSProp-centered": Case(mdbopt.RMSProp, FAST | {"centered": True}, "rmsprop_centered", FAST),
    "RMSProp-momentum": Case(
        mdbopt.RMSProp, FAST | WITH_MOMENTUM, "rmsprop_momentum", FAST | WITH_MOMENTUM
    ),
    "RMSProp-both": Case(
        mdbopt.RMSProp,
        WITH_MOMENTUM | {"centered": True},
        "rmsprop_centered_momentum",
        MEAN | WITH_MOMENTUM,
    ),
}
