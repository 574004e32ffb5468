"""What these tests need of JAX before it is imported."""

import os

# The arrays here are small, and JAX would claim most of a GPU's memory.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
