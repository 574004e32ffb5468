"""Rows of the rules for an l1 penalty, as in `rows.py`."""

import numpy as np
from reference import Range, Row, maximum, minimum
from rows_within import POSITIVE, SCALED, STEPS, clip, projected, signed


class Negative(Range):
    def draw(self, rng, n):
        return -np.abs(super().draw(rng, n))


# x lies within the bounds, which long steps leave; a search's points do, too.
BOUNDS = {"lower": Negative(3.1, 5.0), "upper": Range(3.1, 5.0, positive=True)}
# l1 is near |g|, so that either side of each test is met.
POINT = signed("x", "g") | {"l1": POSITIVE} | BOUNDS


def pseudo_gradient(v):
    x, g, l1 = v["x"], v["g"], v["l1"]
    right = g + np.where(x < 0, -l1, l1)
    left = g + np.where(x > 0, l1, -l1)
    falls_left = np.where((left > 0) & (x > v["lower"]), left, 0.0)
    return np.where((right < 0) & (x < v["upper"]), right, falls_left)


def proximal(candidate):
    def apply(v, s, put):
        x, l1 = v["x"], s["scale"] * v["l1"]
        raw = pseudo_gradient(v)
        pg, p = s["scale"] * raw, candidate(v, s)
        whole = -(p * pg)
        side = np.where(np.where(x == 0, whole, x) > 0, 1.0, -1.0)
        beyond, back = -side * (x + whole), 2.0 * (p * l1)
        crossed = np.where(beyond <= back, -x, whole + side * back)
        unbounded = np.where(beyond > 0, crossed, whole)
        step = clip(unbounded, v["lower"] - x, v["upper"] - x)
        with np.errstate(all="ignore"):
            share = np.where(step == whole, 1.0, step / whole)
        over = maximum(-side * (x + step), 0.0)
        trial = put("x_trial", clip(x + unbounded, v["lower"], v["upper"]))
        return {"x_trial": trial}, (
            -(step * pg) * (2.0 - share) - 4.0 * (l1 * over),
            projected(x, raw, v, s["scale"]),
            np.abs(trial - x),
            -(step * pg) * share,
            v["l1"] * np.abs(trial),
        )

    return apply


def orthant(v, s, _put):
    x, pg, bent = v["x"], pseudo_gradient(v), v["l1"] > 0
    no_less = (x > 0) | ((x == 0) & (pg <= 0))
    no_more = (x < 0) | ((x == 0) & (pg >= 0))
    outside = (x < v["lower"]) | (x > v["upper"])
    return {
        "pg": pg,
        "least": np.where(bent & no_less, maximum(v["lower"], 0.0), v["lower"]),
        "most": np.where(bent & no_more, minimum(v["upper"], 0.0), v["upper"]),
    }, (
        (s["scale"] * pg) * (s["scale"] * pg),
        projected(x, pg, v, s["scale"]),
        np.where(outside, 1.0, 0.0),
        v["l1"] * np.abs(x),
    )


def composite(v, s):
    step = v["x_trial"] - v["x"]
    change = (s["scale"] * v["l1"]) * (np.abs(v["x_trial"]) - np.abs(v["x"]))
    return (
        (s["scale"] * v["g"]) * step + change,
        (s["scale"] * v["g_trial"]) * step + change,
        v["s"] * (s["scale"] * v["pg"]),
        v["s"] * (s["scale"] * v["pg_trial"]),
        np.where((v["pg_trial"] == 0) & (v["pg"] != 0), 1.0, 0.0),
    )


PENALTY = {
    "box_proximal": Row(
        signed("x", "g") | {"b": POSITIVE, "l1": POSITIVE} | BOUNDS | signed("x_trial"),
        STEPS,
        apply=proximal(lambda v, s: s["step"] * v["b"]),
    ),
    "gradient_proximal": Row(
        POINT | signed("x_trial"), STEPS, apply=proximal(lambda _v, s: s["step"])
    ),
    "orthant": Row(POINT | signed("pg", "least", "most"), SCALED, apply=orthant),
    "composite": Row(
        signed("x", "x_trial", "g", "g_trial") | {"l1": POSITIVE} | signed("pg", "pg_trial", "s"),
        SCALED,
        gather=composite,
    ),
}
