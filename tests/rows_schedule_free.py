"""One row per update whose average takes the place of a schedule; see tests/rows_updates.py."""

import numpy as np
from optimizer_case import FRACTION, NOT_NEGATIVE, STEPS, Case
from reference import Row
from rows_updates import POSITIVE, SIGNED, average, crossed, gradient, power, real

import mdbopt


def factor(s):
    """Give the factor of lr in a step."""
    corrected = np.sqrt(1.0 - power(s["beta2"], s["t"])) if "beta2" in s else 1.0
    return np.float64((s["t"] / s["warmup"] if s["t"] < s["warmup"] else 1.0) * corrected)


def weight_sum(_sums, _n, s):
    weight = 0.0 if s["toward"] != 0.0 else factor(s) * factor(s)
    return {"weight_sum": s["weight_sum"] + weight}


def follow(v, s, direction):
    scale, share, back = np.float64(0.0), s["toward"], 0.0
    if share == 0.0:
        scale, momentum = factor(s), s["momentum"] if "momentum" in s else s["beta1"]
        share = scale * scale / s["weight_sum"]
        back = momentum * (1.0 - share) - 1.0
    d = direction + real(v, told(s)["weight_decay"]) * v["x"]
    rate = v["lr"] * real(v, scale)
    x = v["x"] + real(v, share) * (v["z"] - v["x"]) + rate * (real(v, back) * d)
    return {"x": x, "z": v["z"] - rate * d}


def told(s):
    """Give the scalars of the step: where x goes toward z alone, all else stands still."""
    still = {"weight_decay": 0.0, "l2": 0.0, "grad_scale": 0.0, "beta2": 1.0, "eps": 1.0}
    return s | (still if s["toward"] != 0.0 else {})


def schedule_free_sgd(v, s, _put):
    return follow(v, s, gradient(v, told(s))), ()


def schedule_free_adam(v, s, _put):
    now = told(s)
    g = gradient(v, now)
    squares = average(v, now["beta2"], v["v"], g * g)
    direction = g / (np.sqrt(squares) + real(v, now["eps"]))
    return follow(v, s, direction) | {"v": squares}, ()


SGD = tuple(
    {"t": t, "momentum": beta, "warmup": warmup, "weight_sum": total, "toward": toward}
    for t, beta, warmup, total, toward in (
        (1.0, 0.9, 0.0, 0.0, 0.0),
        (2.0, 0.5, 7.0, 0.02, 0.0),
        (1e6, 0.98, 100.0, 9e5, 0.0),
        (3.0, 0.9, 0.0, 2.0, 1.0 - 1.0 / 0.9),
        (3.0, 0.9, 7.0, 2.0, 0.1),
    )
)
ADAM = tuple(
    {name: value for name, value in scalars.items() if name != "momentum"}
    | {"beta1": scalars["momentum"], "beta2": beta2, "eps": eps}
    for scalars, beta2, eps in zip(
        SGD, (0.999, 0.5, 0.999, 0.999, 0.0), (1e-8, 1e-2, 0.0, 0.0, 1e-8), strict=True
    )
)
STREAMS = {"x": SIGNED, "g": SIGNED, "z": SIGNED}

SCHEDULE_FREE = {
    "schedule_free_sgd": Row(STREAMS, crossed(*SGD), None, weight_sum, schedule_free_sgd),
    "schedule_free_adam": Row(
        STREAMS | {"v": POSITIVE}, crossed(*ADAM), None, weight_sum, schedule_free_adam
    ),
}

# --- the optimizers ------------------------------------------------------------------------------
OPEN_FRACTION = (0.0, *FRACTION)
START = {"z": None}
NUMBERS = {"weight_sum": 0.0}
ADAM_OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
ADAM_FAST = {"beta1": 0.5, "beta2": 0.75, "eps": 0.1, "warmup": 3}

CASES = {
    "ScheduleFreeSGD": Case(
        mdbopt.ScheduleFreeSGD,
        {},
        "schedule_free_sgd",
        {"momentum": 0.9},
        START,
        NUMBERS,
        refused={"momentum": OPEN_FRACTION, "warmup": STEPS},
    ),
    "ScheduleFreeSGD-warmup": Case(
        mdbopt.ScheduleFreeSGD,
        {"momentum": 0.5, "warmup": 3},
        "schedule_free_sgd",
        {"momentum": 0.5, "warmup": 3.0},
        START,
        NUMBERS,
    ),
    "ScheduleFreeAdamW": Case(
        mdbopt.ScheduleFreeAdamW,
        {},
        "schedule_free_adam",
        ADAM_OPTIONS,
        START,
        NUMBERS,
        refused={
            "beta1": OPEN_FRACTION,
            "beta2": FRACTION,
            "eps": NOT_NEGATIVE,
            "warmup": STEPS,
        },
    ),
    "ScheduleFreeAdamW-warmup": Case(
        mdbopt.ScheduleFreeAdamW,
        ADAM_FAST,
        "schedule_free_adam",
        ADAM_FAST | {"warmup": 3.0},
        START,
        NUMBERS,
    ),
}
