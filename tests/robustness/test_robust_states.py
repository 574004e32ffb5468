"""Restored states are checked whole: what is hostile is refused by its name, or does no harm."""

import itertools
import pathlib
import re
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).parents[1] / "hostile_states.py"


def states_tried(share, seconds):
    """Return how many; a crash, a hang or a failure shows the case that it came from."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), str(share)],
        capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    failed = [case for case in itertools.pairwise(lines) if case[1].startswith("FAILED")]
    assert done.returncode == 0, (failed[:5], lines[-1:], done.stderr[-2000:])
    tried, refused = map(int, re.findall(r"\d+", lines[-1])[:2])
    assert tried / 2 < refused < tried
    return tried


def test_hostile_states():
    assert states_tried(0.001, 60) > 1000


@pytest.mark.slow
def test_more_hostile_states():
    assert states_tried(0.03, 900) > 30_000
