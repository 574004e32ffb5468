"""One row per update whose sums are of each array; see tests/rows_updates.py."""

import numpy as np
from optimizer_case import BOOL, FRACTION, NOT_NEGATIVE, Case
from reference import Row, maximum, wide
from rows_updates import (
    ADAM,
    ADAM_OPTIONS,
    CAUTIOUS,
    FLAT,
    FLAT_OPTIONS,
    INERTIA,
    LION,
    MOMENTUM,
    RECTIFIED,
    REFUSED_ADAM,
    SIGNED,
    WITH_MOMENTUM,
    X_PREV,
    M,
    V,
    along_adam,
    along_lion,
    along_momentum,
    along_normalised,
    average,
    corrections,
    crossed,
    gradient,
    in_range,
    inverse_norm,
    move,
    moving_on,
    norm2,
    real,
    sign,
    update,
)

import mdbopt


def squares(*values):
    return tuple(wide(value) * wide(value) for value in values)


def at_most_one(size, bound=1.0):
    """Return the factor that takes a size to its bound; NaN where one of them is."""
    return 1.0 if size <= bound else bound / size


# --- in proportion to the parameters -------------------------------------------------------------
def lamb_step(v, s):
    direction, left = along_adam(v, s, gradient(v, s))
    return direction + real(v, s["weight_decay"]) * v["x"], left


def lamb_norms(v, s):
    return squares(v["x"], lamb_step(v, s)[0])


def trust(sums, _n, _s):
    none = sums[0] == 0.0 or sums[1] == 0.0
    return {"trust": 1.0 if none else np.sqrt(sums[0]) / np.sqrt(sums[1])}


def lamb(v, s, _put):
    direction, left = lamb_step(v, s)
    return left | {"x": v["x"] - v["lr"] * (in_range(v, s["trust"]) * direction)}, ()


def norms_of_pair(v, s):
    return squares(v["x"], gradient(v, s))


def lars_rate(sums, _n, s):
    x, g = np.sqrt(sums[0]), np.sqrt(sums[1])
    rate = s["trust_coefficient"] * x / (g + s["weight_decay"] * x)
    return {"rate": 1.0 if x == 0.0 or g == 0.0 else rate}


def lars(v, s, _put):
    step = gradient(v, s) + real(v, s["weight_decay"]) * v["x"]
    m = real(v, s["momentum"]) * v["m"] + v["lr"] * (in_range(v, s["rate"]) * step)
    return {"x": v["x"] - m, "m": m}, ()


# --- bounded -------------------------------------------------------------------------------------
def agc_factor(sums, _n, s):
    bound = s["clipping"] * maximum(np.sqrt(sums[0]), s["eps"])
    return {"factor": at_most_one(np.sqrt(sums[1]), bound)}


def along_clipped(v, s, g):
    return along_momentum(v, s, real(v, s["factor"]) * g)


def ratio2(v, s):
    g = gradient(v, s)
    v_hat = real(v, corrections(s, s["t"])[1]) * average(v, s["beta2"], v["v"], g * g)
    ratio = g * g / maximum(v_hat, real(v, s["eps"] * s["eps"]))
    return (wide(np.where(g == 0, real(v, 0.0), ratio)),)


def rms_factor(sums, n, _s):
    return {"factor": at_most_one(np.sqrt(sums[0] / n))}


def stable_adam(v, s, put):
    return update(M | V, ({},), along_adam).apply(
        v | {"lr": v["lr"] * real(v, s["factor"])}, s, put
    )


# --- divided by a norm of late -------------------------------------------------------------------
def averaged_norm(sums, _n, s):
    v = sums[0] if s["v"] == 0.0 else s["beta2"] * s["v"] + (1.0 - s["beta2"]) * sums[0]
    divisor = np.sqrt(v + s["eps_root"]) + s["eps"]
    return {"v": v, "inverse": 0.0 if divisor == 0.0 else 1.0 / divisor}


def novograd(v, s, _put):
    along = in_range(v, s["inverse"]) * gradient(v, s)
    m = real(v, s["beta1"]) * v["m"] + (along + real(v, s["weight_decay"]) * v["x"])
    return {"x": v["x"] - v["lr"] * m, "m": m}, ()


# --- corrected by the last gradient --------------------------------------------------------------
def corrected_gradient(v, s, g):
    change = 0.0 if s["t"] == 1.0 else s["gamma"] * (s["beta1"] / (1.0 - s["beta1"]))
    return g + real(v, change) * (g - v["g_prev"])


