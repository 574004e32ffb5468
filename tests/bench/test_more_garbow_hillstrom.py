"""bench/_more_garbow_hillstrom.py: Jacobians by differences, starts and minima of the paper."""

import numpy as np
import pytest
import scipy.optimize
from _more_garbow_hillstrom import PROBLEMS, problems

# Section 3 of the paper, which gives six digits; 0 where residuals vanish. Where it has more than
# one, that which least squares reach from the standard start.
MINIMA = {
    "02-freudenstein-roth": 48.9842, "06-jennrich-sampson": 124.362, "08-bard": 8.21487e-3,
    "09-gaussian": 1.12793e-8, "10-meyer": 87.9458, "15-kowalik-osborne": 3.07505e-4,
    "16-brown-dennis": 85822.2, "20-watson": 2.28767e-3, "23-penalty-one": 7.08765e-5,
    "24-penalty-two": 2.93660e-4, "26-trigonometric": 2.79506e-5,
}  # fmt: skip


def by_name(problem):
    return problem.name


@pytest.mark.parametrize("problem", PROBLEMS, ids=by_name)
def test_jacobian_agrees_with_differences(problem):
    draw = np.random.default_rng(0)
    x = problem.x0 + 0.01 * np.maximum(np.abs(problem.x0), 1e-3) * draw.standard_normal(problem.d)
    J = problem.residuals(x)[1]
    for j in range(problem.d):
        step = np.zeros(problem.d)
        step[j] = 6e-6 * max(abs(x[j]), 1e-2)
        slopes = (problem.residuals(x + step)[0] - problem.residuals(x - step)[0]) / (2 * step[j])
        assert np.abs(J[:, j] - slopes).max() <= 1e-5 * np.abs(J).max()


@pytest.mark.parametrize("problem", PROBLEMS, ids=by_name)
def test_gradient_is_that_of_the_sum_of_squares(problem):
    f, g = problem(problem.x0)
    r, J = problem.residuals(problem.x0)
    assert f == pytest.approx(np.sum(r**2), rel=1e-14)
    assert np.allclose(g, 2.0 * J.T @ r, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("problem", PROBLEMS, ids=by_name)
def test_least_squares_reach_the_minimum_of_the_paper(problem):
    found = scipy.optimize.least_squares(
        lambda x: problem.residuals(x)[0],
        problem.x0,
        jac=lambda x: problem.residuals(x)[1],
        x_scale="jac",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
        max_nfev=5000,
    )
    least = problem(found.x)[0]
    expected = MINIMA.get(problem.name, 0.0)
    assert least == pytest.approx(expected, rel=5e-6, abs=1e-18 * problem(problem.x0)[0])


def test_names_are_numbered_in_order():
    names = [name for name, _ in problems()]
    assert names == sorted(names)
    assert len(set(names)) == 29
