"""`minimize_batches` once more, in NumPy from the formulas of its docstring."""

import numpy as np

EPS = {"amsgrad": 1e-8, "adagrad": 1e-10}


def order(size, batch_size, seed):
    rng = np.random.default_rng(seed)
    while True:
        terms = rng.permutation(size)
        yield from (terms[k : k + batch_size] for k in range(0, size - batch_size + 1, batch_size))


class Direction:
    def __init__(self, name, d):
        self.name, self.t, self.v, self.most = name, 0, np.zeros(d), np.zeros(d)

    def __call__(self, g):
        self.t += 1
        if self.name == "sgd":
            return np.ones_like(g)
        if self.name == "adagrad":
            self.v += g**2
            return 1 / (np.sqrt(self.v) + EPS["adagrad"])
        self.v = 0.999 * self.v + 0.001 * g**2
        self.most = np.maximum(self.most, self.v)
        return 1 / (np.sqrt(self.most / (1 - 0.999**self.t)) + EPS["amsgrad"])


class Box:
    """b, infinite where nothing is known, and p, 0 there; y is kept in single precision."""

    def __init__(self, d):
        self.b, self.p = np.full(d, np.inf), np.zeros(d)

    def take(self):
        self.p = np.where(np.isfinite(self.b), self.b, 0.0)

    def learn(self, s, y):
        sy = s @ y
        if not sy > 8 * np.finfo(float).eps * np.sum(np.abs(s * y)):
            return 1.0
        y = y.astype(np.float32).astype(float)
        with np.errstate(divide="ignore"):
            bound = sy / y**2
        with np.errstate(invalid="ignore"):
            deepest = np.max(np.where(y == 0, 0.0, self.b / bound))
        self.b = np.minimum(self.b, bound)
        self.p = np.minimum(self.p, self.b)
        return deepest


class Run:
    def __init__(self, fun, x0, size, batch_size, epochs, seed):
        self.fun, self.x, self.size, self.batch_size = fun, x0.copy(), size, batch_size
        self.budget = int(np.ceil(epochs * (size // batch_size)))
        self.spent, self.eta, self.points = 0, np.inf, []
        self.order = order(size, batch_size, seed)
        self.v = np.zeros_like(x0)
        self.growth = 2.0 ** (batch_size / size)

    def at(self, x, batch):
        self.spent += 1
        return self.fun(x, batch)

    def move(self, g, p, momentum, decay):
        self.v = momentum * self.v + np.where(p > 0, g, 0)
        left = 1 - self.spent / self.budget if decay else 1
        self.x = self.x - left * self.eta * p * self.v

    def polyak(self, name):
        direction = Direction(name, self.x.size)
        while self.spent < self.budget:
            f, g = self.at(self.x, next(self.order))
            p = direction(g)
            self.eta = min(f / (0.5 * (g @ (p * g))), self.growth * self.eta)
            self.move(g, p, 0.0, False)
            self.points.append(self.x)

    def line_search(self, name):
        direction = Direction(name, self.x.size)

        def wins():
            promised = 0.1 * self.eta * (g @ (p * g))
            return self.at(self.x - self.eta * p * g, batch)[0] <= f - promised

        while self.spent < self.budget:
            batch = next(self.order)
            f, g = self.at(self.x, batch)
            p = direction(g)
            if self.eta == np.inf:
                self.eta = max(1, np.linalg.norm(self.x)) / np.linalg.norm(g)
                won = wins()
                while True:
                    self.eta *= 2 if won else 0.5
                    if wins() != won:
                        break
                self.eta *= 0.5 if won else 1
            self.eta *= self.growth
            while not wins():
                self.eta *= 0.9
            self.move(g, p, 0.0, False)
            self.points.append(self.x)

    def box(self):
        box = None
        while self.spent < self.budget:
            batch = next(self.order)
            f, g = self.at(self.x, batch)
            if box is None:
                box, self.eta = Box(self.x.size), 1.0
                for relative in 10.0 ** np.arange(-8, -2):
                    s = -relative * max(1, np.linalg.norm(self.x)) / np.linalg.norm(g) * g
                    box.learn(s, self.at(self.x + s, batch)[1] - g)
            self.eta *= self.growth
            box.take()
            while True:
                s = -self.eta * box.p * g
                f_trial, g_trial = self.at(self.x + s, batch)
                deepest = box.learn(s, g_trial - g)
                if f_trial <= f + 0.5 * (g @ s):
                    break
                if deepest < 2:
                    self.eta *= 0.5
            self.move(g, box.p, 0.85, True)
            self.points.append(self.x)
