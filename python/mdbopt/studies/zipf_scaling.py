"""Steps to a relative loss over the number of words, in closed form.

The linear bigram model |X W - Y|^2 / (2n) with one-hot rows: its Hessian has the frequencies pi_k
of Zipf's law for eigenvalues, and from W = 0 the loss of word k starts at pi_k / 2.

References
----------
F. Kunstner, F. Bach, "Scaling laws for gradient descent and sign descent for linear bigram models
under Zipf's law", NeurIPS 2025, arXiv:2505.19227.
"""

from __future__ import annotations

import numpy as np

import mdbopt
from mdbopt._finite import Array
from mdbopt.problems import zipf_bigrams, zipf_frequencies
from mdbopt.studies._study import Outcome, Panel, Study

TOLERANCE = 0.1
# Relative to the step that brings the most frequent word home at the end.
STEPS_TRIED = np.logspace(-1, 1, 60)
# Words of the model whose weights are really stepped: d^2 of them.
STEPPED = (10, 30, 100, 300)


def gradient_descent_steps(pi: Array, tolerance: float) -> float:
    """Return t with sum pi_k (1 - pi_k / pi_1)^(2t) = tolerance: the step size is 1 / pi_1."""
    decay = 2.0 * np.log1p(-np.minimum(pi / pi[0], 1.0 - 1e-16))

    def loss(t: float) -> float:
        return float(pi @ np.exp(t * decay))

    low, high = 0.0, 1.0
    while loss(high) > tolerance:
        high *= 2.0
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if loss(middle) > tolerance else (low, middle)
    return high


class SignDescent:
    """The relative loss of sign descent after a number of steps, each weight on its way to pi_k.

    A weight travels by the step size lr until it has passed pi_k, and then goes back and forth.
    Those with pi_k < lr do so from the start: sums of powers of pi stand for all of them at once.
    """

    def __init__(self, pi: Array) -> None:
        self.pi = pi
        self.rising = pi[::-1]
        # Of the words from k on.
        self.sums = np.append(np.cumsum(self.rising)[::-1], 0.0)
        self.squares = np.append(np.cumsum(self.rising**2)[::-1], 0.0)

    def loss(self, steps: int, lr: float) -> float:
        """Return sum (w_k - pi_k)^2 / sum pi_k^2 after `steps` >= 1 steps."""
        size = len(self.pi)
        far = size - int(np.searchsorted(self.rising, lr))
        pi = self.pi[:far]
        needed = np.floor(pi / lr)
        left = pi - needed * lr
        resting = np.where((steps - needed) % 2 == 0, left, lr - left)
        residual = np.where(needed < steps, resting, pi - steps * lr)
        near = self.squares[far]
        if steps % 2:
            near += (size - far) * lr**2 - 2.0 * lr * self.sums[far]
        return float((residual @ residual + near) / self.squares[0])

    def steps(self, tolerance: float) -> int:
        """Return the least number of steps after which the best step size reaches the tolerance.

        It has to at the next step, too: a weight that happens to be home does not count.
        """

        def reaches(steps: int) -> bool:
            return any(
                max(self.loss(steps, lr), self.loss(steps + 1, lr)) <= tolerance
                for lr in self.pi[0] / steps * STEPS_TRIED
            )

        high = 1
        while not reaches(high):
            high *= 2
        low = high // 2
        while high - low > max(1, low // 200):
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle, high)
        return high


def gradient_descent_run(count: int, exponent: float) -> int:
    """Count GD's steps on the bigram model itself, from W = 0."""
    fun = zipf_bigrams(count, exponent)
    optimizer = mdbopt.SGD(lr=1.0 / fun.smoothness)
    w = fun.x0
    state = optimizer.init(w)
    f, g = fun(w)
    first, steps = f, 0
    while f > TOLERANCE * first:
        optimizer.step(w, g, state)
        f, g = fun(w)
        steps += 1
    return steps


def slope(sizes: Array, steps: list[float]) -> float:
    """Return the exponent a of steps ~ sizes^a, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(steps), 1)[0])


def run(quick: bool, _table: None) -> Outcome:
    """Count steps for alpha = 1 and 1.5."""
    sizes = np.array([1e3, 1e4, 1e5, 1e6] if quick else [1e3, 1e4, 1e5, 1e6, 1e7])
    outcome, slopes = Outcome(), {}
    for panel, alpha in (("one", 1.0), ("steep", 1.5)):
        gd, sign = [], []
        for size in sizes:
            pi = zipf_frequencies(int(size), alpha)
            gd.append(gradient_descent_steps(pi, TOLERANCE))
            sign.append(float(SignDescent(pi).steps(TOLERANCE)))
        outcome.add(panel, "GD", sizes, gd)
        outcome.add(panel, "sign descent", sizes, sign)
        runs = [gradient_descent_run(count, alpha) for count in STEPPED]
        outcome.add(panel, "GD, stepped", STEPPED, runs)
        slopes[alpha] = slope(sizes, gd), slope(sizes, sign)
    one, steep = slopes[1.0], slopes[1.5]
    outcome.sentences = (
        (
            f"With frequencies 1/k, gradient descent needs d^{one[0]:.2f} steps, sign descent "
            f"d^{one[1]:.2f}."
        ),
        (
            f"With k^-1.5 gradient descent hardly notices d (d^{steep[0]:.2f}), and sign descent "
            "still "
            f"does (d^{steep[1]:.2f})."
        ),
        "So it is the heaviness of the tail that decides between them, not the number of words.",
    )
    outcome.claim(
        "alpha = 1, a tenth of the loss: GD's steps grow like d^a, a = 0.87 ± 0.03",
        f"a = {one[0]:.3f}",
        abs(one[0] - 0.87) <= 0.03,
    )
    outcome.claim(
        "alpha = 1, a tenth of the loss: sign descent's grow like d^a, a = 0.53 ± 0.03",
        f"a = {one[1]:.3f}",
        abs(one[1] - 0.53) <= 0.03,
    )
    outcome.claim("alpha = 1.5: GD's a is at most 0.1", f"a = {steep[0]:.3f}", steep[0] <= 0.1)
    return outcome


STUDY = Study(
    "Steps to a tenth of the loss over the number of words under Zipf's law, for GD and sign "
    "descent.",
    {
        "one": Panel("frequencies 1/k", "words d", "steps", "xy"),
        "steep": Panel("frequencies 1/k^1.5", "words d", "steps", "xy"),
    },
    run,
)
