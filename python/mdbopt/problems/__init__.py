"""problems – smooth functions with known constants: call one for (f, g), start at its `x0`.

>>> from mdbopt import problems
>>> fun = problems.quadratic([1.0, 4.0], b=[1.0, 2.0])
>>> fun([1.0, 0.5])
(-1.0, array([0., 0.]))
"""

from ._barcoded import barcoded_digits
from ._batches import minibatches
from ._bigrams import zipf_bigrams
from ._frequencies import class_weights, frequency_groups, zipf_frequencies, zipf_labels
from ._heavy_tailed import heavy_tailed
from ._least_squares import LeastSquares, least_squares
from ._logistic import Logistic, logistic
from ._network import Network, graph_network, network
from ._preconditioner import DiagonalPreconditioner, diagonal_preconditioner
from ._problem import Problem
from ._quadratic import Quadratic, quadratic
from ._smoothed_svm import SmoothedSVM, smoothed_svm
from ._softmax import Softmax, softmax
from ._sparse_features import sparse_features
from ._unigram import SoftmaxUnigram, softmax_unigram
from ._zipf_mixture import zipf_mixture

__all__ = [
    "DiagonalPreconditioner",
    "LeastSquares",
    "Logistic",
    "Network",
    "Problem",
    "Quadratic",
    "SmoothedSVM",
    "Softmax",
    "SoftmaxUnigram",
    "barcoded_digits",
    "class_weights",
    "diagonal_preconditioner",
    "frequency_groups",
    "graph_network",
    "heavy_tailed",
    "least_squares",
    "logistic",
    "minibatches",
    "network",
    "quadratic",
    "smoothed_svm",
    "softmax",
    "softmax_unigram",
    "sparse_features",
    "zipf_bigrams",
    "zipf_frequencies",
    "zipf_labels",
    "zipf_mixture",
]
