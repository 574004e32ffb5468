"""One row per rule of the core: its mathematics in NumPy, in the order of operations of the C++.

A row holds the ranges its streams are drawn from, the scalars it is called with, and up to three
functions as in `csrc/engine/rule.h`: gather, solve and apply, on whole float64 arrays. A new rule
needs one row here, or in `rows_updates.py` if it is an update, and nothing else in the tests.
"""

import numpy as np
from reference import Range, Row, maximum, minimum
from rows_arrays import ARRAYS
from rows_learned import LEARNED
from rows_penalty import PENALTY
from rows_schedule_free import SCHEDULE_FREE
from rows_updates import UPDATES, not_below
from rows_within import WITHIN


def normal(g, g_trial, cocoercive):
    y = g - g_trial
    return y * y if cocoercive != 0.0 else maximum(0.5 * g * g - g * g_trial, 0.0)


def shrink(shape, q, u, s):
    w = minimum(u * q, s["depth"])
    if shape == "box":
        cut = q / maximum(1.0, w)
    elif shape == "simplex":
        cut = q / (s["weight"] + (1.0 - s["weight"]) * w)
    else:
        cut = q / np.sqrt(s["weight"] + (1.0 - s["weight"]) * (w * w))
    return minimum(maximum(cut, 1e-290), 1e290)


def candidate(direction, q, g, step):
    if direction == "plain":
        return step * q
    return step * (q * (q * (g * g))) if direction == "gradient" else step


def propose(x, g, p, put):
    move = p * g
    x_trial = put("x_trial", x - move)
    return x_trial, (move * g, np.abs(g), np.abs(x_trial - x))


UNLIMITED = 1e300
SIGNED, POSITIVE = Range(), Range(positive=True)
SCALED = ({"scale": 0.3},)
STEPS = ({"step": 0.37, "scale": 0.3}, {"step": 2.9, "scale": 4.0})
PAIRS = (
    {"step": 0.37, "scale": 0.3, "cocoercive": 0.0},
    {"step": 2.9, "scale": 4.0, "cocoercive": 1.0},
)
WEIGHTS = ({"cut": 1.3, "weight": 0.6}, {"cut": 1e-3, "weight": 0.0})
CUTS = (WEIGHTS[0] | {"depth": 50.0}, WEIGHTS[1] | {"depth": UNLIMITED})
PAIR_CUTS = (
    CUTS[0] | {"scale": 0.3, "cocoercive": 1.0},
    CUTS[1] | {"scale": 4.0, "cocoercive": 0.0},
)


def fitting(shape, cuts):
    """Return what such a cut is given: a box has no weight."""
    unused = {"weight"} if shape == "box" else set()
    return tuple({name: s[name] for name in s if name not in unused} for s in cuts)


METRICS = ({"one": 0.2, "root": 0.3, "box": 0.7}, {"one": 0.0, "root": 1.0, "box": 0.0})


def trial(direction, q):
    """A trial from the set q (None: one step size for all)."""

    def apply(v, s, put):
        g = s["scale"] * v["g"]
        x_trial, sums = propose(v["x"], g, candidate(direction, v.get(q), g, s["step"]), put)
        return {"x_trial": x_trial}, sums

    sets = {q: POSITIVE} if q else {}
    return Row({"x": SIGNED, "g": SIGNED} | sets | {"x_trial": SIGNED}, STEPS, apply=apply)


def accept(direction, q):
    plain = trial(direction, q)

    def apply(v, s, put):
        written, sums = plain.apply(v | {"g": v["g_new"]}, s, put)
        return written | {"g": v["g_new"]}, sums

    streams = {"g_new" if k == "g" else k: r for k, r in plain.streams.items()}
    return Row(streams | {"g": SIGNED}, STEPS, apply=apply)


def advance(direction, q):
    """As accept, but that x_trial comes and goes in one array and x is what it was."""
    plain = trial(direction, q)

    def apply(v, s, put):
        written, sums = plain.apply(v | {"x": v["x_trial"], "g": v["g_new"]}, s, put)
        return written | {"x": v["x_trial"], "g": v["g_new"]}, sums

    streams = {"g_new" if k == "g" else k: r for k, r in plain.streams.items()}
    return Row(streams | {"g": SIGNED}, STEPS, apply=apply)


