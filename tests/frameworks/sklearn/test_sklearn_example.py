"""examples/sklearn_pipeline.py runs as it is, and without the import it needs a scaler."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sklearn", minversion="1.8")
pytest.importorskip("pandas")

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "sklearn_pipeline.py"


def test_the_pipeline_needs_no_scaler(capsys):
    names = runpy.run_path(str(EXAMPLE))
    told = capsys.readouterr().out
    assert told.startswith("best C ")
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.9
    assert names["fitted"].n_iter_[0] < 100
    model = make_pipeline(*names["model"][:-1], LogisticRegression())
    with pytest.warns(ConvergenceWarning):
        model.fit(names["X_train"], names["y_train"])
