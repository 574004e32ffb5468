"""examples/optax_training.py runs, and says that both ways of training helped."""

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")

EXAMPLE = Path(__file__).parents[3] / "examples" / "optax_training.py"


def test_the_example_trains(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    losses = [float(number) for number in re.findall(r"loss (\d\.\d+)", capsys.readouterr().out)]
    assert len(losses) == 3
    assert losses[0] > 2.0
    assert losses[1] < 0.2
    assert losses[2] < 0.5 * losses[1]
