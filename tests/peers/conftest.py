"""What these tests need of other libraries."""

import os
import sys

import pytest

# The arrays here are small, and JAX would claim most of a GPU's memory.
os.environ.setdefault("JAX_PLATFORMS", "cpu")


@pytest.fixture(autouse=True)
def _one_thread_of_torch():
    """Threads for some hundred elements only wait for each other, long where cores are busy."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
