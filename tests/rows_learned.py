"""One row per update that learns its step sizes; see tests/rows_updates.py."""

import math

import numpy as np
from optimizer_case import FRACTION, LR, NOT_NEGATIVE, WORD, Case
from reference import Range, Row, maximum, minimum, wide
from rows_updates import (
    ADAM,
    ADAM_OPTIONS,
    FLAT,
    FLAT_OPTIONS,
    INERTIA,
    POSITIVE,
    REFUSED_ADAM,
    SIGNED,
    WITH_MOMENTUM,
    X_PREV,
    M,
    V,
    along_adam,
    corrected,
    corrections,
    crossed,
    exp,
    gradient,
    in_range,
    move,
    not_below,
    real,
    sign,
    update,
)

import mdbopt

RATE = Range(-2.0, 1.0, positive=True)


def along_rprop(v, s, g):
    agreement = sign(g) * sign(v["g_prev"])
    grown = np.where(agreement > 0, real(v, s["grow"]), real(v, 1.0))
    factor = np.where(agreement < 0, real(v, s["shrink"]), grown)
    eta = minimum(maximum(v["eta"] * factor, real(v, s["least"])), real(v, s["most"]))
    kept = np.where(agreement < 0, real(v, 0.0), g)
    return eta * sign(kept), {"eta": eta, "g_prev": kept}


def products(g, d):
    g, d = wide(g), wide(d)
    return g * d, g * g, d * d


def products_with_momentum(v, s):
    return products(gradient(v, s), v["m"])


def products_with_adam(v, s):
    last = corrected(v, s, v["m"], v["v"], corrections(s, s["t"] - 1.0))
    return products(gradient(v, s), np.where(v["m"] == 0, real(v, 0.0), last))


def learnt_rate(sums, _n, s):
    norms = np.sqrt(sums[1]) * np.sqrt(sums[2])
    cosine = 0.0 if norms == 0.0 else sums[0] / norms
    if s["multiplicative"] != 0.0:
        return {"alpha": s["alpha"] * (1.0 + s["hyper_lr"] * cosine)}
    return {"alpha": s["alpha"] + s["hyper_lr"] * sums[0]}


def along_learnt_momentum(v, s, g):
    m = real(v, s["momentum"]) * v["m"] + g
    return real(v, s["alpha"]) * m, {"m": m}


def along_learnt_adam(v, s, g):
    direction, left = along_adam(v, s, g)
    return real(v, s["alpha"]) * direction, left


def agreement_of(g, g_prev):
    grew = np.abs(g) < np.abs(g_prev)
    smaller, larger = np.where(grew, g, g_prev), np.where(grew, g_prev, g)
    return smaller / np.where(larger == 0, larger.dtype.type(1), larger)


def along_rates(v, p, g):
    return p * g, {"p": p, "g_prev": g}


def along_additive_rates(v, s, g):
    grown = v["p"] + real(v, s["hyper_lr"]) * (g * v["g_prev"])
    return along_rates(v, not_below(real(v, 0.0), grown), g)


def grown_rates(v, s, g):
    return v["p"] * exp(real(v, s["hyper_lr"]) * agreement_of(g, v["g_prev"]))


def along_log_rates(v, s, g):
    return along_rates(v, grown_rates(v, s, g), g)


def total_rate(v, s):
    return (wide(grown_rates(v, s, gradient(v, s))),)


def share(sums, n, _s):
    return {"share": n / sums[0] if sums[0] > 0.0 else 1.0}


def along_weight_rates(v, s, g):
    return along_rates(v, grown_rates(v, s, g) * real(v, s["share"]), g)


def osgm(v, s, _put):
    g, moved = gradient(v, s), s["moved"] != 0.0
    inverse = 1.0 / np.sqrt(np.float64(s["norm2"])) if s["norm2"] > 0.0 else 0.0
    inverse = in_range(v, inverse)
    h = (g * inverse) * (v["g_prev"] * inverse)
    total = v["sum_of_squares"] + h * h
    step = real(v, s["hyper_lr"]) * h / (np.sqrt(total) + real(v, s["eps"]))
    p = not_below(real(v, 0.0), v["p"] + step)
    base, g = (v["x"], g) if moved else (v["x_prev"], v["g_prev"])
    left = {"x_prev": base, "g_prev": g, "p": p, "sum_of_squares": total}
    return left | {"x": move(v | {"x": base}, s, p * g)}, (wide(g) * wide(g),)


RATES = {"g_prev": SIGNED, "p": RATE}
RPROP = (
    {"shrink": 0.5, "grow": 1.2, "least": 1e-6, "most": 50.0},
    {"shrink": 0.7, "grow": 3.0, "least": 0.1, "most": 2.0},
)
LEARNT = (
    {"alpha": 1.0, "hyper_lr": 1e-7, "multiplicative": 0.0},
    {"alpha": 0.3, "hyper_lr": 0.1, "multiplicative": 1.0},
)
LEARNT_ADAM = tuple(ADAM[k] | LEARNT[k % 2] for k in range(len(ADAM)))
OSGM = (
    {"norm2": 0.0, "moved": 1.0, "hyper_lr": 0.3, "eps": 1e-12},
    {"norm2": 7e5, "moved": 1.0, "hyper_lr": 0.3, "eps": 1e-12},
    {"norm2": 3e6, "moved": 0.0, "hyper_lr": 2.0, "eps": 1e-3},
)

