"""Arrays of ordinary numbers, in NumPy's memory or PyTorch's, and the shapes of known models."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

Shape = tuple[int, ...]

# Drawn once and repeated: drawing 1e8 numbers takes longer than to measure on them.
TILE = 1 << 16
HALVES = ("bfloat16", "float16")
GRADIENT = 1e-2


def numpy_dtype(name: str) -> Any:
    """Return a dtype by name; bfloat16 is ml_dtypes'."""
    if name == "bfloat16":
        return np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    return np.dtype(name)


def has_dtype(name: str) -> bool:
    """Tell whether NumPy has such arrays here."""
    try:
        numpy_dtype(name)
    except ImportError:
        return False
    return True


def width(name: str) -> int:
    """Return the bytes of an element."""
    return 2 if name in HALVES else np.dtype(name).itemsize


@cache
def _tile(seed: int) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 1.5, TILE)


def uniform(size: int, dtype: str, seed: int = 0) -> Any:
    """Make an array of numbers between 0.5 and 1.5."""
    return repeat(_tile(seed), np.empty(size, numpy_dtype(dtype)))


def gradient(size: int, dtype: str, seed: int = 1) -> Any:
    """Make an array of numbers of either sign, about 0.01 and none much smaller."""
    signs = np.where(np.arange(TILE) * 5 // 3 % 2 == 0, GRADIENT, -GRADIENT)
    return repeat(signs * _tile(seed), np.empty(size, numpy_dtype(dtype)))


def repeat(tile: Any, array: Any) -> Any:
    """Fill an array with a tile's numbers, over and over; return it."""
    tile = tile.astype(array.dtype)
    whole = array.size // tile.size * tile.size
    array[:whole].reshape(-1, tile.size)[:] = tile
    array[whole:] = tile[: array.size - whole]
    return array


class Streams:
    """Arrays for one rule after the other, kept: new pages cost more than a walk."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], Any] = {}

    def get(self, place: int, dtype: str, size: int) -> Any:
        """Give the array for a stream, filled."""
        array = self._kept.get((place, dtype))
        if array is None or array.size < size:
            array = self._kept[place, dtype] = np.empty(size, numpy_dtype(dtype))
        return self.refill(place, array[:size])

    def refill(self, place: int, array: Any) -> Any:
        """Put back the numbers that it had."""
        return repeat(_tile(place), array)


def as_numpy(array: Any, shape: Shape) -> Any:
    """Shape an array."""
    return array.reshape(shape)


def as_torch(array: Any, shape: Shape) -> Any:
    """Copy an array into memory that PyTorch allocates, as a model's parameters are."""
    torch = importlib.import_module("torch")
    if array.dtype.name == "bfloat16":
        filled = torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    else:
        filled = torch.from_numpy(array)
    return filled.reshape(shape).clone()


MEMORY: dict[str, Callable[[Any, Shape], Any]] = {"numpy": as_numpy, "torch": as_torch}


def parameters(shapes: Sequence[Shape], dtype: str, memory: str) -> tuple[list[Any], list[Any]]:
    """Make parameters and gradients.

    Parameters
    ----------
    shapes : sequence of tuple of int
        One for each array.
    dtype : str
        Their dtype.
    memory : {"numpy", "torch"}
        Whose arrays they are.

    Returns
    -------
    params, grads : list of array
    """
    make = MEMORY[memory]
    sizes = [math.prod(shape) for shape in shapes]
    params = [make(uniform(n, dtype), shape) for n, shape in zip(sizes, shapes, strict=True)]
    grads = [make(gradient(n, dtype), shape) for n, shape in zip(sizes, shapes, strict=True)]
    return params, grads


def resnet50() -> Iterator[Shape]:
    """Give the 161 shapes of ResNet-50: 25,557,032 parameters.

    He et al., arXiv 1512.03385, table 1; batch norms have a weight and a bias.
    """

    def convolution(out: int, into: int, kernel: int) -> Iterator[Shape]:
        yield from ((out, into, kernel, kernel), (out,), (out,))

    yield from convolution(64, 3, 7)
    into = 64
    for width_, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from convolution(width_, into, 1)
            yield from convolution(width_, width_, 3)
            yield from convolution(4 * width_, width_, 1)
            if block == 0:
                yield from convolution(4 * width_, into, 1)
            into = 4 * width_
    yield from ((1000, into), (1000,))


def gpt2() -> Iterator[Shape]:
    """Give the 148 shapes of GPT-2 small: 124,439,808 parameters, the output tied to the input."""
    d = 768
    yield from ((50257, d), (1024, d))
    for _ in range(12):
        yield from ((d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,))
        yield from ((d,), (d,), (d, 4 * d), (4 * d,), (4 * d, d), (d,))
    yield from ((d,), (d,))


def tiny() -> Iterator[Shape]:
    """Give 161 shapes of at most 64 elements."""
    return ((1 + 13 * k % 64,) for k in range(161))


MODELS: dict[str, Callable[[], Iterator[Shape]]] = {
    "tiny": tiny,
    "resnet50": resnet50,
    "gpt2": gpt2,
}
