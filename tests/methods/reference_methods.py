"""The methods of docs/methods.md in plain NumPy, each from its formula alone.

A reference evaluates points one after the other until the evaluation raises; what a test compares
are these points. None of them handles what is not finite.
"""

import numpy as np

NOISE = 1e-9


class Done(Exception):
    pass


class Evaluations:
    """Evaluates, remembers the points, and ends after so many."""

    def __init__(self, fun, most):
        self.fun, self.most, self.points = fun, most, []

    def __call__(self, x):
        if len(self.points) == self.most:
            raise Done
        self.points.append(np.array(x))
        return self.fun(x)


def change(x, f, g, x_new, f_new, g_new):
    """Return f_new - f, by the trapezoidal rule where that is rounding."""
    if abs(f_new - f) <= NOISE * max(abs(f), abs(f_new)):
        return 0.5 * (g + g_new) @ (x_new - x)
    return f_new - f


def armijo(share, x, f, g, x_new, f_new, g_new, slack=0.0):
    return change(x, f, g, x_new, f_new, g_new) <= share * (g @ (x_new - x)) + slack


def first_step(fun, x, direction):
    """Double or halve; return x0's f and g, the step, and the point it leads to with f and g."""
    f, g = fun(x)
    d = direction(g)
    t, held, halved = 1.0 / np.linalg.norm(d), None, False
    while True:
        trial = x + t * d
        f_trial, g_trial = fun(trial)
        won = armijo(0.5, x, f, g, trial, f_trial, g_trial)
        if won and (held is None or f_trial < held[2]):
            held = (t, trial, f_trial, g_trial)
            if halved:
                return f, g, *held
            t *= 2.0
        elif held is not None:
            return f, g, *held
        else:
            halved = True
            t *= 0.5


def down(g):
    return -g


def backtrack(fun, x, f, g, d, t, slack=0.0, factor=0.5):
    """Return the first of t, factor·t, … that satisfies Armijo's rule, and the point there."""
    while True:
        trial = x + t * d
        f_trial, g_trial = fun(trial)
        if armijo(0.5, x, f, g, trial, f_trial, g_trial, slack):
            return t, trial, f_trial, g_trial
        t *= factor


class Reference:
    """The value C of a non-monotone search."""

    def __init__(self, f, rule, window, eta):
        self.rule, self.window, self.eta = rule, window, eta
        self.values, self.q, self.c = [f], 1.0, f

    def add(self, f):
        self.values.append(f)
        q = self.eta * self.q + 1.0
        self.c = (self.eta * self.q * self.c + f) / q
        self.q = q

    def slack(self):
        c = max(self.values[-self.window :]) if self.rule == "grippo" else self.c
        return max(0.0, c - self.values[-1])


def nonmonotone(fun, x, reference="grippo", window=10, eta=0.85):
    f0, _, t, x, f, g = first_step(fun, x, down)
    c = Reference(f0, reference, window, eta)
    c.add(f)
    while True:
        t, x, f, g = backtrack(fun, x, f, g, -g, t, c.slack())
        c.add(f)
        t *= 1.1


def polyak(fun, x, f_star=None):
    if f_star is not None:
        while True:
            f, g = fun(x)
            x = x - (f - f_star) / np.sum(g * g) * g
    f0, _, _, x, f, g = first_step(fun, x, down)
    delta, least = f0 - f, f
    while True:
        x = x - (f - least + delta) / np.sum(g * g) * g
        f, g = fun(x)
        delta *= 2.0 if f <= least - 0.5 * delta else 0.5
        least = min(least, f)


