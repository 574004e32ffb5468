"""Calls leave no reference, no capsule and no memory behind, whether they succeed or not."""

import gc
import os
import sys
import tracemalloc
from pathlib import Path

import pytest
from arrays import CUDA, Producer, call, read_only, streams


def test_nothing_leaks():
    x, g, b, x_trial = streams()
    producer = Producer(g)
    wrong = [
        x.astype(complex),
        x[:3],
        x[::-1][:3],
        [*x[:-1], "7"],
        Producer(x, device_type=CUDA),
        Producer(x, name=b"odd"),
        [],
    ]

    held = [x, g, b, x_trial, producer, *wrong]

    def calls(rounds):
        for k in range(rounds):
            call(x, g, b, x_trial)
            call(x, producer, b, x_trial)
            producer.requests.clear()
            with pytest.raises((TypeError, ValueError)):
                call(x, wrong[k % len(wrong)], b, x_trial)
        for p in (p for p in held if isinstance(p, Producer)):
            p.requests.clear()
        gc.collect()

    calls(100)
    counts = [sys.getrefcount(a) for a in held]
    tracemalloc.start()
    try:
        calls(10_000)  # until what Python keeps of freed objects is made anew, and traced
        before = tracemalloc.get_traced_memory()[0]
        calls(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(a) for a in held] == counts
    assert Producer.alive == 0
    # The runner keeps a few kilobytes; 16 bytes left by one of the six wrong calls are more.
    assert grown < 20_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm")
def test_the_core_keeps_nothing():
    """Shapes and strides of many axes, so that a copy left behind per call adds up to megabytes."""
    arrays = [a.reshape((1,) * 30 + (6,)) for a in streams()]
    wrong = [*arrays[:3], read_only(arrays[3])]

    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def calls(rounds):
        for _ in range(rounds):
            call(*arrays)
            with pytest.raises(ValueError, match="read-only"):
                call(*wrong)

    calls(500)
    before = resident()
    calls(10_000)
    assert resident() - before < 2_000_000
