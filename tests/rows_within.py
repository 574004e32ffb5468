"""Rows of the rules for bounds, as in `rows.py`."""

import numpy as np
from reference import Range, Row, maximum, minimum

SIGNED, POSITIVE = Range(), Range(positive=True)
SCALED = ({"scale": 0.3},)
STEPS = ({"step": 0.37, "scale": 0.3}, {"step": 2.9, "scale": 4.0})
METRICS = tuple({"one": 0.0, "root": 0.0, "box": 0.0} | {name: 0.7} for name in ("one", "box"))
BOTH = ("lower", "upper")


def clip(a, lower, upper):
    return maximum(minimum(a, upper), lower)


def active(x, g, v):
    return ((x <= v["lower"]) & (g >= 0)) | ((x >= v["upper"]) & (g <= 0))


def projected(x, g, v, scale):
    room = np.where(g > 0, x - v["lower"], v["upper"] - x)
    return minimum(np.abs(scale * g), scale * room)


def clipped_step(v, g, p):
    """Return twice the decrease that the step within the bounds promises, and Σ s²/p."""
    whole = -(p * g)
    s = clip(whole, v["lower"] - v["x"], v["upper"] - v["x"])
    with np.errstate(all="ignore"):
        share = np.where(s == whole, 1.0, s / whole)
    return -(s * g) * (2.0 - share), -(s * g) * share


def clipped(candidate):
    def apply(v, s, put):
        g = s["scale"] * v["g"]
        decrease, spent = clipped_step(v, g, candidate(v, s))
        trial = put("x_trial", clip(v["x_trial"], v["lower"], v["upper"]))
        gmax = projected(v["x"], v["g"], v, s["scale"])
        return {"x_trial": trial}, (decrease, gmax, np.abs(trial - v["x"]), spent)

    return apply


def along_clip(v, s, put):
    trial = put("x_trial", clip(v["x_trial"], v["lower"], v["upper"]))
    step = trial - v["x"]
    still = step == 0
    with np.errstate(all="ignore"):
        over = np.where((trial == v["x_trial"]) | still, 0.0, s["t"] * v["q"] / step)
    slope = np.where(still, 0.0, (s["scale"] * v["g"]) * v["q"])
    return {"x_trial": trial}, (np.abs(step), slope, over)


def within_decrease(v, s):
    return (clipped_step(v, s["scale"] * v["g"], s["step"] * v["b"])[0],)


def face(v, s):
    before, there = active(v["x"], v["g"], v), active(v["x_trial"], v["g_trial"], v)
    gmax = projected(v["x_trial"], v["g_trial"], v, s["scale"])
    return gmax, np.where(there & ~before, 1.0, 0.0)


def face_norm(v, s):
    g = s["scale"] * v["g"]
    outside = (v["x"] < v["lower"]) | (v["x"] > v["upper"])
    return (
        np.where(active(v["x"], v["g"], v), 0.0, g * g),
        projected(v["x"], v["g"], v, s["scale"]),
        np.where(outside, 1.0, 0.0),
    )


def face_metric(v, s, put):
    metric = s["one"] + s["root"] * np.sqrt(v["b"]) + s["box"] * v["b"]
    return {"q": np.where(active(v["x"], v["g"], v), 0.0, metric * v["q"])}, ()


def step_secant(v, s):
    back, g_trial = v["x"] - v["x_trial"], s["scale"] * v["g_trial"]
    return back * g_trial, back * (s["scale"] * v["g"] - g_trial)


def signed(*names):
    return dict.fromkeys(names, SIGNED)


WITHIN = {
    "box_clip": Row(
        signed("x", "g") | {"b": POSITIVE} | signed(*BOTH, "x_trial"),
        STEPS,
        apply=clipped(lambda v, s: s["step"] * v["b"]),
    ),
    "gradient_clip": Row(
        signed("x", "g", *BOTH, "x_trial"), STEPS, apply=clipped(lambda v, s: s["step"])
    ),
    "along_clip": Row(
        signed("x", "q", "g", *BOTH, "x_trial"), ({"t": 0.37, "scale": 0.3},), apply=along_clip
    ),
    "within_decrease": Row(
        signed("x", "g") | {"b": POSITIVE} | signed(*BOTH), STEPS, gather=within_decrease
    ),
    "face": Row(signed("x", "x_trial", "g", "g_trial", *BOTH), SCALED, gather=face),
    "face_norm": Row(signed("x", "g", *BOTH), SCALED, gather=face_norm),
    "face_metric": Row(
        signed("x", "g", *BOTH) | {"b": POSITIVE} | signed("q"), METRICS, apply=face_metric
    ),
    "face_mask": Row(
        signed("x", "g", *BOTH, "q"),
        apply=lambda v, _s, _put: ({"q": np.where(active(v["x"], v["g"], v), 0.0, 1.0)}, ()),
    ),
    "restrict": Row(signed("q", "s"), apply=lambda v, _s, _put: ({"s": v["q"] * v["s"]}, ())),
    "pair_table": Row(
        signed("s0", "s1", "s2", "y0", "y1", "y2"),
        gather=lambda v, _s: tuple(v[f"s{a}"] * v[f"y{b}"] for a in range(3) for b in range(3)),
    ),
    "step_secant": Row(signed("x", "x_trial", "g", "g_trial"), SCALED, gather=step_secant),
}
