"""problems – smooth functions with known constants: call one for (f, g), start at its `x0`.

>>> from mdbopt import problems
>>> fun = problems.quadratic([1.0, 4.0], b=[1.0, 2.0])
>>> fun([1.0, 0.5])
(-1.0, array([0., 0.]))
"""

from ._least_squares import LeastSquares, least_squares
from ._logistic import Logistic, logistic
from ._preconditioner import DiagonalPreconditioner, diagonal_preconditioner
from ._problem import Problem
from ._quadratic import Quadratic, quadratic
from ._smoothed_svm import SmoothedSVM, smoothed_svm
from ._softmax import Softmax, softmax

__all__ = [
    "DiagonalPreconditioner",
    "LeastSquares",
    "Logistic",
    "Problem",
    "Quadratic",
    "SmoothedSVM",
    "Softmax",
    "diagonal_preconditioner",
    "least_squares",
    "logistic",
    "quadratic",
    "smoothed_svm",
    "softmax",
]
