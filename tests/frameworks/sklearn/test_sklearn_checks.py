"""The checks that scikit-learn has for estimators; none is expected to fail."""

import subprocess
import sys

import pytest

pytest.importorskip("sklearn", minversion="1.8")

from sklearn.utils.estimator_checks import parametrize_with_checks

from mdbopt import sklearn as ours

ESTIMATORS = [
    ours.LogisticRegression(),
    ours.LogisticRegression(class_weight="balanced"),
    ours.LogisticRegression(warm_start=True),
    ours.Ridge(),
    ours.Ridge(fit_intercept=False),
    ours.LinearRegression(),
    ours.Lasso(),
    ours.ElasticNet(),
    ours.ElasticNet(0.1, positive=True),
    ours.LogisticRegression(l1_ratio=1.0),
    ours.LogisticRegression(l1_ratio=0.5),
]


# What scikit-learn cannot check where optional packages are missing, and short runs in its checks.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_own(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ours.__all__)
def test_parameters_and_attributes_are_scikit_learns(name):
    from sklearn import linear_model

    theirs = getattr(linear_model, name)()
    mine = getattr(ours, name)()
    more = {"max_iter"} if name == "LinearRegression" else set()
    assert set(mine.get_params()) - more <= set(theirs.get_params())
    X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    fitted, expected = mine.fit(X, y), theirs.fit(X, y)
    extra = {"n_iter_"} if name == "LinearRegression" else set()
    assert {key for key in vars(fitted) if key.endswith("_")} - extra <= set(vars(expected))
    for key in ("coef_", "intercept_"):
        assert getattr(fitted, key).shape == getattr(expected, key).shape


WITHOUT = """
import sys
import mdbopt
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    import mdbopt.sklearn
except ImportError as error:
    print(error)
"""


def test_without_scikit_learn_the_error_names_the_extra():
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip().endswith("pip install 'mdbopt[scikit-learn]'")
