"""Directions of the guarded search in plain NumPy, written from docs/guarded.md alone.

Each is asked for a direction from where the search is; `search.last` is the trial measured last,
the step that led there.
"""

import numpy as np


def dot(a, b):
    """Return ⟨a, b⟩, halves added to halves: close, and the same bits on every machine."""
    terms = np.append(a * b, np.zeros((1 << (a.size - 1).bit_length()) - a.size))
    while terms.size > 1:
        terms = terms[: terms.size // 2] + terms[terms.size // 2 :]
    return terms[0]


class LBFGS:
    """The two loops, whose vectors are rounded to x's dtype and whose weights are not."""

    relearns = True

    def direction(self, search):
        pairs, q, alphas, weights = search.pairs, -search.g, [], []
        for pair in pairs:
            alphas.append(dot(pair.s, q) / pair.sy)
            q = q - alphas[-1] * pair.y
        q = self.added(search, -search.g, [-alpha for alpha in alphas], [pair.y for pair in pairs])
        q = search.rounded(search.metric() * q)
        delta = q
        for pair, alpha in zip(reversed(pairs), reversed(alphas), strict=True):
            weights.insert(0, alpha - dot(pair.y, delta) / pair.sy)
            delta = delta + weights[0] * pair.s
        return self.added(search, q, weights, [pair.s for pair in pairs])

    def added(self, search, q, weights, vectors):
        """Return q + Σ weight·vector, newest first, rounded as the walks over them round."""
        whole = len(vectors) // 5 * 5
        for k, (weight, vector) in enumerate(zip(weights, vectors, strict=True)):
            q = q + weight * vector
            if k >= whole or k % 5 == 4:
                q = search.rounded(q)
        return q

    def learn(self, search, fit, sy):
        """H₀ is as it was fitted."""

    def moved(self, t, plain):
        """All that it remembers are the pairs."""

    def reset(self):
        """All that it remembers are the pairs."""


class Momentum:
    """Steps of the shortest length seen, in the metric of each D, that follow each other."""

    relearns = False

    def __init__(self, constants, size):
        self.c = constants
        self.lengths = np.full(3, np.inf)
        self.reset()

    def learn(self, search, fit, sy):
        grown = self.c.length_growth * self.lengths
        self.lengths = np.minimum(grown, sy / np.array(fit.yDy))
        search.h0 = self.lengths[search.kind]

    def moved(self, t, plain):
        if plain:
            return self.reset()
        self.steps += 1
        self.t = t
        return None

    def reset(self):
        self.steps = 0


class HeavyBall(Momentum):
    def direction(self, search):
        beta = min(self.c.most_momentum, self.steps / (self.steps + self.c.momentum_delay))
        last = beta * self.t * search.delta if self.steps > 0 else 0.0
        return search.rounded(last - search.metric() * search.g)


class Nesterov(Momentum):
    def __init__(self, constants, size):
        super().__init__(constants, size)
        self.z = np.zeros(size)

    def direction(self, search):
        a = 0.5 * (1 + np.sqrt(1 + 4 * self.a * self.a))
        beta = (self.a - 1) / a if self.steps > 0 else 0.0
        self.a = a
        z = -search.metric() * search.g
        before = self.z - search.last.s / search.last.unit
        self.z = search.rounded(z)
        return search.rounded(z + beta * (z - before))

    def reset(self):
        super().reset()
        self.a = 1.0


class ConjugateGradient:
    relearns = False

    def __init__(self, constants, size):
        self.c = constants
        self.steps, self.D = 0, np.zeros(size)

    def direction(self, search):
        g, delta, y = search.g, search.delta, search.last.y
        if 0 < self.steps < self.c.restart:
            delta_y = dot(delta, y)
            with np.errstate(all="ignore"):
                along = 2 * dot(y, self.D * y) / delta_y * dot(delta, g)
                beta = (dot(y, self.D * g) - along) / delta_y
            if delta_y > 0 and np.isfinite(beta):
                return search.rounded(beta * delta - self.D * g)
        self.steps, self.D = 0, search.metric()
        return search.rounded(-self.D * g)

    def learn(self, search, fit, sy):
        """H₀ is as it was fitted."""

    def moved(self, t, plain):
        self.steps = 0 if plain else self.steps + 1

    def reset(self):
        self.steps = 0


def proposer_named(name, constants, size):
    if name == "lbfgs":
        return LBFGS()
    kinds = {"heavy-ball": HeavyBall, "nesterov": Nesterov, "cg": ConjugateGradient}
    return kinds[name](constants, size)
