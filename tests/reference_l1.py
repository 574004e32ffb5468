"""The guarded search with an l1 penalty in plain NumPy, written from docs/l1.md alone.

f and g told are those of the smooth part; `smooth` is g, and what the base class takes for g and
for bounds are the pseudo-gradient and the orthant.
"""

import numpy as np
from reference_bounds import LEAST_SHARE, Bounded
from reference_guarded import Pair
from reference_proposers import dot


class Penalised(Bounded):
    """The search for a minimiser of f + Σ l1 |x| between `lower` and `upper`."""

    def __init__(self, x, f, g, l1, lower, upper, **options):
        self.l1 = l1.astype(float)
        self.outer = lower.astype(float), upper.astype(float)
        super().__init__(x, f + self._penalty(x), g, lower, upper, **options)

    def _penalty(self, x):
        return dot(self.l1, np.abs(x.astype(float)))

    def _pseudo(self, x, g):
        """Return the derivative of the side to which F falls, 0 where it falls to none."""
        l1, (lower, upper) = self.l1 * self.scale, self.outer
        right = g + np.where(x < 0, -l1, l1)
        left = g + np.where(x > 0, l1, -l1)
        pg = np.where((left > 0) & (x > lower), left, 0.0)
        return np.where((right < 0) & (x < upper), right, pg)

    def _largest(self, x, g):
        pg, (lower, upper) = self._pseudo(x, g), self.outer
        room = np.where(pg > 0, x - lower, upper - x)
        return np.minimum(np.abs(pg), self.scale * room).max()

    def _face(self, g):
        self._stand(g)
        return self._pseudo(self.x, g)

    def _stand(self, g):
        """Take the pseudo-gradient and the orthant of where x is."""
        x, (lower, upper) = self.x, self.outer
        self.smooth, self.g = g, self.rounded(self._pseudo(x, g))
        bent = self.l1 > 0
        self.lower = np.where(bent & ((x > 0) | ((x == 0) & (self.g <= 0))), lower.clip(0), lower)
        self.upper = np.where(
            bent & ((x < 0) | ((x == 0) & (self.g >= 0))), upper.clip(max=0), upper
        )

    def _proximal(self, p):
        """Return the step to the proximal point, twice what it promises."""
        x, pg, l1 = self.x, self._pseudo(self.x, self.smooth), self.l1 * self.scale
        whole = -p * pg
        side = np.where(x == 0, -np.sign(pg), np.sign(x))
        beyond, back = -side * (x + whole), 2 * p * l1
        s = np.where(beyond > 0, np.where(beyond <= back, -x, whole + side * back), whole)
        s = np.clip(s, self.outer[0] - x, self.outer[1] - x)
        with np.errstate(all="ignore"):
            share = np.where(s == whole, 1.0, s / whole)
        over = np.maximum(0, -side * (x + s))
        return s, dot(-s * pg, 2 - share) - 4 * dot(l1, over)

    def _step(self, step):
        if self.state == "direction":
            return super()._step(step)
        p = self.t * self.unit if self.state == "first" else self._plain_step()
        self._place(self.rounded(self.x + self._proximal(p)[0]))
        return np.isfinite(self.moved)

    def _decrease(self, p):
        twice = self._proximal(p)[1]
        self.promised = 0.5 * twice
        return twice

    def _settling(self):
        return 0.5 * self._proximal(self.gamma * self.growth * self.b)[1]

    def tell(self, f, g, at=None):
        if at is not None:
            self._place(at.astype(float))
        return super().tell(f + self._penalty(self.trial), g)

    def _measure(self, f, g):
        pg, self.g = self.g, self.smooth
        trial = super()._measure(f, g)
        self.g = pg
        s, change = self.trial - self.x, np.abs(self.trial) - np.abs(self.x)
        l1 = self.l1 * self.scale
        gs, gs_trial = dot(self.smooth * s + l1 * change, 1), dot(g * s + l1 * change, 1)
        difference, error = self._difference(f, gs, gs_trial, trial.slope_error)
        return trial._replace(gs=gs, gs_trial=gs_trial, difference=difference, error=error)

    def _arrive(self, before):
        moved = self.before != 0
        self._stand(self.g)
        now = self._active(self.x, self.g)
        if not (moved & (self.g == 0)).any():
            return
        for k, pair in enumerate(self.pairs):
            s = np.where(now, 0.0, pair.s)
            sy = dot(s, pair.y)
            self.pairs[k] = Pair(s, pair.y, sy if sy > LEAST_SHARE * pair.sy else np.inf)

    def _move(self, trial, kept):
        self.before = self.g
        super()._move(trial, kept)
