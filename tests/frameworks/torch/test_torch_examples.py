"""The examples for PyTorch run, and what only they show comes out."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training(capsys):
    assert example("torch_training").main(epochs=5) > 0.85
    assert "held-out digits" in capsys.readouterr().out


def test_full_batch(capsys):
    loss, evaluations = example("torch_full_batch").main(steps=8)
    assert loss < 0.2
    assert evaluations <= 8 * 25 + 1
    assert capsys.readouterr().out.startswith("loss ")