def adgd(fun, x, version="2020"):
    old = x
    _, g_old, step, x, _, g = first_step(fun, x, down)
    theta = np.inf if version == "2020" else 1.0 / 3.0
    while True:
        curvature = np.linalg.norm(g - g_old) / np.linalg.norm(x - old)
        if version == "2020":
            new = min(np.sqrt(1.0 + theta) * step, 0.5 / curvature)
        else:
            under = 2.0 * (step * curvature) ** 2 - 1.0
            new = min(
                np.sqrt(2.0 / 3.0 + theta) * step, step / np.sqrt(under) if under > 0 else np.inf
            )
        theta, step = new / step, new
        old, g_old, x = x, g, x - step * g
        _, g = fun(x)


def bb(fun, x, form="long"):
    old = x
    f0, g_old, t, x, f, g = first_step(fun, x, down)
    c = Reference(f0, "grippo", 10, 0.85)
    c.add(f)
    while True:
        s, y = x - old, g - g_old
        if s @ y > 0.0:
            t = (s @ s) / (s @ y) if form == "long" else (s @ y) / (y @ y)
        else:
            t *= 2.0
        old, g_old = x, g
        t, x, f, g = backtrack(fun, x, f, g, -g, t, c.slack())
        c.add(f)


def diagonal_bb(fun, x, mu=1e-6):
    old = x
    f0, g_old, t, x, f, g = first_step(fun, x, down)
    c = Reference(f0, "grippo", 15, 0.85)
    c.add(f)
    u = np.full(x.size, 1.0 / t)
    while True:
        s, y = x - old, g - g_old
        if s @ y > 0.0:
            fitted = (s * y + mu * u) / (s * s + mu)
            u = np.clip(fitted, (s @ y) / (s @ s), (y @ y) / (s @ y))
        old, g_old = x, g
        _, x, f, g = backtrack(fun, x, f, g, -g / u, 1.0, c.slack())
        c.add(f)


def hypergradient(fun, x, form="multiplicative", shape="scalar", hyper_lr=None):
    _, g_old, alpha, x, _, g = first_step(fun, x, down)
    if form == "additive":
        scale = x.size if shape == "coordinate" else 1
        rate = 0.02 * scale * alpha / (g_old @ g_old) if hyper_lr is None else hyper_lr
    else:
        rate = 0.02 if hyper_lr is None else hyper_lr
    p = alpha if shape == "scalar" else np.full(x.size, alpha)
    while True:
        if shape == "scalar" and form == "additive":
            p = p + rate * (g @ g_old)
        elif shape == "scalar":
            p = p * (1.0 + rate * (g @ g_old) / (np.linalg.norm(g) * np.linalg.norm(g_old)))
        elif form == "additive":
            p = np.maximum(p + rate * g * g_old, 0.0)
        else:
            p = p * np.exp(rate * g * g_old / np.maximum(np.maximum(g * g, g_old * g_old), 1e-300))
        x, g_old = x - p * g, g
        _, g = fun(x)


def rprop(fun, x):
    _, g_old, first, x, _, g = first_step(fun, x, lambda g: -np.sign(g))
    eta = np.full(x.size, first)
    while True:
        agreement = np.sign(g * g_old)
        eta = eta * np.where(agreement > 0, 1.2, np.where(agreement < 0, 0.5, 1.0))
        g_old = np.where(agreement < 0, 0.0, g)
        if not g_old.any():
            continue
        x = x - eta * np.sign(g_old)
        _, g = fun(x)


def scaled_search(fun, x, scaled, line_search):
    """Follow -scaled(g), a direction that remembers, by a line search or at the first step."""
    _, _, t, x, f, g = first_step(fun, x, lambda g: -scaled(g))
    while True:
        d = -scaled(g)
        if line_search:
            t, x, f, g = backtrack(fun, x, f, g, d, t)
            t *= 1.1
        else:
            x = x + t * d
            f, g = fun(x)


def adagrad(fun, x, line_search=True):
    total = np.zeros(x.size)

    def scaled(g):
        nonlocal total
        total = total + g**2
        return g / (np.sqrt(total) + 1e-10)

    scaled_search(fun, x, scaled, line_search)


