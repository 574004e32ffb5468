"""What the Python fuzzers make of libFuzzer's bytes: choices, and values of all kinds."""

import functools
import os
import struct
import tempfile
import zlib

import numpy as np

REAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 0.9, 0.999, 1e-8, 1e-3, 5e-324, 1e-310, 1e30, 1e300, 1e308,
    float("inf"), -float("inf"), float("nan"),
]  # fmt: skip
WHOLE = [
    0, 1, 2, 3, 5, 10, -1, 7, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1, 2**62, 2**63 - 1, 2**63,
    -(2**63), 2**64, 10**30, 10**400,
]  # fmt: skip
WORDS = [
    "", "auto", "none", "nearest", "stochastic", "bfloat16", "float16", "float64", "uint8", "int8",
    "adamw", "cocoercive", "hypergradient", "lbfgs", "cg", "nesterov", "heavy-ball", "gradient",
    "plain", "baseline", "2-point", "3-point", "x", "\0", "\ud800", "é", "t" * 50, "nan", "1",
    "mask", "scaled", "8bit", "remainder", "l2", "estimate", "fixed", "independent",
]  # fmt: skip


SHAPES = [(), (0,), (1,), (2,), (3,), (4,), (5,), (2, 3), (3, 2), (1, 5), (4, 1, 2)]
FLOATS = ["f8", "f8", "f8", "f4"]
DTYPES = [*FLOATS, "f2", "i8", "i4", "u1", "u2", "?", "c16", "O", "U3", "S2", ">f8", "M8[s]"]
OTHERS = [None, True, False, 1j, b"bytes", object(), len, ..., str]


class Strange:
    """Raises on what Python asks of a number, an array or a name."""

    def __len__(self):
        raise TypeError("no length")

    def __float__(self):
        raise ValueError("no number")

    def __bool__(self):
        raise TypeError("neither")


class Source:
    """Reads bytes one after the other; behind the last there are zeros."""

    def __init__(self, data):
        self._data, self._size = data, len(data)
        self._at = 0

    def byte(self):
        at = self._at
        self._at = at + 1
        return self._data[at] if at < self._size else 0

    def below(self, count):
        return (self.byte() | self.byte() << 8 if count > 256 else self.byte()) % count

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def seldom(self, often):
        return self.below(often) == often - 1

    def goes_on(self, often=16):
        """Say whether this is one of the few inputs that go on long after the last check.

        Most of the time would go into these. A checksum says it, since what is made from an input
        that went on would have its bytes.
        """
        return zlib.crc32(self._data) % often == 0

    def rest(self):
        return self._data[self._at :]

    def real(self):
        if self.below(2):
            return self.pick(REAL)
        return struct.unpack("<d", bytes(self.byte() for _ in range(8)))[0]

    def array(self):
        shape = self.pick(SHAPES)
        dtype = self.pick(DTYPES)
        count = int(np.prod(shape))
        numbers = [self.real() if self.below(2) else float(k) for k in range(count)]
        with np.errstate(all="ignore"):
            if dtype not in FLOATS:
                numbers = np.nan_to_num(numbers, posinf=9, neginf=-9) % 7
            made = np.array(numbers, "f8").astype(dtype).reshape(shape)
        if self.seldom(8):
            made = np.ma.array(made)
        if self.seldom(8):
            made = made[::-1] if made.ndim else made
        if self.seldom(8):
            made.flags.writeable = False
        return made

    def value(self, depth=0):
        """A value of any kind."""
        kind = self.below(16 if depth < 2 else 11)
        if kind < 3:
            return self.real()
        if kind < 5:
            return self.pick(WHOLE)
        if kind < 7:
            return self.pick(WORDS)
        if kind == 7:
            return self.pick([*OTHERS, Strange()])
        if kind == 8:
            return self.pick([np.float64, np.float32, np.int64, np.bool_])(self.pick(REAL[:8]))
        if kind < 11:
            return self.array()
        inner = [self.value(depth + 1) for _ in range(self.below(5))]
        if kind < 13:
            return inner
        if kind == 13:
            return tuple(inner)
        if kind == 14:
            return dict(zip(self.keys(), inner, strict=False))
        return iter(inner)

    def keys(self):
        return [self.pick(WORDS), self.pick(["a", "b", 1, None, (2,)]), "c", "d", "e"]


def refused(error, names, *about):
    """Raise the error unless it is of the kinds for what is given, and names one of these."""
    if not isinstance(error, (TypeError, ValueError)) or isinstance(error, UnicodeError):
        raise AssertionError(f"{about}: raised {type(error).__name__}") from error
    text = str(error)
    # What cannot be printed stands in a message as Python writes it.
    if not any(str(name) in text or repr(name) in text for name in names):
        listed = ", ".join(sorted(map(str, names)))
        raise AssertionError(f"{about}: the error names none of {listed}") from error


def require(holds, expected):
    """Raise unless something holds."""
    if not holds:
        raise AssertionError(f"expected {expected}")


def warned(warning):
    """Raise unless a step warns of what its state's 8 bits cannot hold."""
    require("8 bits" in str(warning) or "NaN" in str(warning), "a warning of NaN in 8 bits")


def show(*about):
    """Print what an input means, where MDBOPT_FUZZ_SHOW is set."""
    if "MDBOPT_FUZZ_SHOW" in os.environ:
        print(*about, flush=True)


@functools.cache
def folder():
    """Return a folder for files of inputs, in memory where there is such a place."""
    memory = "/dev/shm"
    where = memory if os.path.isdir(memory) else None
    return tempfile.mkdtemp(prefix="mdbopt-fuzz-", dir=where)
