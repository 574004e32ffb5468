"""bench/_peers.py: minimisers of other libraries on a quadratic, counted and capped."""

import numpy as np
import pytest
from _peers import PEERS
from _solvers import CAP

import mdbopt


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_minimise(peer):
    if not peer.installed:
        pytest.skip(f"{peer.package} is not installed")
    problem = mdbopt.problems.quadratic([1.0, 4.0, 9.0], b=[3.0, 2.0, 1.0])
    least = problem(np.array([3.0, 0.5, 1.0 / 9.0]))[0]
    run = peer.run(problem, 400, 100)
    assert run.values[0] == problem(problem.x0)[0]
    assert run.first_below(least + 1e-8) < CAP
    assert run.values.min() >= least - 1e-12
    assert len(run.values) <= 400