def corrected_norm(v, s):
    return squares(corrected_gradient(v, s, gradient(v, s)))


def corrected_factor(sums, _n, _s):
    return {"factor": at_most_one(np.sqrt(sums[0]))}


def along_mars_adam(v, s, g):
    c = real(v, s["factor"]) * corrected_gradient(v, s, g)
    direction, left = along_adam(v, s, c)
    return direction, left | {"g_prev": g}


def along_mars_lion(v, s, g):
    c = real(v, s["factor"]) * corrected_gradient(v, s, g)
    m = average(v, s["beta1"], v["m"], c)
    return sign(m), {"m": m, "g_prev": g}


# --- held back, and made up for ------------------------------------------------------------------
def is_kept(v, s, g):
    return ~(sign(average(v, s["beta1"], v["m"], g)) * g <= 0)


def kept_count(v, s):
    return (wide(is_kept(v, s, gradient(v, s))),)


def growth(sums, n, _s):
    return {"growth": n / (sums[0] + 1.0)}


def scaled(states, scalars, along):
    """The row of an update whose steps grow by what the mask takes away."""

    def apply(v, s, _put):
        g = gradient(v, s)
        direction, left = along(v, s, g)
        kept = np.where(is_kept(v, s, g), real(v, s["growth"]) * direction, real(v, 0.0))
        return left | {"x": move(v, s, direction, kept)}, ()

    names = [name for name in CAUTIOUS[0] if name != "cautious"]
    common = tuple({name: s[name] for name in names} for s in CAUTIOUS)
    return Row(X_AND_G | states, crossed(*scalars, common=common), kept_count, growth, apply)


X_AND_G, G_PREV = {"x": SIGNED, "g": SIGNED}, {"g_prev": SIGNED}
CLIPPING = tuple(
    momentum | {"clipping": clipping, "eps": eps}
    for momentum, clipping, eps in zip(MOMENTUM, (0.01, 1e6, 0.3), (1e-3, 1e-3, 1e9), strict=True)
)
TRUST = tuple(
    inertia | {"trust_coefficient": trust}
    for inertia, trust in zip(INERTIA, (1e-3, 0.5), strict=True)
)
GAMMA = tuple(s | {"gamma": g} for s, g in zip(ADAM, (0.025, 0.5, 0.0, 0.025, 1.0), strict=True))
MARS_LION = (
    {"t": 1.0, "beta1": 0.95, "gamma": 0.025},
    {"t": 2.0, "beta1": 0.5, "gamma": 0.3},
    {"t": 1e6, "beta1": 0.0, "gamma": 0.025},
)

NOVOGRAD = (
    {"beta1": 0.9, "beta2": 0.25, "eps": 1e-6, "eps_root": 0.0, "v": 0.0},
    {"beta1": 0.0, "beta2": 0.98, "eps": 0.0, "eps_root": 1e-3, "v": 3e5},
    {"beta1": 0.95, "beta2": 0.0, "eps": 0.3, "eps_root": 0.0, "v": 1e-9},
)

ARRAYS = {
    "normalized_gd_array": update({}, ({},), along_normalised, norm2, inverse_norm),
    "normalized_gd_array_momentum": moving_on(INERTIA, along_normalised, norm2, inverse_norm),
    "agc": update(M, CLIPPING, along_clipped, norms_of_pair, agc_factor),
    "lamb": Row(X_AND_G | M | V, crossed(*RECTIFIED), lamb_norms, trust, lamb),
    "lars": Row(X_AND_G | M, crossed(*TRUST), norms_of_pair, lars_rate, lars),
    "novograd": Row(X_AND_G | M, crossed(*NOVOGRAD), norm2, averaged_norm, novograd),
    "stable_adam": Row(X_AND_G | M | V, crossed(*ADAM), ratio2, rms_factor, stable_adam),
    "cautious_adam_scaled": scaled(M | V, RECTIFIED, along_adam),
    "cautious_lion_scaled": scaled(M, LION, along_lion),
    "mars_adam": update(M | V | G_PREV, GAMMA, along_mars_adam, corrected_norm, corrected_factor),
    "mars_lion": update(M | G_PREV, MARS_LION, along_mars_lion, corrected_norm, corrected_factor),
}