def secant(direction, q, spread=None):
    def gather(v, s):
        g, g_trial = s["scale"] * v["g"], s["scale"] * v["g_trial"]
        move = candidate(direction, v.get(q), g, s["step"]) * g
        sums = (move * g_trial, move * (g - g_trial), np.abs(g_trial))
        return (*sums, spread(normal(g, g_trial, s["cocoercive"]), v.get(q))) if spread else sums

    sets = {q: POSITIVE} if q else {}
    return Row({"g": SIGNED, "g_trial": SIGNED} | sets, PAIRS, gather=gather)


def cut(shape, q):
    def apply(v, s, _put):
        return {q: shrink(shape, v[q], s["cut"] * v["u"], s)}, ()

    return Row({"u": POSITIVE, q: POSITIVE}, fitting(shape, CUTS), apply=apply)


def cut_pair(shape, q, v, s):
    g = s["scale"] * v["g"]
    u = normal(g, s["scale"] * v["g_trial"], s["cocoercive"])
    return g, shrink(shape, v[q], s["cut"] * u, s)


def cut_trial(shape, q):
    def apply(v, s, put):
        g, smaller = cut_pair(shape, q, v, s)
        x_trial, sums = propose(v["x"], g, s["step"] * smaller, put)
        return {q: smaller, "x_trial": x_trial}, sums

    streams = {"x": SIGNED, "g": SIGNED, "g_trial": SIGNED, q: POSITIVE, "x_trial": SIGNED}
    cuts = fitting(shape, tuple(s | {"step": 0.37} for s in PAIR_CUTS))
    return Row(streams, cuts, apply=apply)


def ellipsoid_cut_weight(sums, n, s):
    ell = sums[0] * (s["cut"] * s["cut"])
    weight = ell / n * ((n - 1.0) / (ell - 1.0))
    return {"weight": weight} if ell > 1.0 and weight < 1.0 else None


def ellipsoid_shrink(v, s):
    w = (s["cut"] * v["u"] * v["axes"]) * (s["cut"] * v["u"] * v["axes"])
    ratio = (1.0 - w) / (s["weight"] + (1.0 - s["weight"]) * w)
    return ratio, ratio * ratio, w


def ellipsoid_cut_pair(v, s, _put):
    g, smaller = cut_pair("ellipsoid", "axes", v, s)
    return {"axes": smaller}, ((smaller * (g * g)) * (smaller * (g * g)),)


def ellipsoid_norm(v, s):
    g = s["scale"] * v["g"]
    return ((v["axes"] * (g * g)) * (v["axes"] * (g * g)),)


def square(v, s, _put):
    return {"u": (s["scale"] * v["g"]) * (s["scale"] * v["g"])}, ()


def norm(v, s):
    return (s["scale"] * v["a"]) * (s["scale"] * v["a"]), np.abs(v["a"])


def candidate_step(sums, _n, s):
    return {"step": s["gamma"] / np.sqrt(sums[0])} if sums[0] > 0.0 else None


def hypergradient(v, s, _put):
    return {"u": normal(s["scale"] * v["g"], s["scale"] * v["g_trial"], s["cocoercive"])}, ()


def metric(b, s):
    return s["one"] + s["root"] * np.sqrt(b) + s["box"] * b


def pair(v, s, put):
    g, g_trial = s["scale"] * v["g"], s["scale"] * v["g_trial"]
    step, y = v["x_trial"] - v["x"], g_trial - g
    ss, ys = put("s", s["s_scale"] * step), put("y", y)
    sums = (g * step, g_trial * step, step * y, np.abs(step * y), np.abs(g_trial))
    sums = (*sums, g * ss, g_trial * ss, ss * ys, step * step)
    return {"s": ss, "y": ys, "g_copy": v["g_trial"]}, sums


def certain(value, error):
    return np.maximum(np.abs(value) - error, 0.0)


def decrease(v, s):
    g = certain(s["scale"] * v["g"], s["error"])
    return ((v["b"] * g) * g,)


