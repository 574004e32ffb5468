"""The guarded search in plain NumPy, written from docs/guarded.md and docs/noise.md alone.

Arrays are float64 throughout; what the search stores in fewer digits is rounded to them.
"""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
from reference_proposers import dot, proposer_named

RUNNING, PRECISION, NOT_FINITE, NOISE = -1, 2, 3, 4
MOST_EXPONENT = 1000  # keeps powers of two and their reciprocals normal


@dataclass(frozen=True)
class Constants:
    """Every number of the method that was chosen, for x in float64."""

    epsilon: float = 2.0**-52  # the precision of x
    noise: float = 1e-9  # of f: within it the trapezoid stands in for Δf
    roundoff: float = 1e-14  # of a divergence
    # the first step
    least_length: float = 1.0
    largest_length: float = 1e150
    least_first: float = 2.0**-40  # of t, after a try that did not win
    first_tries: int = 60
    # tries of a direction
    armijo: float = 1e-4
    least_shorter: float = 0.1  # of t
    most_shorter: float = 0.7  # of t, also of a first step's
    unknown_shorter: float = 0.1  # of t, where the line has no minimiser
    hole_shorter: float = 0.1  # of t, or of the box
    far: float = 2.0  # the cubic's minimiser over the secant's
    straight_tries: int = 5
    most_tries: int = 20
    relearnt: int = 2  # tries of one x
    coasting: float = 4.0
    # plain steps and the box
    gamma_share: float = 2.0  # γ = 1/(2d)
    promise: float = 0.5
    plain_fails: int = 60
    room: float = 1e10  # of the first box over the first finite step
    reopened_box: float = 1.0  # b of a box that is opened anew
    halving: float = 0.5
    deep: float = 2.0  # a cut of at least one b_i by this much spares the box its halving
    depth: float = 100.0  # the most that a misleading plain step cuts
    safety: float = 1 - 2.0**-22  # of ν, for a y in float32
    forward: float = 1.1
    direction_share: float = 0.2  # of that growth, after a step that was not plain
    fold: float = 2.0**300
    largest_growth: float = 2.0**400
    smallest_b: float = 1e-290
    # the guard
    window: int = 10
    # H₀ and the pairs
    margin: float = 3.0
    most_pairs: int = 80
    least_pairs: int = 10
    cached: int = 2**19  # pairs times variables
    # momentum and conjugate gradients
    length_growth: float = 1.05  # of the shortest length seen, with each pair
    momentum_delay: int = 3
    most_momentum: float = 0.99
    restart: int = 30
    # where runs end
    flatter: float = 0.9
    units: float = 8.0  # of rounding in f
    small_difference: float = 1e-5  # of f: what contradicts the slopes within it is noise
    forgetting: float = 0.5  # of that noise at each gain
    patience: int = 90
    # with noise
    control: float = 3.0  # of ⟨s, y⟩ over the error of a slope, for a pair to be certain
    creep: float = 0.1  # of what slopes are likely to be off by, to be worth going on for
    noisy_patience: int = 40
    too_steep: float = 1e30
    falls: int = 30
    bottomless: float = 1e30


FLOAT64 = Constants()
FLOAT32 = Constants(epsilon=2.0**-23, noise=1e-5, roundoff=1e-5)

# Of one trial: f and g there, Δ, ⟨g, s⟩, ⟨g⁺, s⟩, ⟨s, y⟩; then as stored: s times unit, y, ⟨s, y⟩;
# what Δ and slopes may be off by.
Trial = namedtuple(
    "Trial", "f g difference gs gs_trial sy curved unit s y sy_stored error slope_error"
)
Pair = namedtuple("Pair", "s y sy")  # rounded as it is stored
Fit = namedtuple("Fit", "yDy sDs deepest")
Line = namedtuple("Line", "cubic secant")


def power_below(a):
    """Return the exponent e with 2^e <= a < 2^(e + 1), within its range."""
    return int(np.clip(np.frexp(a)[1] - 1, -MOST_EXPONENT, MOST_EXPONENT))