# --- the optimizers ------------------------------------------------------------------------------
POSITIVE_NUMBER = (0.0, *NOT_NEGATIVE)
DECAYED = {"weight_decay": 0.01}
LAMB = ADAM_OPTIONS | {"eps": 1e-6} | DECAYED
STABLE = ADAM_OPTIONS | {"beta2": 0.99} | DECAYED
MARS = ADAM_OPTIONS | {"beta1": 0.95, "beta2": 0.99, "gamma": 0.025}
REFUSED_GAMMA = {"gamma": NOT_NEGATIVE}
NOVOGRAD_SLOW = {"beta1": 0.5, "beta2": 0.98, "eps": 0.0, "eps_root": 1e-3}
PLAIN_AGC = {"momentum": 0.9, "nesterov": 1.0, "clipping": 0.01, "eps": 1e-3}

CASES = {
    "NormalizedGD-array": Case(mdbopt.NormalizedGD, {"per_array": True}, "normalized_gd_array"),
    "NormalizedGD-array-momentum": Case(
        mdbopt.NormalizedGD,
        WITH_MOMENTUM | {"per_array": True},
        "normalized_gd_array_momentum",
        WITH_MOMENTUM,
        X_PREV,
    ),
    "AGC": Case(
        mdbopt.AGC,
        {},
        "agc",
        PLAIN_AGC,
        refused={
            "momentum": FRACTION,
            "nesterov": BOOL,
            "clipping": POSITIVE_NUMBER,
            "eps": POSITIVE_NUMBER,
        },
    ),
    "AGC-plain": Case(
        mdbopt.AGC,
        {"momentum": 0.0, "nesterov": False, "clipping": 0.5, "eps": 2.0},
        "agc",
        {"momentum": 0.0, "nesterov": 0.0, "clipping": 0.5, "eps": 2.0},
    ),
    "LAMB": Case(mdbopt.LAMB, {}, "lamb", LAMB, refused=REFUSED_ADAM),
    "LAMB-flat": Case(
        mdbopt.LAMB, FLAT_OPTIONS | {"weight_decay": 0.0}, "lamb", FLAT | {"weight_decay": 0.0}
    ),
    "NovoGrad": Case(
        mdbopt.NovoGrad,
        {},
        "novograd",
        NOVOGRAD[0],
        numbers={"v": 0.0},
        refused={"beta1": FRACTION, "beta2": FRACTION, "eps": NOT_NEGATIVE}
        | {"eps_root": NOT_NEGATIVE},
    ),
    "NovoGrad-slow": Case(
        mdbopt.NovoGrad,
        NOVOGRAD_SLOW | {"weight_decay": 0.3},
        "novograd",
        NOVOGRAD_SLOW | {"weight_decay": 0.3},
        numbers={"v": 0.0},
    ),
    "LARS": Case(
        mdbopt.LARS,
        {},
        "lars",
        {"momentum": 0.9, "trust_coefficient": 1e-3},
        refused={"momentum": FRACTION, "trust_coefficient": POSITIVE_NUMBER},
    ),
    "LARS-decay": Case(
        mdbopt.LARS,
        {"momentum": 0.5, "trust_coefficient": 0.3, "weight_decay": 0.2},
        "lars",
        {"momentum": 0.5, "trust_coefficient": 0.3, "weight_decay": 0.2},
    ),
    "StableAdamW": Case(mdbopt.StableAdamW, {}, "stable_adam", STABLE, refused=REFUSED_ADAM),
    "StableAdamW-flat": Case(
        mdbopt.StableAdamW,
        FLAT_OPTIONS | {"weight_decay": 0.3},
        "stable_adam",
        FLAT | {"weight_decay": 0.3},
    ),
    "AdamW-scaled": Case(
        mdbopt.AdamW, {"cautious": "scaled"}, "cautious_adam_scaled", ADAM_OPTIONS | DECAYED
    ),
    "Lion-scaled": Case(mdbopt.Lion, {"cautious": "scaled"}, "cautious_lion_scaled", LION[0]),
    "MARSAdamW": Case(
        mdbopt.MARSAdamW, {}, "mars_adam", MARS | DECAYED, refused=REFUSED_ADAM | REFUSED_GAMMA
    ),
    "MARSLion": Case(
        mdbopt.MARSLion,
        {},
        "mars_lion",
        {"beta1": 0.95, "gamma": 0.025},
        refused={"beta1": FRACTION} | REFUSED_GAMMA,
    ),
}
