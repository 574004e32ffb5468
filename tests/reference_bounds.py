"""The guarded search within bounds in plain NumPy, written from docs/bounds.md alone."""

import numpy as np
from reference_guarded import Guarded, Pair
from reference_proposers import dot

LEAST_SHARE = 1e-8  # of its ⟨s, y⟩ that a pair may keep
MOST_PAIRS = 40
LEAST_CUT = 1.001  # of a whole step over what is left of it


class Bounded(Guarded):
    """The search between `lower` and `upper`, which are numbers of x's dtype."""

    def __init__(self, x, f, g, lower, upper, **options):
        self.lower, self.upper = lower.astype(float), upper.astype(float)
        self.over = self.promised = 0.0
        super().__init__(x, f, g, **options)
        self.memory = min(self.memory, MOST_PAIRS)

    def _active(self, x, g):
        return ((x <= self.lower) & (g >= 0)) | ((x >= self.upper) & (g <= 0))

    def _largest(self, x, g):
        room = np.where(g > 0, x - self.lower, self.upper - x)
        return np.minimum(np.abs(g), self.scale * room).max()

    def _face(self, g):
        return np.where(self._active(self.x, g), 0.0, g)

    def _within(self, point):
        return np.clip(point, self.lower, self.upper)

    def _slope(self, delta):
        # A coordinate at a bound that δ leads out of has no part in it.
        moves = self._within(self.rounded(self.x + delta)) != self.x
        return dot(self.g, np.where(moves, delta, 0.0))

    def _along(self):
        super()._along()
        self.over = 0.0
        if self.state != "direction":
            return
        step = self.t * self.delta
        free, left = self.rounded(self.x + step), self.trial - self.x
        cut = (free != self.trial) & (left != 0)
        if cut.any():
            self.over = (step[cut] / left[cut]).max()

    def _clipped(self, p):
        """Return what is left of a step of p, and the share that it is of the whole."""
        whole = -p * self.g
        s = np.clip(whole, self.lower - self.x, self.upper - self.x)
        with np.errstate(all="ignore"):
            return s, np.where(s == whole, 1.0, s / whole)

    def _decrease(self, p):
        s, share = self._clipped(p)
        self.promised = dot(-s * self.g, 1 - share / 2)
        return 2 * self.promised

    def _settling(self):
        s, share = self._clipped(self.gamma * self.growth * self.b)
        return dot(-s * self.g, 1 - share / 2)

    def _promised(self, trial):
        return -self.promised

    def _arrive(self, before):
        now = self._active(self.x, self.g)
        if not (now & ~self._active(*before)).any():
            return
        for k, pair in enumerate(self.pairs):
            s = np.where(now, 0.0, pair.s)
            sy = dot(s, pair.y)
            self.pairs[k] = Pair(s, pair.y, sy if sy > LEAST_SHARE * pair.sy else np.inf)

    def metric(self):
        return np.where(self._active(self.x, self.g), 0.0, super().metric())

    def _fail(self, trial, line, misleads, fit):
        if self.state != "direction" or not self.over > LEAST_CUT:
            return super()._fail(trial, line, misleads, fit)
        c, first = self.c, self.t / self.over
        self.tries += 1
        if line.cubic > 0:
            self.t = min(max(line.cubic, first), c.most_shorter * self.t)
        else:
            self.t = min(max(first, c.least_shorter * self.t), c.most_shorter * self.t)
        return self._plain() if self.tries >= c.most_tries else self._along()