class Guarded:
    """The search: `ask` for a point, `tell` f and g there.

    `constants` are those of x's dtype. `status` is RUNNING until the search has ended.
    """

    def __init__(
        self, x, f, g, *, proposer="lbfgs", memory="auto", forward=None, gamma=None,
        initial_scale=None, cut="cocoercive", groups=None, noise=(0.0, 0.0), constants=None,
    ):  # fmt: skip
        self.c = c = constants or {"float64": FLOAT64, "float32": FLOAT32}[x.dtype.name]
        self.dtype, self.cocoercive = x.dtype, cut == "cocoercive"
        self.labels = None if groups is None else np.unique(groups, return_inverse=True)[1]
        d = x.size if groups is None else self.labels.max() + 1
        auto = min(c.most_pairs, max(c.least_pairs, c.cached // x.size))
        self.memory = (auto if memory == "auto" else memory) if proposer == "lbfgs" else 1
        self.proposer = proposer_named(proposer, c, x.size)
        self.forward = c.forward if forward is None else forward
        self.gamma = 1 / (c.gamma_share * d) if gamma is None else gamma
        self.x, g = x.astype(float), g.astype(float)
        exponent = power_below(np.abs(g).max())
        self.scale = 2.0**-exponent
        self.f = self.f_start = self.least_accepted = f * self.scale
        self.error_f, self.error_g = (level * self.scale for level in noise)
        self.noisy, self.unaligned = any(noise), 1 / np.sqrt(x.size)
        self.fallen = self.slope_errors = 0.0
        self.g = g * self.scale
        self.gmax = self.gmax_start = self._largest(self.x, self.g)
        self.status = RUNNING
        self.b, self.growth, self.unfolded = np.ones(x.size), 0.0, 0.0
        if initial_scale is not None:
            self._set_growth(initial_scale * d * 2.0**exponent)
        self.pairs, self.kind, self.h0, self.delta = [], 0, 1.0, np.zeros(x.size)
        self.tries = self.plain_fails = self.accepted = self.falls = 0
        self.steps = self.kept = 0
        self.won = 0.0
        self.longest = 0.0
        self.least_f, self.least_gmax, self.noise = self.f, self.gmax, 0.0
        self.gains, self.quiet, self.reopened = 0, 0, -1
        far_out = np.sqrt(c.epsilon) * np.abs(self.x).max()
        length = min(max(c.least_length, far_out), c.largest_length)
        first = self._face(self.g)
        self.unit = self.unit_start = length / np.sqrt(dot(first, first))
        self.t = 1.0
        self._first()

    @property
    def ended(self):
        return self.status != RUNNING or self.gmax == 0

    def ask(self):
        """Return the point to evaluate next."""
        return self.trial.astype(self.dtype)

    def tell(self, f, g, at=None):
        """Take f and g at the point asked for, or `at` one like it; return whether x moved."""
        if at is not None:
            self._place(at.astype(float))
        f = f * self.scale
        self.trial_gmax = np.nan
        s_max, moved = self.moved, False
        if np.isfinite(f):
            moved = self._judge(f, g.astype(float) * self.scale)
        elif f < 0 and self._fall() >= self.c.falls:
            self._end(NOT_FINITE)
        else:
            self._hole()
        if moved:
            self.accepted += 1
            self.falls = 0
            self.longest = max(self.longest, s_max)
            self.least_accepted = min(self.least_accepted, self.f)
        if np.isfinite(f):
            self._count_gain(f)
        return moved

    # --- what bounds change (reference_bounds.py) -------------------------------------------------
    def _largest(self, _x, g):
        """Return max|g|."""
        return np.abs(g).max()

    def _face(self, g):
        """Return g where the search may move."""
        return g

    def _within(self, point):
        return point

    def _slope(self, delta):
        return dot(self.g, delta)

    def _decrease(self, p):
        """Return twice what a step of p promises."""
        return dot(p * self.g, self.g)

    def _settling(self):
        """Return what such a step from here would be promised."""
        sure = np.maximum(np.abs(self.g) - self.error_g, 0)
        return self.c.promise * self.gamma * self.growth * dot(self.b * sure, sure)

    def _promised(self, trial):
        """Return the most that a plain step that keeps its promise changes f by."""
        return self.c.promise * trial.gs

    def _arrive(self, _before):
        """Every coordinate moves as before."""

    # --- writing trials --------------------------------------------------------------------------
    def rounded(self, a):
        with np.errstate(over="ignore"):
            return a.astype(self.dtype).astype(float)

    def _place(self, point):
        self.trial = point
        with np.errstate(over="ignore", invalid="ignore"):
            self.moved = np.abs(point - self.x).max()

    def _step(self, step):
        """Write x + step; True: it is finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            self._place(self._within(self.rounded(self.x + step)))
        return np.isfinite(self.moved)

    def _too_short(self):
        epsilon = self.c.epsilon
        return self.moved == 0 or (
            self.moved <= epsilon**2 * self.longest and self.gmax >= epsilon * self.gmax_start
        )

    def _first(self):
        self.state = "first"
        while not self._step(-(self.t * self.unit) * self.g):
            self.t *= self.c.hole_shorter
        if self._too_short():
            self._plain()

    def _direct(self):
        if not self.pairs:
            return self._plain()
        with np.errstate(over="ignore", invalid="ignore"):
            delta = self.proposer.direction(self)
            slope = self._slope(delta)
        if not -np.inf < slope < 0:
            self._forget()
            return self._plain()
        return self._begin(delta)

    def _forget(self):
        self.pairs, self.delta = [], np.zeros(self.x.size)
        self.proposer.reset()

    def _begin(self, delta):
        self.state, self.t, self.delta = "direction", 1.0, delta
        self._along()

    def _along(self):
        while not self._step(self.t * self.delta):
            self.t *= self.c.hole_shorter
        if self._too_short():
            self._plain()

    def _plain(self):
        if self.state != "plain":
            self.t = 1.0
        self.state, self.tries = "plain", 0
        self._open(self.unit)
        while True:
            p = self._plain_step()
            decrease = self._decrease(p)
            if self._step(-p * self.g) and np.isfinite(decrease):
                break
            self._grow(self.c.hole_shorter)
        if self._too_short() or not decrease > 0:
            self._spend()

    def _plain_step(self):
        return self.gamma * self.growth * self.t * self.b

    def _spend(self):
        if self.reopened == self.gains:
            return self._end_without_progress()
        self.reopened = self.gains
        self._forget()
        self.b, self.growth = np.full(self.b.size, self.c.reopened_box), 0.0
        self.t, self.tries, self.plain_fails = 1.0, 0, 0
        self.unit = self.unit_start * (self.gmax_start / self.gmax)
        return self._first()

    # --- judging ---------------------------------------------------------------------------------
    def _judge(self, f, g):
        c = self.c
        trial = self.last = self._measure(f, g)
        self.trial_gmax = np.abs(g).max()
        outside = max(trial.gs - (f - self.f), f - self.f - trial.gs_trial)
        if outside <= c.small_difference * abs(self.f):
            self.noise = max(self.noise, outside)
        if not self.trial_gmax < c.too_steep:
            if f < self.f:
                self._fall()
            self._hole()
            return False
        self.trial_gmax = self._largest(self.trial, g)
        self._open(self.t * self.unit)
        highest = self.least_accepted + 2 * self.error_f if self.noisy else self.f_start
        enough = trial.difference <= c.armijo * trial.gs + trial.error
        wins = trial.gs < 0 and enough and trial.f <= highest
        most = self._promised(trial) + (trial.error + trial.slope_error)
        kept = self.state == "plain" and trial.difference <= most
        line = self._line(trial)
        misleads = line.cubic > c.far * line.secant
        fit = None
        if trial.curved and (self.state == "plain" or wins or not misleads):
            fit = self._learn(trial, kept, misleads)
        shallow = fit is None or fit.deepest < c.deep
        if self.state == "plain" and not kept and shallow and not self.noisy:
            self._grow(c.halving)
        if fit and (wins or self.state == "plain"):
            self._remember(trial, fit)
        if wins:
            self._move(trial, kept)
        elif self.state == "plain":
            self.t *= c.halving if self.noisy and shallow else 1
            self._fail_plain()
        else:
            self._fail(trial, line, misleads, fit)
        return wins

    def _measure(self, f, g):
        s, y = self.trial - self.x, g - self.g
        unit = 2.0 ** -power_below(self.moved)
        with np.errstate(under="ignore", over="ignore", invalid="ignore"):
            s_stored = (s * unit).astype(np.float32).astype(float)
            y_stored = y.astype(np.float32).astype(float)
            sy, gs, gs_trial = dot(s, y), dot(self.g, s), dot(g, s)
            slope_error = self.error_g * np.sqrt(dot(s, s))
            difference, error = self._difference(f, gs, gs_trial, slope_error)
            curved = sy > self.c.epsilon * dot(np.abs(s), np.abs(y))
            curved = curved and sy >= self.c.control * self.unaligned * slope_error
            sy_stored = dot(s_stored, y_stored)
        return Trial(
            f, g, difference, gs, gs_trial, sy, curved, unit, s_stored, y_stored, sy_stored, error,
            slope_error,
        )  # fmt: skip

    def _difference(self, f, gs, gs_trial, slope_error):
        """Return Δ, and what it may be off by."""
        difference, error = f - self.f, 2 * self.error_f
        lost = slope_error < error and abs(difference) <= error
        if lost or abs(difference) <= self.c.noise * abs(self.f):
            return 0.5 * (gs + gs_trial), slope_error
        return difference, error

    def _line(self, trial):
        """Return the minimisers on (0, t] of the cubic and of the parabola through both ends."""
        t = self.t
        d0, d1 = trial.gs / t, trial.gs_trial / t
        with np.errstate(all="ignore"):
            secant = t * d0 / (d0 - d1) if d1 > d0 else np.float64(0)
            a = d0 + d1 - 3 * trial.difference / t
            r = np.sqrt(a * a - d0 * d1)
            near, far = d0 / (d0 + a - r), 1 - (d1 + r - a) / (d1 - d0 + 2 * r)
        cubic = t * (near if d0 + a < 0 else far)
        return Line(min(cubic, t) if cubic > 0 else secant, secant)

    def _shorter(self, cubic, least):
        c = self.c
        if not cubic > 0:
            return c.unknown_shorter * self.t
        return min(max(cubic, least * self.t), c.most_shorter * self.t)

    def _fail(self, trial, line, misleads, fit):
        """Of a first step or a direction that did not win."""
        c = self.c
        self.tries += 1
        if self.state == "first":
            self.t = self._shorter(line.cubic, c.least_first)
            return self._plain() if self.tries >= c.first_tries else self._first()
        straight = trial.curved and not misleads and c.far * line.cubic >= line.secant
        if self.tries >= (c.straight_tries if straight else c.most_tries):
            return self._plain()
        if straight and self.proposer.relearns and self.tries <= c.relearnt:
            self._remember(trial, fit)
            return self._direct()
        self.t = self._shorter(line.cubic, c.least_shorter)
        return self._along()

    def _fail_plain(self):
        self.plain_fails += 1
        if self.plain_fails >= self.c.plain_fails:
            return self._spend()
        return self._plain()

    def _hole(self):
        """Of a trial where f or g is not finite."""
        if self.state == "plain":
            self._grow(self.c.hole_shorter)
            return self._fail_plain()
        self.tries += 1
        self.t *= self.c.hole_shorter
        if self.state == "first":
            return self._first()
        return self._plain() if self.tries >= self.c.most_tries else self._along()

    def _fall(self):
        self.falls += 1
        return self.falls

    def _move(self, trial, kept):
        c = self.c
        self.proposer.moved(self.t, self.state == "plain")
        if self.state == "plain":
            self.plain_fails, self.t = 0, 1.0
        before = self.x, self.g
        self.x, self.g, self.f = self.trial, trial.g, trial.f
        self.gmax = self._largest(self.x, self.g)
        self.tries = 0
        if self.noisy:
            self.fallen = max(0.0, self.fallen - trial.difference - trial.error)
            self.slope_errors += self.unaligned * trial.slope_error
        if self.gmax == 0:
            return None
        self._arrive(before)
        if kept:
            self._grow(self.forward)
        elif self.state != "plain":
            self._grow(1 + c.direction_share * (self.forward - 1))
        self.steps += 1
        self.won -= trial.difference
        self.kept += kept
        if self.steps >= c.window and not self._settled() and self.state != "plain":
            return self._plain()
        error = trial.slope_error
        falls_on = trial.gs_trial <= trial.gs + c.control * error and trial.gs_trial <= -error
        if not trial.curved and self.state != "plain" and falls_on:
            self.proposer.reset()
            return self._begin(self.rounded(c.coasting / trial.unit * trial.s))
        return self._direct()

    def _settled(self):
        c = self.c
        if self.won + 2 * self.error_f < c.window * self._settling() and self.kept < c.window:
            return False
        self.steps, self.kept, self.won = 0, 0, 0.0
        return True

    # --- the box ---------------------------------------------------------------------------------
    def _set_growth(self, growth):
        self.growth = min(growth, self.c.largest_growth)
        self.unfolded = self.growth * self.c.fold

    def _open(self, step):
        if self.growth == 0:
            self._set_growth(self.c.room * step)

    def _grow(self, factor):
        fold = self.c.fold
        self.growth *= factor
        if self.growth > self.unfolded:
            self.growth = min(self.growth / fold, self.c.largest_growth)
            self.b = np.minimum(1, fold * self.b)
            self.h0 /= (1, np.sqrt(fold), fold)[self.kind]

    def _learn(self, trial, kept, misleads):
        """Cut the box by the pair; return how well D = 1, √b, b fit it then."""
        c, broken = self.c, self.state == "plain" and not kept
        sure = np.maximum(np.abs(trial.y) - 2 * self.error_g / c.safety, 0)
        u, nu = sure**2, trial.sy + 2 * trial.slope_error if self.cocoercive else 0.0
        if broken:
            nu = self._normaliser(trial)
            if not self.cocoercive:
                u = np.maximum(0, 0.5 * self.g**2 - self.g * trial.g)
        if self.labels is not None:
            u = np.bincount(self.labels, u)[self.labels]
        with np.errstate(over="ignore"):
            w = (c.safety * self.growth / nu if nu > 0 else 0.0) * u * self.b
        depth = c.depth if self.state == "plain" and misleads else np.inf
        self.b = np.maximum(self.b / np.maximum(1, np.minimum(w, depth)), c.smallest_b)
        metrics = (np.ones(self.b.size), np.sqrt(self.b), self.b)
        with np.errstate(all="ignore"):
            return Fit(
                [dot(trial.y * trial.y, D) for D in metrics],
                [dot(trial.s, trial.s / D) for D in metrics],
                w.max(),
            )

    def _normaliser(self, trial):
        """Return ν of a broken promise, 0 where the pair gives none."""
        forward = self.f - trial.f + trial.gs_trial
        least = min(forward, trial.sy - forward)
        error = self.c.roundoff * (abs(self.f) + abs(trial.f) + abs(trial.gs_trial))
        error += 2 * self.error_f + trial.slope_error
        if not trial.sy > 0 or not least >= -error:
            return 0.0
        noisy = abs(trial.f - self.f) <= self.c.noise * abs(self.f)
        if self.cocoercive:
            most = trial.sy + 2 * trial.slope_error
            return most if noisy or least <= error else min(most, 2 * (least + error))
        return 0.5 * trial.sy if noisy or forward <= error else forward

    # --- H₀ ------------------------------------------------------------------------------
    def _remember(self, trial, fit):
        if not trial.sy_stored > 0:
            return
        with np.errstate(all="ignore"):
            fits = np.multiply(fit.yDy, fit.sDs) / trial.sy_stored / trial.sy_stored
            fits[~np.isfinite(fits)] = np.inf
            kind = 1 if self.c.margin * fits[1] < fits[0] else 0
            if self.c.margin * fits[2] < fits[0] and fits[2] < fits[1]:
                kind = 2
            h0 = np.sqrt(fit.sDs[kind] / fit.yDy[kind]) / trial.unit
        if trial.sy >= self.c.control * trial.slope_error or not self.pairs:
            if not 0 < h0 < np.inf:
                return
            self.kind, self.h0 = kind, h0
        pair = Pair(trial.s / trial.unit, trial.y, trial.sy_stored / trial.unit)
        self.pairs = [pair, *self.pairs][: self.memory]
        self.proposer.learn(self, fit, trial.sy)

    def metric(self):
        """Return the diagonal of H₀."""
        return self.h0 * (np.ones(self.b.size), np.sqrt(self.b), self.b)[self.kind]

    # --- where runs end --------------------------------------------------------------------------
    def _count_gain(self, f):
        c = self.c
        rounding, creep = c.units * c.epsilon * abs(self.least_f), c.creep * self.slope_errors
        lower = self.least_f - f > max(rounding, self.noise, 2 * self.error_f, creep)
        flatter = self.trial_gmax < c.flatter * self.least_gmax
        if lower:
            self.least_f = f
        if flatter:
            self.least_gmax = self.trial_gmax
        if lower or flatter or self.fallen > max(rounding, creep):
            self.gains += 1
            self.quiet = 0
            self.fallen = self.slope_errors = 0.0
            self.noise *= c.forgetting
            return
        self.quiet += 1
        if self.quiet >= (c.noisy_patience if self.noisy else c.patience) and not self.ended:
            self._end_without_progress()

    def _end_without_progress(self):
        unit = self.c.units * self.c.epsilon
        hidden = (
            2 * self.error_f > unit * abs(self.least_f) or self.error_g > unit * self.gmax_start
        )
        won = self.least_f < self.f_start or self.least_gmax < self.gmax_start
        self._end(NOISE if hidden and won else PRECISION)

    def _end(self, status):
        bottom = -self.c.bottomless * max(1.0, abs(self.f_start))
        falls = self.falls > 0 or self.f < bottom
        self.status = NOT_FINITE if falls else status
