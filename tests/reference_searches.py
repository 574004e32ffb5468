"""Box, ellipsoid, simplex and backtracking in plain NumPy, straight from their formulas.

No scaling, no treatment of rounding, no search for the scale: f is convex and everything is finite.
"""

from dataclasses import dataclass

import numpy as np


def divergences(f, g, f_trial, g_trial, s):
    """Return D(x, x⁺) and D(x⁺, x)."""
    forward = f - f_trial + g_trial @ s
    return forward, g_trial @ s - g @ s - forward


def half_space(f, g, f_trial, g_trial, s, cut):
    """Return u with ⟨u, q⟩ <= 1 for every valid q."""
    forward, backward = divergences(f, g, f_trial, g_trial, s)
    if cut == "hypergradient":
        return np.maximum(0.5 * g**2 - g * g_trial, 0) / forward
    return (g - g_trial) ** 2 / (2 * min(forward, backward))


def groups_of(groups, size):
    """Return a matrix that sums coordinates into groups, in order of first appearance."""
    labels = np.arange(size) if groups is None else np.asarray(groups)
    order = list(dict.fromkeys(labels.tolist()))
    return np.array([[label == wanted for label in labels] for wanted in order], float)


# By how much one co-coercive cut may shrink a step size; the paper's cut has no limit.
DEPTH = 100.0


def box_candidate(b, square, gamma, candidate):
    return gamma * b


def box_cut(b, u, refine, depth):
    return 1 / np.maximum(1 / b, np.minimum(u, depth / b))


def simplex_cut(b, u, refine, depth):
    d = len(b)
    keep = (d - 1) / (d - 0.5)
    return 1 / (keep / b + (1 - keep) * d * np.minimum(u, depth / b))


def ellipsoid_candidate(a, square, gamma, candidate):
    if candidate == "plain":
        return gamma * np.sqrt(a / len(a))
    return gamma * a * square / np.sqrt(np.sum(a * square**2))


def ellipsoid_cut(a, u, refine, depth):
    d = len(a)
    ell = np.sum(u**2 * a)
    largest = keep = ell / d * (d - 1) / (ell - 1)
    for _ in range(refine):  # Newton on Σ log(c/a + (1 − c)u²)
        terms = (1 / a - u**2) / (keep / a + (1 - keep) * u**2)
        keep = float(np.clip(keep + terms.sum() / (terms**2).sum(), 0.1 * keep, largest))
    limited = np.minimum(u, max(depth, np.sqrt(2 * d)) / np.sqrt(a))
    return 1 / (keep / a + (1 - keep) * limited**2)


def grow_linear(b, forward):
    return forward * b


def grow_square(a, forward):
    return forward**2 * a


SETS = {
    "box": (box_candidate, box_cut, grow_linear),
    "simplex": (box_candidate, simplex_cut, grow_linear),
    "ellipsoid": (ellipsoid_candidate, ellipsoid_cut, grow_square),
}


def defaults(method, d, initial_scale):
    """Return the first set and γ."""
    if method == "box":
        return np.full(d, initial_scale * d), 1 / (2 * d)
    if method == "ellipsoid":
        return np.full(d, (initial_scale * d) ** 2), 1 / np.sqrt(2 * d)
    return np.full(d, initial_scale), 0.5


@dataclass
class Reference:
    """One search; the set is an array with one number per group."""

    method: str
    size: int
    initial_scale: float
    forward: float
    gamma: float | None = None
    cut: str = "cocoercive"
    candidate: str = "gradient"
    refine: int = 0
    groups: list | None = None

    def __post_init__(self):
        one = self.method == "backtracking"
        self.gather = groups_of([0] * self.size if one else self.groups, self.size)
        self._propose, self._cut, self._grow = SETS["box" if one else self.method]
        self.first, gamma = defaults(self.method, len(self.gather), self.initial_scale)
        self.gamma = gamma if self.gamma is None else self.gamma

    def candidate_at(self, current, g):
        """Return the step sizes p of the next trial x − p∘g."""
        return self.gather.T @ self._propose(
            current, self.gather @ g**2, self.gamma, self.candidate
        )

    def judge(self, current, f, g, f_trial, g_trial, p):
        """Return whether the trial is accepted, and the set after it."""
        if f_trial - f + 0.5 * np.sum(p * g**2) <= 0:
            return True, self._grow(current, self.forward)
        u = half_space(f, g, f_trial, g_trial, -p * g, self.cut)
        depth = DEPTH if self.cut == "cocoercive" else np.inf
        return False, self._cut(current, self.gather @ u, self.refine, depth)

    def path(self, fun, x, iterations):
        """Yield (trial, accepted, set after it) of a run from x."""
        current = self.first
        f, g = fun(x)
        for _ in range(iterations):
            p = self.candidate_at(current, g)
            trial = x - p * g
            f_trial, g_trial = fun(trial)
            accepted, current = self.judge(current, f, g, f_trial, g_trial, p)
            if accepted:
                x, f, g = trial, f_trial, g_trial
            yield trial, bool(accepted), current
