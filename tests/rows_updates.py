"""One row per first-order update: its mathematics in NumPy, in the order of operations of the C++.

Arrays have the type that the update computes in. Scalars are float64 and are rounded to that type
where they meet an element. Below the rows, the cases of the classes that run these updates.
"""

import math
import sys

import numpy as np
from optimizer_case import BOOL, FRACTION, NOT_NEGATIVE, STEPS, Case
from reference import Range, Row, minimum, wide

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
# Of those that may hold back: every set of COMMON, then with what is held back.
CAUTIOUS = (
    *(s | {"cautious": 0.0, "cautious_weight_decay": 0.0} for s in COMMON),
    COMMON[1] | {"cautious": 1.0, "cautious_weight_decay": 0.0},
    COMMON[3] | {"cautious": 0.0, "cautious_weight_decay": 1.0},
    COMMON[1] | {"cautious": 1.0, "cautious_weight_decay": 1.0},
    COMMON[2] | {"cautious": 1.0, "cautious_weight_decay": 0.0},
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


def move(v, s, direction, kept=None):
    """The last line; `kept` is what a rule of its own has left of the direction."""
    decay, nothing = real(v, s["weight_decay"]), real(v, 0.0)
    if kept is None:
        kept = direction
        if s.get("cautious", 0.0) != 0.0:
            kept = np.where(direction * gradient(v, s) <= 0, nothing, direction)
    if s.get("cautious_weight_decay", 0.0) != 0.0:
        decay = np.where(direction * v["x"] < 0, nothing, decay)
    return (real(v, 1.0) - v["lr"] * decay) * v["x"] - v["lr"] * kept


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


def crossed(*own, common=COMMON):
    """Give every set of an update's own scalars, and every set of those that all share, a turn."""
    count = max(len(own), len(common))
    return tuple(own[k % len(own)] | common[k % len(common)] for k in range(count))


def update(states, scalars, step, gather=None, solve=None, common=COMMON):
    """A row from step(v, s, g), which gives the direction and the states as they are left."""

    def apply(v, s, _put):
        direction, left = step(v, s, gradient(v, s))
        return left | {"x": move(v, s, direction)}, ()

    streams = {"x": SIGNED, "g": SIGNED} | states
    return Row(streams, crossed(*scalars, common=common), gather, solve, apply)


def cautious(states, scalars, step, gather=None, solve=None):
    """The row of an update that may hold back."""
    return update(states, scalars, step, gather, solve, CAUTIOUS)


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


def norm1(v, s):
    return (np.abs(wide(gradient(v, s))),)


def length(sums, _n, _s):
    return {"length": sums[0]}


def along_scaled_sign(v, s, g):
    return in_range(v, s["length"]) * sign(g), {}


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


def rectified(s):
    """Give the scalars with which Adam's step is the rectified one, and its corrections."""
    factors, t, beta2 = corrections(s, s["t"]), s["t"], s["beta2"]
    if s.get("rectified", 0.0) == 0.0:
        return s, factors
    beta2_t = power(beta2, t)
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * t * beta2_t / (1.0 - beta2_t)
    if not length > 5.0:
        return s | {"eps": 1.0, "eps_root": 0.0}, (factors[0], 0.0)
    shorter = (length - 4.0) * (length - 2.0) * longest
    longer = (longest - 4.0) * (longest - 2.0) * length
    return s, (factors[0] * np.sqrt(shorter / longer) / np.sqrt(factors[1]), 1.0)


def corrected(v, s, m, squares, factors):
    root = np.sqrt(real(v, factors[1]) * squares + real(v, s["eps_root"]))
    return real(v, factors[0]) * m / (root + real(v, s["eps"]))


def along_adam(v, s, g):
    m = average(v, s["beta1"], v["m"], g)
    squares = average(v, s["beta2"], v["v"], g * g)
    s, factors = rectified(s)
    return corrected(v, s, m, squares, factors), {"m": m, "v": squares}


def along_madam(v, s, g):
    scale, factors = real(v, s["root_scale"]), corrections(s, s["t"])
    m = average(v, s["beta1"], v["m"], g)
    squares = average(v, s["beta2"], v["v"], (scale * g) * (scale * g))
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = scale * (real(v, factors[0]) * m) / np.sqrt(real(v, factors[1]) * squares)
    return np.where(squares == 0, real(v, 0.0), direction), {"m": m, "v": squares}


def along_amsgrad(v, s, g):
    _, left = along_adam(v, s, g)
    largest = not_below(v["v_max"], left["v"])
    s, factors = rectified(s)
    direction = corrected(v, s, left["m"], largest, factors)
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


def along_second_moment(v, s, g):
    belief, additive = s["belief"] != 0.0, s["additive"] != 0.0
    grows = belief and not additive
    m = average(v, s["beta1"], v["m"], g)
    sample = g - m if belief else g
    squares = sample * sample
    if additive:
        change = real(v, 1.0 - s["beta2"]) * (sign(v["v"] - squares) * squares)
        moment = v["v"] - change
    else:
        moment = average(v, s["beta2"], v["v"], squares)
        moment = moment + real(v, s["eps_root"] if grows else 0.0)
    s = s | {"eps_root": 0.0} if grows else s
    return corrected(v, s, m, moment, corrections(s, s["t"])), {"m": m, "v": moment}


def along_adamax(v, s, g):
    m = average(v, s["beta1"], v["m"], g)
    u = not_below(real(v, s["beta2"]) * v["u"], np.abs(g) + real(v, s["eps"]))
    return real(v, 1.0 / (1.0 - power(s["beta1"], s["t"]))) * m / u, {"m": m, "u": u}


def along_adadelta(v, s, g):
    eps = real(v, s["eps"])
    squares = average(v, s["rho"], v["v"], g * g)
    d = np.sqrt(v["squared_steps"] + eps) / np.sqrt(squares + eps) * g
    return d, {"v": squares, "squared_steps": average(v, s["rho"], v["squared_steps"], d * d)}


def along_adan(v, s, g):
    change = real(v, 0.0 if s["t"] == 1.0 else 1.0) * (g - v["g_prev"])
    ahead = g + real(v, s["beta2"]) * change
    m = average(v, s["beta1"], v["m"], g)
    delta = average(v, s["beta2"], v["delta"], change)
    squares = average(v, s["beta3"], v["v"], ahead * ahead)
    factors = [1.0 / (1.0 - power(s[beta], s["t"])) for beta in ("beta1", "beta3")]
    of_delta = s["beta2"] / (1.0 - power(s["beta2"], s["t"]))
    root = np.sqrt(real(v, factors[1]) * squares + real(v, s["eps_root"]))
    along = real(v, factors[0]) * m + real(v, of_delta) * delta
    left = {"m": m, "delta": delta, "v": squares, "g_prev": g}
    return along / (root + real(v, s["eps"])), left


def along_laprop(v, s, g):
    delayed, first = s["delayed"] != 0.0, s["t"] == 1.0
    beta2 = 0.0 if delayed and first else s["beta2"]
    squares = average(v, beta2, v["v"], g * g)
    factors = (1.0, 1.0) if delayed else corrections(s, s["t"])
    seen = v["v"] if delayed else real(v, factors[1]) * squares
    root, eps = np.sqrt(seen + real(v, s["eps_root"])), real(v, s["eps"])
    step = g / (np.where(root < eps, eps, root) if delayed else root + eps)
    if delayed:
        bound = real(v, np.sqrt(np.sqrt(s["t"] - 1.0)))
        step = np.where(step < -bound, -bound, step)
        step = np.where(bound < step, bound, step)
    m = average(v, s["beta1"], v["m"], step)
    return real(v, factors[0]) * m, {"m": m, "v": squares}


def log(x):
    fraction, exponent = np.frexp(np.float64(x))
    y, k = 2.0 * fraction, exponent - 1.0
    if y > 1.4142135623730951:
        y, k = 0.5 * y, k + 1.0
    z = (y - 1.0) / (y + 1.0)
    total = np.float64(0.0)
    for n in range(23, 0, -2):
        total = total * (z * z) + 1.0 / n
    return k * 0.6931471805599453 + 2.0 * (z * total)


def slow_memory(s):
    """Give alpha and beta3 of a step."""
    if not s["t"] < s["warmup"]:
        return s["alpha"], s["beta3"]
    share = s["t"] / s["warmup"]
    fast, slow = log(max(s["beta1"], 1e-300)), log(max(s["beta3"], 1e-300))
    now = fast * slow / ((1.0 - share) * slow + share * fast)
    return share * s["alpha"], min(s["beta3"], exp(np.float64(max(now, -80.0))))


def along_ademamix(v, s, g):
    alpha, beta3 = slow_memory(s)
    m = average(v, s["beta1"], v["m"], g)
    squares = average(v, s["beta2"], v["v"], g * g)
    slow = average(v, beta3, v["m_slow"], g)
    factors = corrections(s | {"bias_correction": 1.0}, s["t"])
    root = np.sqrt(real(v, factors[1]) * squares + real(v, s["eps_root"]))
    mixed = real(v, factors[0]) * m + real(v, alpha) * slow
    left = {"m": m, "v": squares, "m_slow": slow}
    return mixed / (root + real(v, s["eps"])), left


def along_adagrad(v, s, g):
    total = v["sum_of_squares"] + g * g
    root = np.sqrt(total + real(v, s["eps_root"]))
    return g / (root + real(v, s["eps"])), {"sum_of_squares": total}


def one_sum_of_squares(sums, _n, s):
    total = s["sum_of_squares"] + sums[0]
    divisor = np.sqrt(total + s["eps_root"]) + s["eps"]
    return {"sum_of_squares": total, "inverse": 0.0 if divisor == 0.0 else 1.0 / divisor}


DISTANCES = (
    {"farthest": 0.0, "sum_of_squares": 0.0, "initial": 1e-6, "eps": 1e-8, "weighted": 0.0},
    {"farthest": 2.5, "sum_of_squares": 3e5, "initial": 0.1, "eps": 0.0, "weighted": 1.0},
)


def distances(v, s):
    g, first = wide(gradient(v, s)), wide(v["x0"])
    moved = wide(v["x"]) - first
    return g * g, moved * moved, first * first


def reach(sums, _n, s):
    farthest = not_below(s["farthest"], s["initial"] * (1.0 + np.sqrt(sums[2])))
    farthest = not_below(farthest, np.sqrt(sums[1]))
    weight = farthest * farthest if s["weighted"] != 0.0 else 1.0
    total = s["sum_of_squares"] + weight * sums[0]
    divisor = np.sqrt(total + s["eps"])
    length = weight if s["weighted"] != 0.0 else farthest
    scale = np.float64(0.0) if divisor == 0.0 else length / divisor
    return {"farthest": farthest, "sum_of_squares": total, "scale": scale}


def along_scaled_gradient(v, s, g):
    return in_range(v, s["scale"]) * g, {}


MOST = sys.float_info.max
PRODIGY = tuple(
    {"t": t, "beta1": beta1, "beta2": beta2, "beta3": beta3, "eps": eps, "d0": d0}
    | {"d_coef": coef, "growth_rate": growth, "bias_correction": corrects}
    | {"safeguard_warmup": guards, "d": d, "d_max": most, "numerator": numerator}
    for (t, beta1, beta2, beta3, eps, d0), (coef, growth, corrects, guards, d, most, numerator) in (
        ((1.0, 0.9, 0.999, 0.9995, 1e-8, 1e-6), (1.0, MOST, 0.0, 0.0, 1e-6, 1e-6, 0.0)),
        ((5.0, 0.5, 0.99, 0.9, 1e-3, 1e-2), (2.0, 1.02, 1.0, 0.0, 0.3, 0.7, 1e12)),
        ((9.0, 0.0, 0.5, 0.0, 1e-8, 0.5), (0.5, 2.0, 1.0, 1.0, 0.5, 0.5, -3e4)),
        ((1e6, 0.9, 0.999, 0.99, 1.0, 1e-6), (1.0, 1.5, 0.0, 1.0, 1e-6, 1e-6, 1e30)),
    )
)


def prodigy_correction(s):
    if s["bias_correction"] == 0.0:
        return np.float64(1.0)
    of_m = 1.0 / (1.0 - power(s["beta1"], s["t"]))
    return of_m / np.sqrt(1.0 / (1.0 - power(s["beta2"], s["t"])))


def prodigy_weight(s):
    return np.float64(s["d"]) / s["d0"] * s["d"]


def prodigy_s(v, s, g):
    rate = real(v, 1.0)
    if s["safeguard_warmup"] == 0.0:
        rate = v["lr"] * real(v, prodigy_correction(s))
    return real(v, s["beta3"]) * v["s"] + in_range(v, prodigy_weight(s)) * rate * g


def prodigy_sums(v, s):
    g = gradient(v, s)
    left = wide(v["x0"]) - wide(v["x"])
    return wide(v["lr"]) * (wide(g) * left), np.abs(wide(prodigy_s(v, s, g)))


def prodigy_distance(sums, _n, s):
    progress, s1 = sums
    if s1 == 0.0:
        kept = {name: np.float64(s[name]) for name in ("d", "d_max", "numerator")}
        return kept | {"d_before": s["d"], "step": np.float64(0.0)}
    numerator = s["beta3"] * s["numerator"]
    numerator = numerator + prodigy_weight(s) * prodigy_correction(s) * progress
    estimate = s["d_coef"] * numerator / s1
    d = not_below(s["d"], estimate) if s["d"] == s["d0"] else np.float64(s["d"])
    most = not_below(s["d_max"], estimate)
    step = s["d"] * prodigy_correction(s)
    grown = minimum(most, d * s["growth_rate"])
    return {"d": grown, "d_max": most, "numerator": numerator, "d_before": s["d"], "step": step}


def prodigy(v, s, _put):
    g = gradient(v, s)
    before = s | {"d": s["d_before"]}
    scaled = in_range(v, s["d_before"]) * g
    m = average(v, s["beta1"], v["m"], scaled)
    squares = average(v, s["beta2"], v["v"], scaled * scaled)
    moving = v | {"lr": v["lr"] * in_range(v, s["step"])}
    x = move(moving, s, m / (np.sqrt(squares) + real(v, s["d"] * s["eps"])))
    return {"x": x, "m": m, "v": squares, "s": prodigy_s(v, before, g)}, ()


def ftrl(v, s, _put):
    g = gradient(v, s)
    total = v["sum_of_squares"] + g * g
    curvature = real(v, s["beta"]) + np.sqrt(total)
    z = v["pull"] + v["lr"] * g - curvature * v["x"]
    bound = v["lr"] * real(v, s["l1"])
    held = np.where(z > bound, bound, np.where(z < -bound, -bound, z))
    x = (held - z) / (curvature + v["lr"] * real(v, s["weight_decay"]))
    stays = v["lr"] == 0
    return {
        "x": np.where(stays, v["x"], x),
        "pull": np.where(stays, v["pull"], z + curvature * x),
        "sum_of_squares": total,
    }, ()


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
LION = ({"beta1": 0.9, "beta2": 0.99}, {"beta1": 0.5, "beta2": 0.0})
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
RECTIFIED = tuple(s | {"rectified": 0.0} for s in ADAM) + tuple(
    ADAM[k] | {"t": t, "beta2": beta2, "rectified": 1.0}
    for k, t, beta2 in ((0, 1.0, 0.999), (1, 5.0, 0.95), (0, 6.0, 0.999), (3, 1e6, 0.999))
)
SECOND_MOMENT = tuple(
    scalars | {"belief": belief, "additive": additive}
    for scalars, belief, additive in zip(
        ADAM, (1.0, 1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0, 1.0), strict=True
    )
)
ADAMAX = (
    {"t": 1.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    {"t": 7.0, "beta1": 0.5, "beta2": 0.1, "eps": 1e-2},
    {"t": 1e6, "beta1": 0.0, "beta2": 0.0, "eps": 0.0},
)
ADAN = tuple(
    {"t": t, "beta1": beta1, "beta2": beta2, "beta3": beta3, "eps": eps, "eps_root": root}
    for t, beta1, beta2, beta3, eps, root in (
        (1.0, 0.98, 0.92, 0.99, 1e-8, 0.0),
        (2.0, 0.9, 0.5, 0.95, 1e-3, 1e-4),
        (1e6, 0.98, 0.92, 0.99, 0.0, 1e-8),
        (7.0, 0.0, 0.0, 0.0, 1e-8, 0.0),
    )
)
LAPROP = tuple(
    scalars | {"delayed": delayed}
    for scalars, delayed in zip((*ADAM, ADAM[0], ADAM[1]), (1, 1, 0, 1, 0, 0, 0), strict=True)
)
ADEMAMIX = tuple(
    {"t": t, "beta1": beta1, "beta2": beta2, "beta3": beta3, "alpha": alpha}
    | {"eps": eps, "eps_root": root, "warmup": warmup}
    for t, beta1, beta2, beta3, alpha, eps, root, warmup in (
        (1.0, 0.9, 0.999, 0.9999, 5.0, 1e-8, 0.0, 0.0),
        (1.0, 0.9, 0.95, 0.9999, 8.0, 1e-3, 1e-4, 1e5),
        (600.0, 0.99, 0.999, 0.999, 2.0, 1e-8, 0.0, 1000.0),
        (1e6, 0.5, 0.999, 0.99, 0.0, 0.0, 1e-8, 1000.0),
        (3.0, 0.0, 0.5, 0.9, 3.0, 1e-8, 0.0, 7.0),
        (3.0, 0.9, 0.5, 0.0, 3.0, 1e-8, 0.0, 7.0),
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
MADAM = tuple(
    {name: s[name] for name in ("t", "beta1", "beta2", "bias_correction")} | {"root_scale": scale}
    for s, scale in zip(ADAM, (2.0**32, 1.0, 2.0**20, 2.0**32, 2.0**50), strict=True)
)
FTRL = ({"beta": 1.0, "l1": 0.0}, {"beta": 0.0, "l1": 30.0}, {"beta": 0.3, "l1": 1e3})
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
    "sign_descent_l1": update({}, ({},), along_scaled_sign, norm1, length),
    "sign_descent_l1_momentum": moving_on(INERTIA, along_scaled_sign, norm1, length),
    "signum": update(M, INERTIA, along_signum),
    "lion": update(M, LION, along_lion),
    "cautious_lion": cautious(M, LION, along_lion),
    "adam": update(M | V, RECTIFIED, along_adam),
    "cautious_adam": cautious(M | V, RECTIFIED, along_adam),
    "amsgrad": update(M | V | {"v_max": POSITIVE}, RECTIFIED, along_amsgrad),
    "nadam": update(M | V, NADAM, along_nadam, solve=product_of_mu),
    "adam_second_moment": update(M | V, SECOND_MOMENT, along_second_moment),
    "madam": update(M | V, MADAM, along_madam),
    "adamax": update(M | {"u": POSITIVE}, ADAMAX, along_adamax),
    "adan": update(M | {"delta": SIGNED} | V | {"g_prev": SIGNED}, ADAN, along_adan),
    "ademamix": update(M | V | {"m_slow": SIGNED}, ADEMAMIX, along_ademamix),
    "laprop": update(M | V, LAPROP, along_laprop),
    "adadelta": update(
        V | {"squared_steps": POSITIVE},
        ({"rho": 0.9, "eps": 1e-6}, {"rho": 0.0, "eps": 1e-3}),
        along_adadelta,
    ),
    "adagrad": update({"sum_of_squares": POSITIVE}, ROOTS, along_adagrad),
    "adagrad_norm": update(
        {},
        [roots | {"sum_of_squares": s} for roots, s in zip(ROOTS, (0.0, 3e5), strict=True)],
        along_normalised,
        norm2,
        one_sum_of_squares,
    ),
    "distance_over_gradients": update(
        {"x0": SIGNED}, DISTANCES, along_scaled_gradient, distances, reach
    ),
    "prodigy": Row(
        {"x": SIGNED, "g": SIGNED} | M | V | {"s": SIGNED, "x0": SIGNED},
        crossed(*PRODIGY),
        prodigy_sums,
        prodigy_distance,
        prodigy,
    ),
    "ftrl": Row(
        {"x": SIGNED, "g": SIGNED, "pull": SIGNED, "sum_of_squares": POSITIVE},
        crossed(*FTRL),
        apply=ftrl,
    ),
    "rmsprop": update(V, RMSPROP, along_rmsprop),
    "rmsprop_centered": update(V | A, RMSPROP, along_rmsprop),
    "rmsprop_momentum": update(V | M, RMSPROP_MOMENTUM, along_rmsprop),
    "rmsprop_centered_momentum": update(V | A | M, RMSPROP_MOMENTUM, along_rmsprop),
}

PRODIGY_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "d0": 1e-6, "d_coef": 1.0}
PRODIGY_FAST = {"beta1": 0.5, "beta2": 0.75, "beta3": 0.9, "eps": 0.1, "d0": 0.1, "d_coef": 2.0}
PRODIGY_FAST |= {"growth_rate": 1.1}
PRODIGY_BOOLS = ("bias_correction", "safeguard_warmup")
DOG = {"initial": 1e-6, "eps": 1e-8, "weighted": 0.0}
# --- the optimizers ------------------------------------------------------------------------------
ADAM_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_root": 0.0, "bias_correction": 1.0}
FLAT = {"beta1": 0.5, "beta2": 0.75, "eps": 0.0, "eps_root": 1e-6, "bias_correction": 0.0}
FLAT_OPTIONS = FLAT | {"bias_correction": False}
NADAM_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_root": 0.0, "momentum_decay": 4e-3}
NADAM_FAST = {"beta1": 0.5, "beta2": 0.75, "eps": 0.0, "eps_root": 1e-6, "momentum_decay": 0.3}
ADAN_FAST = {"beta1": 0.5, "beta2": 0.75, "beta3": 0.25, "eps": 0.0, "eps_root": 1e-6}
ADEMAMIX_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "beta3": 0.9999, "alpha": 5.0, "warmup": 0.0}
ADEMAMIX_OPTIONS |= {"eps": 1e-8, "eps_root": 0.0}
ADEMAMIX_FAST = ADEMAMIX_OPTIONS | {"beta1": 0.5, "beta3": 0.9, "alpha": 2.0, "eps_root": 1e-6}
ADAGRAD = {"eps": 1e-10, "eps_root": 0.0}
OPTAX = {"eps": 0.0, "eps_root": 1e-7}
MEAN = {"alpha": 0.99, "eps": 1e-8, "eps_root": 0.0}
FAST = {"alpha": 0.5, "eps": 0.0, "eps_root": 1e-3}
WITH_MOMENTUM = {"momentum": 0.9}
X_PREV = {"x_prev": None}
REFUSED_MOMENTUM = {"momentum": FRACTION}
REFUSED_AVERAGES = {"beta1": FRACTION, "beta2": FRACTION}
REFUSED_ROOTS = {"eps": NOT_NEGATIVE, "eps_root": NOT_NEGATIVE}
HELD_BACK = {"cautious": 1.0, "cautious_weight_decay": 1.0}
HOLDING_BACK = {"cautious": "mask", "cautious_weight_decay": True}
REFUSED_CAUTION = {"cautious": ("none", "", 3, b"mask", True), "cautious_weight_decay": BOOL}
REFUSED_MASK = REFUSED_CAUTION | {"cautious": (*REFUSED_CAUTION["cautious"], "scaled")}
REFUSED_ADAM = REFUSED_AVERAGES | REFUSED_ROOTS | {"bias_correction": BOOL}
REFUSED_CAUTIOUS_ADAM = REFUSED_ADAM | REFUSED_CAUTION

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
    "SignDescent": Case(
        mdbopt.SignDescent,
        {},
        "sign_descent",
        refused=REFUSED_MOMENTUM | {"scale": ("l2", "", 3, b"l1", True)},
    ),
    "SignDescent-l1": Case(mdbopt.SignDescent, {"scale": "l1"}, "sign_descent_l1"),
    "SignDescent-l1-momentum": Case(
        mdbopt.SignDescent,
        WITH_MOMENTUM | {"scale": "l1"},
        "sign_descent_l1_momentum",
        WITH_MOMENTUM,
        X_PREV,
    ),
    "SignDescent-momentum": Case(
        mdbopt.SignDescent, WITH_MOMENTUM, "sign_descent_momentum", WITH_MOMENTUM, X_PREV
    ),
    "Signum": Case(
        mdbopt.Signum, {}, "signum", WITH_MOMENTUM, refused=REFUSED_MOMENTUM | REFUSED_MASK
    ),
    "Signum-0.5": Case(mdbopt.Signum, {"momentum": 0.5}, "signum", {"momentum": 0.5}),
    "Lion": Case(mdbopt.Lion, {}, "lion", LION[0], refused=REFUSED_AVERAGES | REFUSED_CAUTION),
    "Lion-cautious": Case(
        mdbopt.Lion, {"cautious": "mask"}, "cautious_lion", LION[0] | {"cautious": 1.0}
    ),
    "Lion-0.5": Case(
        mdbopt.Lion, {"beta1": 0.5, "beta2": 0.0}, "lion", {"beta1": 0.5, "beta2": 0.0}
    ),
    "Adam": Case(
        mdbopt.Adam, {}, "adam", ADAM_OPTIONS | {"weight_decay": 0.0}, refused=REFUSED_CAUTIOUS_ADAM
    ),
    "Adam-flat": Case(mdbopt.Adam, FLAT_OPTIONS, "adam", FLAT),
    "AdamW": Case(
        mdbopt.AdamW,
        {},
        "adam",
        ADAM_OPTIONS | {"weight_decay": 0.01},
        refused=REFUSED_CAUTIOUS_ADAM,
    ),
    "AdamW-cautious": Case(
        mdbopt.AdamW,
        HOLDING_BACK,
        "cautious_adam",
        ADAM_OPTIONS | HELD_BACK | {"weight_decay": 0.01},
    ),
    "AMSGrad": Case(mdbopt.AMSGrad, {}, "amsgrad", ADAM_OPTIONS, refused=REFUSED_ADAM),
    "AMSGrad-flat": Case(mdbopt.AMSGrad, FLAT_OPTIONS, "amsgrad", FLAT),
    "NAdam": Case(
        mdbopt.NAdam,
        {},
        "nadam",
        NADAM_OPTIONS,
        numbers={"mu_product": 1.0},
        refused=REFUSED_AVERAGES | REFUSED_ROOTS | REFUSED_MASK | {"momentum_decay": NOT_NEGATIVE},
    ),
    "NAdam-fast": Case(mdbopt.NAdam, NADAM_FAST, "nadam", NADAM_FAST, numbers={"mu_product": 1.0}),
    "RAdam": Case(
        mdbopt.RAdam, {}, "adam", ADAM_OPTIONS | {"rectified": 1.0}, refused=REFUSED_CAUTIOUS_ADAM
    ),
    "RAdam-flat": Case(
        mdbopt.RAdam,
        FLAT_OPTIONS | {"beta2": 0.9, "decoupled": True},
        "adam",
        FLAT | {"beta2": 0.9, "rectified": 1.0},
    ),
    "MAdam": Case(
        mdbopt.MAdam,
        {},
        "madam",
        {"beta1": 0.9, "beta2": 0.999, "bias_correction": 1.0, "root_scale": 2.0**32},
        refused=REFUSED_AVERAGES
        | {"bias_correction": BOOL, "scale_log2": (-2, 3, 130, 0.5, "64", True, None)},
    ),
    "MAdam-plain": Case(
        mdbopt.MAdam,
        {"bias_correction": False, "scale_log2": 0},
        "madam",
        {"bias_correction": 0.0, "root_scale": 1.0},
    ),
    "Adamax": Case(
        mdbopt.Adamax,
        {},
        "adamax",
        {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        refused=REFUSED_AVERAGES | REFUSED_MASK | {"eps": NOT_NEGATIVE},
    ),
    "Adamax-fast": Case(
        mdbopt.Adamax,
        {"beta1": 0.5, "beta2": 0.75, "eps": 0.1},
        "adamax",
        {"beta1": 0.5, "beta2": 0.75, "eps": 0.1},
    ),
    "AdaBelief": Case(
        mdbopt.AdaBelief,
        {},
        "adam_second_moment",
        ADAM_OPTIONS | {"eps": 1e-16, "eps_root": 1e-16, "belief": 1.0},
        refused=REFUSED_ADAM | REFUSED_MASK,
    ),
    "AdaBelief-flat": Case(
        mdbopt.AdaBelief, FLAT_OPTIONS, "adam_second_moment", FLAT | {"belief": 1.0}
    ),
    "Yogi": Case(
        mdbopt.Yogi,
        {},
        "adam_second_moment",
        ADAM_OPTIONS | {"eps": 1e-3, "additive": 1.0},
        {"v": 1e-6},
        refused=REFUSED_ADAM | REFUSED_MASK | {"initial": NOT_NEGATIVE},
    ),
    "Yogi-flat": Case(
        mdbopt.Yogi,
        FLAT_OPTIONS | {"initial": 0.1},
        "adam_second_moment",
        FLAT | {"additive": 1.0},
        {"v": 0.1},
    ),
    "Adan": Case(
        mdbopt.Adan,
        {},
        "adan",
        {"beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": 1e-8, "eps_root": 0.0},
        refused=REFUSED_AVERAGES | REFUSED_ROOTS | {"beta3": FRACTION},
    ),
    "Adan-fast": Case(mdbopt.Adan, ADAN_FAST, "adan", ADAN_FAST),
    "AdEMAMix": Case(
        mdbopt.AdEMAMix,
        {},
        "ademamix",
        ADEMAMIX_OPTIONS | {"weight_decay": 0.01},
        refused=REFUSED_AVERAGES
        | REFUSED_ROOTS
        | REFUSED_MASK
        | {
            "beta3": FRACTION,
            "alpha": NOT_NEGATIVE,
            "warmup": STEPS,
        },
    ),
    "AdEMAMix-warmup": Case(
        mdbopt.AdEMAMix,
        ADEMAMIX_FAST | {"warmup": 3, "weight_decay": 0.0},
        "ademamix",
        ADEMAMIX_FAST | {"warmup": 3.0, "weight_decay": 0.0},
    ),
    "LaProp": Case(
        mdbopt.LaProp,
        {},
        "laprop",
        ADAM_OPTIONS | {"eps": 1e-15},
        refused=REFUSED_ADAM | REFUSED_MASK,
    ),
    "LaProp-flat": Case(mdbopt.LaProp, FLAT_OPTIONS, "laprop", FLAT),
    "ADOPT": Case(
        mdbopt.ADOPT,
        {},
        "laprop",
        {"beta1": 0.9, "beta2": 0.9999, "eps": 1e-6, "delayed": 1.0},
        refused=REFUSED_AVERAGES | REFUSED_MASK | {"eps": NOT_NEGATIVE},
    ),
    "ADOPT-fast": Case(
        mdbopt.ADOPT,
        {"beta1": 0.5, "beta2": 0.75, "eps": 0.3},
        "laprop",
        {"beta1": 0.5, "beta2": 0.75, "eps": 0.3, "delayed": 1.0},
    ),
    "Adadelta": Case(
        mdbopt.Adadelta,
        {},
        "adadelta",
        {"rho": 0.9, "eps": 1e-6},
        refused={"rho": FRACTION, "eps": NOT_NEGATIVE},
    ),
    "Adadelta-fast": Case(
        mdbopt.Adadelta, {"rho": 0.5, "eps": 1e-2}, "adadelta", {"rho": 0.5, "eps": 1e-2}
    ),
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
    "DoG": Case(
        mdbopt.DoG,
        {},
        "distance_over_gradients",
        DOG,
        {"x0": None},
        numbers={"farthest": 0.0, "sum_of_squares": 0.0},
        refused={"initial": NOT_NEGATIVE, "eps": NOT_NEGATIVE},
    ),
    "DoWG": Case(
        mdbopt.DoWG,
        {"initial": 0.1},
        "distance_over_gradients",
        DOG | {"initial": 0.1, "eps": 0.0, "weighted": 1.0},
        {"x0": None},
        numbers={"farthest": 0.0, "sum_of_squares": 0.0},
        refused={"initial": NOT_NEGATIVE, "eps": NOT_NEGATIVE},
    ),
    "Prodigy": Case(
        mdbopt.Prodigy,
        {},
        "prodigy",
        PRODIGY_OPTIONS | {"beta3": math.sqrt(0.999), "growth_rate": MOST},
        {"x0": None},
        numbers={"d": 1e-6, "d_max": 1e-6, "numerator": 0.0},
        refused=REFUSED_AVERAGES
        | {
            "beta3": tuple(value for value in FRACTION if value is not None),
            "eps": NOT_NEGATIVE,
            "d0": (0.0, *NOT_NEGATIVE),
            "d_coef": (0.0, *NOT_NEGATIVE),
            "growth_rate": (0.9, *(value for value in NOT_NEGATIVE if value is not None)),
            "bias_correction": BOOL,
            "safeguard_warmup": BOOL,
        },
    ),
    "Prodigy-fast": Case(
        mdbopt.Prodigy,
        PRODIGY_FAST | dict.fromkeys(PRODIGY_BOOLS, True),
        "prodigy",
        PRODIGY_FAST | dict.fromkeys(PRODIGY_BOOLS, 1.0),
        {"x0": None},
        numbers={"d": 0.1, "d_max": 0.1, "numerator": 0.0},
    ),
    "FTRL": Case(
        mdbopt.FTRL,
        {},
        "ftrl",
        FTRL[0],
        refused={"beta": NOT_NEGATIVE, "l1": NOT_NEGATIVE},
    ),
    "FTRL-l1": Case(
        mdbopt.FTRL,
        {"beta": 0.5, "l1": 2.0, "weight_decay": 0.3},
        "ftrl",
        {"beta": 0.5, "l1": 2.0, "weight_decay": 0.3},
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
