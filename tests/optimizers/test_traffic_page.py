"""The bytes that docs/updates.md tells of each optimizer are those that a step moves."""

import re
from pathlib import Path

import numpy as np
import pytest

import mdbopt
from mdbopt import _core, optimizers

PAGE = Path(__file__).parents[2] / "docs/updates.md"
SIZE = 4096
ROW = re.compile(r"\| ((?:`\w+`(?:, )?)+) \| (\d) \| (\d+) \| (\d+) \| ([\d.]*) \|")
ROWS = {
    name: tuple(numbers)
    for names, *numbers in ROW.findall(PAGE.read_text(encoding="utf-8"))
    for name in re.findall(r"\w+", names)
}


def moved(name, dtype, **options):
    """Give the walks of a step, and the bytes of an element."""
    optimizer = getattr(mdbopt, name)(0.1, **options)
    params = np.ones(SIZE, np.float32) if dtype == "float32" else np.full(SIZE, 0x3F80, np.uint16)
    state = optimizer.init(params, dtype=None if dtype == "float32" else dtype)
    _core.take_traffic()
    optimizer.step(params, params.copy(), state)
    walks, bytes_ = _core.take_traffic()
    return walks, bytes_ / SIZE


def test_all_optimizers_are_there():
    assert sorted(ROWS) == sorted(optimizers.__all__)


@pytest.mark.parametrize("name", ROWS)
def test_a_step_moves_what_the_page_says(name):
    walks, wide, narrow, coded = ROWS[name]
    assert moved(name, "float32") == (int(walks), float(wide))
    assert moved(name, "bfloat16") == (int(walks), float(narrow))
    if coded:
        found = moved(name, "float32", state_dtype="8bit")
        assert found[0] == int(walks)
        assert abs(found[1] - float(coded)) <= 0.05
    else:
        with pytest.raises(ValueError, match="state_dtype: expected None"):
            moved(name, "float32", state_dtype="8bit")
