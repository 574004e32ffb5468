"""Where the guarded search and its reference are compared: ordinary problems, and small ones that
bring out one constant each."""

from dataclasses import dataclass, field

import numpy as np
from recorded_paths import columns, hinges, in_order, scattered, valley

EVALUATIONS = 200


@dataclass(frozen=True)
class Case:
    """A problem and how it is searched.

    `make` returns fun and x0; fun may count its calls. `free` is for how many evaluations the
    reference finds the path without being shown it.
    """

    make: object
    options: dict = field(default_factory=dict)
    dtype: str = "float64"
    evaluations: int = EVALUATIONS
    free: int = EVALUATIONS

    def start(self):
        """Return a fun whose g has the dtype of x, and x0."""
        fun, x0 = self.make()

        def told(x):
            f, g = fun(x.astype(float))
            return float(f), np.asarray(g, float).astype(x.dtype)

        return told, x0.astype(self.dtype)


def barrier(size):
    """Return Σ w (z + 1/z) + Σ (z_{i+1} − z_i)², z = x/unit, which is inf unless all z > 0."""
    unit = np.ldexp(1.0, 4 * (np.arange(size) % 5) - 8)
    w = scattered(size, -4, 8)

    def fun(x):
        z = x / unit
        if not (z > 0).all():
            return np.inf, np.full(size, np.nan)
        step = z[1:] - z[:-1]
        g = w * (1 - 1 / (z * z))
        g[1:] += 2 * step
        g[:-1] -= 2 * step
        return in_order(w * (z + 1 / z)) + in_order(step * step), g / unit

    return fun, np.where(np.arange(size) % 3 == 0, 0.03125, 4.0) * unit


