"""Steps of four methods on digits of which half have a code in a corner: 160 rare classes.

Two controls have balanced classes: all digits without codes, and those with codes alone. Counted
are steps to a twentieth of log c, the loss of equal probabilities of c classes. Losses at the end
would not compare methods: the network comes to fit all images, and the losses of the controls then
differ by any factor, far below what matters.

References
----------
F. Kunstner, A. Milligan, R. Yadav, M. Schmidt, A. Bietti, "Heavy-tailed class imbalance and why
Adam outperforms gradient descent on language models", NeurIPS 2024, arXiv:2402.19449: the same with
MNIST and a convolutional network.
"""

from __future__ import annotations

import numpy as np

from mdbopt import data, problems
from mdbopt._finite import Array
from mdbopt.problems._standardized import standardized
from mdbopt.studies._descents import METHODS, Descent, best_stable, descend, half_decades
from mdbopt.studies._study import Outcome, Panel, Study

HIDDEN = 32
SHARE = 0.05  # of log c, at which steps are counted
# Above the loss of equal probabilities by this factor a run is not stable, as in heavy-tails.
CEILING = 1.2
# The powers of ten among which the best stable rate is, without momentum and with it.
RATES = {
    "GD": ((0.0, 2.0), (-1.0, 1.0)),
    "normalised GD": ((-0.5, 1.0), (-1.5, 0.0)),
    "sign": ((-2.5, -1.0), (-3.5, -2.0)),
    "Adam": ((-2.0, -0.5), (-2.0, -0.5)),
}
MOMENTUM = 0.9
SETS = {"both": "half with codes", "digits": "digits alone", "codes": "codes alone"}


def networks(seed: int) -> dict[str, problems.Network]:
    """Return the problem of each set; the seed picks the images with codes, and the start."""
    X, y = problems.barcoded_digits(seed=seed)
    plain, coded = data.digits(), y >= 10
    rows = {
        "both": (X, y),
        "digits": (standardized(plain.X).astype(np.float32), plain.y),
        "codes": (X[coded], y[coded]),
    }
    return {name: problems.network(*pair, HIDDEN, seed=seed) for name, pair in rows.items()}


def steps_to(losses: Array, level: float) -> int:
    """Return the steps to the first loss at a level or below; `len(losses)` if there is none."""
    there = losses <= level
    return int(np.argmax(there)) if there.any() else len(losses)


def fastest(fun: problems.Network, method: str, momentum: float, steps: int) -> tuple[int, Descent]:
    """Return the steps to the level, and the run that takes the fewest, of those that are stable.

    Rates are tried from the smallest on until one is not stable.
    """
    equal = float(np.log(len(fun.classes)))
    found: list[tuple[int, Descent]] = []
    for lr in half_decades(*RATES[method][momentum > 0.0]):
        run = descend(fun, fun.x0, METHODS[method](lr, momentum), steps, CEILING * equal)
        if run is None:
            break
        found.append((steps_to(run.losses, SHARE * equal), run))
    return min(found, key=lambda pair: pair[0])


def by_frequency(fun: problems.Network, lr: float, steps: int) -> tuple[float, float]:
    """Return GD's loss on the frequent classes and on the rare ones after some steps."""
    run = best_stable(fun, "GD", [lr], steps, start=fun.x0)
    own, counts = fun.losses(run.w), np.bincount(fun.class_index)
    rare = (counts == counts.min())[fun.class_index]
    return float(own[~rare].mean()), float(own[rare].mean())


def run(quick: bool, _table: None) -> Outcome:
    """Count steps on the three sets."""
    steps = 150 if quick else 300
    outcome = Outcome()
    counts: dict[tuple[str, str], list[int]] = {}
    rates = {}
    for seed in (0,) if quick else (0, 1, 2):
        for name, fun in networks(seed).items():
            for method in METHODS:
                count, best = fastest(fun, method, 0.0, steps)
                counts.setdefault((name, method), []).append(count)
                if seed == 0:
                    outcome.add(name, method, range(1, steps + 2), best.losses)
                    rates[name, method] = best.lr
    barcoded = networks(0)["both"]
    adams = counts["both", "Adam"][0]
    frequent, rare = by_frequency(barcoded, rates["both", "GD"], adams)
    momentum: dict[str, int] = {}
    for method in () if quick else METHODS:
        momentum[method], best = fastest(barcoded, method, MOMENTUM, steps)
        outcome.add("both", f"{method}, momentum", range(1, steps + 2), best.losses)
    shown = {
        name: ", ".join(
            f"{method} {' / '.join(map(str, counts[name, method]))}" for method in METHODS
        )
        for name in SETS
    }
    told = ", ".join(f"{method} {count}" for method, count in momentum.items())
    outcome.sentences = (
        f"Steps to {SHARE:.0%} of log c, {SETS['both']}: {shown['both']}.",
        (
            f"After the {adams} steps that Adam takes, GD's loss is {frequent:.2f} on the ten "
            f"frequent classes and {rare:.2f} on the 160 rare ones."
        ),
        f"With momentum: {told}."
        if momentum
        else "With momentum the gap is smaller (run without --quick to see the numbers).",
    )
    for name, words in SETS.items():
        ratios = np.divide(counts[name, "GD"], counts[name, "Adam"])
        apart = name == "both"
        outcome.claim(
            f"{words}: GD needs {'more than' if apart else 'half to'} twice the steps of Adam",
            shown[name],
            bool(np.all(ratios > 2.0) if apart else np.all((ratios >= 0.5) & (ratios <= 2.0))),
        )
    return outcome


STUDY = Study(
    "Four methods on digits of which half have a code in a corner, 160 rare classes, and on either "
    "half's kind alone.",
    {
        "both": Panel("half with codes: rare classes", "steps", "loss", "xy"),
        "digits": Panel("digits alone: balanced", "steps", "loss", "xy"),
        "codes": Panel("codes alone: balanced", "steps", "loss", "xy"),
    },
    run,
)