def learn(v, w, depth):
    b = shrink("box", v["b"], w, {"depth": depth})
    y2, s2, root, inverse = v["y"] * v["y"], v["s"] * v["s"], np.sqrt(b), 1.0 / b
    sums = (y2, y2 * root, y2 * b, s2, s2 * (root * inverse), s2 * inverse, w * v["b"])
    return {"b": b}, sums


def carry_pair(v, s, put):
    y = s["unit"] * v["y_old"]
    change = s["s_unit"] * (v["l2_now"] - v["l2_before"]) * v["s_old"]
    sums = (v["s_old"] * put("y", y + change), np.abs(v["s_old"]) * (np.abs(y) + np.abs(change)))
    return {"s": v["s_old"], "y": put("y", y + change)}, sums


def carry_box(v, s, _put):
    inverse = 1.0 / v["b_old"] + s["unit"] * (v["l2_now"] - v["l2_before"])
    return {"b": 1.0 / maximum(maximum(inverse, s["unit"] * v["l2_now"]), 1.0)}, ()


def carry_set(v, s, _put):
    lost = maximum(v["l2_before"] - v["l2_now"], 0.0)
    share = minimum(v["l2_now"] / maximum(v["l2_before"], 2.0**-1022), 1.0)
    left = maximum(maximum(1.0 - s["unit"] * lost * v["b_old"], share), 1.0 / s["most"])
    return {"b": v["b_old"] / left}, ()


def finish(v, s, put):
    reach, share = s["max_update"] * v["lr"], s["l1"] * v["lr"]
    x, step = v["x"], v["x"] - v["before"]
    if s["cautious"] != 0.0:
        g = s["grad_scale"] * v["g"] + s["l2"] * v["before"]
        x = np.where(step * g >= 0.0, v["before"], x)
    if s["weight_decay"] != 0.0:
        away = (step * v["before"] > 0.0) & (s["cautious_weight_decay"] != 0.0)
        x = np.where(away, x, x - v["lr"] * s["weight_decay"] * v["before"])
    if s["max_update"] != 0.0:
        x = maximum(minimum(x, v["before"] + reach), v["before"] - reach)
    if s["l1"] != 0.0:
        x = x - maximum(minimum(x, share), -share)
    x = put("x", x)
    return {"x": x, "average": s["beta"] * v["average"] + (1.0 - s["beta"]) * x}, ()


def learn_from_points(v, s, _put):
    y = s["scale"] * v["g_trial"] - s["scale"] * v["g"]
    return learn({**v, "s": v["x_trial"] - v["x"], "y": y}, s["cut"] * (y * y), UNLIMITED)


def momentum_step(v, s, put):
    g = s["scale"] * v["g"]
    q = put("q", s["beta"] * v["q"] - metric(v["b"], s) * g)
    return {"q": q}, (g * q,)


def nesterov_step(v, s, put):
    g = s["scale"] * v["g"]
    z = -(metric(v["b"], s) * g)
    q = put("q", z + s["beta"] * (z - (v["z"] - s["s_unscale"] * v["s"])))
    return {"z": z, "q": q}, (g * q,)


def cg_products(v, s):
    g, d, y = s["scale"] * v["g"], metric(v["b"], s), v["y"]
    return v["delta"] * y, y * (d * g), y * (d * y), v["delta"] * g


def along(v, s, put):
    x_trial = put("x_trial", v["x"] + s["t"] * v["q"])
    return {"x_trial": x_trial}, (np.abs(x_trial - v["x"]),)


def squared(u, q):
    return (u * q) * (u * q)


def pair_sums(v, s):
    g, g_trial = s["scale"] * v["g"], s["scale"] * v["g_trial"]
    step, y = v["x_trial"] - v["x"], s["scale"] * v["g_trial"] - s["scale"] * v["g"]
    return (
        g * step, g_trial * step, step * y, step * step, y * y, g * g_trial, g_trial * g_trial,
        np.abs(v["g_trial"]),
    )  # fmt: skip


def barzilai_borwein(v, s, _put):
    step, y = v["x_trial"] - v["x"], s["scale"] * v["g_trial"] - s["scale"] * v["g"]
    u = (step * y + s["mu"] / v["p"]) / (step * step + s["mu"])
    return {"p": 1.0 / minimum(maximum(u, s["least"]), s["most"])}, ()


