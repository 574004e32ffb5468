"""Data that no setting was chosen on: scikit-learn's bundled tables, and random problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Rows = tuple[Any, Any, bool]
RANDOM = ((0, 400, 20), (1, 1000, 100), (2, 300, 500))


def tables() -> Iterator[tuple[str, Rows]]:
    """Yield (name, (X, y, labels)); /raw has columns in their own units, /scaled unit variance."""
    from sklearn import datasets

    cancer, wine = datasets.load_breast_cancer(), datasets.load_wine()
    digits, iris = datasets.load_digits(), datasets.load_iris()
    diabetes, fitness = datasets.load_diabetes(scaled=False), datasets.load_linnerud()
    bundled = {
        "sk-breast-cancer": (cancer.data, cancer.target, True),
        "sk-wine-1": (wine.data, wine.target == 1, True),
        "sk-digits-even": (digits.data, digits.target % 2, True),
        "sk-iris-2": (iris.data, iris.target == 2, True),
        "sk-diabetes": (diabetes.data, diabetes.target, False),
        "sk-linnerud": (fitness.data, fitness.target[:, 0], False),
    }
    for name, (X, y, labels) in bundled.items():
        yield from both(name, X, y, labels)
    for seed, n, features in RANDOM:
        for labels in (True, False):
            kind = "logistic" if labels else "squares"
            X, y = random_rows(seed, n, features, labels)
            yield from both(f"random-{kind}-{features}", X, y, labels)


def both(name: str, X: Any, y: Any, labels: bool) -> Iterator[tuple[str, Rows]]:
    """Yield a table raw and with standardised columns."""
    X, y = X.astype(np.float64), y.astype(np.float64)
    spread = X.std(axis=0)
    yield f"{name}/raw", (X, y, labels)
    yield f"{name}/scaled", ((X - X.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0), y, labels)


def random_rows(seed: int, n: int, features: int, labels: bool) -> tuple[Any, Any]:
    """Make correlated columns with scales over six orders of magnitude and shifted means."""
    draw = np.random.default_rng(seed)
    mixed = draw.standard_normal((n, features)) @ (
        np.eye(features) + 0.3 * draw.standard_normal((features, features)) / np.sqrt(features)
    )
    shifted = mixed + draw.standard_normal(features)
    signal = mixed @ draw.standard_normal(features) / np.sqrt(features)
    noisy = signal + 0.5 * draw.standard_normal(n)
    scales = 10.0 ** draw.uniform(-3.0, 3.0, features)
    return shifted * scales, noisy > np.median(noisy) if labels else noisy
