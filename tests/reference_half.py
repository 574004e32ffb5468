"""Half precision as the core stores it, in NumPy: bit patterns in uint16, rounding, random bits."""

from dataclasses import dataclass

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Format:
    """A half-precision type by its numbers."""

    name: str
    mantissa: int  # bits
    smallest_normal: float
    inf: int  # its bit pattern

    @property
    def smallest_subnormal(self):
        return self.smallest_normal * 2.0**-self.mantissa

    @property
    def max(self):
        return float(widen(np.uint16([self.inf - 1]), self.name)[0])


FORMATS = {
    "bfloat16": Format("bfloat16", 7, 2.0**-126, 0x7F80),
    "float16": Format("float16", 10, 2.0**-14, 0x7C00),
}


NATIVE = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


def as_given(stored, name):
    """Return the array that a caller has: bit patterns as numbers of their own type."""
    return stored.view(NATIVE[name]) if name in NATIVE else stored


def widen(bits, name):
    """Return the numbers behind bit patterns, as float32."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        if name == "float16":
            return bits.view(np.float16).astype(np.float32)
        return (bits.astype(np.uint32) << 16).view(np.float32)


def signed(magnitudes, values):
    sign = (values.view(np.uint32) >> 16) & 0x8000
    return (magnitudes | sign).astype(np.uint16)


def nearest(values, name):
    """Round float32 to nearest, ties to even; return bit patterns."""
    if name == "float16":
        with np.errstate(all="ignore"):
            return values.astype(np.float16).view(np.uint16)
    bits = values.view(np.uint32).astype(np.uint64)
    magnitudes = bits & 0x7FFFFFFF
    rounded = (magnitudes + 0x7FFF + ((magnitudes >> 16) & 1)) >> 16
    return signed(np.where(np.isnan(values), 0x7FC0, rounded).astype(np.uint32), values)


def stochastic(values, name, random):
    """Round float32 up in magnitude where the part that falls away and the random part make one."""
    form = FORMATS[name]
    wide = np.abs(np.where(np.isfinite(values), values, np.float32(0))).astype(np.float64)
    _, exponent = np.frexp(np.maximum(wide, form.smallest_normal))
    units = wide / np.ldexp(1.0, exponent - 1 - form.mantissa)  # of the distance to the next number
    lower = np.floor(units)
    up = np.floor((units - lower) * 2.0**16) + random >= 2.0**16
    # Patterns count the numbers from 0 on, through all exponents.
    before = (exponent - np.frexp(form.smallest_normal)[1]) << form.mantissa
    patterns = np.minimum(lower.astype(np.int64) + up + before, form.inf)
    patterns = np.where(np.isinf(values), form.inf, patterns)
    return signed(np.where(np.isnan(values), form.inf + 1, patterns).astype(np.uint32), values)


def mix64(x):
    """SplitMix64's output after the state x, of uint64."""
    with np.errstate(over="ignore"):
        x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def unmix64(x):
    """Give the whole number that mix64 makes x of."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        x ^= x >> shift ^ x >> 2 * shift
        x = x * pow(factor, -1, 2**64) % 2**64
    return (x - 0x9E3779B97F4A7C15) % 2**64


def random16(seed, n, t=0):
    """Return the 16 random bits of each of n elements, as uint32."""
    place = np.arange(n, dtype=np.uint64)
    first = mix64(np.uint64(seed) ^ mix64(t))
    with np.errstate(over="ignore"):
        key = mix64(first + place // np.uint64(1024))
        x = (place % np.uint64(1024)).astype(np.uint32) * np.uint32(0x9E3779B9)
        x = x + key.astype(np.uint32)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return (x ^ (key >> np.uint64(32)).astype(np.uint32)) >> np.uint32(16)


def narrow(values, name, seed=None):
    """Round float32 to bit patterns as a call does, by random bits if there is a seed."""
    if seed is None:
        return nearest(values, name)
    return stochastic(values, name, random16(seed, values.size))
