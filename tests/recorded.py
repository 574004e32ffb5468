"""An objective that remembers its evaluations, and the laws that every run must keep."""

import numpy as np

import mdbopt

SETS = ("box", "ellipsoid", "simplex", "backtracking")
METHODS = ("guarded", *SETS)
ALL_METHODS = (*METHODS, "gd", "nesterov")
CONVERGED, LIMIT, PRECISION, NOT_FINITE, STOPPED = 0, 1, 2, 3, 99


class Recorder:
    """Calls ``fun(x) -> (f, g)``, keeps every point and value, and counts."""

    def __init__(self, fun):
        self.fun = fun
        self.points = []
        self.values = []

    def __call__(self, x):
        self.points.append(np.array(x))
        f, g = self.fun(x)
        self.values.append(float(f))
        return f, g

    @property
    def count(self):
        return len(self.values)


def solve(fun, x0, method, **options):
    """Minimise, hold the run against the laws, and return the result with its recorder."""
    objective = Recorder(fun)
    result = mdbopt.minimize(objective, x0, jac=True, method=method, options=options)
    assert_laws(result, objective, np.asarray(x0))
    return result, objective


def assert_laws(result, objective, x0):
    """Assert what holds for every run, whatever the objective answers."""
    assert result.status in (CONVERGED, LIMIT, PRECISION, NOT_FINITE, STOPPED)
    assert result.success == (result.status == CONVERGED)
    assert result.message
    assert result.nfev == result.njev == result.nit + 1 == objective.count
    for point in objective.points:
        assert np.isfinite(point).all()
        assert point.dtype == result.x.dtype
        assert point.shape == (x0.size,)
    with np.errstate(all="ignore"):
        value, gradient = objective.fun(result.x.copy())
    if result.status != NOT_FINITE:
        np.testing.assert_array_equal(result.jac, gradient)
        assert result.fun == float(value) or not deterministic(objective, result.x, value)
        assert result.fun <= objective.values[0]
    assert np.isfinite(result.step_sizes).all()
    assert (result.step_sizes > 0).all()
    assert_trace(result, objective)


def deterministic(objective, x, value):
    """Whether the objective answers the same when it is asked again."""
    return float(objective.fun(x.copy())[0]) == float(value)


def assert_trace(result, objective):
    """Assert that the trace says what the objective answered."""
    trace = result.trace
    np.testing.assert_array_equal(trace["f"], objective.values)
    running = np.minimum.accumulate(np.where(np.isfinite(trace["f"]), trace["f"], np.inf))
    if result.status != NOT_FINITE:
        np.testing.assert_array_equal(trace["best"], running)
    assert trace["ncut"][-1] == result.ncut
    assert (np.diff(trace["ncut"]) >= 0).all()
    assert (np.diff(trace["seconds"]) >= 0).all()


def quadratic(curvatures, centre=0.0, scale=1.0, offset=0.0):
    """Return x -> (offset + scale/2 Σ h (x - centre)², gradient), in the dtype of x."""
    curvatures = np.asarray(curvatures, dtype=float)

    def fun(x):
        h = curvatures.astype(x.dtype)
        factor = x.dtype.type(scale)
        distance = x - np.asarray(centre, dtype=x.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return offset + float(scale) * 0.5 * float(h @ distance**2), factor * (h * distance)

    return fun


def logistic(features, labels, l2=0.0):
    """Return w -> (mean logistic loss, gradient), all computed in the dtype of the features."""
    count = features.dtype.type(len(labels))
    weight = features.dtype.type(l2)

    def fun(w):
        z = features @ w
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            loss = np.logaddexp(features.dtype.type(0), z) - labels * z
            slope = 0.5 * (1 + np.tanh(0.5 * z)) - labels
        value = loss.sum(dtype=features.dtype) / count + weight / 2 * (w @ w)
        return float(value), (features.T @ slope / count + weight * w).astype(w.dtype)

    return fun


def classification(count=200, size=5, scale=1.0, dtype=np.float64, seed=0):
    """Return features of the given scale and noisy labels, so that the optimum is finite."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, size))
    noise = 1.5 * rng.standard_normal(count)
    labels = (features @ rng.standard_normal(size) + noise > 0).astype(dtype)
    return (scale * features).astype(dtype), labels
