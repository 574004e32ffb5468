"""What several tests of the command line use."""

import numpy as np
import pytest


@pytest.fixture
def tables(tmp_path):
    """Small tables of each kind, as files."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 3)) * [1.0, 100.0, 0.01]
    z = X @ [1.0, 0.01, 100.0]
    noise = rng.standard_normal(60)
    targets = {
        "two": (z + noise > 0).astype(float),
        "three": np.digitize(z + noise, [-0.5, 0.5]).astype(float),
        "real": z + 0.1 * noise,
        "one": np.ones(60),
    }
    for name, y in targets.items():
        np.savez(tmp_path / f"{name}.npz", X=X, y=y, feature_names=["a", "b", "c"])
        np.savetxt(
            tmp_path / f"{name}.csv",
            np.column_stack([y, X]),
            delimiter=",",
            header="y,a,b,c",
            comments="",
        )
    return tmp_path