def osgm_learn(v, s, _put):
    h = s["inverse"] * ((s["scale"] * v["g"]) * (s["scale"] * v["g_trial"]))
    squares = v["sum_of_squares"] + h * h
    rate = s["hyper_lr"]
    if "widest" in s:
        b = minimum(v["b"], s["widest"])
        rate = rate * metric(b, s)
    p = not_below(0.0, v["p"] + rate * h / (np.sqrt(squares) + s["eps"]))
    return {"sum_of_squares": squares, "p": p}, ()


LEARNS = {"g": SIGNED, "g_trial": SIGNED, "p": POSITIVE, "sum_of_squares": POSITIVE}
LEARN_SCALARS = (
    {"inverse": 0.7, "hyper_lr": 0.4, "eps": 1e-12, "scale": 0.3},
    {"inverse": 0.1, "hyper_lr": 3.0, "eps": 0.1, "scale": 4.0},
)
FIVE_A = [f"a{k}" for k in range(5)]
FIVE_S = [f"s{k}" for k in range(5)]


def products(pairs, v, s):
    return tuple(
        product for pair in pairs for product in (pair * v["y"], pair * (s["scale"] * v["g"]))
    )


def add_pairs(v, s, _put):
    q = v["q"]
    for k, name in enumerate(FIVE_A):
        q = q + s[f"c{k}"] * v[name]
    return {"q": q}, ()


