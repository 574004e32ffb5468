"""Scikit-learn estimators that need no scaled columns; moving to them is one changed import.

Names of parameters, objectives and attributes are scikit-learn's; docs/sklearn.md tells what
differs. Needs scikit-learn 1.6 or newer: ``pip install 'mdbopt[scikit-learn]'``.

>>> from mdbopt.sklearn import LogisticRegression
>>> LogisticRegression().fit([[-1e6], [1e6]], ["no", "yes"]).predict([[2e6]]).tolist()
['yes']
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mdbopt.sklearn needs scikit-learn: pip install 'mdbopt[scikit-learn]'"
    ) from error

from mdbopt.sklearn._elastic_net import ElasticNet, Lasso
from mdbopt.sklearn._least_squares import LinearRegression, Ridge
from mdbopt.sklearn._logistic_regression import LogisticRegression

__all__ = ["ElasticNet", "Lasso", "LinearRegression", "LogisticRegression", "Ridge"]
