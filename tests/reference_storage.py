"""The formats that states are stored in, in NumPy: codes of 8 bits and bfloat16."""

import numpy as np
from reference_half import mix64, nearest, stochastic, widen

BLOCK, CHUNK = 256, 1024
MOST = {"signed": 1.75 * 2.0**127 - 2.0**112, "unsigned": 1.75 * 2.0**127}
# The streams of an element take the random bits of elements so far apart.
APART = CHUNK // 10


def bits(values):
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def unit_of(largest, kind):
    """Find the least power of two, not below 2^-126, that can code the largest number."""
    most = {"signed": 59390.0, "unsigned": 1.8125 * 2.0**31 - 256}[kind]
    exponent = -126
    while largest > most * 2.0**exponent:
        exponent += 1
    return np.float32(2.0**exponent)


def encode(values, kind, random=None):
    """Give blocks of a unit and codes; `random` are 16 bits an element, None rounds to nearest."""
    flat = np.asarray(values, np.float32).ravel()
    count = -(-flat.size // BLOCK)
    padded = np.zeros(count * BLOCK, np.float32)
    padded[: flat.size] = flat
    added = np.full(padded.size, 0x8000, np.uint32)
    if random is not None:
        added[: flat.size] = random
    stored = np.zeros((count, 4 + BLOCK), np.uint8)
    for block in range(count):
        x = padded[block * BLOCK : (block + 1) * BLOCK]
        r = added[block * BLOCK : (block + 1) * BLOCK] << np.uint32(4)
        magnitude = np.abs(x)
        finite = bool(np.all(magnitude <= MOST[kind]))
        unit = unit_of(np.float64(magnitude.max()), kind) if finite else np.float32(np.nan)
        stored[block, :4] = np.array([unit], np.float32).view(np.uint8)
        if not finite:
            continue
        place = (bits(magnitude + unit) - bits(unit) + r) >> np.uint32(20)
        if kind == "unsigned":
            place = np.maximum(place, magnitude > 0.0)
        else:
            place |= (bits(x) >> np.uint32(24)) & np.uint32(0x80)
        stored[block, 4:] = place
    return stored


def decode(stored, kind, shape):
    """Give the numbers that blocks stand for."""
    out = np.zeros((len(stored), BLOCK), np.float32)
    for block, row in enumerate(stored):
        unit = row[:4].copy().view(np.float32)[0]
        code = row[4:].astype(np.uint32)
        place = code & np.uint32(0x7F) if kind == "signed" else code
        with np.errstate(invalid="ignore"):
            out[block] = ((place << np.uint32(20)) + bits(unit)).view(np.float32) - unit
        if kind == "signed":
            out[block] = np.where(code & 0x80, -out[block], out[block])
    return out.ravel()[: int(np.prod(shape))].reshape(shape)


def drawn(key, first_chunk, size, stream):
    """Give the random bits of an array's elements, as the stream-th of a step by a key."""
    result = np.zeros(size, np.uint32)
    for begin in range(0, size, CHUNK):
        with np.errstate(over="ignore"):
            chunk_key = mix64(np.uint64(key) + np.uint64(first_chunk + begin // CHUNK))
            x = np.arange(CHUNK // 2, dtype=np.uint32) * np.uint32(0x9E3779B9)
            x = x + np.uint32(chunk_key & np.uint64(0xFFFFFFFF))
            x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
            x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        x = x ^ (x >> np.uint32(16)) ^ np.uint32(chunk_key >> np.uint64(32))
        both = np.concatenate([x >> np.uint32(16), x & np.uint32(0xFFFF)])
        count = min(CHUNK, size - begin)
        result[begin : begin + count] = np.roll(both, -stream * APART)[:count]
    return result


def stored(values, kind, random=None):
    """Store numbers in a format, "bfloat16" among them."""
    if kind != "bfloat16":
        return encode(values, kind, random)
    flat = np.asarray(values, np.float32).ravel()
    rounded = nearest(flat, kind) if random is None else stochastic(flat, kind, random)
    return rounded.reshape(np.shape(values))


def numbers(array, kind, shape):
    """Read what is stored in a format."""
    return widen(array, kind) if kind == "bfloat16" else decode(array, kind, shape)
