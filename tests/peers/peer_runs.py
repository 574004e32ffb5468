"""A smooth noisy problem, and runs of it by mdbopt and by another library side by side."""

import numpy as np

STEPS = 200
SHAPES = ((40,), (6, 7), ())


class Problem:
    """A sum of rounded absolute values whose arguments are coupled by their mean, plus noise.

    Convex with curvatures over two orders of magnitude, so that a difference between two runs is
    neither forgotten at once nor blown up. The noise of step t is the same for every run.
    """

    def __init__(self, dtype, seed=5):
        rng = np.random.default_rng(seed)
        self.dtype = np.dtype(dtype)
        self._curvatures = [self._cast(10.0 ** rng.uniform(-1.5, 0.5, s)) for s in SHAPES]
        self._centres = [self._cast(rng.standard_normal(s)) for s in SHAPES]
        self._noise = [
            [self._cast(0.3 * rng.standard_normal(s)) for s in SHAPES] for _ in range(STEPS)
        ]
        self._start = [self._cast(3.0 * rng.standard_normal(s)) for s in SHAPES]

    def _cast(self, values):
        return np.asarray(values, self.dtype)

    def start(self):
        """Return parameters of one's own."""
        return [x.copy() for x in self._start]

    def gradients(self, params, t):
        """Return the gradient at some parameters in step t, from 0."""
        distances = [np.asarray(x) - c for x, c in zip(params, self._centres, strict=True)]
        count = sum(d.size for d in distances)
        mean = self._cast(sum(d.sum() for d in distances) / count)
        return [
            self._cast(h * d / np.sqrt(1 + d * d) + self._cast(0.2) * mean + noise)
            for h, d, noise in zip(self._curvatures, distances, self._noise[t], strict=True)
        ]


def difference(a, b):
    """Return the largest difference of two lists of arrays, relative where they exceed 1."""
    return max(
        float(np.max(np.abs(np.asarray(x, np.float64) - y) / np.maximum(1.0, np.abs(y))))
        for x, y in zip(a, (np.asarray(y, np.float64) for y in b), strict=True)
    )


def largest_difference(problem, optimizer, other, sign=1.0, options=lambda t: {}):
    """Run both from the same start, each along its own gradients; compare after every step.

    other(gradients, t) steps the other library and returns its parameters; called with None, it
    only returns them. `sign` turns the problem round for runs that maximise.
    """
    params = problem.start()
    state = optimizer.init(params)
    sign = problem.dtype.type(sign)
    worst = 0.0
    for t in range(STEPS):
        own, others = (
            [np.asarray(sign * g) for g in problem.gradients(at, t)]
            for at in (params, other(None, t))
        )
        assert optimizer.step(params, own, state, **options(t))
        now = difference(params, other(others, t))
        assert now == now
        worst = max(worst, now)
    moved = difference(params, problem.start())
    assert moved > 0.1, "nothing was compared"
    return worst


class Papers:
    """Steps a list of arrays by a formula: one(x, g, state, t) returns x and changes the state."""

    def __init__(self, params, one):
        self.params, self.one = params, one
        self.states = [{"m": 0.0 * x, "v": 0.0 * x} for x in params]

    def step(self, gradients, t):
        if gradients is not None:
            self.params = [
                self.one(x, g, state, t + 1)
                for x, g, state in zip(self.params, gradients, self.states, strict=True)
            ]
        return self.params


def moments(g, state, t, beta1, beta2):
    state["m"] = beta1 * state["m"] + (1 - beta1) * g
    state["v"] = beta2 * state["v"] + (1 - beta2) * g**2
    return state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)


def stepped_by_torch(kind, problem, before=lambda t, optimizer: None, **options):
    """Return a function that steps a torch optimizer, as largest_difference wants it.

    Torch keeps numbers of its own, such as NAdam's product of momenta, in its default dtype.
    """
    import torch

    params = [torch.nn.Parameter(torch.from_numpy(x)) for x in problem.start()]
    optimizer = kind(params, **options)

    def step(gradients, t):
        if gradients is not None:
            for p, g in zip(params, gradients, strict=True):
                p.grad = torch.from_numpy(g)
            before(t, optimizer)
            usual = torch.get_default_dtype()
            torch.set_default_dtype(params[0].dtype)
            try:
                optimizer.step()
            finally:
                torch.set_default_dtype(usual)
        return [p.detach().numpy() for p in params]

    return step


def stepped_by_optax(optimizer, problem):
    """Return a function that steps an optimizer of optax, as largest_difference wants it."""
    import jax
    import optax

    @jax.jit
    def update(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = [jax.numpy.array(x) for x in problem.start()]
    assert all(x.dtype == problem.dtype for x in params)
    state = optimizer.init(params)

    def step(gradients, t):
        nonlocal params, state
        if gradients is not None:
            params, state = update(gradients, state, params)
        return params

    return step