ROWS = (
    {
        "box_trial": trial("plain", "b"),
        "box_accept": accept("plain", "b"),
        "box_advance": advance("plain", "b"),
        "ellipsoid_trial": trial("gradient", "axes"),
        "ellipsoid_accept": accept("gradient", "axes"),
        "ellipsoid_advance": advance("gradient", "axes"),
        "gradient_trial": trial("uniform", None),
        "gradient_accept": accept("uniform", None),
        "gradient_advance": advance("uniform", None),
        "box_secant": secant("plain", "b"),
        "ellipsoid_plain_secant": secant("plain", "axes", squared),
        "ellipsoid_secant": secant("gradient", "axes", squared),
        "gradient_secant": secant("uniform", None, lambda u, _q: u),
        "box_cut": cut("box", "b"),
        "simplex_cut": cut("simplex", "b"),
        "ellipsoid_cut_at": cut("ellipsoid", "axes"),
        "ellipsoid_cut": Row(
            {"u": POSITIVE, "axes": POSITIVE},
            (
                {"cut": 1.3, "depth": 50.0},
                {"cut": 1e-9, "depth": UNLIMITED},
            ),  # the second is too far out
            gather=lambda v, _s: (squared(v["u"], v["axes"]),),
            solve=ellipsoid_cut_weight,
            apply=cut("ellipsoid", "axes").apply,
        ),
        "ellipsoid_shrink": Row(
            {"u": POSITIVE, "axes": POSITIVE}, WEIGHTS, gather=ellipsoid_shrink
        ),
        "ellipsoid_cut_pair": Row(
            {"g": SIGNED, "g_trial": SIGNED, "axes": POSITIVE}, PAIR_CUTS, apply=ellipsoid_cut_pair
        ),
        "ellipsoid_norm": Row({"g": SIGNED, "axes": POSITIVE}, SCALED, gather=ellipsoid_norm),
        "ellipsoid_candidate": Row(
            {"w": POSITIVE, "axes": POSITIVE, "p": POSITIVE},
            ({"gamma": 0.7},),
            gather=lambda v, _s: (squared(v["axes"], v["w"]),),
            solve=candidate_step,
            apply=lambda v, s, _put: ({"p": s["step"] * (v["axes"] * (v["axes"] * v["w"]))}, ()),
        ),
        "box_cut_trial": cut_trial("box", "b"),
        "simplex_cut_trial": cut_trial("simplex", "b"),
        "ellipsoid_cut_trial": cut_trial("ellipsoid", "axes"),
        "pair": Row(
            dict.fromkeys(("x", "x_trial", "g", "g_trial", "s", "y", "g_copy"), SIGNED),
            ({"scale": 0.3, "s_scale": 0.7},),
            apply=pair,
        ),
        "learn": Row(
            {"s": SIGNED, "y": SIGNED, "b": POSITIVE},
            (
                {"cut": 0.7, "depth": UNLIMITED, "error": 0.0},
                {"cut": 70.0, "depth": 3.0, "error": 0.4},
            ),
            apply=lambda v, s, _put: learn(
                v, s["cut"] * (certain(v["y"], s["error"]) ** 2), s["depth"]
            ),
        ),
        "learn_from": Row(
            {"s": SIGNED, "y": SIGNED, "u": POSITIVE, "b": POSITIVE},
            ({"cut": 0.7, "depth": UNLIMITED}, {"cut": 70.0, "depth": 3.0}),
            apply=lambda v, s, _put: learn(v, s["cut"] * v["u"], s["depth"]),
        ),
        "learn_from_points": Row(
            {"x": SIGNED, "x_trial": SIGNED, "g": SIGNED, "g_trial": SIGNED, "b": POSITIVE},
            ({"cut": 0.7, "scale": 0.3}, {"cut": 70.0, "scale": 4.0}),
            apply=learn_from_points,
        ),
        "decrease": Row(
            {"g": SIGNED, "b": POSITIVE},
            ({"scale": 0.3, "error": 0.0}, {"scale": 4.0, "error": 0.7}),
            gather=decrease,
        ),
        "pair_product": Row(
            {"s": SIGNED, "y": SIGNED, "g": SIGNED},
            SCALED,
            gather=lambda v, s: products([v["s"]], v, s),
        ),
        "pair_products": Row(
            dict.fromkeys([*FIVE_S, "y", "g"], SIGNED),
            SCALED,
            gather=lambda v, s: products([v[name] for name in FIVE_S], v, s),
        ),
        "pair_normal": Row(
            {"y": SIGNED, "u": POSITIVE},
            ({"error": 0.0}, {"error": 0.4}),
            apply=lambda v, s, _put: ({"u": certain(v["y"], s["error"]) ** 2}, ()),
        ),
        "scaled": Row(
            dict.fromkeys("aq", SIGNED),
            SCALED,
            apply=lambda v, s, _put: ({"q": s["scale"] * v["a"]}, ()),
        ),
        "add_pair": Row(
            dict.fromkeys("aq", SIGNED),
            ({"c": -1.7},),
            apply=lambda v, s, _put: ({"q": v["q"] + s["c"] * v["a"]}, ()),
        ),
        "add_pairs": Row(
            dict.fromkeys([*FIVE_A, "q"], SIGNED),
            ({f"c{k}": 0.7 * k - 1.1 for k in range(5)},),
            apply=add_pairs,
        ),
        "pair_dots": Row(
            dict.fromkeys([*FIVE_A, "q"], SIGNED),
            gather=lambda v, _s: tuple(v[name] * v["q"] for name in FIVE_A),
        ),
        "pair_dot": Row(dict.fromkeys("aq", SIGNED), gather=lambda v, _s: (v["a"] * v["q"],)),
        "coast": Row(
            dict.fromkeys("sq", SIGNED),
            ({"c": 4.7},),
            apply=lambda v, s, _put: ({"q": s["c"] * v["s"]}, ()),
        ),
        "apply_metric": Row(
            {"b": POSITIVE, "q": SIGNED},
            METRICS,
            apply=lambda v, s, _put: ({"q": metric(v["b"], s) * v["q"]}, ()),
        ),
        "metric": Row(
            dict.fromkeys("bd", POSITIVE),
            METRICS,
            apply=lambda v, s, _put: ({"d": metric(v["b"], s)}, ()),
        ),
        "momentum_step": Row(
            {"g": SIGNED, "b": POSITIVE, "q": SIGNED},
            tuple(m | {"beta": 0.9, "scale": 0.3} for m in METRICS),
            apply=momentum_step,
        ),
        "nesterov_step": Row(
            {"g": SIGNED, "b": POSITIVE, "s": SIGNED, "z": SIGNED, "q": SIGNED},
            tuple(m | {"beta": 0.9, "scale": 0.3, "s_unscale": 0.7} for m in METRICS),
            apply=nesterov_step,
        ),
        "cg_products": Row(
            {"g": SIGNED, "b": POSITIVE, "delta": SIGNED, "y": SIGNED},
            tuple(m | {"scale": 0.3} for m in METRICS),
            gather=cg_products,
        ),
        "along": Row({"x": SIGNED, "q": SIGNED, "x_trial": SIGNED}, ({"t": 0.37},), apply=along),
        "hypergradient": Row(
            {"g": SIGNED, "g_trial": SIGNED, "u": POSITIVE},
            ({"scale": 0.3, "cocoercive": 0.0}, {"scale": 4.0, "cocoercive": 1.0}),
            apply=hypergradient,
        ),
        "square": Row({"g": SIGNED, "u": POSITIVE}, SCALED, apply=square),
        "rescale": Row(
            {"b": POSITIVE},
            ({"factor": 2.5, "most": 1e300}, {"factor": 0.25, "most": 0.5}),
            apply=lambda v, s, _put: (
                {"b": np.where(s["most"] < s["factor"] * v["b"], s["most"], s["factor"] * v["b"])},
                (),
            ),
        ),
        "fill": Row(
            {"b": POSITIVE},
            ({"value": 0.7}, {"value": -0.0}),
            apply=lambda v, s, _put: ({"b": np.full_like(v["b"], s["value"])}, ()),
        ),
        "pair_sums": Row(
            {"x": SIGNED, "x_trial": SIGNED, "g": SIGNED, "g_trial": SIGNED},
            SCALED,
            gather=pair_sums,
        ),
        "barzilai_borwein": Row(
            {"x": SIGNED, "x_trial": SIGNED, "g": SIGNED, "g_trial": SIGNED, "p": POSITIVE},
            (
                {"mu": 0.3, "least": 0.2, "most": 5.0, "scale": 0.3},
                {"mu": 1e-6, "least": 1e-9, "most": 1e9, "scale": 4.0},
            ),
            apply=barzilai_borwein,
        ),
        "osgm_learn": Row(LEARNS, LEARN_SCALARS, apply=osgm_learn),
        "osgm_learn_in_metric": Row(
            {"g": SIGNED, "g_trial": SIGNED, "b": POSITIVE} | LEARNS,
            tuple(
                s | {"widest": widest} | metric
                for s, widest, metric in zip(LEARN_SCALARS, (1e300, 0.5), METRICS, strict=True)
            ),
            apply=osgm_learn,
        ),
        "carry_pair": Row(
            {"s_old": SIGNED, "y_old": SIGNED}
            | dict.fromkeys(("l2_before", "l2_now"), POSITIVE)
            | {"s": SIGNED, "y": SIGNED},
            ({"unit": 0.25, "s_unit": 0.7},),
            apply=carry_pair,
        ),
        "carry_box": Row(
            dict.fromkeys(("b_old", "l2_before", "l2_now", "b"), POSITIVE),
            ({"unit": 0.3}, {"unit": 40.0}),
            apply=carry_box,
        ),
        "carry_set": Row(
            dict.fromkeys(("b_old", "l2_before", "l2_now", "b"), POSITIVE),
            ({"unit": 0.3, "most": 100.0}, {"unit": 40.0, "most": 3.0}),
            apply=carry_set,
        ),
        "finish": Row(
            {"x": SIGNED, "before": SIGNED, "g": SIGNED, "average": SIGNED},
            tuple(
                {"max_update": bound, "l1": l1, "beta": beta}
                | {"cautious": mask, "cautious_weight_decay": hold, "weight_decay": decay}
                | {"l2": l2, "grad_scale": scale}
                for bound, l1, beta, mask, hold, decay, l2, scale in (
                    (0.3, 0.7, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0),
                    (0.0, 0.0, 0.0, 1.0, 0.0, 0.3, 0.0, -0.5),
                    (0.4, 0.0, 0.5, 0.0, 1.0, 0.3, 0.1, 1.0),
                    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
                )
            ),
            apply=finish,
        ),
        "norm": Row({"a": SIGNED}, SCALED, gather=norm),
        "dot": Row({"a": SIGNED, "b": SIGNED}, gather=lambda v, _s: (v["a"] * v["b"],)),
    }
    | UPDATES
    | LEARNED
    | ARRAYS
    | SCHEDULE_FREE
    | WITHIN
    | PENALTY
)