def rmsprop(fun, x, line_search=True, decay=0.9):
    v = np.zeros(x.size)

    def scaled(g):
        nonlocal v
        v = decay * v + (1.0 - decay) * g**2
        return g / (np.sqrt(v) + 1e-6)

    scaled_search(fun, x, scaled, line_search)


def adam(fun, x, beta1=0.9, beta2=0.999):
    m, v, t = np.zeros(x.size), np.zeros(x.size), 0

    def scaled(g):
        nonlocal m, v, t
        t += 1
        m = beta1 * m + (1.0 - beta1) * g
        v = beta2 * v + (1.0 - beta2) * g**2
        return m / (1.0 - beta1**t) / (np.sqrt(v / (1.0 - beta2**t)) + 1e-8)

    scaled_search(fun, x, scaled, line_search=False)


def heavy_ball(fun, x, mapped, momentum, schedule):
    old = x
    _, _, first, x, _, g = first_step(fun, x, lambda g: -mapped(g))
    buffer = (x - old) / -first
    t = 1
    while True:
        buffer = momentum * buffer + mapped(g)
        step = first / np.sqrt(t + 1.0) if schedule == "sqrt" else first
        x = x - step * buffer
        _, g = fun(x)
        t += 1


def sign(fun, x, scale="none", momentum=0.0, schedule="sqrt"):
    def mapped(g):
        return np.sign(g) * (np.abs(g).sum() if scale == "l1" else 1.0)

    heavy_ball(fun, x, mapped, momentum, schedule)


def normalized_gd(fun, x, momentum=0.0, schedule="sqrt"):
    heavy_ball(fun, x, lambda g: g / np.linalg.norm(g), momentum, schedule)


def osgm(fun, x, shape="diagonal", action="monotone", hyper_lr=1.0):
    old = x
    _, g_old, first, x, f, g = first_step(fun, x, down)
    p = np.full(x.size if shape == "diagonal" else 1, first)
    squares = np.zeros(p.size)
    curvature = np.linalg.norm(g - g_old) / np.linalg.norm(x - old)
    while True:
        if not p.any():
            h = g * g / (g @ g) if shape == "diagonal" else np.ones(1)
            squares = squares + h**2
            p = hyper_lr * first * h / (np.sqrt(squares) + 1e-12)
        half = x - p * g
        f_half, g_half = fun(half)
        fell = change(x, f, g, half, f_half, g_half) <= 0.0
        h = g_half * g / (g @ g)
        h = h if shape == "diagonal" else h.sum(keepdims=True)
        squares = squares + h**2
        p = np.maximum(p + hyper_lr * first * h / (np.sqrt(squares) + 1e-12), 0.0)
        curvature = max(curvature, np.linalg.norm(g_half - g) / np.linalg.norm(half - x))
        if action == "lookahead":
            x = half - g_half / curvature
            f, g = fun(x)
            curvature = max(curvature, np.linalg.norm(g - g_half) / np.linalg.norm(x - half))
        elif fell:
            x, f, g = half, f_half, g_half