LEARNED = {
    "rprop": update({"g_prev": SIGNED, "eta": RATE}, RPROP, along_rprop),
    "hypergradient_sgd": update(
        M,
        [learnt | more for learnt, more in zip(LEARNT, INERTIA, strict=True)],
        along_learnt_momentum,
        products_with_momentum,
        learnt_rate,
    ),
    "hypergradient_adam": update(
        M | V, LEARNT_ADAM, along_learnt_adam, products_with_adam, learnt_rate
    ),
    "diagonal_hypergradient": update(RATES, ({"hyper_lr": 1e-3},), along_additive_rates),
    "diagonal_hypergradient_log": update(
        RATES, ({"hyper_lr": 0.3}, {"hyper_lr": 80.0}), along_log_rates
    ),
    "diagonal_hypergradient_weights": update(
        RATES, ({"hyper_lr": 0.3}, {"hyper_lr": 20.0}), along_weight_rates, total_rate, share
    ),
    "osgm": Row(
        {"x": SIGNED, "g": SIGNED, "x_prev": SIGNED} | RATES | {"sum_of_squares": POSITIVE},
        crossed(*OSGM),
        apply=osgm,
    ),
}

# --- the optimizers ------------------------------------------------------------------------------
RATES_AT_1, ALPHA = {"p": 1.0}, {"alpha": 1.0}
TOGETHER = {"hyper_lr": 0.02, "multiplicative": 1.0}
ADDED = {"hyper_lr": 0.02 / LR, "multiplicative": 0.0}
ADDITIVE = {"mode": "additive"}
REFUSED_RATE = {"hyper_lr": NOT_NEGATIVE, "mode": WORD}
PAIR = (None, 1.0, "ab", (), (0.5,), (0.5, 1.2, 2.0), {0.5, 1.2}, (0.5, "a"), (True, 2.0))

CASES = {
    "Rprop": Case(
        mdbopt.Rprop,
        {},
        "rprop",
        {"shrink": 0.5, "grow": 1.2, "least": 1e-6 / LR, "most": 50.0 / LR},
        {"eta": 1.0},
        refused={
            "etas": (*PAIR, (1.2, 0.5), (0.0, 1.2), (0.5, 1.0), (1.0, 2.0), (0.5, math.nan)),
            "step_sizes": (
                *PAIR,
                (0.2, 1.0),
                (1e-6, 0.05),
                (1.0, 1e-6),
                (0.0, 1.0),
                (0.01, math.inf),
            ),
        },
    ),
    "Rprop-narrow": Case(
        mdbopt.Rprop,
        {"etas": (0.25, 3.0), "step_sizes": (0.05, 0.2)},
        "rprop",
        {"shrink": 0.25, "grow": 3.0, "least": 0.05 / LR, "most": 0.2 / LR},
        {"eta": 1.0},
    ),
    "HypergradientSGD": Case(
        mdbopt.HypergradientSGD,
        {},
        "hypergradient_sgd",
        TOGETHER,
        numbers=ALPHA,
        refused=REFUSED_RATE | {"momentum": FRACTION},
    ),
    "HypergradientSGD-additive": Case(
        mdbopt.HypergradientSGD,
        ADDITIVE | WITH_MOMENTUM,
        "hypergradient_sgd",
        ADDED | WITH_MOMENTUM,
        numbers=ALPHA,
    ),
    "HypergradientAdam": Case(
        mdbopt.HypergradientAdam,
        {},
        "hypergradient_adam",
        ADAM_OPTIONS | TOGETHER,
        numbers=ALPHA,
        refused=REFUSED_RATE | REFUSED_ADAM,
    ),
    "HypergradientAdam-additive": Case(
        mdbopt.HypergradientAdam,
        ADDITIVE | FLAT_OPTIONS,
        "hypergradient_adam",
        FLAT | ADDED,
        numbers=ALPHA,
    ),
    "DiagonalHypergradient": Case(
        mdbopt.DiagonalHypergradient,
        {},
        "diagonal_hypergradient_log",
        {"hyper_lr": 0.05},
        RATES_AT_1,
        refused=REFUSED_RATE,
    ),
    "DiagonalHypergradient-weights": Case(
        mdbopt.DiagonalHypergradient,
        {"mode": "weights"},
        "diagonal_hypergradient_weights",
        {"hyper_lr": 0.05},
        RATES_AT_1,
    ),
    "DiagonalHypergradient-additive": Case(
        mdbopt.DiagonalHypergradient,
        ADDITIVE,
        "diagonal_hypergradient",
        {"hyper_lr": 0.05 / LR},
        RATES_AT_1,
    ),
    "OSGM": Case(
        mdbopt.OSGM,
        {},
        "osgm",
        {"hyper_lr": 0.5, "eps": 1e-12},
        X_PREV | RATES_AT_1,
        {"norm2": 0.0},
        refused={"hyper_lr": NOT_NEGATIVE, "eps": NOT_NEGATIVE},
    ),
}