ORDINARY = {
    "convex": Case(lambda: hinges(37), free=40),
    "raw columns": Case(lambda: columns(340), {"memory": 1}, free=110),
    "three pairs": Case(lambda: hinges(6), {"memory": 3}, free=100),
    "not convex": Case(lambda: valley(18)),
    "options": Case(lambda: valley(23), {"initial_scale": 1e-5, "forward": 1.5}, free=160),
    "hypergradient": Case(lambda: valley(37), {"cut": "hypergradient"}),
    "groups": Case(lambda: valley(22), {"groups": np.arange(22) // 3}),
    "holes": Case(lambda: barrier(37)),
    "heavy ball": Case(lambda: valley(18), {"proposer": "heavy-ball"}),
    "Nesterov": Case(lambda: barrier(18), {"proposer": "nesterov"}),
    "conjugate gradients": Case(lambda: hinges(18), {"proposer": "cg"}),
    "float32": Case(lambda: hinges(37), dtype="float32"),
    "float32, not convex": Case(lambda: valley(37), dtype="float32"),
    "float32, holes": Case(lambda: barrier(37), dtype="float32"),
}


# --- problems that bring out one constant ---------------------------------------------------------


def parabola(x0, curvature=1.0, centre=0.0, offset=0.0):
    def fun(x):
        away = x[0] - centre
        return offset + 0.5 * curvature * away * away, [curvature * away]

    return fun, np.array([x0])


def answering(problem, answers):
    """Let answers(k, x, f, g) change what is said of the k-th trial, 1 the first."""
    fun, x0 = problem
    trial = -1

    def told(x):
        nonlocal trial
        trial += 1
        f, g = fun(x)
        return (f, g) if trial == 0 else answers(trial, x, f, np.asarray(g))

    return told, x0


def spiked(problem, honest=(), told=None):
    """Let every trial but the honest ones fail by far, and say nothing of the curvature.

    `told` has the f and g of trials that are told something else. A spike shortens a first step to
    2⁻⁴⁰ of itself, so that with x0 = 1 a plain step comes third, in float32 second.
    """
    fun, x0 = problem
    f0, g0 = fun(x0)
    best = [f0, g0]  # where x is, as far as honest trials with a lower f are accepted

    def answers(k, x, f, g):
        if told and k in told:
            f, g = told[k]
        elif k not in honest:
            return abs(f0) + 1e25 * np.abs(x - x0).max(), best[1]
        if f < best[0]:
            best[:] = f, g
        return f, g

    return answering(problem, answers)


def far_out(distance):
    """Start so far out in one coordinate that the first step, along the other, is longer than 1."""
    unit = np.sqrt(distance)

    def fun(x):
        away = x[1] / unit - unit
        return 0.5 * away**2, [0.0, away / unit]

    return fun, np.array([distance, 0.0])


def wrong_at_the_start():
    """Return ½|x| with a slope of −1 at 0: a first step never wins."""
    return lambda x: (0.5 * abs(x[0]), [-1.0 if x[0] == 0 else 0.5 * np.sign(x[0])]), np.zeros(1)


def barely(share):
    """Let a first step of length 1 win `share` of what its slope promises."""
    return parabola(0.5 / (1 - share))


def cliff():
    """Let f be huge beyond 0.5, where the slope goes on downwards."""
    problem = parabola(0.0, centre=0.3)
    return answering(problem, lambda k, x, f, g: (1e200, [-1.0]) if x[0] > 0.5 else (f, g))


def closing_domain():
    """Let the first step end where nothing beyond is finite."""

    def fun(x):
        return (0.5 * x[0] ** 2 - 1e-17 * x[0] if x[0] <= 0 else np.inf), [x[0] - 1e-17]

    return fun, np.array([-1.0])


def exponential():
    """Let a plain step go so far that it misleads."""

    def fun(x):
        value = np.exp(min(x[0], 100.0) - 1)
        return value - 2 * x[0], [value - 2]

    return spiked((fun, np.ones(1)), honest=[3])


def stepped(offset):
    """Return a parabola that is 0.03 higher near 0: a good plain step breaks its promise."""
    problem = parabola(1.0, offset=offset)
    higher = answering(problem, lambda k, x, f, g: (f + 0.03 * (x[0] < 0.5), g))
    return spiked(higher, honest=[2])


def doubtful(share, noise):
    """Let Δf be `share` of what passes for the rounding of f, and the slopes deny it."""
    problem = parabola(1.0, centre=0.2, offset=0.3 / (share * noise))
    return answering(problem, lambda k, x, f, g: (f, g if x[0] > 0.5 else [-1.5]))


def lopsided(offset, honest):
    """Return a cubic beside which the offset is large: D(x, x⁺) and D(x⁺, x) differ."""

    def fun(x):
        return offset + 0.5 * x[0] ** 2 + x[0] ** 3 / 6, [x[0] + 0.5 * x[0] ** 2]

    return spiked((fun, np.array([1.0])), honest=[honest])


def switched_on():
    """Let one coordinate have a gradient only when the other has gone far, and never move f."""

    def fun(x):
        far = x[0] > 2.0**200
        return -x[0] - x[1] * far, [-1.0, -1.0 * far]

    return spiked((fun, np.zeros(2)), honest=range(31, 100))


def needle():
    """Let a trial of length 2⁻⁵⁶⁰ take a step size to the least there is."""
    return spiked(parabola(1e-172, curvature=1e172), honest=[15])


def rounding(units):
    """Let the first trial alone lower f, by so many units of 2⁻⁵² times 1.5."""
    return spiked(parabola(1.0, offset=1.0), told={1: (1.5 - units * 2.0**-52, [0.95])})


def flatter(largest):
    """Let the first trial alone lower max|g|, and none f."""
    return spiked(parabola(0.0, centre=-1.0), told={1: (1e25, [largest])})


def higher():
    """Let f rise by rounding where its slopes say that it falls, with a minimum at the far end."""
    return spiked(parabola(1.0, offset=1e10), told={1: (1e10 + 1, [0.05])})


def contradiction(outside, decrease):
    """Let f leave the slopes' interval by `outside` of it, then fall within it by `decrease`."""
    f = 1e7
    told = {1: (f * (1 + outside) + 500, [-500.0]), 2: (f * (1 - decrease), [-500.0])}
    return spiked(parabola(1.0, curvature=1e3, offset=f - 500), told=told)


def fall(outside, decrease):
    """As `contradiction`, with an f that is too low."""
    f = 1e7
    lower = f * (1 - outside) - 1000
    told = {1: (lower, [-500.0]), 2: (lower - f * decrease, [480.0])}
    return spiked(parabola(1.0, curvature=1e3, offset=f - 500), told=told)


def steep(largest):
    return spiked(parabola(1.0), told={1: (2.0, [largest])})


def bottomless():
    """Let f be −∞ everywhere but at x0."""
    return lambda x: (0.0 if x[0] == 0 else -np.inf, [-1.0]), np.zeros(1)


def interrupted():
    """Let f be −∞ twenty times before and after an accepted step."""
    return answering(
        parabola(0.0, centre=-1.0),
        lambda k, x, f, g: (f, g) if k == 21 or k > 41 else (-np.inf, g),
    )


def deep(f):
    return spiked(parabola(1.0), told={1: (f, [0.95])})


def edge():
    """Start where the next numbers of float32 are infinite, with the minimum beyond."""
    unit = 2.0**126

    def fun(x):
        away = x[0] / unit - 8
        return 0.5 * away**2, [away / unit]

    return fun, np.array([3.4028e38])


def nearly_linear(least):
    """Let the first pair be curved in one coordinate alone, whose gradient is very small."""
    problem = (lambda x: (0.0, [1.0, 2 * least])), np.zeros(2)
    return spiked(problem, told={1: (-0.5, [1.0, least]), 2: (-1e6, [0.5, least])})


def jump():
    """Let a step of 2⁻¹⁰⁰⁰ win, with a gradient that no H₀ explains."""
    problem = parabola(0.0, centre=-1.0, offset=-0.5)
    return spiked(problem, told={26: (-1e-3, [-1e29])})


PARTICULAR = {
    "far start": Case(lambda: far_out(1e9), evaluations=20),
    "far start in float32": Case(lambda: far_out(1e5), dtype="float32", evaluations=20),
    "farther start": Case(lambda: far_out(1e160), evaluations=20),
    "narrow": Case(lambda: parabola(1e-15, curvature=1e15)),
    "wrong at the start": Case(wrong_at_the_start),
    "barely wins": Case(lambda: barely(1.05e-4)),
    "barely fails": Case(lambda: barely(0.95e-4)),
    "cliff": Case(cliff),
    "closing domain": Case(closing_domain, evaluations=100),
    "exponential": Case(exponential, {"initial_scale": 40.0}),
    "cut by 2.1": Case(lambda: spiked(parabola(1.0), honest=[3]), {"initial_scale": 2.1}),
    "cut by 1.9": Case(lambda: stepped(2e3), {"initial_scale": 1.9}, "float32"),
    "no rounding of f": Case(lambda: doubtful(1.05, 1e-9), evaluations=20),
    "rounding of f": Case(lambda: doubtful(0.95, 1e-9), evaluations=20),
    "no rounding of f in float32": Case(lambda: doubtful(1.05, 1e-5), {}, "float32", 20),
    "rounding of f in float32": Case(lambda: doubtful(0.95, 1e-5), {}, "float32", 20),
    "lopsided": Case(lambda: lopsided(1e7, honest=3), {"initial_scale": 2.2}),
    "lopsided in float32": Case(lambda: lopsided(2e3, 2), {"initial_scale": 2.2}, "float32"),
    "plain at once": Case(lambda: spiked(parabola(1.0), honest=range(3, 100))),
    "switched on": Case(switched_on, {"initial_scale": 1.0, "forward": 2.0**75}, evaluations=60),
    "large box": Case(lambda: spiked(parabola(1.0)), {"initial_scale": 1e200}),
    "needle": Case(needle, {"initial_scale": 1e200}, evaluations=60),
    "7.3 units": Case(lambda: rounding(11)),
    "8.7 units": Case(lambda: rounding(13)),
    "flatter": Case(lambda: flatter(0.85)),
    "not flatter": Case(lambda: flatter(0.95)),
    "higher": Case(higher, evaluations=20),
    "noise": Case(lambda: contradiction(0.95e-5, 4.5e-6)),
    "noise, larger fall": Case(lambda: contradiction(0.95e-5, 5e-6)),
    "contradiction": Case(lambda: contradiction(1.05e-5, 4.5e-6)),
    "too low": Case(lambda: fall(0.95e-5, 4.5e-6)),
    "steep": Case(lambda: steep(0.95e30), evaluations=20),
    "too steep": Case(lambda: steep(1.05e30), evaluations=20),
    "no minimum": Case(bottomless),
    "interrupted": Case(interrupted),
    "deep": Case(lambda: deep(-0.95e30)),
    "deeper": Case(lambda: deep(-1.05e30)),
    "kink": Case(lambda: (lambda x: (abs(x[0]), [1.0 if x[0] >= 0 else -1.0]), np.ones(1))),
    "edge of float32": Case(edge, dtype="float32"),
    "large box in float32": Case(
        lambda: spiked(parabola(1.0)), {"initial_scale": 1e200}, "float32"
    ),
    "vanishing box": Case(
        lambda: spiked(parabola(0.0, centre=-1.0, offset=-0.5)),
        {"initial_scale": 1e-320, "gamma": 4.0},
    ),
    "overflowing direction": Case(lambda: nearly_linear(1e-39), dtype="float32"),
    "pair that vanishes": Case(lambda: nearly_linear(1e-50)),
    "pair without H₀": Case(jump),
    "falling into a steep place": Case(
        lambda: spiked(parabola(0.0, centre=-1.0), told={1: (-5.0, [2e30])})
    ),
    "not convex along a plain step": Case(lambda: lopsided(0.0, 3), {"initial_scale": 5.0}),
    "not convex, hypergradient": Case(
        lambda: lopsided(0.0, 3), {"initial_scale": 5.0, "cut": "hypergradient"}
    ),
    "lopsided, hypergradient": Case(
        lambda: lopsided(0.0, 3), {"initial_scale": 2.2, "cut": "hypergradient"}
    ),
    "rounding, hypergradient": Case(
        lambda: lopsided(1e10, 3), {"initial_scale": 5.0, "cut": "hypergradient"}
    ),
    "reopened": Case(lambda: hinges(12), dtype="float32"),
    "reopened, hypergradient": Case(lambda: columns(37), {"cut": "hypergradient"}),
    "reopened, Nesterov": Case(lambda: columns(6), {"proposer": "nesterov"}, "float32"),
    "reopened, conjugate gradients": Case(lambda: columns(6), {"proposer": "cg"}),
    "long run of momentum": Case(lambda: valley(12), {"proposer": "heavy-ball"}, evaluations=330),
    "many variables": Case(lambda: hinges(40_000), evaluations=45),
    "very many variables": Case(lambda: hinges(60_000), evaluations=35),
}

# --- problems with noise --------------------------------------------------------------------------


def noisy(problem, f_error, g_error):
    """Let f and g of trials be off by no more than this, g in the 2-norm, in a pattern."""

    def answers(k, x, f, g):
        i = np.arange(g.size)
        off = ((13 * k + 7 * i) % 17 - 8) / 8
        return (
            f + f_error * ((11 * k) % 17 - 8) / 8,
            g + g_error * off / np.sqrt(in_order(off * off)),
        )

    return answering(problem, answers)


def noisy_case(make, f_error, g_error, options=None, **others):
    """Return a case whose search is told of its noise."""
    given = {**(options or {}), "noise": (f_error, g_error)}
    return Case(lambda: noisy(make(), f_error, g_error), given, **others)


NOISY = {
    "noise of f": noisy_case(lambda: hinges(37), 1e-2, 0.0),
    "noise of g": noisy_case(lambda: hinges(37), 0.0, 1.0),
    "noise of both": noisy_case(lambda: hinges(37), 1e-2, 1e-1),
    "noise on raw columns": noisy_case(lambda: columns(37), 1e-3, 1e-3),
    "much noise on raw columns": noisy_case(lambda: columns(37), 1e-3, 1e2),
    "noise, not convex": noisy_case(lambda: valley(18), 1e-4, 1e-2),
    "noise, groups": noisy_case(lambda: columns(22), 1e-3, 1.0, {"groups": np.arange(22) // 3}),
    "noise, holes": noisy_case(lambda: barrier(37), 1e-2, 1.0),
    "noise, Nesterov": noisy_case(lambda: hinges(18), 1e-3, 1e-1, {"proposer": "nesterov"}),
    "plain step made shorter": Case(
        lambda: spiked(parabola(1.0), honest=range(5, 100)), {"noise": (1e-3, 1e-3)}
    ),
    "creeping": noisy_case(lambda: hinges(6), 0.0, 1.0),
    "creeping on raw columns": noisy_case(lambda: columns(22), 0.0, 0.1),
    "noise, float32": noisy_case(lambda: hinges(37), 1e-1, 1.0, dtype="float32"),
}

# Each constant of the reference, and the problems whose paths change when it is larger and smaller.
REVEALED_BY = [
    ("epsilon", "far start", "far start"),
    ("epsilon", "far start in float32", "far start in float32"),
    ("noise", "no rounding of f", "rounding of f"),
    ("noise", "no rounding of f in float32", "rounding of f in float32"),
    ("roundoff", "lopsided", "lopsided"),
    ("roundoff", "lopsided in float32", "lopsided in float32"),
    ("least_length", "three pairs", "three pairs"),
    ("largest_length", "farther start", "farther start"),
    ("least_first", "narrow", "narrow"),
    ("first_tries", "wrong at the start", "wrong at the start"),
    ("armijo", "barely wins", "barely fails"),
    ("least_shorter", "three pairs", "three pairs"),
    ("most_shorter", "higher", "higher"),
    ("unknown_shorter", "cliff", "cliff"),
    ("hole_shorter", "closing domain", "closing domain"),
    ("far", "three pairs", "three pairs"),
    ("straight_tries", "three pairs", "three pairs"),
    ("most_tries", "closing domain", "closing domain"),
    ("relearnt", "three pairs", "three pairs"),
    ("coasting", "not convex", "not convex"),
    ("gamma_share", "three pairs", "three pairs"),
    ("promise", "hypergradient", "hypergradient"),
    ("plain_fails", "closing domain", "closing domain"),
    ("room", "plain at once", "plain at once"),
    ("reopened_box", "deep", "deep"),
    ("halving", "large box", "large box"),
    ("halving", "plain step made shorter", "plain step made shorter"),
    ("deep", "cut by 2.1", "cut by 1.9"),
    ("depth", "exponential", "exponential"),
    ("safety", "three pairs", "three pairs"),
    ("forward", "three pairs", "three pairs"),
    ("direction_share", "three pairs", "three pairs"),
    ("fold", "switched on", "switched on"),
    ("largest_growth", "large box", "large box"),
    ("smallest_b", "needle", "needle"),
    ("window", "three pairs", "three pairs"),
    ("margin", "three pairs", "three pairs"),
    ("most_pairs", "not convex", "not convex"),
    ("least_pairs", "very many variables", "very many variables"),
    ("cached", "many variables", "many variables"),
    ("length_growth", "heavy ball", "heavy ball"),
    ("momentum_delay", "heavy ball", "heavy ball"),
    ("most_momentum", "long run of momentum", "long run of momentum"),
    ("restart", "conjugate gradients", "conjugate gradients"),
    ("flatter", "not flatter", "flatter"),
    ("units", "8.7 units", "7.3 units"),
    ("small_difference", "contradiction", "noise"),
    ("forgetting", "noise, larger fall", "noise"),
    ("patience", "wrong at the start", "wrong at the start"),
    ("too_steep", "too steep", "steep"),
    ("falls", "no minimum", "no minimum"),
    ("bottomless", "deeper", "deep"),
    ("control", "noise of g", "noise of g"),
    ("creep", "creeping", "creeping on raw columns"),
    ("noisy_patience", "noise on raw columns", "noise on raw columns"),
]