def osgm_best(fun, x, momentum=0.95, momentum_lr=3.0, forward=1.1):
    old = x
    _, g_old, first, x, f, g = first_step(fun, x, down)
    p, squares = np.full(x.size, first), np.zeros(x.size)
    b, curvatures, best, largest = np.full(x.size, 1e290), np.zeros(3), 0, 0.0
    beta, momentum_squares, nulls, m = momentum, 0.0, 0, x - old

    def cut(s, y):
        nonlocal b, curvatures, best, largest
        if s @ y > 0.0:
            b = np.minimum(b, (s @ y) / np.maximum(y**2, 1e-300))
            metrics = np.array([np.ones(b.size), np.sqrt(b), b])
            seen = metrics @ y**2 / (s @ y)
            ratios = seen * (1.0 / metrics @ s**2) / (s @ y)
            curvatures = np.maximum(0.9 * curvatures, seen)
            largest = max(largest, seen[0])
            best = 1 if 3.0 * ratios[1] < ratios[0] else 0
            if 3.0 * ratios[2] < ratios[0] and ratios[2] < ratios[1]:
                best = 2

    def rates():
        return np.minimum(b, 1e12 / largest) ** (best / 2) / curvatures[best]

    cut(x - old, g - g_old)
    while True:
        g2 = max(g @ g, 1e-300)
        if not p.any() and not m.any():
            h = g * g / g2
            squares = squares + h**2
            p = rates() * h / (np.sqrt(squares) + 1e-12)
        half = x - p * g + beta * m
        f_half, g_half = fun(half)
        fell = change(x, f, g, half, f_half, g_half) < 0.0
        h = g_half * g / g2
        squares = squares + h**2
        p = np.maximum(p + rates() * h / (np.sqrt(squares) + 1e-12), 0.0)
        slope = g_half @ m / g2
        momentum_squares += slope**2
        cut(half - x, g_half - g)
        if momentum_squares > 0.0:
            beta = np.clip(beta - momentum_lr * slope / np.sqrt(momentum_squares), 0, 0.9995)
        if fell:
            m, nulls, b = half - x, 0, np.minimum(forward * b, 1e290)
            x, f, g = half, f_half, g_half
        else:
            m, nulls = np.zeros(x.size), nulls + 1
            p = 0.5 * p if nulls >= 3 else p


def diagonal_hessian(fun, x, diagonal):
    f, g = fun(x)
    t = 1.0
    while True:
        h = np.abs(diagonal(x))
        t, x, f, g = backtrack(fun, x, f, g, -(1.0 / np.maximum(h, 1e-8 * h.max())) * g, t)
        t *= 1.1


def diagonal_by_differences(fun, x, refresh):
    f, g = fun(x)
    t, age = 1.0, refresh
    while True:
        if age == refresh:
            h = np.empty(x.size)
            for i in range(x.size):
                moved = x.copy()
                moved[i] += 2.0**-26 * max(1.0, abs(x[i]))
                h[i] = (fun(moved)[1][i] - g[i]) / (moved[i] - x[i])
            age = 0
        h = np.abs(h)
        t, x, f, g = backtrack(fun, x, f, g, -(1.0 / np.maximum(h, 1e-8 * h.max())) * g, t)
        t *= 1.1
        age += 1


def autogd(fun, x, c=2.0):
    _, _, gamma, x, f, g = first_step(fun, x, down)
    while True:
        found = None
        for step in (gamma, gamma * c, gamma / c):
            trial = x - step * g
            f_trial, g_trial = fun(trial)
            enough = armijo(1e-4, x, f, g, trial, f_trial, g_trial)
            if enough and (found is None or f_trial < found[2]):
                found = step, trial, f_trial, g_trial
        if found is None:
            gamma /= c**2
        else:
            gamma, x, f, g = found


def best_of(fun, x):
    _, _, alpha, x, f, g = first_step(fun, x, down)
    d = x.size
    b = np.full(d, 1e10 * d * alpha)
    while True:
        box = b @ g**2 / (2 * d) > alpha * (g @ g)
        p = b / (2 * d) if box else np.full(d, alpha)
        trial = x - p * g
        f_trial, g_trial = fun(trial)
        difference = change(x, f, g, trial, f_trial, g_trial)
        kept = difference <= -0.5 * p @ g**2
        if not box:
            alpha *= 1.1 if kept else 0.5
        elif kept:
            b = 1.1 * b
        else:
            s, y = trial - x, g_trial - g
            divergence = g_trial @ s - difference
            nu = 2.0 * min(divergence, s @ y - divergence)
            b = np.minimum(b, nu / np.maximum(y**2, 1e-300)) if nu > 0.0 else 0.5 * b
        if kept:
            x, f, g = trial, f_trial, g_trial
